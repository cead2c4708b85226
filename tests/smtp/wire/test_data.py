r"""DATA: only CRLF.CRLF ends it, whatever a read boundary does to it."""

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from maildrop.smtp.wire.data import Dots


def fed(*reads: bytes) -> tuple[bytes, bytes | None]:
    """All content, and what followed its end; None if there was no end."""
    dots, content = Dots(), b""
    for number, read in enumerate(reads):
        piece, used = dots.feed(read)
        content += piece
        if used >= 0:
            return content, read[used:] + b"".join(reads[number + 1 :])
    return content, None


def stuffed(content: bytes) -> bytes:
    """What a client sends for content that is empty or ends in CRLF."""
    sent = (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:]
    return sent + b".\r\n"


@pytest.mark.parametrize(
    ("sent", "content"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"a\r\n.\r\n", b"a\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"a\r\n..b\r\n.\r\n", b"a\r\n.b\r\n"),
        (b".a\r\n.\r\n", b"a\r\n"),
        (b"a\r\n...\r\n..\r\n.\r\n", b"a\r\n..\r\n.\r\n"),
    ],
)
def test_the_end_is_found_and_stuffed_dots_are_undone(
    sent: bytes, content: bytes
) -> None:
    """RFC 5321 sections 4.1.1.4 and 4.5.2."""
    assert fed(sent + b"QUIT\r\n") == (content, b"QUIT\r\n")


@pytest.mark.parametrize(
    "trick",
    [
        b"\n.\n",
        b"\n.\r\n",
        b"\r.\r",
        b"\r.\r\n",
        b"\r\n.\n",
        b"\r\n.\r",
        b"\r\n\x00.\r\n",
        b"\r\n.\x00\r\n",
        b"\r\r\n.\r\r\n",
        b"\n\r.\r\n",
        b"\r\n. \r\n",
    ],
)
def test_nothing_but_crlf_dot_crlf_ends_the_content(trick: bytes) -> None:
    """RFC 5321 section 2.3.8; smuggled commands stay content."""
    smuggled = b"a" + trick + b"MAIL FROM:<x@y>"
    content, rest = fed(smuggled)
    assert rest is None
    content, rest = fed(smuggled + b"\r\n.\r\n")
    assert rest == b""
    assert content.replace(b".", b"") == (smuggled + b"\r\n").replace(b".", b"")


@pytest.mark.parametrize("octets", [b"\n.\n", b"\n..", b"\r.x", b"a\nb\rc\0\xff"])
def test_bare_cr_lf_nul_and_eight_bits_are_kept(octets: bytes) -> None:
    assert fed(octets + b"\r\n.\r\n") == (octets + b"\r\n", b"")


CONVERSATION = b"..a\r\n.b\r\n\r\n..\r\n\r.\n\r\n....\r\nend\r\n.\r\nNOOP\r\n"


@pytest.mark.parametrize("cut", range(len(CONVERSATION)))
def test_cut_anywhere_the_content_is_the_same(cut: int) -> None:
    whole = fed(CONVERSATION)
    assert whole[1] == b"NOOP\r\n"
    assert fed(CONVERSATION[:cut], CONVERSATION[cut:]) == whole


def test_octet_by_octet_the_content_is_the_same() -> None:
    octets = [CONVERSATION[at : at + 1] for at in range(len(CONVERSATION))]
    assert fed(*octets) == fed(CONVERSATION)


lines = st.lists(st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"a", b"\r\n."]))


@given(lines, st.lists(st.integers(0, 60), max_size=5))
def test_what_a_client_stuffs_comes_back(parts: list[bytes], cuts: list[int]) -> None:
    content = b"".join(parts)
    content += b"" if content.endswith(b"\r\n") or not content else b"\r\n"
    sent = stuffed(content) + b"RSET"
    edges = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
    reads = [sent[a:b] for a, b in pairwise(edges)]
    assert fed(*reads) == (content, b"RSET")
