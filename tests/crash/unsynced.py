"""What the disk does not have yet, and how the world looks when the power goes.

In this file:
    Unsynced    keeps how each change that was not synced can be taken back
    Cut         which of them a power cut takes

Octets are safe when their file was synced, names when their directory was: a file that
was synced may still lose its name.  Renaming is one change, of the target's directory.
"""

import contextlib
import enum
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path as FilePath

from maildrop.system import Path


class Cut(enum.Enum):
    """What a power cut takes of what was not synced."""

    OCTETS = "octets"
    NAMES = "names"
    BOTH = "both"
    ZEROS = "zeros"  # files have their length, but not their octets
    SOME = "some"  # the last changes of some files and directories


@dataclass(frozen=True, slots=True)
class _Change:
    """A change that can be taken back.

    Attributes:
        key: Kind, and the inode of the file or directory.
        undo: Takes it back.
        zero: Leaves zeros instead, for octets.
    """

    key: tuple[str, int]
    undo: Callable[[], None]
    zero: Callable[[], None]


class Unsynced:
    """The changes since each file and directory was synced.

    Args:
        spare: An empty directory on the same file system, for what loses its name.
    """

    def __init__(self, spare: FilePath) -> None:
        self._spare = spare
        self._kept = 0
        self._changes: list[_Change] = []
        self._open: dict[int, int] = {}

    def __bool__(self) -> bool:
        return True

    # -- noting

    def _file(self, fd: int) -> tuple[int, int]:
        """Inode of an open file, and a descriptor of ours that stays open."""
        inode = os.fstat(fd).st_ino
        if inode not in self._open:
            self._open[inode] = os.open(f"/proc/self/fd/{fd}", os.O_RDWR)
        return inode, self._open[inode]

    def _place(self, path: Path, dir_fd: int | None) -> tuple[int, int, str]:
        """Inode and a descriptor of the directory, and the name in it."""
        name = os.fsdecode(path)
        above, _, last = name.rpartition("/")
        fd = os.open(above or ".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=dir_fd)
        inode = os.fstat(fd).st_ino
        if inode in self._open:
            os.close(fd)
        else:
            self._open[inode] = fd
        return inode, self._open[inode], last

    def _keep(self, fd: int, name: str) -> str | None:
        """A second name for a file that is going to lose its own."""
        self._kept += 1
        spare = str(self._spare / str(self._kept))
        try:
            os.link(name, spare, src_dir_fd=fd, follow_symlinks=False)
        except (FileNotFoundError, PermissionError):  # none, or a directory
            return None
        return spare

    def _add_octets(
        self, inode: int, undo: Callable[[], None], zero: Callable[[], None]
    ) -> None:
        self._changes.append(_Change(("octets", inode), undo, zero))

    def _add_names(self, inode: int, undo: Callable[[], None]) -> None:
        self._changes.append(_Change(("names", inode), undo, undo))

    def before_write(self, fd: int, length: int, offset: int | None) -> None:
        """Octets are going to be written, at the descriptor's place or an offset."""
        inode, file = self._file(fd)
        size = os.fstat(file).st_size
        if offset is None:
            appends = _flags(fd) & os.O_APPEND
            offset = size if appends else os.lseek(fd, 0, os.SEEK_CUR)
        at = offset
        before = os.pread(file, length, at)

        def undo() -> None:
            os.pwrite(file, before, at)
            os.ftruncate(file, size)

        def zero() -> None:
            os.pwrite(file, before, at)
            os.pwrite(file, bytes(max(at + length - size, 0)), max(at, size))

        self._add_octets(inode, undo, zero)

    def before_truncate(self, fd: int, size: int) -> None:
        """A file is going to be cut or lengthened."""
        inode, file = self._file(fd)
        before = os.fstat(file).st_size
        tail = os.pread(file, max(before - size, 0), size)

        def undo() -> None:
            os.ftruncate(file, before)
            os.pwrite(file, tail, min(size, before))

        self._add_octets(inode, undo, undo)

    def made(self, path: Path, dir_fd: int | None) -> None:
        """A name was made, for a file or a directory."""
        inode, fd, name = self._place(path, dir_fd)

        def undo() -> None:
            try:
                os.unlink(name, dir_fd=fd)
            except IsADirectoryError:
                shutil.rmtree(f"/proc/self/fd/{fd}/{name}")

        self._add_names(inode, undo)

    def before_rename(
        self, source: Path, source_fd: int | None, target: Path, target_fd: int | None
    ) -> None:
        """A file or directory is going to get another name."""
        _, old_fd, old = self._place(source, source_fd)
        inode, new_fd, new = self._place(target, target_fd)
        replaced = self._keep(new_fd, new)

        def undo() -> None:
            os.rename(new, old, src_dir_fd=new_fd, dst_dir_fd=old_fd)
            if replaced is not None:
                os.link(replaced, new, dst_dir_fd=new_fd)

        self._add_names(inode, undo)

    def before_unlink(self, path: Path, dir_fd: int | None) -> None:
        """A name is going to be removed."""
        inode, fd, name = self._place(path, dir_fd)
        spare = self._keep(fd, name)
        if spare is not None:
            kept = spare
            self._add_names(inode, lambda: os.link(kept, name, dst_dir_fd=fd))

    def removed_directory(self, path: Path, dir_fd: int | None) -> None:
        """A directory was removed."""
        inode, fd, name = self._place(path, dir_fd)
        self._add_names(inode, lambda: os.mkdir(name, 0o700, dir_fd=fd))

    def synced(self, fd: int) -> None:
        """A file or directory is on disk as it is."""
        inode = os.fstat(fd).st_ino
        self._changes = [c for c in self._changes if c.key[1] != inode]

    # -- the end

    def cut(self, which: Cut, seed: int) -> None:
        """The power goes: take changes back, the last first.

        Args:
            which: What is taken.
            seed: Decides, for ``Cut.SOME``, how much of each file and directory.
        """
        lost = self._changes if which is not Cut.SOME else self._some(seed)
        kinds = {Cut.OCTETS: {"octets"}, Cut.ZEROS: {"octets"}, Cut.NAMES: {"names"}}
        wanted = kinds.get(which, {"octets", "names"})
        for change in reversed(lost):
            if change.key[0] in wanted:
                with contextlib.suppress(FileNotFoundError, FileExistsError):
                    (change.zero if which is Cut.ZEROS else change.undo)()

    def _some(self, seed: int) -> list[_Change]:
        chance = random.Random(seed)  # noqa: S311 - no secret
        keys = dict.fromkeys(change.key for change in self._changes)
        lost = []
        for key in keys:
            changes = [change for change in self._changes if change.key == key]
            lost += changes[chance.randint(0, len(changes)) :]
        known = {id(change) for change in lost}
        return [change for change in self._changes if id(change) in known]

    def close(self) -> None:
        """Let go of all files."""
        for fd in self._open.values():
            os.close(fd)
        self._open.clear()
        shutil.rmtree(self._spare)


def _flags(fd: int) -> int:
    """The flags that a file was opened with."""
    text = FilePath(f"/proc/self/fdinfo/{fd}").read_text("ascii")
    return int(text.split("flags:")[1].split()[0], 8)
