"""The octets of a message on their way out (RFC 5321 sections 2.3.8 and 4.5.2)."""

import re

import pytest
from hypothesis import given, strategies as st

from maildrop.smtp.wire.data import Dots
from maildrop.smtp.wire.stuffing import Facts, facts, outgoing


def cut(octets: bytes, places: list[int]) -> list[bytes]:
    """In pieces, none of them empty."""
    ends = sorted({at for at in places if 0 < at < len(octets)})
    starts = [0, *ends]
    found = [
        octets[a:b] for a, b in zip(starts, [*ends, len(octets)], strict=True) if b > a
    ]
    return [piece for piece in found if piece]


def sent(octets: bytes, *, dots: bool) -> bytes:
    pieces = cut(octets, [])
    return b"".join(outgoing(pieces, clean=facts(pieces).clean, dots=dots))


@pytest.mark.parametrize(
    ("message", "on_the_wire"),
    [
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"", b".\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"a\r\n.b\r\n..c\r\n", b"a\r\n..b\r\n...c\r\n.\r\n"),
        (b"no end", b"no end\r\n.\r\n"),
        (b"a\n.\nRCPT TO:<x>\n", b"a\r\n..\r\nRCPT TO:<x>\r\n.\r\n"),
        (b"a\n.\r\nb\r\n", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r\n.\nb\r\n", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r.\rb\r\n", b"a . b\r\n.\r\n"),
        (b"a\r\r\n", b"a \r\n.\r\n"),
        (b"a\r", b"a \r\n.\r\n"),
        (b"Subject: x\rBcc: y\r\n", b"Subject: x Bcc: y\r\n.\r\n"),
    ],
)
def test_nothing_can_be_taken_for_the_end(message: bytes, on_the_wire: bytes) -> None:
    assert sent(message, dots=True) == on_the_wire


def test_without_dots_only_line_ends_are_made_right() -> None:
    assert sent(b".a\n..\r\n", dots=False) == b".a\r\n..\r\n"


messages = st.lists(
    st.sampled_from(
        [b"\r\n", b"\n", b"\r", b".", b"a", b"\xe9", b"\r\n.", b"\r\n.\r\n"]
    ),
    max_size=20,
).map(b"".join)


@given(messages, st.lists(st.integers(0, 40)))
def test_however_it_is_cut_the_octets_are_the_same(
    message: bytes, places: list[int]
) -> None:
    """And a strict server finds in them what was meant, and its end."""
    pieces = cut(message, places)
    found = facts(pieces)
    meant = re.sub(rb"(?<!\r)\n", b"\r\n", re.sub(rb"\r(?!\n)", b" ", message))
    if meant and not meant.endswith(b"\r\n"):
        meant += b"\r\n"
    assert found.size == len(meant)
    assert found.clean == (meant == message)
    assert found.eight_bit == (not message.isascii())
    plain = b"".join(outgoing(pieces, clean=found.clean, dots=False))
    assert plain == meant
    on_the_wire = b"".join(outgoing(pieces, clean=found.clean, dots=True))
    assert Dots().feed(on_the_wire) == (meant, len(on_the_wire))


HEADER = b"Subject: caf\xc3\xa9\r\n\r\nbody\r\n"
BODY = b"Subject: cafe\r\n\r\nbod\xc3\xbf\r\n"


@pytest.mark.parametrize("at", range(len(HEADER)))
def test_a_header_in_utf8_is_found(at: int) -> None:
    assert facts(cut(HEADER, [at])) == Facts(len(HEADER), True, True, True)
    assert facts(cut(BODY, [at])) == Facts(len(BODY), True, True, False)


@pytest.mark.parametrize(
    ("message", "utf8"),
    [
        (b"\r\n\xc3\xa9\r\n", False),
        (b"\xc3\xa9", True),
        (b"A: b\n\n\xc3\xa9\n", False),
        (b"", False),
    ],
)
def test_where_a_header_ends(message: bytes, utf8: bool) -> None:
    assert facts(cut(message, [])).utf8_header is utf8
