"""The three directories of one Maildir, and reading the files in them.

In this file:
    Folder      new/, cur/ and tmp/
    canonical   a message with CRLF line ends, for what stands in a file
    with_crlf   the same for a file that has nothing but LF

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
#: Bits of an inode's number that a listing gives; never all of them zero.
INODE_BITS: Final = 0xFFFFFFFF
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

    def list_new(self, prefix: bytes = b"") -> dict[bytes, int]:
        """The names in new/ behind a prefix, and the low bits of their inodes."""
        return self._list(self.new, prefix)

    def list_cur(self) -> dict[bytes, int]:
        """The same of cur/."""
        return self._list(self.cur, b"")

    def _list(self, path: str, prefix: bytes) -> dict[bytes, int]:
        try:
            with os.scandir(os.fsencode(path)) as found:
                # Maildir: names that begin with a dot are nobody's messages.
                return {
                    prefix + entry.name: entry.inode() & INODE_BITS or 1
                    for entry in found
                    if entry.name[0] != 46
                }
        except FileNotFoundError:
            raise MailboxVanished(f"{self.path} is gone") from None
        except OSError as error:
            raise translate(error, f"list {path}") from error

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

    def read(self, name: bytes, in_new: int) -> tuple[bytes, int] | None:
        """What a file holds, and the second in which it was last written.

        Args:
            name: Its name.
            in_new: Whether it is in new/.

        Returns:
            None when it is not there, or is no file of ours.
        """
        found = self.read_begin(name, in_new, MESSAGE_MAX)
        return None if found is None else found[:2]

    def read_begin(
        self, name: bytes, in_new: int, most: int
    ) -> tuple[bytes, int, int, int] | None:
        """What a file begins with, when it was last written, its size and inode.

        Args:
            name: Its name.
            in_new: Whether it is in new/.
            most: Octets to read.

        Returns:
            None when it is not there, or is no file of ours.
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
            found = os.fstat(fd)
            size = found.st_size
            if size > MESSAGE_MAX:
                raise StorageFailure(f"a message in {self.path} has {size} octets")
            wanted = min(most, size)
            octets = os.read(fd, wanted)
            if len(octets) < wanted:
                octets += _rest(fd, wanted - len(octets))
            inode = found.st_ino & INODE_BITS or 1
            return octets, int(found.st_mtime), size, inode
        except OSError as error:
            raise translate(error, f"read {name!r} in {self.path}") from error
        finally:
            os.close(fd)

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
    message = with_crlf(octets)
    if len(message) != size and b"\r\n" in octets:
        # Some lines, or all, end with CRLF already.
        message = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return message


def with_crlf(octets: bytes) -> bytes:
    """A CRLF for each LF."""
    if len(octets) <= _PIECE:
        return octets.replace(b"\n", b"\r\n")
    # In pieces, so that a large message holds no other thread up for long.
    starts = range(0, len(octets), _PIECE)
    pieces = [octets[at : at + _PIECE].replace(b"\n", b"\r\n") for at in starts]
    return b"".join(pieces)
