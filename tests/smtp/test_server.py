"""The server as a client meets it: order, errors, limits, time."""

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from twisted.logger import LogLevel, capturedLogs

from maildrop.durable import Content
from maildrop.smtp.service import Service, SMTPLimits
from maildrop.smtp.wire.reader import WireLimits
from tests.smtp.conftest import Served

MESSAGE = b"Subject: x\r\n\r\nhello\r\n"
TRANSACTION = (b"MAIL FROM:<a@b.example>", b"RCPT TO:<alice@example.org>", b"DATA")


def test_the_greeting_names_host_and_protocol(smtp: Served, lmtp: Served) -> None:
    """RFC 5321 section 4.2, RFC 2033 section 4."""
    assert smtp.connect() == b"220 mail.example.org ESMTP maildrop\r\n"
    assert lmtp.connect() == b"220 mail.example.org LMTP maildrop\r\n"


def test_a_session_as_in_the_book(smtp: Served) -> None:
    """RFC 5321 appendix D.1."""
    assert smtp.lines(*TRANSACTION) == (
        b"250 2.0.0 OK\r\n250 2.1.5 OK\r\n"
        b"354 Send the message, end with <CRLF>.<CRLF>\r\n"
    )
    assert smtp.say(MESSAGE + b".\r\n").startswith(b"250 2.0.0 Stored, id ")
    assert smtp.mail()[0].endswith(MESSAGE)
    assert smtp.lines(b"QUIT") == b"221 2.0.0 Bye\r\n"
    assert smtp.closed


def test_a_dialogue_typed_by_hand(smtp: Served) -> None:
    smtp.connect()
    for line, code in [
        (b"helo there", 250),
        (b"mail from: me@home", 250),
        (b"rcpt to: alice@example.org", 250),
        (b"data", 354),
        (b"hello alice", 0),
        (b".", 250),
        (b"quit", 221),
    ]:
        assert smtp.codes(line) == ([code] if code else [])
    assert smtp.mail()[0].endswith(b"\r\n\r\nhello alice\r\n")


def test_lines_that_end_in_lf_work_up_to_data(smtp: Served) -> None:
    """RFC 5321 section 2.3.8: the end of a message is never in doubt."""
    smtp.connect()
    answers = [
        smtp.say(line + b"\n")[:3]
        for line in (b"HELO x", *TRANSACTION, b"Subject: x", b".", b"QUIT")
    ]
    assert answers == [b"250", b"250", b"250", b"554", b"500", b"500", b"221"]


def test_a_connection_whose_first_line_has_crlf_takes_no_lf(smtp: Served) -> None:
    assert smtp.say(b"NOOP\nMAIL FROM:<a@b>\r\nNOOP\r\n") == (
        b"500 5.5.2 A line ends in CRLF and holds no CR, LF, NUL\r\n250 2.0.0 OK\r\n"
    )


SMUGGLED = b"MAIL FROM:<evil@x>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nfake\r\n.\r\n"


@pytest.mark.parametrize(
    "trick", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r"]
)
def test_nothing_is_smuggled_behind_a_false_end(smtp: Served, trick: bytes) -> None:
    """RFC 5321 section 2.3.8: one message comes, and one reply."""
    smtp.lines(*TRANSACTION)
    assert smtp.say(b"a" + trick + SMUGGLED).count(b"\r\n") == 1
    assert len(smtp.mail("alice")) == 1
    assert b"RCPT TO:<bob@example.org>" in smtp.mail("alice")[0]
    assert smtp.mail("bob") == []


CONVERSATION = b"".join(
    [
        b"EHLO x\r\nMAIL FROM:<a@b> SIZE=100\r\nRCPT TO:<alice@example.org>\r\n",
        b"RCPT TO:<nobody@example.org>\r\nDATA\r\n..one\r\n.\r\n",
        b"MAIL FROM:<>\r\nRCPT TO:<alice>\r\nBDAT 5\r\n\r\n.\r\nBDAT 3 LAST\r\nx\r\n",
        b"BOGUS\r\nRSET\r\nDATA\r\nQUIT\r\n",
    ]
)
CODES = [b"250"] * 11 + [b"550", b"354", b"250"] + [b"250"] * 4
CODES += [b"500", b"250", b"503", b"221"]


@pytest.mark.parametrize("cut", range(len(CONVERSATION)))
def test_cut_anywhere_the_replies_are_the_same(smtp: Served, cut: int) -> None:
    smtp.connect()
    answer = smtp.say(CONVERSATION[:cut])
    if cut < len(CONVERSATION):
        answer += smtp.say(CONVERSATION[cut:])
    assert [line[:3] for line in answer.splitlines()] == CODES
    assert [mail.rpartition(b"\t")[2][31:] for mail in smtp.mail()] == [
        b"\r\n\r\n.one\r\n",
        b"\r\n\r\n.\r\nx\r\n",
    ]


def test_the_replies_to_pipelined_commands_leave_in_one_write(smtp: Served) -> None:
    """RFC 2920 section 3.2."""
    writes: list[bytes] = []
    smtp.transport.write = writes.append  # type: ignore[method-assign]
    smtp.lines(b"NOOP", b"NOOP", b"MAIL FROM:<a@b>", b"RCPT TO:<alice>", b"DATA")
    assert len(writes) == 1
    assert writes[0].count(b"\r\n") == 5


def test_ten_thousand_pipelined_commands_are_answered(smtp: Served) -> None:
    assert smtp.say(b"NOOP\r\n" * 10_000) == b"250 2.0.0 OK\r\n" * 10_000


@pytest.mark.parametrize(
    ("lines", "codes"),
    [
        ([b"RCPT TO:<alice>"], [503]),
        ([b"DATA"], [503]),
        ([b"MAIL FROM:<a@b>", b"MAIL FROM:<a@b>"], [250, 503]),
        ([b"MAIL FROM:<a@b>", b"DATA"], [250, 503]),
        ([b"MAIL FROM:<a@b>", b"RCPT TO:<x@y>", b"DATA"], [250, 550, 503]),
        ([b"MAIL FROM:<a@b>", b"STARTTLS"], [250, 503]),
        ([b"MAIL FROM:<a@b>", b"EHLO x", b"RCPT TO:<alice>"], [250, 250, 503]),
        ([b"MAIL FROM:<a@b>", b"RSET", b"MAIL FROM:<a@b>"], [250, 250, 250]),
        ([b"LHLO x"], [500]),
        ([b"AUTH PLAIN"], [500]),
        ([b"BOGUS"], [500]),
        ([b""], [500]),
        ([b"\xff\xff"], [500]),
    ],
)
def test_order_and_unknown_commands(
    smtp: Served, lines: list[bytes], codes: list[int]
) -> None:
    """RFC 5321 section 4.1.4, RFC 2920 section 3.1."""
    assert smtp.codes(*lines) == codes
    assert smtp.codes(b"NOOP") == [250]


@pytest.mark.parametrize("line", [b"MAIL FROM:<a@b>", b"STARTTLS", b"DATA"])
def test_hello_comes_first(smtp: Served, line: bytes) -> None:
    """RFC 5321 section 4.1.4."""
    smtp.connect()
    assert smtp.lines(line) == b"503 5.5.1 Say hello first\r\n"


def test_a_line_too_long_is_refused_and_the_connection_goes_on(smtp: Served) -> None:
    """RFC 5321 section 4.5.3.1.9."""
    smtp.limit(SMTPLimits(wire=WireLimits(command=100, auth=200, overrun=1000)))
    smtp.connect()
    assert smtp.codes(b"NOOP " + b"x" * 300, b"NOOP") == [500, 250]
    assert smtp.say(b"x" * 5000).startswith(b"421 4.7.0")
    assert smtp.closed


def test_after_twenty_errors_the_connection_is_closed(smtp: Served) -> None:
    assert smtp.codes(*[b"BOGUS"] * 20) == [500] * 20
    assert not smtp.closed
    assert smtp.lines(b"BOGUS") == b"421 4.7.0 Too many errors, closing\r\n"
    assert smtp.closed


def test_after_many_refused_recipients_the_connection_is_closed(smtp: Served) -> None:
    """RFC 5321 section 7.3: no harvesting of addresses."""
    smtp.limit(SMTPLimits(refused=2))
    smtp.connect()
    smtp.codes(b"EHLO x", b"MAIL FROM:<a@b>")
    assert smtp.codes(*[b"RCPT TO:<nobody>"] * 3) == [550, 550, 421]
    assert smtp.closed


def test_after_many_commands_the_connection_is_closed(smtp: Served) -> None:
    smtp.limit(SMTPLimits(commands=3))
    smtp.connect()
    assert smtp.codes(*[b"NOOP"] * 4) == [250, 250, 250, 421]
    assert smtp.closed


def test_a_browser_is_sent_away_at_once(smtp: Served) -> None:
    """RFC 5321 section 7.7."""
    smtp.connect()
    assert smtp.lines(b"POST / HTTP/1.1", b"Host: x", b"", b"EHLO x") == (
        b"421 4.7.0 This is no web server\r\n"
    )
    assert smtp.closed


def test_five_minutes_of_silence_end_a_session(smtp: Served) -> None:
    """RFC 5321 section 4.5.3.2.7."""
    smtp.silence(200)
    smtp.lines(b"NOOP")
    assert smtp.silence(299) == b""
    assert smtp.silence(1).startswith(b"421 4.4.2")
    assert smtp.closed


def test_three_minutes_of_silence_end_a_message(smtp: Served) -> None:
    """RFC 5321 section 4.5.3.2.5."""
    smtp.lines(*TRANSACTION)
    smtp.silence(100)
    smtp.say(b"Subject: x\r\n")
    assert smtp.silence(179) == b""
    assert smtp.silence(1).startswith(b"421 4.4.2")
    assert smtp.closed


def test_after_a_message_silence_may_last_five_minutes_again(smtp: Served) -> None:
    smtp.lines(*TRANSACTION)
    smtp.say(MESSAGE + b".\r\n")
    assert smtp.silence(299) == b""


def test_the_administrator_can_end_a_session(smtp: Served) -> None:
    """RFC 5321 section 3.8."""
    assert smtp.server is not None
    (live,) = smtp.site.sessions.matching(address="192.0.2.7")
    live.kick()
    assert smtp.transport.value().startswith(b"421 4.3.2")
    assert smtp.closed


def test_live_sessions_are_registered_until_the_connection_is_gone(
    smtp: Served,
) -> None:
    assert [live.service for live in smtp.site.sessions] == ["smtp"]
    smtp.lose()
    assert list(smtp.site.sessions) == []


def test_a_connection_lost_inside_a_message_stores_nothing(smtp: Served) -> None:
    smtp.lines(*TRANSACTION)
    smtp.say(MESSAGE)
    smtp.lose()
    assert smtp.mail() == []


class Boom(Exception):
    """A bug."""


def fail(*arguments: object) -> None:
    del arguments
    raise Boom


def test_a_bug_in_a_command_is_answered_and_logged(smtp: Served) -> None:
    smtp.people.address = fail  # type: ignore[method-assign, assignment]
    with capturedLogs() as events:
        answer = smtp.codes(b"MAIL FROM:<a@b>", b"RCPT TO:<alice>", b"NOOP")
    assert answer == [250, 451, 250]
    assert [event["log_level"] for event in events].count(LogLevel.critical) == 1


def test_a_bug_while_content_comes_is_answered_after_its_end(
    smtp: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    smtp.lines(*TRANSACTION)
    monkeypatch.setattr(Content, "write", fail)
    assert smtp.say(b"RSET\r\n") == b""
    assert smtp.say(b"QUIT\r\n.\r\nNOOP\r\n") == (
        b"451 4.3.0 Something failed here, try again later\r\n250 2.0.0 OK\r\n"
    )
    assert smtp.mail() == []


VERBS = b"""\
EHLO x;LHLO x;HELO x;MAIL FROM:<>;RCPT TO:<alice>;DATA;BDAT 3;BDAT 4 LAST;RSET;NOOP;.;..
AUTH PLAIN;AUTH LOGIN YQ==;c2VjcmV0;*;STARTTLS;VRFY a;HELP;\x00;a\nb;MAIL;QUIT x;BDAT
"""
LINES = [line + b"\r\n" for part in VERBS.splitlines() for line in part.split(b";")]
octets = st.lists(st.one_of(st.sampled_from(LINES), st.binary(max_size=9)), max_size=25)


@pytest.mark.parametrize("service", list(Service))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_octets_leave_the_connection_usable_or_closed(
    tmp_path: object, service: Service, data: st.DataObject
) -> None:
    served = Served(service, str(tmp_path))
    served.connect("127.0.0.1")
    with capturedLogs() as events:
        for part in data.draw(octets):
            assert b"451 4.3.0" not in served.say(part)
            if served.closed or served.transport.encrypted:
                break
        else:
            served.say(b"xxx\r\n" + b"x" * 40 + b"\r\n.\r\n" * 3)
            if not served.closed:
                assert served.lines(b"NOOP").splitlines()[-1][3:4] == b" "
    served.lose()
    assert LogLevel.critical not in [event["log_level"] for event in events]
    assert len(served.site.sessions) == 0


def test_a_connection_that_is_gone_holds_no_octets(smtp: Served) -> None:
    smtp.connect()
    smtp.say(b"EHLO client\r\nNOO")
    assert smtp.server is not None
    assert smtp.server.session.reader.holds_octets
    smtp.lose()
    assert not smtp.server.session.reader.holds_octets
