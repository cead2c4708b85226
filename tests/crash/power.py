"""A disk that forgets, when the power goes, what was not synced.

In this file:
    ForgetfulDisk    stops after a number of calls, and can undo what was not synced
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from tests.crash.stopping import StoppingDisk

Undo = Callable[[], None]


class ForgetfulDisk(StoppingDisk):
    """Octets are safe when their file was synced, names when their directory was.

    Args:
        calls: See ``StoppingDisk``.
        spare: A directory on the same file system, to keep what was removed.
    """

    def __init__(self, calls: int, spare: Path) -> None:
        super().__init__(calls)
        self._spare = spare
        self._kept = 0
        self._unsynced: list[tuple[tuple[str, object], Undo]] = []

    def cut_power(self, *, octets: bool, names: bool) -> None:
        """Undo what was not synced, the last first.

        Args:
            octets: What was written to files.
            names: Names made, changed and removed.
        """
        wanted = {"octets"} if octets else set()
        if names:
            wanted.add("names")
        for (kind, _), undo in reversed(self._unsynced):
            if kind in wanted:
                with contextlib.suppress(FileNotFoundError):
                    undo()

    def _keep(self, path: str) -> str | None:
        """A second name for what is going to lose its own."""
        self._kept += 1
        spare = str(self._spare / str(self._kept))
        try:
            os.link(path, spare)
        except FileNotFoundError:
            return None
        except PermissionError:  # a directory
            return None
        return spare

    def _note_names(self, path: str, undo: Undo) -> None:
        self._unsynced.append(
            (("names", os.path.realpath(os.path.dirname(path))), undo)
        )

    # -- calls

    def create(
        self, path: str | bytes, mode: int = 0o600, dir_fd: int | None = None
    ) -> int:
        fd = super().create(path, mode, dir_fd)
        where = _where(path, dir_fd)
        self._note_names(where, lambda: os.unlink(where))
        return fd

    def append_to(
        self, path: str | bytes, mode: int = 0o600, dir_fd: int | None = None
    ) -> int:
        where = _where(path, dir_fd)
        known = os.path.lexists(where)
        fd = super().append_to(path, mode, dir_fd)
        if not known:
            self._note_names(where, lambda: os.unlink(where))
        return fd

    def write(self, fd: int, octets: bytes | memoryview) -> None:  # type: ignore[override]
        facts = os.fstat(fd)
        path = os.readlink(f"/proc/self/fd/{fd}")
        super().write(fd, octets)

        def undo() -> None:
            # The file may have got another name since.
            for candidate in self._paths_of(facts.st_ino, path):
                os.truncate(candidate, facts.st_size)

        self._unsynced.append((("octets", facts.st_ino), undo))

    def _paths_of(self, inode: int, path: str) -> list[str]:
        top = self._spare.parent
        places = [path, *(str(found) for found in top.rglob("*"))]
        return [p for p in places if os.path.isfile(p) and os.stat(p).st_ino == inode][
            :1
        ]

    def synchronize(self, fd: int) -> None:
        super().synchronize(fd)
        self._forget(("octets", os.fstat(fd).st_ino))

    def synchronize_directory(self, path: str | bytes | int) -> None:
        super().synchronize_directory(path)
        if isinstance(path, int):
            path = os.readlink(f"/proc/self/fd/{path}")
        self._forget(("names", os.path.realpath(os.fsdecode(path))))

    def _forget(self, key: tuple[str, object]) -> None:
        self._unsynced = [entry for entry in self._unsynced if entry[0] != key]

    def rename(
        self,
        source: str | bytes,
        target: str | bytes,
        source_fd: int | None = None,
        target_fd: int | None = None,
    ) -> None:
        before, after = _where(source, source_fd), _where(target, target_fd)
        replaced = self._keep(after)
        super().rename(source, target, source_fd, target_fd)

        def undo() -> None:
            os.replace(after, before)
            if replaced is not None:
                os.link(replaced, after)

        self._note_names(after, undo)

    def link(
        self,
        source: str | bytes,
        target: str | bytes,
        source_fd: int | None = None,
        target_fd: int | None = None,
    ) -> None:
        super().link(source, target, source_fd, target_fd)
        where = _where(target, target_fd)
        self._note_names(where, lambda: os.unlink(where))

    def unlink(self, path: str | bytes, dir_fd: int | None = None) -> None:
        where = _where(path, dir_fd)
        spare = self._keep(where)
        super().unlink(path, dir_fd)
        if spare is not None:
            kept = spare
            self._note_names(where, lambda: os.link(kept, where))


def _where(path: str | bytes, dir_fd: int | None) -> str:
    name = os.fsdecode(path)
    if dir_fd is None or name.startswith("/"):
        return name
    return os.path.join(os.readlink(f"/proc/self/fd/{dir_fd}"), name)
