"""The system calls that change the disk, as an interface.

In this file:
    System    one method a call, as the module ``os`` has them

``durable`` is given ``os`` itself; tests give it one that stops the world after any
call, forgets what was not synced, fails with any errno, or writes less than asked.
"""

import mmap
from typing import Protocol

Path = str | bytes
Octets = bytes | memoryview | mmap.mmap


class System(Protocol):
    """The system calls that change the disk, as the module ``os`` has them.

    ``os`` calls again what a signal interrupted (PEP 475).
    """

    def open(
        self, path: Path, flags: int, mode: int = ..., *, dir_fd: int | None = None
    ) -> int:
        """Open a file, made if the flags say so."""

    def write(self, fd: int, octets: Octets, /) -> int:
        """Write octets; how many were."""

    def pwrite(self, fd: int, octets: Octets, offset: int, /) -> int:
        """Write octets at an offset; how many were."""

    def ftruncate(self, fd: int, size: int, /) -> None:
        """Cut or lengthen a file."""

    def fsync(self, fd: int) -> None:
        """Wait until a file or directory is on disk."""

    def fdatasync(self, fd: int) -> None:
        """The same, without what nobody needs to read the content again."""

    def rename(
        self,
        source: Path,
        target: Path,
        /,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
    ) -> None:
        """Give a file or directory another name."""

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
        """Give a file a further name."""

    def unlink(self, path: Path, /, *, dir_fd: int | None = None) -> None:
        """Remove the name of a file."""

    def mkdir(
        self, path: Path, /, mode: int = ..., *, dir_fd: int | None = None
    ) -> None:
        """Make a directory."""

    def rmdir(self, path: Path, /, *, dir_fd: int | None = None) -> None:
        """Remove an empty directory."""

    def utime(self, path: Path | int, /, times: tuple[float, float]) -> None:
        """Set times of access and modification."""

    def fchown(self, fd: int, uid: int, gid: int) -> None:
        """Set the owner."""

    def fchmod(self, fd: int, mode: int) -> None:
        """Set the mode."""
