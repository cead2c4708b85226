"""Changes on disk: inotify for all mailboxes of the process, with a poll beside it.

In this file:
    DiskWatcher    the ``Watcher`` of ``mailbox.gate``
    Inotify        the system calls

One inotify(7) instance serves all watches.  What it cannot watch (no such path yet, the
system's limit is reached) is looked at with stat(2) every few seconds and given to it
when possible; and since inotify does not see what other hosts do on a network file
system, everything is looked at now and then.

Events come in bursts: a watch's function is called once, a moment after the first, and
once more when the clock has ticked: of two changes in one tick, the one that came after
the first call cannot be told by times.

Limits: octets of events read at a time; seconds between looks.
"""

import contextlib
import ctypes
import errno
import os
import struct
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

IN_MODIFY: Final = 0x2
IN_ATTRIB: Final = 0x4
IN_MOVED_FROM: Final = 0x40
IN_MOVED_TO: Final = 0x80
IN_CREATE: Final = 0x100
IN_DELETE: Final = 0x200
IN_DELETE_SELF: Final = 0x400
IN_MOVE_SELF: Final = 0x800
IN_Q_OVERFLOW: Final = 0x4000
IN_IGNORED: Final = 0x8000
_MASK: Final = (
    IN_MODIFY
    | IN_ATTRIB
    | IN_MOVED_FROM
    | IN_MOVED_TO
    | IN_CREATE
    | IN_DELETE
    | IN_DELETE_SELF
    | IN_MOVE_SELF
)
_GONE: Final = IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED
_EVENT: Final = struct.Struct("iIII")  # watch, mask, cookie, octets of the name
_READ: Final = 1 << 16

Signature = tuple[int, int, int] | None


class Inotify:
    """The system calls of inotify(7)."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def add(self, path: str) -> int:
        """Watch a path; gives the number of the watch."""
        number: int = self._libc.inotify_add_watch(self.fd, os.fsencode(path), _MASK)
        if number < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error), path)
        return number

    def remove(self, number: int) -> None:
        """Watch it no more."""
        self._libc.inotify_rm_watch(self.fd, number)

    def read(self) -> list[tuple[int, int]]:
        """Watches and masks of the events that are waiting."""
        try:
            octets = os.read(self.fd, _READ)
        except BlockingIOError:
            return []
        events, at = [], 0
        while at < len(octets):
            number, mask, _, length = _EVENT.unpack_from(octets, at)
            events.append((number, mask))
            at += _EVENT.size + length
        return events

    def close(self) -> None:
        """Let go."""
        os.close(self.fd)


@dataclass(eq=False, slots=True)
class _Watch:
    """Paths that one caller wants to know of."""

    paths: Sequence[str]
    changed: Callable[[], None]
    soon: IDelayedCall | None = None
    later: IDelayedCall | None = None
    signatures: dict[str, Signature] = field(default_factory=dict)


@implementer(IReadDescriptor)
class DiskWatcher:
    """Tells when files change.

    Args:
        reactor: Time, and where inotify is read.
        reach: A context in which every path can be looked at.
        settle: Seconds from the first event to the call.
        tick: Seconds from a call to the one after it.
        again: Seconds between looks at what inotify cannot watch.
        rarely: Seconds between looks at everything.
        inotify: None to do without.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401 (IReactorTime and IReactorFDSet)
        reach: Callable[[], AbstractContextManager[object]],
        *,
        settle: float = 0.005,
        tick: float = 1.2,
        again: float = 5.0,
        rarely: float = 60.0,
        inotify: Inotify | None = None,
    ) -> None:
        self._reactor = reactor
        self._reach = reach
        self._settle = settle
        self._tick = tick
        self._again = again
        self._rarely = rarely
        self._inotify = inotify
        self._watches: set[_Watch] = set()
        self._numbers: dict[str, int] = {}
        self._watched: dict[int, dict[str, list[_Watch]]] = {}
        self._unwatched: dict[str, list[_Watch]] = {}
        self._timer: IDelayedCall | None = None
        self._round: list[_Watch] = []
        self._full = False
        self._reading = False

    def start(self) -> None:
        """Begin to read inotify; the process forks no more."""
        if self._inotify is not None:
            self._reading = True
            self._reactor.addReader(self)

    # -- mailbox.gate.Watcher

    def watch(
        self, paths: Sequence[str], changed: Callable[[], None]
    ) -> Callable[[], None]:
        """See ``mailbox.gate.Watcher``."""
        watch = _Watch(tuple(paths), changed)
        self._watches.add(watch)
        with self._reach():
            for path in watch.paths:
                watch.signatures[path] = _signature(path)
                self._attach(path, watch)
        if self._timer is None:
            self._timer = self._reactor.callLater(self._again, self._look)
        return lambda: self._end(watch)

    def _end(self, watch: _Watch) -> None:
        if watch not in self._watches:
            return
        self._watches.remove(watch)
        for call in (watch.soon, watch.later):
            if call is not None:
                call.cancel()
        watch.soon = watch.later = None
        for path in watch.paths:
            self._detach(path, watch)
        if not self._watches and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """End all watches."""
        for watch in list(self._watches):
            self._end(watch)
        if self._inotify is not None:
            if self._reading:
                self._reactor.removeReader(self)
            self._inotify.close()
            self._inotify = None

    # -- inotify

    def _attach(self, path: str, watch: _Watch) -> None:
        """Give a path to inotify, or to the poll."""
        number = self._numbers.get(path)
        if number is None:
            number = self._add(path)
        if number is None:
            self._unwatched.setdefault(path, []).append(watch)
            return
        self._numbers[path] = number
        self._watched.setdefault(number, {}).setdefault(path, []).append(watch)

    def _add(self, path: str) -> int | None:
        if self._inotify is None:
            return None
        try:
            number = self._inotify.add(path)
        except OSError as error:
            if error.errno == errno.ENOSPC and not self._full:
                self._full = True
                self._log.warn(
                    "inotify: fs.inotify.max_user_watches is reached; further "
                    "mailboxes are looked at every {seconds} seconds",
                    seconds=self._again,
                )
            return None
        return number

    def _detach(self, path: str, watch: _Watch) -> None:
        waiting = self._unwatched.get(path, [])
        if watch in waiting:
            waiting.remove(watch)
            if not waiting:
                del self._unwatched[path]
            return
        number = self._numbers.get(path)
        if number is None:
            return
        paths = self._watched[number]
        paths[path].remove(watch)
        if not paths[path]:
            del paths[path], self._numbers[path]
        if not paths:
            del self._watched[number]
            if self._inotify is not None:
                self._inotify.remove(number)

    def doRead(self) -> None:
        """Events are waiting."""
        if self._inotify is None:
            return
        for number, mask in self._inotify.read():
            if mask & IN_Q_OVERFLOW:
                self._tell(self._watches)
                continue
            paths = self._watched.get(number)
            if paths is None:
                continue
            for watches in paths.values():
                self._tell(watches)
            if mask & _GONE:
                self._lost(number, paths)

    def _lost(self, number: int, paths: dict[str, list[_Watch]]) -> None:
        """What was watched has another place now: look for what is in its place."""
        del self._watched[number]
        if self._inotify is not None:
            self._inotify.remove(number)
        for path, watches in paths.items():
            del self._numbers[path]
            self._unwatched.setdefault(path, []).extend(watches)
        with self._reach():
            for path in paths:
                self._try_again(path)

    def _try_again(self, path: str) -> None:
        watches = self._unwatched.pop(path, [])
        for watch in watches:
            self._attach(path, watch)

    def fileno(self) -> int:
        """The descriptor of inotify."""
        return -1 if self._inotify is None else self._inotify.fd

    def logPrefix(self) -> str:
        """What Twisted's log calls it."""
        return "watcher"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor is ending."""
        self.close()

    # -- telling

    def _tell(self, watches: Iterable[_Watch]) -> None:
        for watch in watches:
            if watch.soon is None:
                watch.soon = self._reactor.callLater(self._settle, self._call, watch)

    def _call(self, watch: _Watch) -> None:
        watch.soon = None
        if watch.later is None:
            watch.later = self._reactor.callLater(self._tick, self._call_again, watch)
        self._changed(watch)

    def _call_again(self, watch: _Watch) -> None:
        watch.later = None
        self._changed(watch)

    def _changed(self, watch: _Watch) -> None:
        try:
            watch.changed()
        except Exception:
            self._log.failure("a watch failed")

    # -- the poll

    def _look(self) -> None:
        self._timer = self._reactor.callLater(self._again, self._look)
        if not self._round:
            self._round = list(self._watches)
            self._full = False
        # A part of all each time, so that no turn takes long.
        part = -int(-len(self._watches) * self._again // self._rarely) + 1
        with self._reach():
            for watch in self._round[-part:]:
                if watch in self._watches:
                    self._compare(watch, watch.paths)
            del self._round[-part:]
            for path, watches in list(self._unwatched.items()):
                for watch in watches:
                    self._compare(watch, [path])
                if self._inotify is not None and os.path.lexists(path):
                    self._try_again(path)

    def _compare(self, watch: _Watch, paths: Iterable[str]) -> None:
        for path in paths:
            now = _signature(path)
            if now != watch.signatures.get(path):
                watch.signatures[path] = now
                self._tell([watch])


def _signature(path: str) -> Signature:
    with contextlib.suppress(OSError):
        found = os.stat(path)
        return found.st_mtime_ns, found.st_size, found.st_ino
    return None
