"""APPEND (RFC 3501 section 6.3.11, RFC 4315, RFC 4469)."""

import pytest

from maildrop.durable import Content
from maildrop.errors import NoSpace
from maildrop.imap.limits import IMAPLimits
from tests.imap.conftest import MESSAGE, NOW, Client, Served


@pytest.fixture
def client(imap: Served) -> Client:
    """A client that has logged in."""
    return imap.login()


def stored(imap: Served, name: str = "INBOX") -> list[bytes]:
    """What lies in a mailbox."""
    box = imap.mailbox(name)
    return [box.read(uid) for uid in box.table.uids]


def test_the_message_is_asked_for_and_gets_its_uid(
    imap: Served, client: Client
) -> None:
    said = client.say(b"a APPEND INBOX {%d}" % len(MESSAGE))
    assert said == [b"+ Ready for the message"]
    answer = client.send(MESSAGE + b"\r\n")
    code = b"[APPENDUID %d 1]" % imap.mailbox().table.uid_validity
    assert answer == b"a OK %b Append completed\r\n" % code
    assert stored(imap) == [MESSAGE]


def test_a_literal_that_does_not_wait(imap: Served, client: Client) -> None:
    """RFC 7888."""
    client.send(b"a APPEND INBOX {%d+}\r\n%b\r\nb NOOP\r\n" % (len(MESSAGE), MESSAGE))
    assert stored(imap) == [MESSAGE]


def test_flags_keywords_and_date(imap: Served, client: Client) -> None:
    head = b'a APPEND INBOX (\\Seen $Label) "17-Jul-1996 02:44:25 -0700" {1+}'
    assert client.say(head, b"x")[0].startswith(b"a OK")
    client.say(b"b EXAMINE INBOX")
    assert client.say(b"c FETCH 1 (FLAGS INTERNALDATE)")[0] == (
        b"* 1 FETCH (FLAGS (\\Seen \\Recent $Label) INTERNALDATE"
        b' "17-Jul-1996 09:44:25 +0000")'
    )


def test_without_a_date_it_is_now(imap: Served, client: Client) -> None:
    client.say(b"a APPEND INBOX {1+}", b"x")
    assert list(imap.mailbox().table.dates) == [int(NOW)]


def test_the_selected_mailbox_grows_before_ok(imap: Served) -> None:
    client = imap.selected()
    said = client.say(b"a APPEND INBOX {1+}", b"x")
    assert said[:2] == [b"* 1 EXISTS", b"* 1 RECENT"]
    assert said[2].startswith(b"a OK [APPENDUID ")


@pytest.mark.parametrize(
    ("mailbox", "answer"),
    [
        (b"missing", b"a NO [TRYCREATE] No such mailbox"),
        (b"../x", b"a NO [CANNOT] No mailbox can have that name"),
    ],
)
def test_a_message_that_cannot_be_taken_is_not_asked_for(
    client: Client, mailbox: bytes, answer: bytes
) -> None:
    assert client.say(b"a APPEND %b {5}" % mailbox) == [answer]
    assert client.say(b"b NOOP") == [b"b OK Noop completed"]
    said = client.say(b"a APPEND %b {5+}" % mailbox, b"b NOOP", b"c NOOP")
    assert said == [answer, b"c OK Noop completed"]


def test_a_message_over_the_limit(imap: Served) -> None:
    imap.limit(IMAPLimits(message=100))
    client = imap.login()
    answer = b"a NO [TOOBIG] The message is too large"
    assert client.say(b"a APPEND INBOX {101}") == [answer]
    said = client.say(b"a APPEND INBOX {101+}", b"x" * 101, b"b NOOP")
    assert said == [answer, b"b OK Noop completed"]
    assert client.say(b"a APPEND INBOX {100+}", b"x" * 100)[0].startswith(b"a OK")


def test_a_message_has_octets(client: Client) -> None:
    assert client.say(b"a APPEND INBOX {0}") == [
        b"a NO [CANNOT] A message has at least one octet"
    ]


def test_octets_behind_the_message_are_bad_and_nothing_is_stored(
    imap: Served, client: Client
) -> None:
    assert client.say(b"a APPEND INBOX {3+}", b"xyz behind") == [b"a BAD Syntax error"]
    assert stored(imap) == []
    assert client.say(b"b NOOP") == [b"b OK Noop completed"]


@pytest.mark.parametrize("cut", range(1, 12))
def test_bare_line_feeds_become_crlf_wherever_the_packets_end(
    imap: Served, client: Client, cut: int
) -> None:
    message = b"a\nb\r\nc\n\r\nd\r"
    client.say(b"a APPEND INBOX {%d}" % len(message))
    client.send(message[:cut])
    assert client.send(message[cut:] + b"\r\n").startswith(b"a OK")
    assert stored(imap) == [b"a\r\nb\r\nc\r\n\r\nd\r"]


def test_a_large_message_is_not_held_in_memory(imap: Served, client: Client) -> None:
    message = (b"x" * 998 + b"\r\n") * 600
    client.say(b"a APPEND INBOX {%d}" % len(message))
    for start in range(0, len(message), 65536):
        client.send(message[start : start + 65536])
    appending = client.server.session.appending
    assert appending is not None
    assert appending.content._chunks == []
    assert client.send(b"\r\n").startswith(b"a OK")
    assert stored(imap) == [message]


def test_a_full_disk_is_said_at_once_and_nothing_is_left(
    imap: Served, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.say(b"a APPEND INBOX {10}")

    def full(self: Content, octets: bytes) -> None:
        del self, octets
        raise NoSpace("write a temporary file")

    monkeypatch.setattr(Content, "write", full)
    answer = b"a NO [UNAVAILABLE] No space left, try again later"
    assert client.say(b"12345") == [answer]
    assert client.say(b"678", b"b NOOP") == [b"b OK Noop completed"]
    assert stored(imap) == []


def test_a_connection_lost_in_the_message_leaves_nothing(
    imap: Served, client: Client
) -> None:
    client.say(b"a APPEND INBOX {10}")
    client.send(b"12345")
    client.lose()
    assert stored(imap) == []
    assert client.server.session.appending is None


def test_a_mailbox_that_vanishes_meanwhile(imap: Served, client: Client) -> None:
    client.say(b"a CREATE box", b"b APPEND box {1}")
    imap.login().say(b"a DELETE box")
    (answer,) = client.say(b"x")
    assert answer == b"b NO [TRYCREATE] No such mailbox"
    assert client.say(b"c NOOP") == [b"c OK Noop completed"]


def test_a_mailbox_that_is_replaced_meanwhile(imap: Served, client: Client) -> None:
    client.say(b"a CREATE box", b"b APPEND box {1}")
    imap.login().say(b"a DELETE box", b"b CREATE box")
    (answer,) = client.say(b"x")
    assert answer.startswith(b"b OK [APPENDUID ")
    assert len(imap.mailbox("box").table) == 1
