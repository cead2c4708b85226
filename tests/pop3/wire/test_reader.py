"""Octets of the client to events."""

import pytest
from hypothesis import given, settings, strategies as st

from maildrop.pop3.wire.commands import Command
from maildrop.pop3.wire.reader import (
    Event,
    Fault,
    Flooded,
    Reader,
    Response,
    WireLimits,
    Wrong,
)

CONVERSATION = (
    b"CAPA\r\nUSER bob\r\nPASS a b\r\nXYZZY\r\nRETR x\r\nAUTH PLAIN AGIAeA==\r\n"
    b"noop\nTOP 1 10\r\n" + b"USER " + b"x" * 300 + b"\r\nQUIT\r\n"
)
EVENTS = [
    Command(b"CAPA"),
    Command(b"USER", text=b"bob"),
    Command(b"PASS", text=b"a b"),
    Fault(Wrong.UNKNOWN),
    Fault(Wrong.ARGUMENTS),
    Command(b"AUTH", text=b"PLAIN", initial=b"AGIAeA=="),
    Command(b"NOOP"),
    Command(b"TOP", 1, 10),
    Fault(Wrong.LENGTH),
    Command(b"QUIT"),
]


def events(reader: Reader, *pieces: bytes) -> list[Event]:
    found = []
    for piece in pieces:
        reader.receive_data(piece)
        while (event := reader.next_event()) is not None:
            found.append(event)
    return found


@pytest.mark.parametrize("cut", range(len(CONVERSATION)))
def test_cut_anywhere_the_events_are_the_same(cut: int) -> None:
    assert events(Reader(), CONVERSATION[:cut], CONVERSATION[cut:]) == EVENTS


def test_octet_by_octet_the_events_are_the_same() -> None:
    assert events(Reader(), *(bytes([octet]) for octet in CONVERSATION)) == EVENTS


def test_the_longest_command_is_255_octets_with_its_end() -> None:
    """RFC 2449 section 4."""
    fits = b"USER " + b"x" * 248 + b"\r\n"
    assert events(Reader(), fits) == [Command(b"USER", text=b"x" * 248)]
    assert events(Reader(), b"x" + fits) == [Fault(Wrong.LENGTH)]


def test_auth_may_be_longer() -> None:
    """RFC 5034 section 4."""
    initial = b"A" * 4000
    assert events(Reader(), b"auth PLAIN " + initial + b"\r\n") == [
        Command(b"AUTH", text=b"PLAIN", initial=initial)
    ]
    limits = WireLimits(auth=100)
    assert events(Reader(limits), b"AUTH PLAIN " + initial + b"\r\nNOOP\r\n") == [
        Fault(Wrong.LENGTH),
        Command(b"NOOP"),
    ]


@pytest.mark.parametrize("cut", range(0, 320, 7))
def test_a_line_of_an_exchange_is_told_once_asked_for(cut: int) -> None:
    octets = b"A" * 300 + b"\r\nNOOP\r\n"
    reader = Reader()
    reader.expect_response()
    assert events(reader, octets[:cut], octets[cut:]) == [
        Response(b"A" * 300),
        Command(b"NOOP"),
    ]


def test_an_overlong_line_of_an_exchange_is_told_as_what_no_base64_is() -> None:
    reader = Reader(WireLimits(auth=10))
    reader.expect_response()
    assert events(reader, b"A" * 6, b"A" * 6, b"AA\r\nNOOP\r\n") == [
        Response(b"\0"),
        Command(b"NOOP"),
    ]


def test_a_line_without_end_is_not_kept_and_given_up_in_the_end() -> None:
    reader = Reader(WireLimits(overrun=5000))
    assert events(reader, *[b"x" * 100] * 50) == []
    assert reader.holds_octets
    assert events(reader, b"x") == [Flooded()]


def test_whether_octets_are_left_is_known() -> None:
    reader = Reader()
    assert not reader.holds_octets
    reader.receive_data(b"STLS\r\nNOOP")
    assert reader.next_event() == Command(b"STLS")
    assert reader.holds_octets
    assert reader.next_event() is None
    reader.receive_data(b"\r\n")
    assert reader.next_event() == Command(b"NOOP")
    assert not reader.holds_octets


@settings(max_examples=100)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=30),
            st.sampled_from([b"\r\n", b"\n", b"STAT\r\n", b"AUTH ", b"x" * 60]),
        ),
        max_size=20,
    ),
    st.booleans(),
)
def test_any_octets_give_the_same_events_however_they_are_cut(
    pieces: list[bytes],
    exchange: bool,
) -> None:
    limits = WireLimits(command=50, auth=80)
    apart, joined = Reader(limits), Reader(limits)
    if exchange:
        apart.expect_response()
        joined.expect_response()
    assert events(apart, *pieces) == events(joined, b"".join(pieces))
