"""A disk on which the world stops after a number of calls.

In this file:
    StoppingDisk    does so many calls and no more
    QuickDisk       does all of them but does not wait for the hardware, nor for a tick
    Stopped         what it raises, then and ever after
    every_stop      runs an operation to each of its stop points
"""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from maildrop.durable import Disk
from tests.ticking import ticked

Octets = bytes | memoryview


class Stopped(BaseException):
    """The process is no more.  No handler of errors gets to see it."""


class QuickDisk(Disk):
    """Syncing does nothing: only the order of calls matters here.

    The clock of the file system ticks with each change of a directory; a slower one is
    waited for by whoever looks at what others did.
    """

    def synchronize(self, fd: int) -> None:
        del fd

    def synchronize_directory(self, path: str | bytes | int) -> None:
        del path

    def rename(
        self,
        source: str | bytes,
        target: str | bytes,
        source_fd: int | None = None,
        target_fd: int | None = None,
    ) -> None:
        super().rename(source, target, source_fd, target_fd)
        _tick(source, source_fd)
        _tick(target, target_fd)

    def link(
        self,
        source: str | bytes,
        target: str | bytes,
        source_fd: int | None = None,
        target_fd: int | None = None,
    ) -> None:
        super().link(source, target, source_fd, target_fd)
        _tick(target, target_fd)

    def unlink(self, path: str | bytes, dir_fd: int | None = None) -> None:
        super().unlink(path, dir_fd)
        _tick(path, dir_fd)


def _tick(path: str | bytes, dir_fd: int | None) -> None:
    """The directory in which a name was changed has another time."""
    directory = os.path.dirname(path)
    if directory:
        ticked(directory, dir_fd=dir_fd)
    else:
        ticked("." if dir_fd is None else dir_fd)


class StoppingDisk(QuickDisk):
    """Stops after ``calls`` calls, the last of which is done by half if it writes.

    Args:
        calls: How many calls are done.
        torn: Whether the first write that is not done whole is done by half.
    """

    def __init__(self, calls: int, *, torn: bool = False) -> None:
        self._left = calls
        self._torn = torn
        self.stopped = False

    def _count(self) -> None:
        if self._left == 0:
            self.stopped = True
            raise Stopped
        self._left -= 1

    def create(
        self, path: str | bytes, mode: int = 0o600, dir_fd: int | None = None
    ) -> int:
        self._count()
        return super().create(path, mode, dir_fd)

    def append_to(
        self, path: str | bytes, mode: int = 0o600, dir_fd: int | None = None
    ) -> int:
        self._count()
        return super().append_to(path, mode, dir_fd)

    def write(self, fd: int, octets: Octets) -> None:  # type: ignore[override]
        if self._left == 0 and self._torn and not self.stopped:
            super().write(fd, bytes(octets)[: len(octets) // 2])
        self._count()
        super().write(fd, octets)

    def write_at(self, fd: int, octets: Octets, offset: int) -> None:
        if self._left == 0 and self._torn and not self.stopped:
            super().write_at(fd, bytes(octets)[: len(octets) // 2], offset)
        self._count()
        super().write_at(fd, octets, offset)

    def truncate(self, fd: int, size: int) -> None:
        self._count()
        super().truncate(fd, size)

    def synchronize(self, fd: int) -> None:
        self._count()

    def synchronize_directory(self, path: str | bytes | int) -> None:
        self._count()

    def rename(
        self,
        source: str | bytes,
        target: str | bytes,
        source_fd: int | None = None,
        target_fd: int | None = None,
    ) -> None:
        self._count()
        super().rename(source, target, source_fd, target_fd)

    def link(
        self,
        source: str | bytes,
        target: str | bytes,
        source_fd: int | None = None,
        target_fd: int | None = None,
    ) -> None:
        self._count()
        super().link(source, target, source_fd, target_fd)

    def unlink(self, path: str | bytes, dir_fd: int | None = None) -> None:
        self._count()
        super().unlink(path, dir_fd)

    def make_directory(self, path: str | bytes, mode: int = 0o700) -> None:
        self._count()
        super().make_directory(path, mode)

    def remove_directory(self, path: str | bytes) -> None:
        self._count()
        super().remove_directory(path)

    def set_times(self, path: str | bytes | int, seconds: float) -> None:
        self._count()
        super().set_times(path, seconds)


def every_stop(
    template: Path, operation: Callable[[Path, Disk], None], *, torn: bool
) -> Iterator[tuple[Path, bool]]:
    """Run ``operation`` on copies of a directory, each time one call further.

    Args:
        template: The directory before the operation.
        operation: Gets a copy and a disk.
        torn: See ``StoppingDisk``.

    Yields:
        The copy as the operation left it, and whether it came to its end.
    """
    for calls in itertools.count():
        copy = template.with_name(f"{template.name}-{calls}")
        shutil.copytree(template, copy)
        disk = StoppingDisk(calls, torn=torn)
        finished = False
        try:
            operation(copy, disk)
            finished = not disk.stopped
        except Stopped:
            pass
        yield copy, finished
        shutil.rmtree(copy)
        if finished:
            return
