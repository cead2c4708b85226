r"""The octets of a message on their way to another server.

In this file:
    Facts       what has to be known of a message before it is sent
    facts       those of a message that comes in pieces
    outgoing    the octets to send

What is sent, and why it is not simply what was received.  RFC 5321 section 2.3.8: a
client sends CR and LF as CRLF and not otherwise.  What was received may hold an LF
without CR or a CR without LF (``data`` says why it was taken); the server that gets it
may read ``LF "." LF`` as the end of the message, and what follows as commands that a
stranger has written.  So on the way out

    a bare LF    becomes CRLF, as everybody reads it who keeps mail in files; what then
                 begins a line is stuffed like any other
    a bare CR    becomes a space; were it made a line end, a stranger could hide header
                 fields from whoever looks for LF
    no line end  at the end of all: one is added

whether with DATA or with BDAT, since who comes next may use DATA.  Nearly all messages
have neither, and are sent as they are.  With DATA a line that begins with a period gets
another one (RFC 5321 section 4.5.2), and ``"." CRLF`` ends all.

A signature over a message with bare LF or CR does not survive this; it would not
survive the alternatives either, of which one is not to send the message.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Facts:
    """What has to be known of a message before it is sent.

    Attributes:
        size: Octets that are sent, dots not counted (RFC 1870 section 6).
        clean: It is sent as it is, but for the dots.
        eight_bit: It has octets above 127.
        utf8_header: Its header has.
    """

    size: int
    clean: bool
    eight_bit: bool
    utf8_header: bool


def facts(pieces: Iterable[bytes]) -> Facts:
    """Those of a message that comes in pieces, none of them empty."""
    size = crs = lfs = crlfs = 0
    eight_bit = utf8_header = False
    before = b"\r\n"  # an empty line at the start ends an empty header
    in_header = True
    for piece in pieces:
        size += len(piece)
        crs += piece.count(b"\r")
        lfs += piece.count(b"\n")
        crlfs += piece.count(b"\r\n")
        if before[-1:] == b"\r":
            crlfs += piece[0] == 0x0A
        if in_header:
            in_header, ascii_header = _header(before, piece)
            utf8_header = utf8_header or not ascii_header
        eight_bit = eight_bit or not piece.isascii()
        before = (before + piece)[-3:] if len(piece) < 3 else piece[-3:]
    clean = crs == lfs == crlfs and before.endswith(b"\r\n")
    if not clean:
        size += lfs - crlfs
        if not before.endswith(b"\n"):
            size += 2
    return Facts(size, clean, eight_bit, utf8_header)


def _header(before: bytes, piece: bytes) -> tuple[bool, bool]:
    """Whether the header goes on behind the piece, and what it has of it is ASCII."""
    if piece.isascii():
        joined = before + piece
        return b"\n\r\n" not in joined and b"\n\n" not in joined, True
    joined = before + piece
    ends = [end for end in (joined.find(b"\n\r\n"), joined.find(b"\n\n")) if end >= 0]
    if not ends:
        return True, False
    return False, joined[: min(ends)].isascii()


def outgoing(pieces: Iterable[bytes], *, clean: bool, dots: bool) -> Iterator[bytes]:
    """The octets to send, in pieces of about the size of those given.

    Args:
        pieces: The message; none of them empty.
        clean: What ``Facts`` says.
        dots: They are sent by DATA.
    """
    if not clean:
        pieces = _cleaned(pieces)
    if not dots:
        yield from pieces
        return
    before = b"\r\n"  # the end of the line before
    last = b""
    for piece in pieces:
        if last:
            yield last
        # The CRLF of the last piece, if one is there, belongs to the first dot.
        last = (before + piece).replace(b"\r\n.", b"\r\n..")[len(before) :]
        before = _line_end(before, piece)
    yield last + b".\r\n"


def _line_end(before: bytes, piece: bytes) -> bytes:
    """What of CRLF stands at the end."""
    end = (before + piece)[-2:] if len(piece) == 1 else piece[-2:]
    if end == b"\r\n":
        return end
    return b"\r" if end.endswith(b"\r") else b""


def _cleaned(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """With CRLF for LF, a space for CR, and a line end at the end."""
    held = b""
    ended = True
    for each in pieces:
        piece = held + each
        held = b""
        if piece.endswith(b"\r"):
            piece, held = piece[:-1], b"\r"
        if piece:
            ended = piece.endswith(b"\n")
            lines = piece.replace(b"\r\n", b"\n").replace(b"\r", b" ")
            yield lines.replace(b"\n", b"\r\n")
    if held:
        yield b" \r\n"
    elif not ended:
        yield b"\r\n"
