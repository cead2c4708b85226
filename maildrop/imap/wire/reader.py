"""What a client sends: octets in, commands and other events out.

In this file:
    CommandReader    one connection's octets
    Event            what it tells

It is pulled: ``receive_data`` takes octets, ``next_event`` gives what they mean, None
until more come.  While a command runs the session does not ask, so what it has just set
(TLS, a SASL exchange, IDLE, other limits) holds from the next line on.

A literal waits for the session, unless it may be collected at once::

    line without a literal ------------------------------> the command
    line ... {n+}    collected -> rest of the command ---> the command
    line ... {n}     NeedContinuation
                       accept_literal -> collected, as above
                       refuse_literal -> the next command
    APPEND ... {n} or {n+}    Append
                       accept_literal -> LiteralChunk ... -> AppendEnd
                       refuse_literal -> what was sent without asking is swallowed

Errors: anything that is no command is a ``BadCommand``; the rest of its line, and the
literals its client sends without waiting (RFC 7888), are swallowed, so that what comes
next is read as what it is.  A client that waits and gets BAD sends no literal.

Limits: ``limits``; at most one line, or one command with its literals, is held.

Tolerated: a bare LF as the end of a line (sessions typed by hand); empty lines between
commands, which some clients send after a literal.

Security: ``pending`` says whether a client sent something behind STARTTLS.
"""

import enum
import re
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from maildrop.errors import LimitExceeded, PermanentError, ProtocolSyntaxError
from maildrop.imap.wire import authenticate
from maildrop.imap.wire.arguments import Arguments, UnknownCommand
from maildrop.imap.wire.commands import COMMANDS, STREAMED, Command
from maildrop.imap.wire.events import (
    AppendEnd,
    BadCommand,
    Done,
    LiteralChunk,
    NeedContinuation,
    SaslResponse,
)
from maildrop.imap.wire.limits import BEFORE_LOGIN, Limits

Event: TypeAlias = (
    Command
    | AppendEnd
    | BadCommand
    | Done
    | LiteralChunk
    | NeedContinuation
    | SaslResponse
)


class _Step(enum.Enum):
    """What a state returns when there is nothing to tell and more to do."""

    AGAIN = enum.auto()


_AGAIN: Final = _Step.AGAIN
_Told: TypeAlias = Event | Literal[_Step.AGAIN] | None

#: Octets of a tag: more is no honest client's, and every answer repeats it.
_TAG_LENGTH: Final = 128
#: Octets at the end of a line in which "{" number "+}" CR has room.
_KEPT: Final = 32

_A_TAG: Final = rb'([^\x00-\x20\x7f-\xff(){%%*"\\+]{1,%d})' % _TAG_LENGTH
_TAG: Final = re.compile(_A_TAG + rb"(?: |\Z)").match
_TAG_AND_MORE: Final = re.compile(_A_TAG + rb" ").match
_HEAD: Final = re.compile(
    _A_TAG + rb" ((?:[Uu][Ii][Dd] )?[A-Za-z][A-Za-z0-9._-]*+)"
).match
_ANNOUNCED: Final = re.compile(rb"\{(\d{1,20})(\+?)\}\Z").match


class CommandReader:
    """The octets of one client.

    Args:
        limits: What it may send; ``BEFORE_LOGIN`` is meant to be replaced.

    Attributes:
        limits: As above; may be set at any time between events.
    """

    __slots__ = (
        "_arguments",
        "_at",
        "_buffer",
        "_last",
        "_literals",
        "_parts",
        "_scanned",
        "_size",
        "_state",
        "_streamed",
        "_streaming",
        "_synchronizing",
        "_tag",
        "_wanted",
        "limits",
    )

    def __init__(self, limits: Limits = BEFORE_LOGIN) -> None:
        self.limits = limits
        self._buffer = b""
        self._at = 0  # octets of the buffer that are done with
        self._scanned = 0  # octets in which there is no LF, or that are done with
        self._last: bytes | None = None  # tag of the last command told of
        self._tag: bytes | None = None  # of the command that is being read
        self._parts: list[bytes] = []  # its lines and literals, so far
        self._size = 0  # octets of those
        self._literals = 0
        self._arguments = 0  # where its arguments begin
        self._wanted = 0  # octets of the literal at work
        self._synchronizing = False
        self._streamed = False  # the command has a message that is not collected
        self._streaming = False  # and that is the literal at work
        # A function, not a bound method, which would tie the reader to itself.
        self._state: Callable[[CommandReader], _Told] = CommandReader._command

    # -- for the session

    def receive_data(self, octets: bytes) -> None:
        """Take octets that came."""
        if not self._buffer:
            self._buffer = octets
        elif self._at:
            self._buffer = self._buffer[self._at :] + octets
            self._scanned -= self._at
            self._at = 0
        else:
            self._buffer += octets

    def next_event(self) -> Event | None:
        """The next thing the client said, None until more octets come."""
        if not self._buffer and self._state is CommandReader._command:
            return None
        while (told := self._state(self)) is _AGAIN:
            pass
        return told

    @property
    def pending(self) -> int:
        """Octets received and not told of."""
        return len(self._buffer) - self._at

    def discard(self) -> None:
        """Forget everything, as if nothing had been received (RFC 3501 6.2.1)."""
        self._buffer = b""
        self._at = self._scanned = 0
        self._reset()

    def accept_literal(self) -> None:
        """Take the literal of the last ``NeedContinuation`` or ``Append``."""
        take = CommandReader._stream if self._streaming else CommandReader._collect
        self._state = take

    def refuse_literal(self) -> None:
        """Do not take it, or no more of it; the command's tag is answered with NO.

        Also right between two ``LiteralChunk``: the rest is swallowed, and neither
        ``AppendEnd`` nor ``BadCommand`` will come.
        """
        if self._state is CommandReader._undecided and self._synchronizing:
            self._reset()
        elif self._state in {CommandReader._undecided, CommandReader._stream}:
            self._state = CommandReader._swallow_literal
        elif self._state is CommandReader._append_end:
            self._state = CommandReader._swallow_line

    def expect_response(self) -> None:
        """The next line answers a SASL challenge of the last command."""
        self._tag = self._last
        self._state = CommandReader._response

    def expect_done(self) -> None:
        """The next line should be DONE, and end the last command."""
        self._tag = self._last
        self._state = CommandReader._done

    # -- lines

    def _line(self) -> bytes | None:
        """The next line without its end, None when it is not all there."""
        buffer = self._buffer
        start = self._at
        end = buffer.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(buffer)
            return None
        if end + 1 == len(buffer):
            self._buffer = b""
            self._at = self._scanned = 0
        else:
            self._at = self._scanned = end + 1
        if end > start and buffer[end - 1] == 13:
            end -= 1
        return buffer[start:end]

    def _too_long(self, line: bytes | None, size: int) -> BadCommand | None:
        """The error of a line that is longer than ``size``, complete or not."""
        tag = self._tag
        if line is None:
            if self.pending <= size + 1:  # one for CR
                return None
            begun = self._buffer[self._at : self._at + size]
            self._state = CommandReader._swallow_line
        elif len(line) <= size:
            return None
        else:
            begun = line[:size]
            self._end_of_bad(line)
        if tag is None and (match := _TAG_AND_MORE(begun)):
            tag = match[1]
        return BadCommand(tag, LimitExceeded(f"a line of more than {size} octets"))

    def _end_of_bad(self, line: bytes) -> None:
        """A line was refused: swallow the literal its client sends all the same."""
        match = _ANNOUNCED(line, max(line.rfind(b"{"), 0))
        if match is not None and match[2]:
            self._wanted = int(match[1])
            self._state = CommandReader._swallow_literal
        else:
            self._reset()

    def _reset(self) -> None:
        self._tag = None
        self._parts.clear()
        self._size = self._literals = 0
        self._streamed = self._streaming = False
        self._state = CommandReader._command

    # -- states: each takes what it can from the buffer

    def _command(self) -> _Told:
        """A line of a command."""
        line = self._line()
        if line is None or len(line) > self.limits.line:
            return self._too_long(line, self.limits.line)
        if line.endswith(b"}"):
            match = _ANNOUNCED(line, line.rfind(b"{"))
            if match is not None:
                return self._announced(line, int(match[1]), not match[2])
        if not self._parts:
            return self._parse(line) if line else _AGAIN
        self._parts.append(line)
        octets = b"".join(self._parts)
        tag = self._tag
        self._reset()
        if len(octets) > self.limits.command:
            return BadCommand(tag, self._command_too_large())
        return self._parse(octets)

    def _parse(self, octets: bytes) -> Event:
        """A whole command."""
        head = _HEAD(octets)
        if head is None:
            return _headless(octets)
        tag, name = head.groups()
        read = COMMANDS.get(name.upper())
        if read is None:
            return BadCommand(tag, UnknownCommand("no such command"))
        self._last = tag
        try:
            return read(tag, Arguments(octets, head.end(), self.limits))
        except PermanentError as error:
            return BadCommand(tag, error)

    def _announced(self, line: bytes, size: int, synchronizing: bool) -> _Told:
        """A line that ends with a literal's announcement."""
        error = None if self._parts else self._begin(line)
        if error is None:
            self._wanted = size
            self._synchronizing = synchronizing
            if self._streamed and (
                self._parts[1:] or line.rfind(b"{") != self._arguments + 1
            ):
                return self._append(line)
            error = self._refusal(line, size)
        if error is not None:
            tag = self._tag
            self._reset()
            self._end_of_bad(line)
            return BadCommand(tag, error)
        self._parts.append(line + b"\r\n")
        self._size += len(line) + 2 + size
        self._literals += 1
        if not synchronizing:
            self._state = CommandReader._collect
            return _AGAIN
        self._state = CommandReader._undecided
        return NeedContinuation(self._tag or b"*", size)

    def _begin(self, line: bytes) -> PermanentError | None:
        """Look at the first line of a command before its literal is asked for."""
        head = _HEAD(line)
        if head is None:
            bad = _headless(line)
            self._tag = bad.tag
            return ProtocolSyntaxError("expected a tag and a command")
        self._tag, name = head.groups()
        name = name.upper()
        if name not in COMMANDS:
            return UnknownCommand("no such command")
        self._arguments = head.end()
        self._streamed = name in STREAMED
        return None

    def _refusal(self, line: bytes, size: int) -> PermanentError | None:
        """Why a literal is not collected."""
        limits = self.limits
        if size > limits.literal:
            return LimitExceeded(f"a literal of more than {limits.literal} octets")
        if self._literals >= limits.literals:
            return LimitExceeded(f"more than {limits.literals} literals")
        if self._size + len(line) + 2 + size > limits.command:
            return self._command_too_large()
        return self._unasked(size)

    def _unasked(self, size: int) -> LimitExceeded | None:
        limit = self.limits.non_synchronizing
        if self._synchronizing or limit is None or size <= limit:
            return None
        return LimitExceeded(f"a literal of more than {limit} octets without asking")

    def _command_too_large(self) -> LimitExceeded:
        return LimitExceeded(f"a command of more than {self.limits.command} octets")

    def _append(self, line: bytes) -> Event:
        """APPEND has come to its message."""
        tag = self._tag or b"*"
        octets = b"".join((*self._parts, line))
        self._parts.clear()
        error: PermanentError | None = self._unasked(self._wanted)
        if error is None:
            try:
                command = COMMANDS[b"APPEND"](
                    tag, Arguments(octets, self._arguments, self.limits)
                )
            except PermanentError as refused:
                error = refused
            else:
                self._streaming = True
                self._state = CommandReader._undecided
                return command
        self._reset()
        self._end_of_bad(line)
        return BadCommand(tag, error)

    def _undecided(self) -> None:
        """A literal was announced, and the session has not said what to do."""

    def _collect(self) -> _Told:
        """A literal that becomes part of its command."""
        if self.pending < self._wanted:
            return None
        self._parts.append(self._take(self._wanted))
        self._state = CommandReader._command
        return _AGAIN

    def _stream(self) -> _Told:
        """The message of APPEND."""
        if not self._wanted:
            self._state = CommandReader._append_end
            return _AGAIN
        octets = self._take(self._wanted)
        if not octets:
            return None
        self._wanted -= len(octets)
        return LiteralChunk(octets)

    def _append_end(self) -> _Told:
        """After the message of APPEND: the end of the line."""
        line = self._line()
        if bad := self._too_long(line, self.limits.line):
            return bad
        if line is None:
            return None
        tag = self._tag or b"*"
        self._reset()
        if not line.strip(b" "):
            return AppendEnd(tag)
        self._end_of_bad(line)
        return BadCommand(tag, ProtocolSyntaxError("octets behind the message"))

    def _response(self) -> _Told:
        """A line that answers a SASL challenge."""
        line = self._line()
        if bad := self._too_long(line, self.limits.line):
            return bad
        if line is None:
            return None
        tag = self._tag
        self._reset()
        try:
            return SaslResponse(authenticate.response(line))
        except ProtocolSyntaxError as error:
            return BadCommand(tag, error)

    def _done(self) -> _Told:
        """The line that ends IDLE."""
        line = self._line()
        if bad := self._too_long(line, self.limits.line):
            return bad
        if line is None:
            return None
        tag = self._tag
        self._reset()
        if line.rstrip(b" ").upper() == b"DONE":
            return Done()
        self._end_of_bad(line)
        return BadCommand(tag, ProtocolSyntaxError("expected DONE"))

    def _swallow_literal(self) -> _Told:
        """A literal that nobody wants."""
        octets = self._take(self._wanted)
        self._wanted -= len(octets)
        if self._wanted:
            return None
        self._state = CommandReader._swallow_line
        return _AGAIN

    def _swallow_line(self) -> _Told:
        """The rest of a line that nobody wants."""
        line = self._line()
        if line is None:
            self._buffer = self._buffer[max(self._at, len(self._buffer) - _KEPT) :]
            self._at = 0
            self._scanned = len(self._buffer)
            return None
        self._end_of_bad(line)
        return _AGAIN

    def _take(self, size: int) -> bytes:
        """Up to ``size`` octets of the buffer."""
        buffer = self._buffer
        start = self._at
        if len(buffer) - start <= size:
            self._buffer = b""
            self._at = self._scanned = 0
            return buffer[start:] if start else buffer
        self._at = self._scanned = start + size
        return buffer[start : start + size]


def _headless(octets: bytes) -> BadCommand:
    """What to say of a line that has no tag and command."""
    match = _TAG(octets)
    return BadCommand(
        match[1] if match else None,
        ProtocolSyntaxError("expected a tag and a command"),
    )
