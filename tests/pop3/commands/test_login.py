"""USER, PASS and AUTH, and what a login needs."""

import pytest
from twisted.logger import capturedLogs

from maildrop.errors import MailboxNotFound, StorageFailure
from maildrop.pop3.login_delay import LoginDelay
from tests.pop3.conftest import Client, Served

PLAIN = b"AGFsaWNlAHNlY3JldA=="  # NUL alice NUL secret


def test_user_and_pass_log_in(pop3: Served) -> None:
    """RFC 1939 section 7."""
    client = pop3.connect()
    assert client.lines(b"USER alice") == b"+OK Password?\r\n"
    assert client.lines(b"pass secret") == b"+OK 3 messages\r\n"


@pytest.mark.parametrize("name", [b"alice", b"nobody", b"\xff", b"a\x07b"])
def test_a_wrong_password_is_told_like_a_wrong_name(pop3: Served, name: bytes) -> None:
    client = pop3.connect()
    said = client.lines(b"USER " + name, b"PASS wrong")
    pop3.clock.advance(1)
    assert said + client.read() == (
        b"+OK Password?\r\n-ERR [AUTH] Wrong user name or password\r\n"
    )
    assert client.lines(b"PASS secret") == b"-ERR USER first\r\n"


def test_wrong_passwords_are_bounded(pop3: Served) -> None:
    pop3.set(refused=2)
    client = pop3.connect()
    for _ in range(2):
        assert not client.closed
        client.lines(b"USER alice", b"PASS wrong")
        pop3.clock.advance(1)
    assert client.read().count(b"[AUTH]") <= 2
    assert client.closed


def test_a_disabled_account_is_told_apart_after_the_right_password(
    pop3: Served,
) -> None:
    client = pop3.connect()
    assert client.lines(b"USER carol", b"PASS secret").endswith(
        b"-ERR [AUTH] This account may not be used here\r\n"
    )


def test_when_nobody_can_be_judged_the_password_is_not_blamed(pop3: Served) -> None:
    """RFC 3206 section 4."""
    pop3.people.broken = True
    client = pop3.connect()
    with capturedLogs():
        said = client.lines(b"USER alice", b"PASS secret")
    assert said.endswith(b"-ERR [SYS/TEMP] Try again later\r\n")
    assert not client.closed


def test_a_second_session_is_told_that_the_maildrop_is_in_use(pop3: Served) -> None:
    """RFC 2449 section 8.1.2."""
    first, second = pop3.login(), pop3.connect()
    in_use = b"-ERR [IN-USE] Maildrop is in use by another session\r\n"
    assert second.lines(b"USER alice", b"PASS secret").endswith(in_use)
    assert second.lines(b"STAT") == b"-ERR Not in this state\r\n"
    first.lines(b"QUIT")
    second.login()


@pytest.mark.parametrize(
    ("error", "code"),
    [(StorageFailure("disk"), b"[SYS/TEMP]"), (MailboxNotFound("no"), b"[SYS/PERM]")],
)
def test_a_mailbox_that_cannot_be_opened_is_told(
    pop3: Served, monkeypatch: pytest.MonkeyPatch, error: Exception, code: bytes
) -> None:
    def fail() -> None:
        raise error

    client = pop3.connect()
    monkeypatch.setattr(pop3.inbox, "lock_maildrop", fail)
    with capturedLogs() as events:
        assert b"-ERR " + code in client.lines(b"USER alice", b"PASS secret")
    assert len(events) == 1
    monkeypatch.undo()
    client.login()


def test_without_tls_from_elsewhere_no_password_is_asked_for(pop3: Served) -> None:
    client = pop3.connect("192.0.2.1")
    assert (
        client.lines(b"USER alice") == b"-ERR [SYS/PERM] No passwords before STLS\r\n"
    )
    assert client.lines(b"PASS secret") == b"-ERR USER first\r\n"
    assert client.lines(b"AUTH PLAIN " + PLAIN) == b"-ERR Mechanism not offered\r\n"
    assert client.lines(b"AUTH") == b"+OK Mechanisms follow\r\n.\r\n"


def test_auth_takes_an_initial_response(pop3: Served) -> None:
    """RFC 5034 section 4."""
    client = pop3.connect()
    assert client.lines(b"AUTH PLAIN " + PLAIN) == b"+OK 3 messages\r\n"


CONVERSATION = b"AUTH LOGIN\r\nYWxpY2U=\r\nc2VjcmV0\r\nSTAT\r\n"


@pytest.mark.parametrize("cut", range(len(CONVERSATION)))
def test_auth_asks_for_what_it_needs(pop3: Served, cut: int) -> None:
    client = pop3.connect()
    said = client.send(CONVERSATION[:cut]) + client.send(CONVERSATION[cut:])
    assert said == (
        b"+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n+OK 3 messages\r\n+OK 3 174\r\n"
    )


def test_auth_alone_lists_the_mechanisms(pop3: Served) -> None:
    client = pop3.connect()
    assert client.lines(b"AUTH") == b"+OK Mechanisms follow\r\nPLAIN\r\nLOGIN\r\n.\r\n"


@pytest.mark.parametrize(
    ("lines", "last"),
    [
        ([b"AUTH PLAIN", b"*"], b"-ERR Cancelled"),
        ([b"AUTH PLAIN", b"%%%"], b"-ERR Malformed response"),
        ([b"AUTH PLAIN", b""], b"-ERR Malformed response"),
        ([b"AUTH PLAIN %%%"], b"-ERR Malformed response"),
        ([b"AUTH PLAIN ="], b"-ERR Malformed response"),
        ([b"AUTH PLAIN", b"A" * 13000], b"-ERR Malformed response"),
        ([b"AUTH LOGIN", b"YWxpY2U=", b"*"], b"-ERR Cancelled"),
        ([b"AUTH CRAM-MD5"], b"-ERR Mechanism not offered"),
        # root NUL alice NUL secret: to act for another user
        (
            [b"AUTH PLAIN cm9vdABhbGljZQBzZWNyZXQ="],
            b"-ERR [AUTH] Wrong user name or password",
        ),
        (
            [b"AUTH PLAIN", b"cm9vdABhbGljZQBzZWNyZXQ="],
            b"-ERR [AUTH] Wrong user name or password",
        ),
    ],
)
def test_an_exchange_that_fails_leaves_the_session_usable(
    pop3: Served, lines: list[bytes], last: bytes
) -> None:
    client = pop3.connect()
    assert client.lines(*lines).splitlines()[-1] == last
    client.login()


def test_mutt_names_itself_twice(pop3: Served) -> None:
    """RFC 4616: an authorization identity equal to the authentication identity."""
    client = pop3.connect()
    assert client.lines(b"AUTH PLAIN YWxpY2UAYWxpY2UAc2VjcmV0").startswith(b"+OK 3")


def test_logging_in_too_often_is_refused(pop3: Served) -> None:
    """RFC 2449 section 8.1.1."""
    pop3.services = type(pop3.services)(
        pop3.services.judge, pop3.services.post, pop3.clock, delay=LoginDelay(60)
    )
    pop3.login().lines(b"QUIT")
    client = pop3.connect()
    assert b"LOGIN-DELAY 60\r\n" in client.lines(b"CAPA")
    assert client.lines(b"USER alice", b"PASS secret").endswith(
        b"-ERR [LOGIN-DELAY] Logged in a short while ago\r\n"
    )
    pop3.clock.advance(60)
    assert Client.login(pop3.connect()).lines(b"STAT") == b"+OK 3 174\r\n"
