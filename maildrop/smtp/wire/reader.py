r"""The receiving side of SMTP and LMTP: octets in, events out.

In this file:
    WireLimits    what a client is held to, in octets
    Reader        ``receive_data``, then ``next_event`` until it has nothing to tell

The caller says when the client was told to send something else than a command:
``expect_content`` after 354, ``expect_chunk`` after BDAT, ``expect_response`` after
334.

Line ends (RFC 5321 section 2.3.8): CRLF.  The first line of a connection decides
whether a person is typing: programs that end their lines in LF alone (nc, ``openssl
s_client`` without ``-crlf``) do so from the first line on.  Such a connection is
``by_hand``: LF ends its commands, and the session refuses it DATA, whose end must be
sure.  On every other connection an LF without CR, or a CR without LF, makes the whole
line up to the next CRLF unreadable; what stands behind the LF is never a command.

Limits: RFC 5321 section 4.5.3.1.4 wants 512 octets for a command line, and its
extensions add to MAIL and RCPT (RFC 6152, 1870, 6531, 4954, 3461: below 2,000
together); RFC 4954 section 4 wants 12,288 octets for AUTH and its responses.  A line
over the limit is swallowed without being kept.

Security: all octets are hostile.  Memory held is at most one AUTH line, or what one
read gave.  An unread octet can never turn from content into a command or back.
"""

import enum
from dataclasses import dataclass

from maildrop.smtp.wire.data import Dots
from maildrop.smtp.wire.events import (
    Command,
    Ended,
    Event,
    Fault,
    Piece,
    Response,
    Unreadable,
)


@dataclass(frozen=True, slots=True)
class WireLimits:
    """What a client is held to.

    Attributes:
        command: Octets of a command line without its line end.
        auth: The same of AUTH and of the lines of its exchange.
        overrun: Octets swallowed beyond a limit before the client is given up.
    """

    command: int = 2048
    auth: int = 12288
    overrun: int = 1 << 28


class _Mode(enum.Enum):
    COMMAND = enum.auto()
    RESPONSE = enum.auto()
    CONTENT = enum.auto()
    CHUNK = enum.auto()


class Reader:
    """One direction of one connection.

    Attributes:
        by_hand: The lines of this connection end in LF alone; None before the first.
    """

    __slots__ = (
        "_at",
        "_buffer",
        "_dots",
        "_limits",
        "_mode",
        "_room",
        "_skipping",
        "_swallowed",
        "_waiting",
        "by_hand",
    )

    def __init__(self, limits: WireLimits | None = None) -> None:
        self._limits = limits or WireLimits()
        self._buffer = b""
        self._at = 0
        self._mode = _Mode.COMMAND
        self._skipping = False
        self._swallowed = 0
        self._dots = Dots()
        self._room = 0
        self._waiting = 0
        self.by_hand: bool | None = None

    def receive_data(self, octets: bytes) -> None:
        """Take what was read from the socket."""
        if self._at == len(self._buffer):
            self._buffer = octets
        else:
            self._buffer = self._buffer[self._at :] + octets
        self._at = 0

    @property
    def holds_octets(self) -> bool:
        """Whether octets were received that no event has told yet."""
        return self._at < len(self._buffer) or self._skipping

    @property
    def in_content(self) -> bool:
        """Whether what comes next is content, not a command."""
        return self._mode in (_Mode.CONTENT, _Mode.CHUNK)

    def expect_content(self, room: int) -> None:
        """The client was told to send content, ended by CRLF.CRLF.

        Args:
            room: Octets allowed; the rest is swallowed.
        """
        self._mode = _Mode.CONTENT
        self._dots = Dots()
        self._waiting = 0  # -1 once the end was found
        self._room = room
        self._swallowed = 0

    def expect_chunk(self, octets: int, room: int) -> None:
        """A BDAT announced ``octets``, of which ``room`` are wanted at most.

        A chunk larger than ``room`` is swallowed whole.
        """
        self._mode = _Mode.CHUNK
        self._waiting = octets
        self._room = -1 if octets > room else room
        self._swallowed = 0

    def expect_response(self) -> None:
        """The next line answers a challenge of AUTH."""
        self._mode = _Mode.RESPONSE

    def next_event(self) -> Event | None:
        """The next thing the client said, None until more octets come."""
        if self._mode is _Mode.CONTENT:
            return self._next_of_content()
        if self._mode is _Mode.CHUNK:
            return self._next_of_chunk()
        line = self._line()
        if line is None or isinstance(line, Unreadable):
            return line
        if self._mode is _Mode.RESPONSE:
            self._mode = _Mode.COMMAND
            return Response(line)
        verb, _, argument = line.strip(b" \t").partition(b" ")
        return Command(verb.upper(), argument.lstrip(b" "))

    # -- lines

    def _line(self) -> bytes | Unreadable | None:
        """The next line without its end."""
        buffer, at = self._buffer, self._at
        end = self._line_end()
        if end < 0:
            return self._without_end()
        self._at = end + 1
        line = buffer[at : end - 1 if buffer[end - 1 : end] == b"\r" else end]
        if self._skipping or len(line) > self._limit(line):
            self._skipping = False
            self._mode = _Mode.COMMAND
            return Unreadable(Fault.TOO_LONG)
        if b"\n" in line or b"\r" in line or b"\0" in line:
            self._mode = _Mode.COMMAND
            return Unreadable(Fault.LINE_END)
        return line

    def _line_end(self) -> int:
        """Where the LF stands that ends the line, -1 if it has not come."""
        if self.by_hand is None:
            end = self._buffer.find(b"\n", self._at)
            if end >= 0:
                self.by_hand = self._buffer[end - 1 : end] != b"\r"
            return end
        if self.by_hand:
            return self._buffer.find(b"\n", self._at)
        end = self._buffer.find(b"\r\n", self._at)
        return end + 1 if end >= 0 else -1

    def _limit(self, line: bytes) -> int:
        if self._mode is _Mode.RESPONSE or line[:5].upper() == b"AUTH ":
            return self._limits.auth
        return self._limits.command

    def _without_end(self) -> Unreadable | None:
        """The line is incomplete: see that it does not grow for ever."""
        held = len(self._buffer) - self._at
        if not self._skipping and held <= max(self._limits.auth, self._limits.command):
            return None
        if not self._skipping:
            self._skipping = True
            self._swallowed = 0
        self._swallowed += held - 1
        self._at = len(self._buffer) - 1  # a CR there may be half of the end
        if self._swallowed > self._limits.overrun:
            self._swallowed = 0
            return Unreadable(Fault.ENDLESS)
        return None

    # -- content

    def _next_of_content(self) -> Event | None:
        if self._waiting < 0:
            return self._finished()
        octets = self._buffer[self._at :]
        if not octets:
            return None
        content, used = self._dots.feed(octets)
        if used < 0:
            self._at = len(self._buffer)
        else:
            self._at += used
            self._waiting = -1
        if content and self._takes(len(content)):
            return Piece(content)
        if self._waiting < 0:
            return self._finished()
        return self._given_up()

    def _next_of_chunk(self) -> Event | None:
        if self._waiting == 0:
            return self._finished()
        octets = self._buffer[self._at : self._at + self._waiting]
        if not octets:
            return None
        self._at += len(octets)
        self._waiting -= len(octets)
        if self._takes(len(octets)):
            return Piece(octets)
        if self._waiting == 0:
            return self._finished()
        return self._given_up()

    def _takes(self, octets: int) -> bool:
        """Whether the content may grow so much; once it may not, it never may."""
        if self._room >= octets:
            self._room -= octets
            return True
        self._room = -1
        self._swallowed += octets
        return False

    def _finished(self) -> Ended:
        self._mode = _Mode.COMMAND
        self._waiting = 0
        return Ended(exceeded=self._room < 0)

    def _given_up(self) -> Unreadable | None:
        if self._swallowed > self._limits.overrun:
            self._swallowed = 0
            return Unreadable(Fault.ENDLESS)
        return None
