"""The server as a client meets it: states, errors, limits, time."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from twisted.logger import LogLevel, capturedLogs, formatEvent

from maildrop.errors import StorageFailure
from maildrop.net.connection import Limits
from maildrop.pop3.commands.table import RULES
from maildrop.pop3.session import State
from maildrop.pop3.wire.commands import KEYWORDS
from maildrop.pop3.wire.reader import WireLimits
from tests.pop3.conftest import Served

CONVERSATION = (
    b"CAPA\r\nUSER alice\r\nPASS secret\r\nSTAT\r\nLIST\r\nLIST 2\r\nUIDL\r\nUIDL 3\r\n"
    b"RETR 1\r\nTOP 1 1\r\nDELE 2\r\nSTAT\r\nLIST\r\nLIST 2\r\nRETR 2\r\nNOOP\r\n"
    b"XTND\r\nRETR 9\r\nRSET\r\nSTAT\r\nDELE 3\r\nQUIT\r\n"
)


def whole() -> bytes:
    return Served().connect().send(CONVERSATION)


EXPECTED = whole()


@pytest.mark.parametrize("cut", range(0, len(CONVERSATION), 3))
def test_cut_anywhere_the_replies_are_the_same(pop3: Served, cut: int) -> None:
    client = pop3.connect()
    said = client.send(CONVERSATION[:cut]) + client.send(CONVERSATION[cut:])
    assert said == EXPECTED
    assert client.closed
    assert len(pop3.inbox.table) == 2


def test_the_conversation_is_what_the_rfc_wants() -> None:
    """RFC 1939 sections 5 to 7."""
    uidl = b"%08x%08x"
    validity = 1_790_000_000
    assert EXPECTED.partition(b"IMPLEMENTATION")[2].split(b"\r\n.\r\n", 1)[1] == (
        b"+OK Password?\r\n+OK 3 messages\r\n+OK 3 174\r\n"
        b"+OK 3 messages (174 octets)\r\n1 35\r\n2 118\r\n3 21\r\n.\r\n"
        b"+OK 2 118\r\n"
        b"+OK Unique-ids follow\r\n1 %b\r\n2 %b\r\n3 %b\r\n.\r\n"
        b"+OK 3 %b\r\n"
        b"+OK 35 octets\r\nSubject: one\r\n\r\nfirst\r\n..dot\r\nlast\r\n.\r\n"
        b"+OK Top of message follows\r\nSubject: one\r\n\r\nfirst\r\n.\r\n"
        b"+OK Marked\r\n+OK 2 56\r\n"
        b"+OK 2 messages (56 octets)\r\n1 35\r\n3 21\r\n.\r\n"
        b"-ERR No such message\r\n-ERR No such message\r\n+OK Nothing done\r\n"
        b"-ERR Unknown command\r\n-ERR No such message\r\n"
        b"+OK 3 messages\r\n+OK 3 174\r\n+OK Marked\r\n+OK Bye\r\n"
        % (
            *(uidl % (validity, uid) for uid in (1, 2, 3)),
            uidl % (validity, 3),
        )
    )


def test_the_greeting_offers_no_apop(pop3: Served) -> None:
    """RFC 1939 section 7: a timestamp in angle brackets would."""
    assert pop3.connect().greeting == b"+OK mail.example.org POP3 ready\r\n"


def test_every_keyword_of_the_grammar_is_carried_out() -> None:
    assert set(RULES) == set(KEYWORDS)


ARGUMENTS = {
    b"DELE": b" 1",
    b"PASS": b" secret",
    b"RETR": b" 1",
    b"TOP": b" 1 0",
    b"USER": b" alice",
}


@pytest.mark.parametrize("keyword", sorted(KEYWORDS))
@pytest.mark.parametrize("state", State)
def test_every_command_answers_in_every_state(
    pop3: Served, keyword: bytes, state: State
) -> None:
    client = pop3.connect() if state is State.AUTHORIZATION else pop3.login()
    said = client.lines(keyword + ARGUMENTS.get(keyword, b""))
    if state not in RULES[keyword].states:
        assert said == b"-ERR Not in this state\r\n"
    elif keyword == b"PASS":
        assert said == b"-ERR USER first\r\n"
    else:
        assert said.startswith(b"+OK ")
    assert client.closed is (keyword == b"QUIT")


def test_bad_commands_are_bounded(pop3: Served) -> None:
    pop3.set(wrong=3)
    client = pop3.connect()
    assert client.lines(b"x", b"RETR 1") == (
        b"-ERR Unknown command\r\n-ERR Not in this state\r\n"
    )
    assert client.lines(b"STAT 1 2 3", b"NOOP", b"CAPA") == (
        b"-ERR Bad arguments\r\n-ERR Too many bad commands\r\n"
    )
    assert client.closed


def test_a_long_line_is_an_error_and_the_connection_usable(pop3: Served) -> None:
    client = pop3.connect()
    assert client.lines(b"USER " + b"x" * 300, b"CAPA").startswith(
        b"-ERR Line too long\r\n+OK Cap"
    )


def test_an_endless_line_ends_the_connection(pop3: Served) -> None:
    pop3.wire_limits = WireLimits(overrun=1000)
    client = pop3.connect()
    assert client.send(b"x" * 900) == b""
    assert not client.closed
    client.send(b"x" * 200)
    assert client.closed


def test_before_login_silence_lasts_a_minute(pop3: Served) -> None:
    client = pop3.connect()
    pop3.clock.advance(59)
    client.lines(b"CAPA")
    pop3.clock.advance(59)
    assert not client.closed
    pop3.clock.advance(2)
    assert client.closed
    assert client.read() == b""


def test_after_login_it_lasts_ten_and_nothing_is_said_or_removed(
    pop3: Served,
) -> None:
    """RFC 1939 section 3."""
    client = pop3.login()
    client.lines(b"DELE 1")
    for _ in range(9):
        pop3.clock.advance(60)
    pop3.clock.advance(59)
    assert not client.closed
    pop3.clock.advance(2)
    assert client.closed
    assert client.read() == b""
    client.lose()
    assert len(pop3.inbox.table) == 3
    pop3.login()


def test_a_broken_connection_removes_nothing_and_unlocks(pop3: Served) -> None:
    """RFC 1939 section 6."""
    client = pop3.login()
    client.lines(b"RETR 1", b"DELE 1", b"DELE 2")
    client.lose()
    assert len(pop3.inbox.table) == 3
    assert pop3.inbox.table.unseen == 3
    assert pop3.login().lines(b"STAT") == b"+OK 3 174\r\n"


def test_a_connection_broken_while_logging_in_leaves_no_lock(pop3: Served) -> None:
    pop3.threads.slow = True
    client = pop3.connect()
    client.lines(b"USER alice", b"PASS secret")
    client.lose()
    while pop3.threads.waiting:
        pop3.threads.finish()
    pop3.threads.slow = False
    pop3.login()
    assert len(pop3.services.sessions) == 1


def test_commands_behind_a_slow_one_wait_for_it(pop3: Served) -> None:
    pop3.threads.slow = True
    client = pop3.connect()
    assert client.lines(b"USER alice", b"PASS secret", b"STAT", b"QUIT") == (
        b"+OK Password?\r\n"
    )
    while pop3.threads.waiting:
        pop3.threads.finish()
    assert client.read() == b"+OK 3 messages\r\n+OK 3 174\r\n+OK Bye\r\n"
    assert client.closed


def test_ten_thousand_pipelined_commands_are_answered_in_order(pop3: Served) -> None:
    """RFC 2449 section 6.6."""
    client = pop3.login()
    assert client.send(b"NOOP\r\nRETR 9\r\n" * 5000) == (
        b"+OK Nothing done\r\n-ERR No such message\r\n" * 5000
    )


def test_a_bug_is_answered_logged_and_the_session_goes_on(
    pop3: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = pop3.login()
    monkeypatch.setattr(pop3.inbox, "read_at_once", lambda uids: 1 // 0)
    with capturedLogs() as events:
        assert client.lines(b"RETR 1", b"STAT") == (
            b"-ERR [SYS/TEMP] Internal error\r\n+OK 3 174\r\n"
        )
    assert [event["log_level"] for event in events] == [LogLevel.critical]


def test_a_failing_disk_is_a_temporary_error_and_logged(
    pop3: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 3206 section 4."""

    def fail(uids: Sequence[int]) -> list[bytes | None]:
        raise StorageFailure(f"read /var/mail/alice {uids}: Input/output error")

    client = pop3.login()
    monkeypatch.setattr(pop3.inbox, "read_at_once", fail)
    with capturedLogs() as events:
        assert client.lines(b"RETR 1") == b"-ERR [SYS/TEMP] Try again later\r\n"
    assert "pop3 RETR failed for alice from 127.0.0.1" in str(formatEvent(events[0]))


def test_sessions_are_registered_while_they_last(pop3: Served) -> None:
    client = pop3.connect("192.0.2.1")
    (session,) = pop3.services.sessions
    assert (session.service, session.user, session.mailbox) == ("pop3", "", "")
    assert session.peer.address == "192.0.2.1"
    client.lose()
    client = pop3.login()
    (session,) = pop3.services.sessions
    assert (session.user, session.mailbox) == ("alice", "INBOX")
    session.kick()
    assert client.closed
    client.lose()
    assert len(pop3.services.sessions) == 0


def test_a_slow_reader_makes_the_next_message_wait(pop3: Served) -> None:
    pop3.set(unsent=50)
    pop3.limits = Limits(ahead=100)
    client = pop3.login()
    client.connection.pauseProducing()
    said = client.lines(b"RETR 2", b"RETR 2", b"QUIT")
    assert said.count(b"+OK 118 octets") == 1
    client.send(b"\r\n" * 100)
    assert client.transport.producerState == "paused"
    client.connection.resumeProducing()
    assert client.read().count(b"+OK 118 octets") == 1
    assert client.closed


def test_a_client_lost_while_it_read_too_slowly_leaves_no_lock(pop3: Served) -> None:
    pop3.set(unsent=50)
    client = pop3.login()
    client.connection.pauseProducing()
    client.lines(b"RETR 2", b"DELE 1")
    client.lose()
    assert pop3.login().lines(b"STAT") == b"+OK 3 174\r\n"


LINES = st.one_of(
    st.binary(max_size=30),
    st.tuples(
        st.sampled_from(sorted(KEYWORDS)),
        st.sampled_from(
            [b"", b" 1", b" 2 3", b" alice", b" PLAIN", b" AGIAYw==", b" *"]
        ),
    ).map(b"".join),
    st.sampled_from([b"*", b"dGlt", b"=", b"AGFsaWNlAHNlY3JldA=="]),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(LINES, max_size=15), st.booleans())
def test_any_lines_are_answered_without_an_error_of_ours(
    lines: list[bytes],
    logged_in: bool,
) -> None:
    pop3 = Served()
    pop3.set(wrong=1000, refused=1000)
    with capturedLogs() as events:
        client = pop3.login() if logged_in else pop3.connect()
        client.lines(*lines)
        pop3.clock.advance(20)
        client.lose()
        pop3.login()
    assert [e for e in events if e["log_level"] >= LogLevel.error] == []
