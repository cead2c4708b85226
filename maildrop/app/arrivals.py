"""Arrivals: what other processes put into the queue or change, told by inotify(7).

In this file:
    Arrivals    tells the names that come into a directory, or are touched there

A look at a directory of 100,000 entries takes a tenth of a second; an event has the one
name that came.  Where inotify is not to be had, or lost count, the directory is looked
at as a whole.

What this process puts there comes too, while it still has it locked.  Told at once, it
would be tried in vain.  Who put it there says when it is done; in case that was never
said, the name is told ``_LATER``.
"""

import contextlib
import ctypes
import os
import struct
from collections.abc import Callable, Container
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

_IN_ATTRIB: Final = 0x4
_IN_MOVED_TO: Final = 0x80
_IN_Q_OVERFLOW: Final = 0x4000
_EVENT: Final = struct.Struct("iIII")  # watch, mask, cookie, octets of the name
_READ: Final = 1 << 16
#: Seconds until a name is told that came while this process was putting it there.
_LATER: Final = 2.0


@implementer(IReadDescriptor)
class Arrivals:
    """Tells the names that come into a directory by rename(2), or get other times.

    Args:
        reactor: Time, and where inotify is read.
        directory: Exists.
        came: Told of each name.
        look: Looks at the directory as a whole.
        placing: Names that this process is putting there.
        found: Told of those that came meanwhile, later, when they are there.
        every: Seconds between such looks; they are needed where files come from other
            hosts.
    """

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401 (IReactorTime and IReactorFDSet)
        directory: str,
        came: Callable[[str], None],
        look: Callable[[], None],
        placing: Container[str],
        found: Callable[[str], None],
        every: float = 300.0,
    ) -> None:
        self._reactor = reactor
        self._directory = directory
        self._came = came
        self._look = look
        self._placing = placing
        self._found = found
        self._every = every
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = -1
        self._timer: IDelayedCall | None = None
        self._passed: dict[str, None] = {}
        self._later: IDelayedCall | None = None

    def start(self) -> None:
        """Begin."""
        fd: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if fd >= 0:
            path = os.fsencode(self._directory)
            if self._libc.inotify_add_watch(fd, path, _IN_MOVED_TO | _IN_ATTRIB) >= 0:
                self._fd = fd
                self._reactor.addReader(self)
            else:
                os.close(fd)
        if self._fd < 0:
            self._every = min(self._every, 5.0)
        self._timer = self._reactor.callLater(self._every, self._time_to_look)

    def stop(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self._fd >= 0:
            self._reactor.removeReader(self)
            os.close(self._fd)
            self._fd = -1

    def _time_to_look(self) -> None:
        self._timer = self._reactor.callLater(self._every, self._time_to_look)
        self._look()

    def doRead(self) -> None:
        """Events are waiting."""
        octets = b""
        with contextlib.suppress(BlockingIOError):
            octets = os.read(self._fd, _READ)
        names: dict[str, None] = {}
        at = 0
        while at < len(octets):
            _, mask, _, length = _EVENT.unpack_from(octets, at)
            at += _EVENT.size
            if mask & _IN_Q_OVERFLOW:
                self._look()
            elif length:
                names[os.fsdecode(octets[at : at + length].rstrip(b"\0"))] = None
            at += length
        for name in names:
            if name in self._placing:
                self._pass(name)
            else:
                self._came(name)

    def _pass(self, name: str) -> None:
        self._passed[name] = None
        if self._later is None:
            self._later = self._reactor.callLater(_LATER, self._time_to_tell)

    def _time_to_tell(self) -> None:
        self._later = None
        names, self._passed = self._passed, {}
        for name in names:
            if name in self._placing:
                self._pass(name)
            else:
                self._found(name)

    def fileno(self) -> int:
        """The descriptor of inotify."""
        return self._fd

    def logPrefix(self) -> str:
        """What Twisted's log calls it."""
        return "arrivals"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor is ending."""
        del reason
        self.stop()
