"""LOGIN, AUTHENTICATE and the mailboxes of a first login (RFC 3501 section 6.2)."""

import base64
from dataclasses import replace

import pytest

from maildrop.decisions.recorder import SILENT, Noting
from maildrop.errors import AccountDisabled, NoSpace, TemporaryError
from maildrop.imap.limits import IMAPLimits
from maildrop.mailbox.account import Account
from maildrop.storage.memory.store import MemoryStore
from tests.imap.conftest import ALICE, Judge, Served

GOOD = base64.b64encode(b"\0alice\0secret")
SAME = base64.b64encode(b"alice\0alice\0secret")
OTHER = base64.b64encode(b"bob\0alice\0secret")
WRONG = base64.b64encode(b"\0alice\0wrong")
REFUSED = b"a NO [AUTHENTICATIONFAILED] Wrong name or password"


@pytest.mark.parametrize(
    "lines",
    [
        [b"a LOGIN alice secret"],
        [b'a login "alice" "secret"'],
        [b"a LOGIN {5+}", b"alice {6+}", b"secret"],
        [b"a AUTHENTICATE PLAIN " + GOOD],
        [b"a AUTHENTICATE PLAIN " + SAME],
        [b"a AUTHENTICATE plain", GOOD],
        [b"a AUTHENTICATE LOGIN", b"YWxpY2U=", b"c2VjcmV0"],
        [b"a AUTHENTICATE LOGIN YWxpY2U=", b"c2VjcmV0"],
        [b"a AUTHENTICATE PLAIN", b"*", b"a AUTHENTICATE PLAIN", GOOD],
    ],
)
def test_ways_to_log_in(imap: Served, lines: list[bytes]) -> None:
    client = imap.connect()
    answers = [client.send(line + b"\r\n") for line in lines]
    assert answers[-1].startswith(b"a OK [CAPABILITY IMAP4rev1 ")
    assert client.say(b"b SELECT INBOX")[-1].startswith(b"b OK")


def test_literals_are_asked_for_before_login(imap: Served) -> None:
    client = imap.connect()
    assert client.say(b"a LOGIN {5}") == [b"+ OK"]
    assert client.say(b"alice {6}") == [b"+ OK"]
    assert client.say(b"secret")[0].startswith(b"a OK")


def test_challenges_are_base64(imap: Served) -> None:
    client = imap.connect()
    assert client.say(b"a AUTHENTICATE PLAIN") == [b"+ "]
    assert client.say(b"*") == [b"a BAD Cancelled"]
    assert client.say(b"b AUTHENTICATE LOGIN") == [b"+ VXNlcm5hbWU6"]
    assert client.say(b"YWxpY2U=") == [b"+ UGFzc3dvcmQ6"]


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        ([b"a LOGIN alice wrong"], REFUSED),
        ([b"a AUTHENTICATE PLAIN " + WRONG], REFUSED),
        ([b"a AUTHENTICATE PLAIN " + OTHER], REFUSED),
        ([b"a AUTHENTICATE PLAIN ="], b"a BAD Syntax error"),
        ([b"a AUTHENTICATE PLAIN", b"%%%"], b"a BAD Syntax error"),
        ([b"a AUTHENTICATE X-KLINGON"], b"a NO [CANNOT] That mechanism is not offered"),
    ],
)
def test_bad_logins_are_refused_and_another_may_follow(
    imap: Served, lines: list[bytes], answer: bytes
) -> None:
    client = imap.connect()
    said = [client.send(line + b"\r\n") for line in lines]
    assert said[-1] == answer + b"\r\n"
    assert client.say(b"b LOGIN alice secret")[0].startswith(b"b OK")


@pytest.mark.parametrize(
    "line", [b"a LOGIN alice secret", b"a AUTHENTICATE PLAIN " + GOOD]
)
def test_no_password_is_looked_at_before_tls(imap: Served, line: bytes) -> None:
    client = imap.connect("192.0.2.1")
    answer = [b"a NO [PRIVACYREQUIRED] No passwords before STARTTLS"]
    assert client.say(line) == answer


def test_too_many_failures_end_the_connection(imap: Served) -> None:
    imap.limit(IMAPLimits(logins=3))
    client = imap.connect()
    for _ in range(2):
        assert client.say(b"a LOGIN alice wrong") == [REFUSED]
    assert client.say(b"a LOGIN alice wrong", b"b LOGIN alice secret") == [
        REFUSED,
        b"* BYE Too many failed logins",
    ]
    assert client.closed


class Refusing(Judge):
    """Refuses everybody in some way."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def authenticate(
        self,
        name: str,
        password: str,
        *,
        service: str,
        source: str,
        note: Noting = SILENT,
    ) -> Account:
        del name, password, service, source, note
        raise self.error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AccountDisabled("x"), b"AUTHORIZATIONFAILED"),
        (TemporaryError("/etc/passwd cannot be read"), b"UNAVAILABLE"),
    ],
)
def test_other_refusals_have_their_code(
    imap: Served, error: Exception, code: bytes
) -> None:
    """RFC 5530 section 3."""
    imap.site = replace(imap.site, authenticator=Refusing(error))
    (answer,) = imap.connect().say(b"a LOGIN alice secret")
    assert answer.startswith(b"a NO [%b] " % code)
    assert b"passwd" not in answer


def test_the_first_login_makes_the_special_mailboxes(imap: Served) -> None:
    """RFC 6154."""
    client = imap.login()
    client.say(b"a DELETE Junk", b"b LOGOUT")
    names = [entry.name for entry in imap.stores(ALICE).entries()]
    assert names == ["Archive", "Drafts", "INBOX", "Sent", "Trash"]
    imap.login()
    assert "Junk" not in [entry.name for entry in imap.stores(ALICE).entries()]


def test_which_special_mailboxes_there_are_is_configured(imap: Served) -> None:
    imap.site = replace(imap.site, special_use=(("Corbeille", "\\Trash"),))
    client = imap.login()
    assert client.say(b'a LIST "" C*')[0] == (
        b'* LIST (\\HasNoChildren \\Trash) "/" Corbeille'
    )


def test_a_full_disk_keeps_nobody_out(
    imap: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: MemoryStore, special: object) -> None:
        del self, special
        raise NoSpace("mkdir")

    monkeypatch.setattr(MemoryStore, "provide", full)
    assert imap.login().say(b"a SELECT INBOX")[-1].startswith(b"a OK")
