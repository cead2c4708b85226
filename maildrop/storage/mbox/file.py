"""One mbox file: opened, locked, mended, appended to, cut and rewritten.

In this file:
    MboxFile    the file of one mailbox
    Appendix    what is going to be appended to it
    gap         what has to stand between two messages
    is_planted  whether a file was made by somebody whom it does not belong to

Every use goes through ``reading`` or ``writing``, which lock the file, make sure that
the path still names the file that was locked (an editor may have put another one in its
place meanwhile), and finish a rewrite that a crash interrupted.

States of an append: written at the end -> synced.  A failure in between cuts the file
back; what a crash leaves of it is cut off by the next one to look (``intent``).

Security: in a spool where everybody may make files (mode 1777) somebody could make the
inbox of a user who has none yet, and read all that is delivered.  Such a file is
refused.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from maildrop.durable import is_there, open_to_read, translate, translated
from maildrop.errors import AccessDenied, MailboxInUse
from maildrop.storage.index.host import Host
from maildrop.storage.mbox.locks import METHODS, MboxLock
from maildrop.storage.mbox.rewrite import recover, replace_tail

JOURNAL: Final = "maildrop.rewrite"
_TRIES: Final = 10


@dataclass(frozen=True, slots=True)
class Appendix:
    """What is going to be appended.

    Attributes:
        size: Of the file before.
        octets: What comes behind it.
        starts: Offsets of the From_ lines in the file.
    """

    size: int
    octets: bytes
    starts: Sequence[int]


class MboxFile:
    """The file of one mailbox.

    Args:
        path: The mbox.
        control: Directory of its control files.
        host: Disk, time and the longest wait for a lock.
        methods: Lock methods; see ``locks``.
        owner: uid of the user, None if that does not matter.
    """

    def __init__(
        self,
        path: str,
        control: str,
        host: Host,
        methods: Sequence[str] = METHODS,
        owner: int | None = None,
    ) -> None:
        self.path = path
        self._owner = owner
        self._journal = os.path.join(control, JOURNAL)
        self._host = host
        self._lock = MboxLock(path, host, methods)

    def stat(self) -> os.stat_result | None:
        """Size, inode and times; None when there is no file."""
        try:
            return os.stat(self.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise translate(error, f"look at {self.path}") from error

    @property
    def interrupted(self) -> bool:
        """Whether a rewrite is under way, or was when its process died."""
        return is_there(self._journal)

    @contextlib.contextmanager
    def reading(
        self, knows: Callable[[os.stat_result], bool] = lambda _: True
    ) -> Iterator[int]:
        """The open file, locked against writers.

        Args:
            knows: Whether the file is as it was; if it is not, another program may be
                at work on it with a dotlock alone, which is waited for.

        Raises:
            FileNotFoundError: There is none.
            MailboxInUse: A writer holds it for too long.
        """
        if self.interrupted:
            with self.writing():
                pass
        with self._opened(shared=True, knows=knows) as fd:
            yield fd

    @contextlib.contextmanager
    def writing(self, *, create: bool = False) -> Iterator[int]:
        """The open file, locked against everyone, and whole.

        Args:
            create: Make it if it is not there.

        Raises:
            FileNotFoundError: There is none.
            MailboxInUse: Another program holds it for too long.
        """
        if create and not os.path.lexists(self.path):
            with contextlib.suppress(FileExistsError), translated(f"make {self.path}"):
                os.close(self._host.disk.create(self.path))
                self._host.disk.synchronize_directory(os.path.dirname(self.path))
        with self._opened(shared=False) as fd:
            with translated(f"finish rewriting {self.path}"):
                recover(fd, self._journal, self._host.disk)
            yield fd

    @contextlib.contextmanager
    def _opened(
        self, *, shared: bool, knows: Callable[[os.stat_result], bool] = lambda _: True
    ) -> Iterator[int]:
        for _ in range(_TRIES):
            with translated(f"open {self.path}"):
                fd = self._open(shared=shared)
            try:
                self._refuse_planted(fd)
                unknown = partial(_is_unknown, fd, knows)
                with self._lock.held(fd, shared=shared, heed=unknown):
                    if self._is_current(fd):
                        yield fd
                        return
            finally:
                os.close(fd)
        raise MailboxInUse(f"{self.path} is replaced again and again")

    def _open(self, *, shared: bool) -> int:
        return open_to_read(self.path) if shared else self._host.disk.update(self.path)

    def _refuse_planted(self, fd: int) -> None:
        found = os.fstat(fd)
        if self._owner is None or found.st_uid == self._owner:
            return
        if is_planted(found, os.stat(os.path.dirname(self.path)), self._owner):
            raise AccessDenied(
                f"{self.path} belongs to uid {found.st_uid}, not {self._owner}, and"
                " lies where everybody may make files"
            )

    def _is_current(self, fd: int) -> bool:
        named = self.stat()
        opened = os.fstat(fd)
        return named is not None and (named.st_ino, named.st_dev) == (
            opened.st_ino,
            opened.st_dev,
        )

    def appendix(self, fd: int, messages: Iterable[bytes]) -> Appendix:
        """What has to be appended so that messages stand at the end.

        Args:
            fd: From ``writing``.
            messages: From_ line, content and blank line of each.
        """
        size = os.fstat(fd).st_size
        missing = gap(os.pread(fd, 3, max(0, size - 3)), size)
        starts = []
        parts = [missing]
        at = size + len(missing)
        for message in messages:
            starts.append(at)
            parts.append(message)
            at += len(message)
        return Appendix(size, b"".join(parts), starts)

    def append(self, fd: int, appendix: Appendix) -> None:
        """Append; it is on disk when this returns.

        Raises:
            NoSpace, StorageFailure: Nothing was appended.
        """
        try:
            self._host.disk.write_at(fd, appendix.octets, appendix.size)
            self._host.disk.synchronize(fd)
        except OSError as error:
            self.cut(fd, appendix.size)
            raise translate(error, f"append to {self.path}") from error

    def cut(self, fd: int, size: int) -> None:
        """Undo an append, as far as the disk allows."""
        with contextlib.suppress(OSError):
            self._host.disk.truncate(fd, size)
            self._host.disk.synchronize(fd)

    def overwrite(self, fd: int, pieces: Iterable[tuple[int, bytes]]) -> None:
        """Put octets at offsets, moving nothing: flags in their padded fields."""
        with translated(f"write {self.path}"):
            for offset, octets in pieces:
                self._host.disk.write_at(fd, octets, offset)
            self._host.disk.synchronize(fd)

    def replace_tail(self, fd: int, start: int, pieces: Iterable[bytes]) -> None:
        """Replace all from ``start`` on; see ``rewrite``."""
        with translated(f"rewrite {self.path}"):
            replace_tail(fd, start, pieces, self._journal, self._host.disk)


def _is_unknown(fd: int, knows: Callable[[os.stat_result], bool]) -> bool:
    return not knows(os.fstat(fd))


def is_planted(file: os.stat_result, directory: os.stat_result, owner: int) -> bool:
    """Whether a file was made by somebody whom it does not belong to.

    Args:
        file: The file.
        directory: Where it lies.
        owner: Whose it should be.
    """
    anybody = stat.S_ISVTX | stat.S_IWOTH
    return directory.st_mode & anybody == anybody and file.st_uid not in {
        owner,
        directory.st_uid,
    }


def gap(end: bytes, size: int) -> bytes:
    """What has to stand between the end of a file and a new From_ line."""
    if size == 0 or end.endswith((b"\n\n", b"\n\r\n")):
        return b""
    return b"\n" if end.endswith(b"\n") else b"\n\n"
