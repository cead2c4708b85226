"""A message rewritten so that no octet is above 127.

In this file:
    seven_bit    does it, where it can be done without harm

Grammar: RFC 2045 section 6.  A body that is 8bit, binary or says nothing becomes
quoted-printable, or base64 where most of it is above 127 or it is no text; what it
stands for stays the same, octet by octet, but for line ends of text.  A multipart or
message that says 8bit or binary says nothing then, which means 7bit.  A message that
knows nothing of MIME becomes text of MIME; its charset is UTF-8 if it can be, else
nobody knows it (RFC 1428).

What is left alone, and so keeps the whole message from being rewritten: a header with
octets above 127, which only RFC 6532 allows; a multipart/signed (RFC 1847 section
2.1); messages of other types than message/rfc822, and what is deeper than the
scanner's limits; a body that says base64 or quoted-printable and is not.  A signature
in the header (DKIM) is lost: RFC 6376 section 5.3 tells signers to expect that.

Limits: those of ``structure``.
"""

import base64
import binascii
from typing import Final

from maildrop.message.header import select
from maildrop.message.limits import DEFAULT, Limits, Octets
from maildrop.message.structure import Kind, Part, structure

_HIGH: Final = bytes(range(128, 256))
#: Encodings of bodies that are as they seem.
_IDENTITY: Final = frozenset({b"7bit", b"8bit", b"binary"})
_ENCODING: Final = b"CONTENT-TRANSFER-ENCODING"
_MIME: Final = (b"mime-version", b"content-type")


class _Unchangeable(Exception):
    """It cannot be done."""


def seven_bit(octets: Octets, limits: Limits = DEFAULT) -> bytes | None:
    """The message without octets above 127; None if that cannot be.

    Args:
        octets: A message with CRLF line ends.
        limits: How far to look.
    """
    edits: list[tuple[int, int, bytes]] = []
    try:
        _visit(octets, structure(octets, limits), edits, is_message=True)
    except _Unchangeable:
        return None
    pieces: list[bytes] = []
    at = 0
    for start, end, instead in edits:
        pieces += (octets[at:start], instead)
        at = end
    rewritten = b"".join(pieces) + octets[at:]
    # What stands between parts, and in those that have none, is nobody's.
    return rewritten if rewritten.isascii() else None


def _visit(
    octets: Octets,
    part: Part,
    edits: list[tuple[int, int, bytes]],
    *,
    is_message: bool = False,
) -> None:
    """What is to be put in the place of what, in order of offsets.

    Raises:
        _Unchangeable: It cannot be done.
    """
    if octets[part.start : part.end].isascii():
        return
    header = octets[part.start : part.body]
    kind = (b"text", b"plain") if part.media_type is None else part.media_type[:2]
    kind = kind[0].lower(), kind[1].lower()
    encoding = part.fields.get(b"content-transfer-encoding", [b"7bit"])[0]
    if (
        not header.isascii()
        or not (header == b"\r\n" or header.endswith(b"\r\n\r\n"))
        or encoding.strip().lower() not in _IDENTITY
        or part.cut
        or kind == (b"multipart", b"signed")
    ):
        raise _Unchangeable
    if part.kind is not Kind.LEAF:
        without = select(header, {_ENCODING}, without=True)
        edits.append((part.start, part.body, without))
        for child in part.children:
            _visit(octets, child, edits, is_message=part.kind is Kind.MESSAGE)
        return
    if kind[0] == b"message":
        raise _Unchangeable
    body = octets[part.body : part.end]
    name, encoded = _encoded(body, is_text=kind[0] == b"text")
    more = b"Content-Transfer-Encoding: %b\r\n" % name
    removed = {_ENCODING}
    if is_message and not any(each in part.fields for each in _MIME):
        more = _of_mime(body) + more
        removed |= {each.upper() for each in _MIME}
    fields = select(header, removed, without=True).removesuffix(b"\r\n")
    if part.end < len(octets):  # the line end belongs to what follows
        encoded = encoded.removesuffix(b"\r\n")
    edits.append((part.start, part.end, fields + more + b"\r\n" + encoded))


def _of_mime(body: bytes) -> bytes:
    try:
        body.decode()
    except UnicodeDecodeError:
        charset = b"unknown-8bit"
    else:
        charset = b"utf-8"
    return b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=%b\r\n" % charset


def _encoded(body: bytes, *, is_text: bool) -> tuple[bytes, bytes]:
    """The name of an encoding, and the body in it."""
    high = len(body) - len(body.translate(None, _HIGH))
    if is_text and 2 * high <= len(body):
        lines = binascii.b2a_qp(body).replace(b"\r\n", b"\n")
        return b"quoted-printable", lines.replace(b"\n", b"\r\n")
    return b"base64", base64.encodebytes(body).replace(b"\n", b"\r\n")
