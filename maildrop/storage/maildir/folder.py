"""The three directories of one Maildir, and reading the files in them.

In this file:
    Folder      new/, cur/ and tmp/
    canonical   a message with CRLF line ends, for what stands in a file

Line ends: a file is kept with LF, so that other programs can read it, and sent with
CRLF.  A file of the size that the message has is sent as it is: such is one that was
kept with its CRLFs because LF could not say what it holds (a CR before a CRLF, or a LF
alone).

Security: directories and files are opened without following symbolic links, and
nothing but regular files is read, so that no link leads out and no pipe makes us wait.
"""

import errno
import os
import stat
from typing import Final

from maildrop.durable import translate
from maildrop.errors import MailboxVanished, StorageFailure

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
#: Longest message that is read, in octets: all of it has to go into memory.
MESSAGE_MAX: Final = 1 << 29
#: Line ends of so many octets are put in at once.
_PIECE: Final = 1 << 20
#: A size above it is not taken on trust when memory is asked for.
_KNOWN_MAX: Final = 1 << 24
_FILE: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Folder:
    """The directories of one Maildir, open.

    Attributes:
        path: Where it is.
        new: Path of new/; ``cur`` and ``tmp`` likewise.
        new_fd: new/, open; ``cur_fd`` likewise.
    """

    __slots__ = ("_inodes", "_tmp_fd", "cur", "cur_fd", "new", "new_fd", "path", "tmp")

    def __init__(self, path: str) -> None:
        self.path = path
        self.new = f"{path}/new"
        self.cur = f"{path}/cur"
        self.tmp = "/".join((path, "tmp"))
        self.new_fd = self.cur_fd = self._tmp_fd = -1
        try:
            self.new_fd = os.open(self.new, _DIRECTORY)
            self.cur_fd = os.open(self.cur, _DIRECTORY)
            self._inodes = os.fstat(self.new_fd).st_ino, os.fstat(self.cur_fd).st_ino
        except FileNotFoundError:
            self.close()
            raise MailboxVanished(f"{path} is gone") from None
        except OSError as error:
            self.close()
            raise translate(error, f"open {path}") from error

    def times(self) -> tuple[int, int]:
        """When new/ and cur/ were last changed, in nanoseconds.

        Raises:
            MailboxVanished: They are gone, or others have their names.
        """
        try:
            new, cur = os.stat(self.new), os.stat(self.cur)
        except FileNotFoundError:
            raise MailboxVanished(f"{self.path} is gone") from None
        except OSError as error:
            raise translate(error, f"stat {self.path}") from error
        if (new.st_ino, cur.st_ino) != self._inodes:
            raise MailboxVanished(f"{self.path} was replaced")
        return new.st_mtime_ns, cur.st_mtime_ns

    def times_of_open(self) -> tuple[int, int]:
        """The same of the directories that are open, whatever their paths name now."""
        return os.fstat(self.new_fd).st_mtime_ns, os.fstat(self.cur_fd).st_mtime_ns

    @property
    def tmp_fd(self) -> int:
        """tmp/, open.

        Raises:
            MailboxVanished: The whole Maildir is gone.
            StorageFailure: It has no tmp/.
        """
        if self._tmp_fd < 0:
            if self.new_fd < 0:
                raise MailboxVanished(f"{self.path} was closed")
            try:
                self._tmp_fd = os.open(self.tmp, _DIRECTORY)
            except OSError as error:
                self.times()
                raise translate(error, f"open {self.tmp}") from error
        return self._tmp_fd

    def list_new(self) -> list[bytes]:
        """The names in new/."""
        return self._list(self.new)

    def list_cur(self) -> list[bytes]:
        """The names in cur/."""
        return self._list(self.cur)

    def _list(self, path: str) -> list[bytes]:
        try:
            names = os.listdir(os.fsencode(path))
        except FileNotFoundError:
            raise MailboxVanished(f"{self.path} is gone") from None
        except OSError as error:
            raise translate(error, f"list {path}") from error
        # Maildir: names that begin with a dot are nobody's messages.
        return [name for name in names if name[0] != 46] if names else names

    def fd_of(self, in_new: int) -> int:
        """The directory that a file is in."""
        return self.new_fd if in_new else self.cur_fd

    def facts(self, name: bytes, in_new: int) -> os.stat_result | None:
        """What the system knows of a file; None when it cannot be a message."""
        try:
            found = os.stat(name, dir_fd=self.fd_of(in_new), follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise translate(error, f"stat {name!r}") from error
        is_message = stat.S_ISREG(found.st_mode) and found.st_size <= MESSAGE_MAX
        return found if is_message else None

    def read(self, name: bytes, in_new: int, expected: int) -> bytes | None:
        """What a file holds; None when it is not there, or is no file of ours.

        Args:
            name: Its name.
            in_new: Whether it is in new/.
            expected: Octets that it will hardly be longer than.
        """
        try:
            fd = os.open(name, _FILE, dir_fd=self.fd_of(in_new))
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:  # a symbolic link was put in its place
                return None
            raise translate(error, f"open {name!r} in {self.path}") from error
        try:
            if expected > _KNOWN_MAX:
                expected = min(expected, self._size(fd))
            octets = os.read(fd, expected + 1)
            if len(octets) > expected:
                octets += _rest(fd, self._size(fd) - len(octets))
            return octets
        except OSError as error:
            raise translate(error, f"read {name!r} in {self.path}") from error
        finally:
            os.close(fd)

    def _size(self, fd: int) -> int:
        size = os.fstat(fd).st_size
        if size > MESSAGE_MAX:
            raise StorageFailure(f"a message in {self.path} has {size} octets")
        return size

    def close(self) -> None:
        """Let go of the directories."""
        for fd in (self.new_fd, self.cur_fd, self._tmp_fd):
            if fd >= 0:
                os.close(fd)
        self.new_fd = self.cur_fd = self._tmp_fd = -1


def _rest(fd: int, length: int) -> bytes:
    parts = []
    while length > 0 and (octets := os.read(fd, min(length, 1 << 20))):
        parts.append(octets)
        length -= len(octets)
    return b"".join(parts)


def canonical(octets: bytes, size: int) -> bytes:
    """The message that stands in a file.

    Args:
        octets: What the file holds.
        size: The message's size as far as known; the result may have another one.
    """
    if len(octets) == size:
        return octets
    if len(octets) > _PIECE:
        # In pieces, so that a large message holds no other thread up for long.
        starts = range(0, len(octets), _PIECE)
        pieces = [octets[at : at + _PIECE].replace(b"\n", b"\r\n") for at in starts]
        message = b"".join(pieces)
    else:
        message = octets.replace(b"\n", b"\r\n")
    if len(message) != size and b"\r\n" in octets:
        # Some lines, or all, end with CRLF already.
        message = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return message


def measure(folder: Folder, name: bytes, in_new: int, file_size: int) -> int:
    """The size of the message in a file.

    Raises:
        StorageFailure: It is not there any more.
    """
    octets = folder.read(name, in_new, file_size)
    if octets is None:
        raise StorageFailure(f"{name!r} in {folder.path} is gone")
    return len(octets) + octets.count(b"\n") - octets.count(b"\r\n")
