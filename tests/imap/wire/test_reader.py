"""The reader: RFC 3501 sections 2.2 and 4.3, RFC 7888, RFC 4959, RFC 2177."""

from collections.abc import Iterable

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import LimitExceeded, ProtocolSyntaxError
from maildrop.imap.wire.append import Append, AppendMessage
from maildrop.imap.wire.arguments import UnknownCommand
from maildrop.imap.wire.authenticate import Authenticate
from maildrop.imap.wire.events import (
    AppendEnd,
    BadCommand,
    Done,
    LiteralChunk,
    NeedContinuation,
    SaslResponse,
)
from maildrop.imap.wire.idle import Idle
from maildrop.imap.wire.limits import Limits
from maildrop.imap.wire.login import Login
from maildrop.imap.wire.noop import Noop
from maildrop.imap.wire.reader import CommandReader
from maildrop.imap.wire.search import BadCharset
from maildrop.message.flags import SEEN


class Session:
    """Says yes to everything, and notes what it was told.

    A piece of a message is joined to the one before, and an error stands for its kind,
    so that the notes do not depend on how the octets came.
    """

    def __init__(self, limits: Limits) -> None:
        self.reader = CommandReader(limits)
        self.told: list[object] = []

    def receive(self, octets: bytes) -> None:
        self.reader.receive_data(octets)
        while (event := self.reader.next_event()) is not None:
            self.note(event)
            if isinstance(event, Append | NeedContinuation):
                self.reader.accept_literal()
            elif isinstance(event, Authenticate) and event.initial is None:
                self.reader.expect_response()
            elif isinstance(event, Idle):
                self.reader.expect_done()

    def note(self, event: object) -> None:
        if isinstance(event, LiteralChunk):
            assert event.octets
            if self.told and isinstance(self.told[-1], bytes):
                self.told[-1] += event.octets
            else:
                self.told.append(event.octets)
        elif isinstance(event, BadCommand):
            self.told.append((event.tag, type(event.error)))
        else:
            self.told.append(event)


def told(pieces: Iterable[bytes], limits: Limits | None = None) -> list[object]:
    session = Session(limits or Limits())
    for piece in pieces:
        session.receive(piece)
    return session.told


CONVERSATION = (
    b"a1 noop\r\n"
    b"\r\n"
    b"a2 LOGIN {4}\r\nuser {8+}\r\npass\r\nwd\r\n"
    b'a3 APPEND "Sent" (\\Seen) {11+}\r\nA: b\r\n\r\nc\r\n\r\n'
    b"a4 APPEND {5}\r\nINBOX {3}\r\na{5\r\n"
    b"a5 AUTHENTICATE PLAIN\r\nAHUAcA==\r\n"
    b"a6 authenticate plain\r\n*\r\n"
    b"a7 AUTHENTICATE PLAIN =\r\n"
    b"a8 IDLE\r\ndone\r\n"
    b"a9 BOGUS {6+}\r\na NOOP {4+}\r\nb c \r\n"
    b"b1 NOOP what {3}\r\nabc\r\n"
    b"b2 SEARCH CHARSET KOI8-R TEXT {3+}\r\nabc\r\n"
    b"b3 IDLE\r\nb4 NOOP\r\n"
    b"b5 AUTHENTICATE PLAIN\r\n!!\r\n"
    b"b6 APPEND x {2+}\r\nab more\r\n"
    b"b7 APPEND (x {2+}\r\nab\r\n"
    b"(\r\n"
    b"b8 NOOP\n"
)
TOLD: list[object] = [
    Noop(b"a1"),
    NeedContinuation(b"a2", 4),
    Login(b"a2", "user", "pass\r\nwd"),
    Append(b"a3", "Sent", AppendMessage(11, synchronizing=False, flags=SEEN)),
    b"A: b\r\n\r\nc\r\n",
    AppendEnd(b"a3"),
    NeedContinuation(b"a4", 5),
    Append(b"a4", "INBOX", AppendMessage(3, synchronizing=True)),
    b"a{5",
    AppendEnd(b"a4"),
    Authenticate(b"a5", "PLAIN"),
    SaslResponse(b"\0u\0p"),
    Authenticate(b"a6", "PLAIN"),
    SaslResponse(None),
    Authenticate(b"a7", "PLAIN", b""),
    Idle(b"a8"),
    Done(),
    (b"a9", UnknownCommand),
    NeedContinuation(b"b1", 3),
    (b"b1", ProtocolSyntaxError),
    (b"b2", BadCharset),
    Idle(b"b3"),
    (b"b3", ProtocolSyntaxError),
    Authenticate(b"b5", "PLAIN"),
    (b"b5", ProtocolSyntaxError),
    Append(b"b6", "x", AppendMessage(2, synchronizing=False)),
    b"ab",
    (b"b6", ProtocolSyntaxError),
    (b"b7", ProtocolSyntaxError),
    (None, ProtocolSyntaxError),
    Noop(b"b8"),
]


def test_a_conversation_is_told_in_order() -> None:
    assert told([CONVERSATION]) == TOLD


@pytest.mark.parametrize("cut", range(len(CONVERSATION)))
def test_cut_anywhere_the_events_are_the_same(cut: int) -> None:
    assert told([CONVERSATION[:cut], CONVERSATION[cut:]]) == TOLD


def test_octet_by_octet_the_events_are_the_same() -> None:
    assert told(CONVERSATION[at : at + 1] for at in range(len(CONVERSATION))) == TOLD


TIGHT = Limits(
    line=40, literal=10, literals=2, command=45, non_synchronizing=6, keys=3, nesting=1
)
REFUSED = (
    b"a1 LOGIN " + b"x" * 100 + b"\r\n"
    b"a2 LOGIN " + b"x" * 100 + b" {3+}\r\na4\nrest\r\n"
    b"a3 LOGIN {11}\r\n"
    b"a4 LOGIN {7+}\r\na NOOP\n {30+}\r\n" + b"b NOOP\r\n" * 3 + b"56789 \r\n"
    b"a5 LOGIN a {1+}\r\nb {1+}\r\nc {1+}\r\nd\r\n"
    b"a6 SUBSCRIBE {10}\r\n0123456789 {10}\r\n0123456789\r\n"
    b"a7 CREATE {10}\r\n0123456789 1234567890 1234567890 1234567890\r\n"
    b"a8 APPEND x {7+}\r\n1234567\r\n"
    b"a9 LOGIN {99999999999}\r\n"
    b"b1 SEARCH 1 2 3 4\r\n"
    b"b2 SEARCH NOT NOT 1\r\n"
    b"b3 APPEND x {2+}\r\nab" + b" " * 50 + b"\r\n"
    b"b4 IDLE\r\n" + b"d" * 50 + b"\r\n"
    + b"b" * 150 + b" NOOP\r\n"
    b"b6 NOOP\r\n"
)  # fmt: skip
WHY: list[object] = [
    (b"a1", LimitExceeded),
    (b"a2", LimitExceeded),
    (b"a3", LimitExceeded),
    (b"a4", LimitExceeded),
    (b"a5", LimitExceeded),
    NeedContinuation(b"a6", 10),
    (b"a6", LimitExceeded),
    # A client that was refused sends no literal: what follows is a line.
    (b"0123456789", ProtocolSyntaxError),
    NeedContinuation(b"a7", 10),
    (b"a7", LimitExceeded),
    (b"a8", LimitExceeded),
    (b"a9", LimitExceeded),
    (b"b1", LimitExceeded),
    (b"b2", LimitExceeded),
    Append(b"b3", "x", AppendMessage(2, synchronizing=False)),
    b"ab",
    (b"b3", LimitExceeded),
    Idle(b"b4"),
    (b"b4", LimitExceeded),
    (None, LimitExceeded),
    Noop(b"b6"),
]


def test_what_is_over_a_limit_is_refused_and_swallowed() -> None:
    assert told([REFUSED], TIGHT) == WHY


@pytest.mark.parametrize("cut", range(len(REFUSED)))
def test_cut_anywhere_the_refusals_are_the_same(cut: int) -> None:
    assert told([REFUSED[:cut], REFUSED[cut:]], TIGHT) == WHY


def test_octet_by_octet_the_refusals_are_the_same() -> None:
    pieces = (REFUSED[at : at + 1] for at in range(len(REFUSED)))
    assert told(pieces, TIGHT) == WHY


def test_a_line_may_be_just_as_long_as_the_limit() -> None:
    line = b"a NOOP" + b" " * 34
    assert told([line, b"\r\n"], TIGHT) == [Noop(b"a")]
    assert told([line, b" ", b"\r\n"], TIGHT) == [(b"a", LimitExceeded)]


def test_a_line_without_end_is_refused_at_once_and_not_kept() -> None:
    reader = CommandReader(TIGHT)
    reader.receive_data(b"a NOOP " + b"x" * 100)
    event = reader.next_event()
    assert isinstance(event, BadCommand)
    for _ in range(10):
        reader.receive_data(b"x" * 1000)
        assert reader.next_event() is None
    assert reader.pending < 100


def test_a_client_that_has_not_logged_in_is_held_shorter() -> None:
    reader = CommandReader()
    line = b"a NOOP" + b" " * 10_000 + b"\r\n"
    reader.receive_data(line)
    assert isinstance(reader.next_event(), BadCommand)
    reader.limits = Limits()
    reader.receive_data(line)
    assert reader.next_event() == Noop(b"a")


def test_other_limits_hold_from_the_next_command_on() -> None:
    reader = CommandReader(TIGHT)
    line = b"a NOOP" + b" " * 50 + b"\r\n"
    reader.receive_data(line + line)
    assert isinstance(reader.next_event(), BadCommand)
    reader.limits = Limits()
    assert reader.next_event() == Noop(b"a")


def test_nothing_is_told_until_the_session_decides_on_a_literal() -> None:
    reader = CommandReader(Limits())
    reader.receive_data(b"a APPEND x {2+}\r\nab\r\nb NOOP\r\n")
    assert isinstance(reader.next_event(), Append)
    assert reader.next_event() is None
    reader.accept_literal()
    assert reader.next_event() == LiteralChunk(b"ab")


def test_a_refused_literal_that_was_waited_for_is_never_sent() -> None:
    reader = CommandReader(Limits())
    reader.receive_data(b"a APPEND x {2}\r\nb LOGIN {1}\r\nc NOOP\r\n")
    assert isinstance(reader.next_event(), Append)
    reader.refuse_literal()
    assert reader.next_event() == NeedContinuation(b"b", 1)
    reader.refuse_literal()
    assert reader.next_event() == Noop(b"c")


def test_a_refused_literal_that_was_sent_at_once_is_swallowed() -> None:
    """RFC 7888 section 4."""
    reader = CommandReader(Limits())
    reader.receive_data(b"a APPEND x {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n")
    assert isinstance(reader.next_event(), Append)
    reader.refuse_literal()
    assert reader.next_event() == Noop(b"c")


def test_a_message_may_be_refused_half_way() -> None:
    reader = CommandReader(Limits())
    reader.receive_data(b"a APPEND x {8}\r\n")
    assert isinstance(reader.next_event(), Append)
    reader.accept_literal()
    reader.receive_data(b"b NO")
    assert reader.next_event() == LiteralChunk(b"b NO")
    reader.refuse_literal()
    reader.receive_data(b"OP\r\n\r\nc NOOP\r\n")
    assert reader.next_event() == Noop(b"c")


def test_a_message_may_be_refused_at_its_end() -> None:
    reader = CommandReader(Limits())
    reader.receive_data(b"a APPEND x {2+}\r\nab")
    assert isinstance(reader.next_event(), Append)
    reader.accept_literal()
    assert reader.next_event() == LiteralChunk(b"ab")
    assert reader.next_event() is None
    reader.refuse_literal()
    reader.receive_data(b"\r\nc NOOP\r\n")
    assert reader.next_event() == Noop(b"c")


def test_a_message_of_no_octets_is_complete_at_once() -> None:
    assert told([b"a APPEND x {0+}\r\n\r\n"]) == [
        Append(b"a", "x", AppendMessage(0, synchronizing=False)),
        AppendEnd(b"a"),
    ]


def test_a_large_message_is_never_held() -> None:
    reader = CommandReader(Limits())
    reader.receive_data(b"a APPEND x {50000000+}\r\n")
    assert isinstance(reader.next_event(), Append)
    reader.accept_literal()
    for _ in range(50):
        reader.receive_data(b"x" * 100_000)
        event = reader.next_event()
        assert isinstance(event, LiteralChunk)
        assert len(event.octets) == 100_000
        assert reader.pending == 0


def test_octets_behind_starttls_are_seen_and_dropped() -> None:
    """RFC 3501 section 6.2.1: nothing sent in clear counts after it."""
    reader = CommandReader()
    reader.receive_data(b"a STARTTLS\r\nb NOOP\r\nc LOGIN {")
    reader.next_event()
    assert reader.pending == len(b"b NOOP\r\nc LOGIN {")
    reader.discard()
    assert reader.pending == 0
    reader.receive_data(b"d NOOP\r\n")
    assert reader.next_event() == Noop(b"d")


def test_several_challenges_are_answered_one_by_one() -> None:
    reader = CommandReader()
    reader.receive_data(b"a AUTHENTICATE LOGIN\r\nYQ==\r\nYg==\r\nc NOOP\r\n")
    assert reader.next_event() == Authenticate(b"a", "LOGIN")
    reader.expect_response()
    assert reader.next_event() == SaslResponse(b"a")
    reader.expect_response()
    assert reader.next_event() == SaslResponse(b"b")
    assert reader.next_event() == Noop(b"c")


def test_the_offset_of_an_error_counts_from_the_command() -> None:
    reader = CommandReader(Limits())
    reader.receive_data(b"a NOOP\r\na12 FETCH 1 (FLAGS WHAT)\r\n")
    reader.next_event()
    event = reader.next_event()
    assert isinstance(event, BadCommand)
    assert isinstance(event.error, ProtocolSyntaxError)
    assert event.error.offset == len(b"a12 FETCH 1 (FLAGS WHAT")


@pytest.mark.parametrize(
    ("line", "tag"),
    [
        (b"a", b"a"),
        (b"a ", b"a"),
        (b"a  NOOP", b"a"),
        (b"a 12", b"a"),
        (b"a {3}", b"a"),
        (b"a]b NOPE", b"a]b"),
        (b" a NOOP", None),
        (b"+ NOOP", None),
        (b"a+b NOOP", None),
        (b"* NOOP", None),
        (b"{3}", None),
        (b"\xff NOOP", None),
        (b"t" * 129 + b" NOOP", None),
        (b"t" * 128 + b" NOPE", b"t" * 128),
        (b"GET / HTTP/1.1", b"GET"),
    ],
)
def test_the_tag_is_found_if_there_is_one(line: bytes, tag: bytes | None) -> None:
    events = told([line + b"\r\n", b"z NOOP\r\n"])
    assert events in (
        [(tag, ProtocolSyntaxError), Noop(b"z")],
        [(tag, UnknownCommand), Noop(b"z")],
    )


@given(
    st.lists(
        st.binary(max_size=30)
        | st.text('aA1 {}+*()"\\\r\n', max_size=30).map(str.encode)
        | st.sampled_from(CONVERSATION.splitlines(keepends=True)),
        max_size=8,
    )
)
def test_any_octets_are_told_and_the_connection_goes_on(pieces: list[bytes]) -> None:
    session = Session(TIGHT)
    for piece in pieces:
        session.receive(piece)
    assert session.reader.pending <= TIGHT.line + 2
    session.reader.discard()
    session.told.clear()
    session.receive(b"a NOOP\r\n")
    assert session.told == [Noop(b"a")]


@given(st.binary(max_size=60), st.integers(0, 60))
def test_any_octets_cut_anywhere_are_told_the_same(octets: bytes, cut: int) -> None:
    octets += b"\r\nz NOOP\r\n"
    assert told([octets[:cut], octets[cut:]], TIGHT) == told([octets], TIGHT)
