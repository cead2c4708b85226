"""A machine whose system calls stop, fail, do half of their work, or are forgotten.

In this file:
    Machine    ``maildrop.system.System`` on real files, with a plan of what goes wrong
    Stopped    what every call raises once the process is no more
    Plan       what goes wrong, and at which call
    Trouble    the kinds of it

Calls are counted once the machine is armed; what is done before is set-up.  Nothing is
really synced: what would be lost is in ``unsynced``.
"""

import enum
import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from maildrop.system import Octets, Path
from tests.crash.unsynced import Unsynced


class Stopped(BaseException):
    """The process is no more.  No handler of errors gets to see it."""


class Trouble(enum.Enum):
    """What may go wrong at a call."""

    NONE = "nothing"
    KILL = "kill -9"
    TORN = "kill -9 within a write"
    ENOSPC = errno.ENOSPC
    EDQUOT = errno.EDQUOT
    EIO = errno.EIO
    EINTR = errno.EINTR
    SHORT = "short write"
    FULL = "full from there on"


#: Those that one call meets, and the process goes on.
FAULTS: Final = (
    Trouble.ENOSPC,
    Trouble.EDQUOT,
    Trouble.EIO,
    Trouble.EINTR,
    Trouble.SHORT,
    Trouble.FULL,
)
#: Those that only a call that writes octets can meet.
WRITING: Final = frozenset({Trouble.TORN, Trouble.SHORT})


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes wrong.

    Attributes:
        trouble: The kind.
        at: The number of the call, counted from 0.
    """

    trouble: Trouble = Trouble.NONE
    at: int = 0


#: Called before each call with its name and descriptor (-1 where it has none).
Watch = Callable[[str, int], None]


class Machine:
    """Stands in the place of ``os`` below ``maildrop.durable.Disk``.

    Args:
        plan: What goes wrong.
        unsynced: Keeps what a power cut would take away; None to keep nothing.
        watch: Looks on.

    Attributes:
        calls: Names of the calls made since it was armed.
        met: Whether the trouble was met.
        stopped: Whether the process is no more.
    """

    def __init__(
        self,
        plan: Plan = Plan(),
        unsynced: Unsynced | None = None,
        watch: Watch | None = None,
    ) -> None:
        self._plan = plan
        self._unsynced = unsynced
        self._watch = watch
        self._armed = False
        self._full = False
        self.calls: list[str] = []
        self.met = False
        self.stopped = False

    def arm(self) -> None:
        """From here on calls are counted, and go wrong."""
        self._armed = True

    def disarm(self) -> None:
        """All is well again; a process that was stopped stays so."""
        self._armed = False
        self._full = False

    @property
    def armed(self) -> bool:
        """Whether calls are counted."""
        return self._armed

    def die(self) -> None:
        """The process is no more."""
        self.stopped = True

    def _enter(self, name: str, fd: int = -1, *, grows: bool = False) -> Trouble:
        """Count a call.

        Returns:
            What a call that writes has to do by itself.
        """
        if self.stopped:
            raise Stopped
        if self._watch is not None:
            self._watch(name, fd)
        if not self._armed:
            return Trouble.NONE
        number = len(self.calls)
        self.calls.append(name)
        if self._full and grows:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if number != self._plan.at:
            return Trouble.NONE
        return self._meet(name, grows=grows)

    def _meet(self, name: str, *, grows: bool) -> Trouble:
        trouble = self._plan.trouble
        writes = name in {"write", "pwrite"}
        self.met = trouble is not Trouble.NONE
        if trouble is Trouble.KILL or (trouble is Trouble.TORN and not writes):
            self.stopped = True
            raise Stopped
        if isinstance(trouble.value, int):
            raise OSError(trouble.value, os.strerror(trouble.value))
        if trouble is Trouble.FULL:
            self._full = True
            if grows and not writes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return trouble if writes else Trouble.NONE

    # -- octets

    def write(self, fd: int, octets: Octets, /) -> int:
        trouble = self._enter("write", fd, grows=True)
        if self._unsynced:
            self._unsynced.before_write(fd, len(octets), None)
        return self._some(trouble, octets, lambda some: os.write(fd, some))

    def pwrite(self, fd: int, octets: Octets, offset: int, /) -> int:
        trouble = self._enter("pwrite", fd, grows=True)
        if self._unsynced:
            self._unsynced.before_write(fd, len(octets), offset)
        return self._some(trouble, octets, lambda some: os.pwrite(fd, some, offset))

    def _some(
        self, trouble: Trouble, octets: Octets, write: Callable[[Octets], int]
    ) -> int:
        if trouble is Trouble.NONE:
            return write(octets)
        done = write(memoryview(octets)[: max(len(octets) // 2, 1)])
        if trouble is Trouble.TORN:
            self.stopped = True
            raise Stopped
        return done

    def ftruncate(self, fd: int, size: int, /) -> None:
        self._enter("ftruncate", fd, grows=size > os.fstat(fd).st_size)
        if self._unsynced:
            self._unsynced.before_truncate(fd, size)
        os.ftruncate(fd, size)

    def fsync(self, fd: int) -> None:
        self._enter("fsync", fd)
        if self._unsynced:
            self._unsynced.synced(fd)

    def fdatasync(self, fd: int) -> None:
        self._enter("fdatasync", fd)
        if self._unsynced:
            self._unsynced.synced(fd)

    # -- names

    def open(
        self, path: Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None
    ) -> int:
        makes = bool(flags & os.O_CREAT) and not _exists(path, dir_fd)
        self._enter("open", grows=makes or flags & os.O_TMPFILE == os.O_TMPFILE)
        fd = os.open(path, flags, mode, dir_fd=dir_fd)
        if self._unsynced and makes:
            self._unsynced.made(path, dir_fd)
        return fd

    def rename(
        self,
        source: Path,
        target: Path,
        /,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
    ) -> None:
        self._enter("rename")
        if self._unsynced:
            self._unsynced.before_rename(source, src_dir_fd, target, dst_dir_fd)
        os.rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    def link(
        self,
        source: Path,
        target: Path,
        /,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        self._enter("link", grows=True)
        os.link(
            source,
            target,
            src_dir_fd=src_dir_fd,
            dst_dir_fd=dst_dir_fd,
            follow_symlinks=follow_symlinks,
        )
        if self._unsynced:
            self._unsynced.made(target, dst_dir_fd)

    def unlink(self, path: Path, /, *, dir_fd: int | None = None) -> None:
        self._enter("unlink")
        if self._unsynced:
            self._unsynced.before_unlink(path, dir_fd)
        os.unlink(path, dir_fd=dir_fd)

    def mkdir(
        self, path: Path, /, mode: int = 0o777, *, dir_fd: int | None = None
    ) -> None:
        self._enter("mkdir", grows=True)
        os.mkdir(path, mode, dir_fd=dir_fd)
        if self._unsynced:
            self._unsynced.made(path, dir_fd)

    def rmdir(self, path: Path, /, *, dir_fd: int | None = None) -> None:
        self._enter("rmdir")
        os.rmdir(path, dir_fd=dir_fd)
        if self._unsynced:
            self._unsynced.removed_directory(path, dir_fd)

    # -- the rest

    def utime(self, path: Path | int, /, times: tuple[float, float]) -> None:
        self._enter("utime")
        os.utime(path, times)

    def fchown(self, fd: int, uid: int, gid: int) -> None:
        self._enter("fchown", fd)
        os.fchown(fd, uid, gid)

    def fchmod(self, fd: int, mode: int) -> None:
        self._enter("fchmod", fd)
        os.fchmod(fd, mode)


def _exists(path: Path, dir_fd: int | None) -> bool:
    try:
        os.stat(path, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
