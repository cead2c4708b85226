"""Replies of another server, for a client.

In this file:
    Reply      one reply of one or several lines
    Replies    octets received in, replies out
    BadReply   octets that are no reply

Grammar: RFC 5321 section 4.2, ``Reply-code [ "-" / SP textstring ]``; a server that
ends lines in LF alone, leaves the space away, or changes the code between lines is
understood as every client does: the code of the last line counts.  RFC 2034: an
enhanced status code may begin the text, and counts if its class is that of the code.

Limits: octets of a line (RFC 5321 section 4.5.3.1.5 asks for 512), lines of a reply.
"""

import re
from dataclasses import dataclass
from typing import Final

from maildrop.errors import ProtocolSyntaxError

_LINE: Final = re.compile(rb"([2-5][0-9][0-9])(-| |$)(.*)", re.DOTALL)
_ENHANCED: Final = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: +|$)")


class BadReply(ProtocolSyntaxError):
    """Octets that are no reply."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply.

    Attributes:
        code: Three digits.
        lines: Its text, a line each, without codes.
        enhanced: The enhanced status code, empty if there is none.
    """

    code: int
    lines: tuple[str, ...]
    enhanced: str = ""

    @property
    def positive(self) -> bool:
        """2xx or 3xx: it was done, or may go on."""
        return self.code < 400

    @property
    def permanent(self) -> bool:
        """5xx: it fails each time."""
        return self.code >= 500

    def __str__(self) -> str:
        """Code and text on one line, for reports and the log."""
        enhanced = f"{self.enhanced} " if self.enhanced else ""
        return f"{self.code} {enhanced}{' '.join(self.lines)}".rstrip()


class Replies:
    """Octets received in, replies out.

    Args:
        line_octets: Longest line taken.
        lines: Most lines of a reply.
    """

    __slots__ = ("_line_octets", "_lines", "_most", "_octets")

    def __init__(self, line_octets: int = 4096, lines: int = 200) -> None:
        self._line_octets = line_octets
        self._most = lines
        self._octets = b""
        self._lines: list[str] = []

    def receive_data(self, octets: bytes) -> None:
        """Octets came."""
        self._octets += octets

    @property
    def pending(self) -> bool:
        """Whether octets are there that nobody asked for yet."""
        return bool(self._octets or self._lines)

    def next_event(self) -> Reply | None:
        """The next reply, None when it is not there whole.

        Raises:
            BadReply: No more can be understood of this server.
        """
        while True:
            end = self._octets.find(b"\n")
            if (len(self._octets) if end < 0 else end) > self._line_octets:
                raise BadReply(f"a line of a reply has over {self._line_octets} octets")
            if end < 0:
                return None
            line, self._octets = self._octets[:end], self._octets[end + 1 :]
            found = _LINE.fullmatch(line.rstrip(b"\r"))
            if found is None:
                raise BadReply(f"not a reply: {_shown(line[:80])}")
            self._lines.append(_shown(found[3]))
            if len(self._lines) > self._most:
                raise BadReply(f"a reply has over {self._most} lines")
            if found[2] != b"-":
                lines, self._lines = self._lines, []
                return _reply(int(found[1]), lines)


def _reply(code: int, lines: list[str]) -> Reply:
    found = _ENHANCED.match(lines[-1])
    if found is None or found[1][0] != str(code)[0]:
        return Reply(code, tuple(lines))
    enhanced = found[1]
    rest = tuple(
        line[len(enhanced) :].lstrip() if line.startswith(enhanced) else line
        for line in lines
    )
    return Reply(code, rest, enhanced)


def _shown(octets: bytes) -> str:
    """Text that can stand in a log line or a header field."""
    text = octets.decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
