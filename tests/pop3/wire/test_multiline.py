"""Multi-line replies: RFC 1939 section 3."""

import pytest
from hypothesis import given, settings, strategies as st

from maildrop.pop3.wire.multiline import END, stuffed, top


@pytest.mark.parametrize(
    ("octets", "wanted"),
    [
        (b"", b""),
        (b"a\r\n", b"a\r\n"),
        (b".\r\n", b"..\r\n"),
        (b"..\r\n", b"...\r\n"),
        (b"a.\r\n.b\r\n..c\r\nd.e\r\n", b"a.\r\n..b\r\n...c\r\nd.e\r\n"),
        (b"a\r\n.", b"a\r\n..\r\n"),
        (b"a", b"a\r\n"),
        (b"a\r", b"a\r\r\n"),
        (b"a\n.\r\nb\r\n", b"a\n..\r\nb\r\n"),  # clients that read up to LF
    ],
)
def test_dots_are_doubled_and_the_end_made_sure(octets: bytes, wanted: bytes) -> None:
    assert stuffed(octets) == wanted


MESSAGE = b"A: b\r\nC: d\r\n\r\none\r\n\r\nthree\r\nfour"


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (0, b"A: b\r\nC: d\r\n\r\n"),
        (1, b"A: b\r\nC: d\r\n\r\none\r\n"),
        (2, b"A: b\r\nC: d\r\n\r\none\r\n\r\n"),
        (3, b"A: b\r\nC: d\r\n\r\none\r\n\r\nthree\r\n"),
        (4, MESSAGE),
        (5, MESSAGE),
        (10**10, MESSAGE),
    ],
)
def test_the_top_has_the_header_and_so_many_lines(lines: int, wanted: bytes) -> None:
    """RFC 1939 section 7."""
    assert top(MESSAGE, lines) == wanted


@pytest.mark.parametrize(
    ("octets", "lines", "wanted"),
    [
        (b"", 0, b""),
        (b"A: b\r\n", 0, b"A: b\r\n"),
        (b"A: b", 3, b"A: b"),
        (b"\r\nbody\r\nmore\r\n", 0, b"\r\n"),
        (b"\r\nbody\r\nmore\r\n", 1, b"\r\nbody\r\n"),
        (b"A: b\r\n\r\n", 0, b"A: b\r\n\r\n"),
        (b"A: b\r\n\r\nx", 0, b"A: b\r\n\r\n"),
        (b"A: b\r\n\r\nx", 1, b"A: b\r\n\r\nx"),
    ],
)
def test_messages_of_odd_shapes_have_a_top(
    octets: bytes, lines: int, wanted: bytes
) -> None:
    assert top(octets, lines) == wanted


def received(reply: bytes) -> bytes:
    """What a client that reads lines up to LF makes of a reply."""
    lines = []
    for line in [text + b"\n" for text in reply.split(b"\n")]:
        if line == END:
            break
        lines.append(line[1:] if line.startswith(b".") else line)
    return b"".join(lines)


@settings(max_examples=150)
@given(
    st.lists(st.sampled_from([b".", b"a", b"\r\n", b"\n", b"\0", b"\r"]), max_size=25)
)
def test_clients_read_back_what_was_stuffed(pieces: list[bytes]) -> None:
    octets = b"".join(pieces)
    whole = octets if not octets or octets.endswith(b"\r\n") else octets + b"\r\n"
    assert received(stuffed(octets) + END) == whole


@settings(max_examples=100)
@given(
    st.lists(st.sampled_from([b".", b"a", b"\r\n", b"\r\n\r\n"]), max_size=25),
    st.integers(0, 12),
)
def test_the_top_is_a_beginning_with_no_more_lines_than_asked(
    pieces: list[bytes], lines: int
) -> None:
    octets = b"".join(pieces)
    found = top(octets, lines)
    assert octets.startswith(found)
    _, blank, body = (b"\r\n" + found).partition(b"\r\n\r\n")
    assert blank or body == b""
    assert body.count(b"\r\n") <= lines
    if found != octets:
        assert body.count(b"\r\n") == lines
