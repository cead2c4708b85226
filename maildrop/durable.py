"""The disk: every system call whose order decides what survives a crash.

In this file:
    open_to_read    a file of somebody else's making, for reading
    is_there        whether a name is there, or else why that cannot be said
    Disk            what is made of them; every change of the disk goes through it
    Sync            a wait for the disk, to be made where others are not kept waiting
    Content         a message on its way in: in memory while small, else in a nameless
                    file

Only this file calls fsync, rename, link and opens with O_EXCL.  A function elsewhere
that changes disk lists its steps as a table of states in its module docstring.

Below everything stands ``system.System``, one method a system call.  Tests put one in
the place of ``os`` that stops the world after any call, forgets what was not synced,
fails with any errno, or writes less than it was given (``tests/crash``).  One call goes
past it: where the kernel waits for the disk (``app/syncing``), ``fsync`` is asked for
with io_submit(2); its ``Queue`` is replaced in the same way.

Errors: ``OSError`` of the calls is turned into ``NoSpace`` (ENOSPC, EDQUOT),
``AccessDenied`` (EACCES, EPERM, EROFS) or ``StorageFailure`` by ``translate``;
FileNotFoundError and FileExistsError are answers, not failures, and pass through.

Security: directories of users hold what users put there.  A file is opened only if it
is a regular one and no symbolic link, and never waited for: opening a named pipe, or a
file that its owner took a lease on, would hold the thread as long as the owner likes.
"""

import contextlib
import errno
import mmap
import os
import stat
from collections.abc import Iterator, Sequence
from typing import Final

from maildrop.errors import AccessDenied, MaildropError, NoSpace, StorageFailure
from maildrop.system import Octets, Path, System

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def translate(error: OSError, doing: str) -> MaildropError:
    """The maildrop error that stands for an ``OSError``.

    Args:
        error: What the system call raised.
        doing: What was attempted, for the log: "write /var/mail/u".
    """
    text = f"{doing}: {error.strerror or error}"
    if error.errno in _FULL:
        return NoSpace(text)
    if error.errno in _DENIED:
        return AccessDenied(text)
    return StorageFailure(text)


@contextlib.contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn the ``OSError`` of a block into ours; missing and existing files pass."""
    try:
        yield
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError as error:
        raise translate(error, doing) from error


#: What every file is opened with; O_NONBLOCK says nothing of regular files later.
_ALWAYS: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def open_to_read(path: Path, dir_fd: int | None = None) -> int:
    """Open a file for reading, at once or not at all.

    Raises:
        OSError: There is none, or it is no regular file.
    """
    return _regular(os.open(path, os.O_RDONLY | _ALWAYS, dir_fd=dir_fd), path)


def is_there(path: Path) -> bool:
    """Whether there is anything of a name.

    To ``os.path.lexists`` a disk that cannot be read is an empty one.

    Raises:
        StorageFailure, AccessDenied: It cannot be said.
    """
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise translate(error, f"look for {os.fsdecode(path)}") from error
    return True


def _regular(fd: int, path: Path) -> int:
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise OSError(errno.EINVAL, "no regular file", path)


#: For directories, opened to be synced or emptied.
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
#: Directories in directories that ``remove_tree`` goes down.
_DEPTH_MAX: Final = 32


def _write_all(system: System, fd: int, octets: Octets) -> None:
    rest = memoryview(octets)
    while rest:
        rest = rest[_some(system.write(fd, rest)) :]


def _some(done: int) -> int:
    if done == 0:  # or we would go on for ever
        raise OSError(errno.EIO, "nothing was written")
    return done


class Disk:
    """Changes of the disk.

    Args:
        system: The system calls.
    """

    _system: System = os

    def __init__(self, system: System = os) -> None:
        self._system = system

    def create(self, path: Path, mode: int = 0o600, dir_fd: int | None = None) -> int:
        """Open a file for writing that must not exist yet.

        Raises:
            FileExistsError: It does.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        return self._system.open(path, flags, mode, dir_fd=dir_fd)

    def append_to(
        self, path: Path, mode: int = 0o600, dir_fd: int | None = None
    ) -> int:
        """Open a file for reading and appending, made if it does not exist."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | _ALWAYS
        return _regular(self._system.open(path, flags, mode, dir_fd=dir_fd), path)

    def update(self, path: Path, dir_fd: int | None = None) -> int:
        """Open an existing file for reading and writing."""
        fd = self._system.open(path, os.O_RDWR | _ALWAYS, dir_fd=dir_fd)
        return _regular(fd, path)

    def write(self, fd: int, octets: Octets) -> None:
        """Write all of ``octets``, however many calls it takes."""
        _write_all(self._system, fd, octets)

    def write_at(self, fd: int, octets: bytes | memoryview, offset: int) -> None:
        """Write all of ``octets`` at ``offset``."""
        rest = memoryview(octets)
        while rest:
            done = _some(self._system.pwrite(fd, rest, offset))
            rest, offset = rest[done:], offset + done

    def truncate(self, fd: int, size: int) -> None:
        """Cut the file, or lengthen it with zeros."""
        self._system.ftruncate(fd, size)

    def synchronize(self, fd: int) -> None:
        """Wait until the file's content is on disk (fdatasync)."""
        self._system.fdatasync(fd)

    def synchronize_directory(self, path: Path | int) -> None:
        """Wait until the names in a directory, given by path or descriptor, are too."""
        if isinstance(path, int):
            self._system.fsync(path)
            return
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._system.fsync(fd)
        finally:
            os.close(fd)

    def rename(
        self,
        source: Path,
        target: Path,
        source_fd: int | None = None,
        target_fd: int | None = None,
    ) -> None:
        """Give a file another name; one that had it is replaced."""
        self._system.rename(source, target, src_dir_fd=source_fd, dst_dir_fd=target_fd)

    def link(
        self,
        source: Path,
        target: Path,
        source_fd: int | None = None,
        target_fd: int | None = None,
    ) -> None:
        """Give a file a further name; a symbolic link is not followed.

        Raises:
            FileExistsError: The name is taken.
        """
        self._system.link(
            source,
            target,
            src_dir_fd=source_fd,
            dst_dir_fd=target_fd,
            follow_symlinks=False,
        )

    def unlink(self, path: Path, dir_fd: int | None = None) -> None:
        """Remove a name."""
        self._system.unlink(path, dir_fd=dir_fd)

    def make_directory(self, path: Path, mode: int = 0o700) -> None:
        """Make one directory.

        Raises:
            FileExistsError: It is there.
        """
        self._system.mkdir(path, mode)

    def make_directories(self, path: str, mode: int = 0o700) -> None:
        """Make a directory and those above it, as far as missing, and sync the names.

        Args:
            path: The directory.
            mode: Its mode; those above it get 0777; the umask takes its part.

        Raises:
            FileExistsError: Something else has one of the names.
        """
        if os.path.isdir(path):
            return
        above = os.path.dirname(path.rstrip("/")) or "."
        self.make_directories(above, 0o777)
        try:
            self.make_directory(path, mode)
        except FileExistsError:
            if not os.path.isdir(path):
                raise
        self.synchronize_directory(above)

    def remove_tree(self, path: Path) -> None:
        """Remove a directory with all that is in it, as far as possible.

        Symbolic links in it are removed, not followed.
        """
        self._remove_tree(path, None, _DEPTH_MAX)

    def _remove_tree(self, path: Path, dir_fd: int | None, depth: int) -> None:
        try:
            fd = os.open(path, _DIRECTORY, dir_fd=dir_fd)
        except OSError:
            return
        try:
            with os.scandir(fd) as found:
                entries = [
                    (entry.name, entry.is_dir(follow_symlinks=False)) for entry in found
                ]
            for name, is_directory in entries:
                if not is_directory:
                    with contextlib.suppress(OSError):
                        self._system.unlink(name, dir_fd=fd)
                elif depth:
                    self._remove_tree(name, fd, depth - 1)
        except OSError:
            return
        finally:
            os.close(fd)
        with contextlib.suppress(OSError):
            self._system.rmdir(path, dir_fd=dir_fd)

    def remove_directory(self, path: Path) -> None:
        """Remove an empty directory."""
        self._system.rmdir(path)

    def set_mode(self, fd: int, mode: int) -> None:
        """Set the mode of an open file."""
        self._system.fchmod(fd, mode)

    def set_times(self, path: Path | int, seconds: float) -> None:
        """Set access and modification time, in seconds since 1970 UTC."""
        self._system.utime(path, (seconds, seconds))

    def replace_file(
        self,
        path: str,
        octets: bytes,
        mode: int = 0o600,
        owner: tuple[int, int] | None = None,
    ) -> None:
        """Put ``octets`` in the place of a file: the old or the new, never a part.

        Args:
            path: The file.
            octets: Its new content.
            mode: Its mode; the umask takes its part unless ``owner`` is given.
            owner: uid and gid, None for those of this process.

        States: temporary written -> synced -> renamed -> directory synced.  A crash
        before the rename leaves the old file and one ``.tmp`` to be overwritten.
        """
        temporary = f"{path}.{os.getpid()}.tmp"
        with contextlib.suppress(FileNotFoundError):
            self.unlink(temporary)
        fd = self.create(temporary, mode)
        try:
            try:
                if owner is not None:
                    self._system.fchown(fd, *owner)
                    self._system.fchmod(fd, mode)
                self.write(fd, octets)
                self.synchronize(fd)
            finally:
                os.close(fd)
            self.rename(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                self.unlink(temporary)
            raise
        self.synchronize_directory(os.path.dirname(path) or ".")


class Sync:
    """A wait: called, it returns when all is on disk.

    Args:
        disk: The calls.
        doing: What is attempted, for the log.
        files: Descriptors of files whose content is meant.
        directories: Descriptors of directories whose names are meant.
    """

    __slots__ = ("_disk", "directories", "doing", "files")

    def __init__(
        self,
        disk: Disk,
        doing: str,
        files: Sequence[int] = (),
        directories: Sequence[int] = (),
    ) -> None:
        self._disk = disk
        self.doing = doing
        self.files = files
        self.directories = directories

    def __call__(self) -> None:
        """Wait.

        Raises:
            NoSpace, StorageFailure: Nothing is sure to be there.
        """
        with translated(self.doing):
            for fd in self.files:
                self._disk.synchronize(fd)
            for fd in self.directories:
                self._disk.synchronize_directory(fd)


class Content:
    """The octets of one message while it arrives, with CRLF line ends.

    Up to ``memory`` octets are kept in memory; beyond that they go to a file without a
    name in ``directory``, which a crash leaves no trace of.

    Args:
        directory: Where the nameless file is made.
        memory: Octets kept in memory.
        system: The system calls.
    """

    __slots__ = ("_chunks", "_directory", "_file", "_map", "_memory", "_system", "size")

    def __init__(
        self, directory: str, memory: int = 1 << 18, system: System = os
    ) -> None:
        self._directory = directory
        self._system = system
        self._memory = memory
        self._chunks: list[bytes] = []
        self._file: int | None = None
        self._map: mmap.mmap | None = None
        self.size = 0

    @classmethod
    def of(cls, octets: bytes) -> "Content":
        """Content that is there already."""
        content = cls("")
        content._chunks.append(octets)
        content.size = len(octets)
        return content

    def write(self, octets: bytes) -> None:
        """Add octets.

        Raises:
            NoSpace: The disk is full; ``close`` leaves nothing behind.
        """
        self.size += len(octets)
        if self._file is None:
            self._chunks.append(octets)
            if self.size > self._memory:
                self._move_to_file()
            return
        with translated("write a temporary file"):
            _write_all(self._system, self._file, octets)

    def _move_to_file(self) -> None:
        doing = f"make a temporary file in {self._directory}"
        with translated(doing):
            try:
                self._file = self._system.open(
                    self._directory, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600
                )
            except FileNotFoundError as error:
                raise translate(error, doing) from error
            for chunk in self._chunks:
                _write_all(self._system, self._file, chunk)
        self._chunks.clear()

    def octets(self) -> bytes | mmap.mmap:
        """All of it: one object that slices, finds and matches like ``bytes``."""
        if self._file is not None:
            if self._map is None or len(self._map) != self.size:
                self._map = mmap.mmap(self._file, self.size, access=mmap.ACCESS_READ)
            return self._map
        if len(self._chunks) != 1:
            self._chunks = [b"".join(self._chunks)]
        return self._chunks[0]

    def close(self) -> None:
        """Let go of memory and file."""
        self._chunks.clear()
        if self._map is not None:
            self._map.close()
            self._map = None
        if self._file is not None:
            os.close(self._file)
            self._file = None
