"""The reader: octets in, events out, with nothing ever taken for something else."""

import pytest
from hypothesis import given, strategies as st

from maildrop.smtp.wire.events import (
    Command,
    Ended,
    Event,
    Fault,
    Piece,
    Response,
    Unreadable,
)
from maildrop.smtp.wire.reader import Reader, WireLimits

SMALL = WireLimits(command=20, auth=40, overrun=100)
EHLO = Command(b"EHLO", b"x")
TOO_LONG = Unreadable(Fault.TOO_LONG)
LINE_END = Unreadable(Fault.LINE_END)
ENDLESS = Unreadable(Fault.ENDLESS)


def events(reader: Reader, *reads: bytes) -> list[Event]:
    told = []
    for read in reads:
        reader.receive_data(read)
        while (event := reader.next_event()) is not None:
            told.append(event)
    return told


def pieces(told: list[Event]) -> bytes:
    return b"".join(event.octets for event in told if isinstance(event, Piece))


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"QUIT", Command(b"QUIT", b"")),
        (b"quit ", Command(b"QUIT", b"")),
        (b"  Noop  hello  there ", Command(b"NOOP", b"hello  there")),
        (b"MAIL FROM: <a@b>", Command(b"MAIL", b"FROM: <a@b>")),
        (b"", Command(b"", b"")),
        (b"\xff\xfe", Command(b"\xff\xfe", b"")),
    ],
)
def test_a_line_is_a_verb_and_its_argument(line: bytes, command: Command) -> None:
    assert events(Reader(), line + b"\r\n") == [command]


def test_pipelined_commands_come_one_by_one() -> None:
    """RFC 2920."""
    reader = Reader()
    reader.receive_data(b"EHLO x\r\nRSET\r\nNO")
    assert reader.next_event() == EHLO
    assert reader.holds_octets
    assert reader.next_event() == Command(b"RSET", b"")
    assert reader.next_event() is None
    reader.receive_data(b"OP\r\n")
    assert reader.next_event() == Command(b"NOOP", b"")
    assert not reader.holds_octets


@pytest.mark.parametrize(
    "line",
    [
        b"RCPT TO:<a\nRCPT TO:<b>\r\n",
        b"RCPT TO:<a\rRCPT TO:<b>\r\n",
        b"NOOP\n.\nRSET\r\n",
        b"NOOP\0\r\n",
        b"NOOP \r\r\n",
    ],
)
def test_after_a_line_with_crlf_a_bare_cr_or_lf_spoils_the_whole_line(
    line: bytes,
) -> None:
    """RFC 5321 section 2.3.8."""
    told = events(Reader(), b"EHLO x\r\n" + line + b"RSET\r\n")
    assert told == [EHLO, LINE_END, Command(b"RSET", b"")]


def test_a_person_whose_lines_end_in_lf_is_understood_from_the_first_line() -> None:
    reader = Reader()
    told = events(reader, b"EHLO x\n", b"RSET\n", b"NOOP\r\n")
    assert told == [EHLO, Command(b"RSET", b""), Command(b"NOOP", b"")]
    assert reader.by_hand is True


def test_one_line_with_crlf_makes_lf_no_line_end_for_good() -> None:
    reader = Reader()
    assert events(reader, b"EHLO x\r\n", b"RSET\n", b"NOOP\n") == [EHLO]
    assert reader.by_hand is False
    assert events(reader, b"\r\n") == [LINE_END]


def test_a_line_over_the_limit_is_refused_and_the_next_one_is_good() -> None:
    """RFC 5321 section 4.5.3.1.4."""
    assert events(Reader(SMALL), b"A" * 20 + b"\r\n") == [Command(b"A" * 20, b"")]
    assert events(Reader(SMALL), b"A" * 21 + b"\r\nRSET\r\n") == [
        TOO_LONG,
        Command(b"RSET", b""),
    ]


def test_an_endless_line_is_swallowed_without_being_kept() -> None:
    reader = Reader(SMALL)
    assert events(reader, *[b"A" * 10] * 9, b"\r", b"\nRSET\r\n") == [
        TOO_LONG,
        Command(b"RSET", b""),
    ]


def test_a_line_far_over_the_limit_gives_the_client_up() -> None:
    assert events(Reader(SMALL), *[b"A" * 50] * 4)[0] == ENDLESS


def test_auth_and_its_responses_may_be_longer() -> None:
    """RFC 4954 section 4."""
    reader = Reader(SMALL)
    line = b"AUTH PLAIN " + b"A" * 29
    assert events(reader, line + b"\r\n") == [Command(b"AUTH", line[5:])]
    reader.expect_response()
    assert events(reader, b"A" * 40 + b"\r\n") == [Response(b"A" * 40)]
    reader.expect_response()
    assert events(reader, b"A" * 41 + b"\r\n") == [TOO_LONG]


def test_a_response_is_one_line_and_no_command() -> None:
    reader = Reader()
    reader.expect_response()
    assert events(reader, b"QUIT\r\nQUIT\r\n") == [
        Response(b"QUIT"),
        Command(b"QUIT", b""),
    ]


def test_content_up_to_the_limit_is_told_and_more_is_swallowed() -> None:
    reader = Reader()
    reader.expect_content(5)
    told = events(reader, b"abc\r\n.\r\nRSET\r\n")
    assert told == [Piece(b"abc\r\n"), Ended(exceeded=False), Command(b"RSET", b"")]
    reader.expect_content(5)
    told = events(reader, b"abc", b"def", b"g\r\n", b".\r\nRSET\r\n")
    assert told == [Piece(b"abc"), Ended(exceeded=True), Command(b"RSET", b"")]


def test_empty_content_ends_at_once() -> None:
    reader = Reader()
    reader.expect_content(5)
    assert events(reader, b".\r\n") == [Ended(exceeded=False)]


def test_content_far_over_the_limit_gives_the_client_up() -> None:
    reader = Reader(SMALL)
    reader.expect_content(10)
    assert ENDLESS in events(reader, *[b"a" * 50] * 4)
    reader = Reader(SMALL)
    reader.expect_chunk(1000, 10)
    assert ENDLESS in events(reader, *[b"a" * 50] * 4)


def test_a_chunk_is_counted_not_read() -> None:
    """RFC 3030 section 2."""
    reader = Reader()
    reader.expect_chunk(12, 100)
    told = events(reader, b"\r\n.\r\n", b"QUIT\r\n.QUIT\r\n")
    assert pieces(told) == b"\r\n.\r\nQUIT\r\n."
    assert told[-2:] == [Ended(exceeded=False), Command(b"QUIT", b"")]


def test_an_empty_chunk_ends_at_once() -> None:
    reader = Reader()
    reader.expect_chunk(0, 100)
    assert reader.next_event() == Ended(exceeded=False)


def test_a_chunk_over_the_limit_is_swallowed_whole() -> None:
    reader = Reader()
    reader.expect_chunk(6, 5)
    assert events(reader, b"abcdefRSET\r\n") == [
        Ended(exceeded=True),
        Command(b"RSET", b""),
    ]


CONVERSATION = (
    b"EHLO x\r\nNOOP a\nb\r\nDATA\r\n..a\r\n\n.\n\r\n.\r\nBDAT\r\nRSET\r\n"
    b"AUTH\r\nQUIT\r\nQUIT\r\n"
)


def converse(*reads: bytes, limits: WireLimits | None = None) -> list[Event]:
    """Told what comes next by the commands, as a session would."""
    reader = Reader(limits)
    told: list[Event] = []
    for read in reads:
        reader.receive_data(read)
        while (event := reader.next_event()) is not None:
            if isinstance(event, Piece) and told and isinstance(told[-1], Piece):
                told[-1] = Piece(told[-1].octets + event.octets)
            else:
                told.append(event)
            if event == Command(b"DATA", b""):
                reader.expect_content(100)
            elif event == Command(b"BDAT", b""):
                reader.expect_chunk(6, 100)
            elif event == Command(b"AUTH", b""):
                reader.expect_response()
    return told


@pytest.mark.parametrize("cut", range(len(CONVERSATION)))
def test_cut_anywhere_the_events_are_the_same(cut: int) -> None:
    assert converse(CONVERSATION[:cut], CONVERSATION[cut:]) == [
        EHLO,
        LINE_END,
        Command(b"DATA", b""),
        Piece(b".a\r\n\n.\n\r\n"),
        Ended(exceeded=False),
        Command(b"BDAT", b""),
        Piece(b"RSET\r\n"),
        Ended(exceeded=False),
        Command(b"AUTH", b""),
        Response(b"QUIT"),
        Command(b"QUIT", b""),
    ]


reads = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.sampled_from([b"\r\n", b"\n", b"DATA\r\n", b"BDAT\r\n", b"\r\n.\r\n"]),
    ),
    max_size=12,
)


@given(reads)
def test_any_octets_in_any_cuts_give_the_same_events(parts: list[bytes]) -> None:
    assert converse(*parts) == converse(b"".join(parts))
    tiny = WireLimits(command=4, auth=8)
    whole = converse(b"".join(parts), limits=tiny)
    assert converse(*parts, limits=tiny) == whole
