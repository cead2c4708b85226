"""The receiving side of POP3: octets in, events out.

In this file:
    Reader       ``receive_data``, then ``next_event`` until it has nothing to tell
    WireLimits   what a client is held to, in octets
    Response     a line of a SASL exchange
    Fault        a line that is no command
    Flooded      the client is beyond help: close

Lines end in CRLF; a bare LF is taken too, for people who type.

Limits: RFC 2449 section 4 allows a command 255 octets, CRLF included; AUTH and the
lines of its exchange are longer (RFC 5034 section 4 has no limit, RFC 4954 section 4
wants 12,288 octets of a server).  A line over the limit is swallowed without being
kept.

Security: all octets are hostile.  Memory held is one line, or what one read gave.
"""

import enum
from dataclasses import dataclass

from maildrop.errors import ProtocolSyntaxError
from maildrop.pop3.wire.commands import Command, UnknownCommand, parse


@dataclass(frozen=True, slots=True)
class WireLimits:
    """What a client is held to.

    Attributes:
        command: Octets of a command line with its end.
        auth: The same of AUTH and of the lines of its exchange.
        overrun: Octets of one line swallowed before the client is given up.
    """

    command: int = 255
    auth: int = 12290
    overrun: int = 1 << 20


class Wrong(enum.Enum):
    """What is wrong with a line."""

    UNKNOWN = "unknown command"
    ARGUMENTS = "bad arguments"
    LENGTH = "line too long"


@dataclass(frozen=True, slots=True)
class Response:
    """A line of a SASL exchange, without its end."""

    line: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that is no command."""

    wrong: Wrong


@dataclass(frozen=True, slots=True)
class Flooded:
    """A line so long that nothing sensible will follow."""


Event = Command | Response | Fault | Flooded


class Reader:
    """One direction of one connection.

    Args:
        limits: What the client is held to.
    """

    __slots__ = ("_at", "_buffer", "_limits", "_response", "_skipped")

    def __init__(self, limits: WireLimits | None = None) -> None:
        self._limits = WireLimits() if limits is None else limits
        self._buffer = b""
        self._at = 0
        self._response = False
        self._skipped = 0  # octets of an overlong line dropped so far

    def receive_data(self, octets: bytes) -> None:
        """Take octets from the client."""
        if self._at < len(self._buffer):
            self._buffer = self._buffer[self._at :] + octets
        else:
            self._buffer = octets
        self._at = 0

    @property
    def holds_octets(self) -> bool:
        """Whether octets are left that no event has told of."""
        return self._at < len(self._buffer) or self._skipped > 0

    def expect_response(self) -> None:
        """The next line belongs to a SASL exchange."""
        self._response = True

    def next_event(self) -> Event | None:
        """What the client said next, None until more octets come."""
        buffer = self._buffer
        end = buffer.find(b"\n", self._at)
        if end < 0:
            return self._unfinished()
        start, self._at = self._at, end + 1
        if self._skipped or self._at - start > self._limit(start):
            self._skipped = 0
            return self._overlong()
        if end > start and buffer[end - 1] == 13:
            end -= 1
        return self._told(buffer[start:end])

    def _told(self, line: bytes) -> Event:
        if self._response:
            self._response = False
            return Response(line)
        try:
            return parse(line)
        except UnknownCommand:
            return Fault(Wrong.UNKNOWN)
        except ProtocolSyntaxError:
            return Fault(Wrong.ARGUMENTS)

    def _limit(self, start: int) -> int:
        if self._response or self._buffer[start : start + 5].upper() == b"AUTH ":
            return self._limits.auth
        return self._limits.command

    def _overlong(self) -> Event:
        if self._response:
            # It cannot be base64 of ours: the exchange fails by it.
            self._response = False
            return Response(b"\0")
        return Fault(Wrong.LENGTH)

    def _unfinished(self) -> Event | None:
        """No line end: keep what may become a line, drop what cannot."""
        held = len(self._buffer) - self._at
        if not self._skipped and held < self._limit(self._at):
            return None
        self._skipped += held
        self._buffer, self._at = b"", 0
        if self._skipped > self._limits.overrun:
            self._skipped = 1
            return Flooded()
        return None
