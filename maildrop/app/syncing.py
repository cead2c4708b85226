"""Waiting for the disk without a thread: fsync by the kernel's asynchronous I/O.

In this file:
    DiskWaits    waits for a ``durable.Sync``; the ``Waiting`` of ``mailbox.gate``
    KernelQueue  the system calls

A thread that waits for the disk does nothing, but each time it begins and ends it takes
Python's lock from the one that works.  io_submit(2) queues an fsync, the kernel does it
on a thread of its own, and an eventfd(2) wakes the reactor; Linux has that since 4.18.
Where it is missing or forbidden, or its queue is full, a thread waits after all.

Limits: syncs that are under way at once.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from maildrop.durable import Sync, translate
from maildrop.mailbox.gate import InThread

#: Numbers of io_setup, io_destroy, io_getevents and io_submit.
_NUMBERS: Final = {"x86_64": (206, 207, 208, 209), "aarch64": (0, 1, 4, 2)}
#: struct iocb on a little-endian machine, and struct io_event.
_REQUEST: Final = struct.Struct("<QIIHhIQQqQII")
_EVENT: Final = struct.Struct("<QQqq")
_FSYNC: Final = 2
_FDSYNC: Final = 3
_WITH_EVENTFD: Final = 1
#: What stands for arguments that a call does not have.
_NONE: Final = (0,) * 5

Done = tuple[int, int]  # number of a request, and 0 or an errno


class Queue(Protocol):
    """Does syncs one after the other or at once."""

    fd: int

    def submit(self, requests: Sequence[tuple[int, int, bool]]) -> int:
        """Begin some; see ``KernelQueue``."""

    def done(self) -> list[Done]:
        """Those that are over."""

    def close(self) -> None:
        """Wait for the rest, and let go."""


class KernelQueue:
    """The system calls.

    Args:
        size: Requests that may be under way.

    Attributes:
        fd: An eventfd; readable when some are over.

    Raises:
        OSError: The system has no such thing.
    """

    def __init__(self, size: int) -> None:
        numbers = _NUMBERS.get(platform.machine())
        if numbers is None or sys.byteorder != "little":
            raise OSError(errno.ENOSYS, "asynchronous I/O of this machine is not known")
        self._setup, self._destroy, self._getevents, self._submit = numbers
        # PyDLL keeps Python's lock: the calls are short.
        self._syscall = ctypes.PyDLL(None, use_errno=True).syscall
        self._syscall.argtypes = (ctypes.c_long,) * 6
        self._syscall.restype = ctypes.c_long
        self._size = size
        self._events = ctypes.create_string_buffer(_EVENT.size * size)
        self._requests = ctypes.create_string_buffer(_REQUEST.size * size)
        start = ctypes.addressof(self._requests)
        places = [start + _REQUEST.size * n for n in range(size)]
        self._places = (ctypes.c_void_p * size)(*places)
        context = ctypes.c_ulong(0)
        self._call(self._setup, size, ctypes.addressof(context))
        self._context = context.value
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def _call(self, number: int, *arguments: int) -> int:
        result: int = self._syscall(number, *arguments, *_NONE[len(arguments) :])
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result

    def submit(self, requests: Sequence[tuple[int, int, bool]]) -> int:
        """Begin some.

        Args:
            requests: Number, descriptor, whether names and times are meant too.

        Returns:
            How many were begun, from the first on.

        Raises:
            OSError: None was.
        """
        some = requests[: self._size]
        for place, (number, fd, whole) in enumerate(some):
            _REQUEST.pack_into(
                self._requests,
                place * _REQUEST.size,
                *(number, 0, 0, _FSYNC if whole else _FDSYNC, 0, fd),
                *(0, 0, 0, 0, _WITH_EVENTFD, self.fd),
            )
        at = ctypes.addressof(self._places)
        return self._call(self._submit, self._context, len(some), at)

    def done(self) -> list[Done]:
        """Those that are over; never waits."""
        try:
            os.eventfd_read(self.fd)
        except BlockingIOError:
            return []
        at = ctypes.addressof(self._events)
        count = self._call(self._getevents, self._context, 0, self._size, at)
        events = _EVENT.iter_unpack(self._events.raw[: count * _EVENT.size])
        return [(number, max(-result, 0)) for number, _, result, _ in events]

    def close(self) -> None:
        """Wait for the rest, and let go."""
        self._call(self._destroy, self._context)
        os.close(self.fd)


class _Wait:
    """A ``Sync`` that is under way."""

    __slots__ = ("deferred", "error", "left", "sync")

    def __init__(self, sync: Sync, left: int) -> None:
        self.sync = sync
        self.left = left
        self.error = 0
        self.deferred: Deferred[None] = Deferred()


@implementer(IReadDescriptor)
class DiskWaits:
    """Waits for syncs.

    Args:
        reactor: Where waits end.
        in_thread: Where one waits that the queue does not take.
        queue: Makes the queue, when the first is waited for.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        in_thread: InThread,
        queue: Callable[[], Queue],
    ) -> None:
        self._reactor = reactor
        self._in_thread = in_thread
        self._new_queue = queue
        self._queue: Queue | None = None
        self._usable = True
        self._waits: dict[int, _Wait] = {}
        self._number = 0

    def __call__(self, sync: Sync) -> Deferred[None]:
        """Wait for one; the Deferred fires on the reactor thread."""
        queue = self._queue or self._begin()
        if queue is None:
            return self._in_thread(sync)
        fds = [(fd, False) for fd in sync.files] + [(d, True) for d in sync.directories]
        first = self._number
        self._number += len(fds)
        requests = [(first + n, fd, whole) for n, (fd, whole) in enumerate(fds)]
        try:
            begun = queue.submit(requests)
        except OSError as error:
            self._refused(error)
            begun = 0
        if begun < len(requests):
            # Those that were begun nobody waits for: the thread does all of them.
            return self._in_thread(sync)
        wait = _Wait(sync, begun)
        for number, _, _ in requests:
            self._waits[number] = wait
        return wait.deferred

    def _begin(self) -> Queue | None:
        if not self._usable:
            return None
        try:
            self._queue = self._new_queue()
        except OSError as error:
            self._refused(error)
            return None
        self._reactor.addReader(self)
        return self._queue

    def _refused(self, error: OSError) -> None:
        if error.errno != errno.EAGAIN:  # the queue is full
            self._usable = False
            self._log.info("threads wait for the disk: {error}", error=error)
            self._end()

    def _end(self) -> None:
        queue, self._queue = self._queue, None
        if queue is not None:
            self._reactor.removeReader(self)
            queue.close()
        waits, self._waits = self._waits, {}
        for wait in {id(wait): wait for wait in waits.values()}.values():
            self._in_thread(wait.sync).chainDeferred(wait.deferred)

    def close(self) -> None:
        """Wait no more; a thread does what is still under way."""
        self._usable = False
        self._end()

    # -- for the reactor

    def doRead(self) -> None:
        """Some are over."""
        if self._queue is None:
            return
        for number, error in self._queue.done():
            wait = self._waits.pop(number, None)
            if wait is None:
                continue
            wait.left -= 1
            wait.error = wait.error or error
            if wait.left == 0:
                self._finish(wait)

    def _finish(self, wait: _Wait) -> None:
        if wait.error:
            error = OSError(wait.error, os.strerror(wait.error))
            wait.deferred.errback(Failure(translate(error, wait.sync.doing)))
        else:
            wait.deferred.callback(None)

    def fileno(self) -> int:
        """The eventfd."""
        return -1 if self._queue is None else self._queue.fd

    def logPrefix(self) -> str:
        """What Twisted's log calls it."""
        return "disk"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor closes what is left at its end."""
        del reason
        self.close()
