r"""DATA: the content of a message between 354 and the final dot, taken by the chunk.

In this file:
    Dots    finds the end and undoes the dot-stuffing, a whole read at a time

Grammar: RFC 5321 section 4.1.1.4, content ends with ``CRLF "." CRLF``; section 4.5.2,
a line that begins with a period loses it.  RFC 5321 section 2.3.8: a line ends in CRLF
and in nothing else.

Security: why only CRLF.CRLF ends the content.  "SMTP smuggling" lives from two programs
that disagree where a message ends: the one before us passes ``LF "." LF``, ``LF "."
CRLF``, ``CR "." CR`` or ``CRLF "." LF`` on as content, we take it for the end, and what
follows becomes commands that a stranger has written.  So none of these is an end here,
and none is the start of a stuffed line: an LF without CR, a CR without LF and what
stands around them are content, kept octet for octet.  Refusing messages that hold them
was considered: it protects programs that read the message later, but it turns away mail
of harmless senders (curl sends files with bare LF as they are), while here nothing can
be gained by it.  Whoever writes the message to another SMTP server must stuff it for
that server.
"""

from typing import Final

_END: Final = b"\r\n.\r\n"
_DOT: Final = b"\r\n."


def _held_back(octets: bytes) -> int:
    """How many octets at the end may be the start of ``CRLF "." CRLF``."""
    start = octets.find(b"\r", max(len(octets) - 4, 0))
    while start >= 0:
        if _END.startswith(octets[start:]):
            return len(octets) - start
        start = octets.find(b"\r", start + 1)
    return 0


class Dots:
    """The content of one DATA command."""

    __slots__ = ("_first", "_tail")

    def __init__(self) -> None:
        # The CRLF of the DATA command may begin CRLF.CRLF; it is no content.
        self._tail = b"\r\n"
        self._first = True

    def feed(self, octets: bytes) -> tuple[bytes, int]:
        """Take what was read.

        Returns:
            Content, unstuffed; and how many of ``octets`` belong to this DATA when its
            end was found, else -1.
        """
        held = len(self._tail)
        everything = self._tail + octets if held else octets
        dot = everything.find(_DOT)
        if dot < 0:
            return self._content(everything, _held_back(everything), stuffed=False), -1
        end = everything.find(_END, dot)
        if end < 0:
            return self._content(everything, _held_back(everything), stuffed=True), -1
        content = self._content(everything[: end + 2], 0, stuffed=dot < end)
        return content, end + 5 - held

    def _content(self, everything: bytes, held_back: int, *, stuffed: bool) -> bytes:
        if held_back:
            self._tail = everything[-held_back:]
            everything = everything[:-held_back]
        else:
            self._tail = b""
        if not everything:
            return b""
        if stuffed:
            everything = everything.replace(_DOT, b"\r\n")
        if self._first:
            self._first = False
            everything = everything[2:]
        return everything
