"""Messages put into mbox files and Maildirs that are somebody else's.

In this file:
    Deposits    see ``delivery.files.Deposits``

No control file of ours is made beside them.  That a message is there once, whatever
happens, follows from its octets or its name, which are the same at every attempt.

States of an append, under the locks of the file (a file that is new is made first, and
its directory synced):

    step                        what a crash leaves, and what the next attempt does
    --------------------------  ------------------------------------------------------
    looked at the end           nothing; begins anew
    written                     a part of the message at the end: it is cut off.  The
                                whole of it, and perhaps mail of others behind: done
    synced                      the whole of it: done

A write that fails is cut off at once.

States of a message in a Maildir, as everybody does it: written to tmp/ -> synced ->
linked into new/ -> new/ synced -> removed from tmp/.  The name is that of the key: one
that is in new/ or cur/ already is done, one in tmp/ is written anew.

Errors: AccessDenied: not allowed, or no regular file; NoSpace; StorageFailure;
MailboxInUse: somebody holds a lock.

Security: called with the rights of whoever names the file.  The file is opened without
following a symbolic link and must be a regular one with one name: with rights of its
own, a link of somebody else's making would lead the owner's rights elsewhere.  A file
that can be executed is no mailbox.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from maildrop.durable import translate, translated
from maildrop.errors import AccessDenied, MailboxInUse
from maildrop.storage.index.host import Host
from maildrop.storage.mbox.compose import asctime
from maildrop.storage.mbox.file import gap
from maildrop.storage.mbox.format import from_line, stored_form
from maildrop.storage.mbox.locks import METHODS, MboxLock

#: Octets at the end of an mbox, beside those of the message, that are looked through.
_BEHIND: Final = 1 << 16
#: Octets by which a message is found.
_BEGINNING: Final = 4096
_TRIES: Final = 10
#: What is in the way is a link, a directory, a device; or there is no directory.
_NO_MAILBOX: Final = frozenset(
    {
        errno.ELOOP,
        errno.EISDIR,
        errno.EINVAL,
        errno.ENXIO,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EEXIST,
    }
)
_PARTS: Final = ("tmp", "new", "cur")


class Deposits:
    """Writes mbox files and Maildirs.

    Args:
        host: The machine, once it is needed.
        methods: How an mbox is locked.
    """

    def __init__(
        self, host: Callable[[], Host], methods: Sequence[str] = METHODS
    ) -> None:
        self._host = host
        self._methods = tuple(methods)

    # -- mbox

    def append(self, path: str, message: bytes, sender: str, date: float) -> None:
        """Append a message to an mbox file."""
        line = from_line(sender.encode(), asctime(date))
        octets = line + stored_form(message, b"") + b"\n"
        host = self._host()
        lock = MboxLock(path, host, self._methods)
        for _ in range(_TRIES):
            with contextlib.suppress(FileNotFoundError):
                fd = self._open(path, host)
                try:
                    with lock.held(fd):
                        if _is_still(fd, path):
                            self._append(fd, path, octets, host)
                            return
                finally:
                    os.close(fd)
        raise MailboxInUse(f"{path} is replaced again and again")

    def _open(self, path: str, host: Host) -> int:
        with _usable(path):
            try:
                os.close(host.disk.create(path))
                host.disk.synchronize_directory(os.path.dirname(path))
            except FileExistsError:
                pass
            fd = host.disk.update(path)
        facts = os.fstat(fd)
        if facts.st_nlink > 1 or facts.st_mode & 0o111:
            os.close(fd)
            what = "has several names" if facts.st_nlink > 1 else "can be executed"
            raise AccessDenied(f"{path} {what}: no mailbox")
        return fd

    def _append(self, fd: int, path: str, octets: bytes, host: Host) -> None:
        disk = host.disk
        with translated(f"write {path}"):
            size = os.fstat(fd).st_size
            start = max(0, size - len(octets) - _BEHIND)
            end = os.pread(fd, size - start, start)
            at = end.rfind(octets[:_BEGINNING])
            if at >= 0 and end.startswith(octets, at):
                disk.synchronize(fd)
                return
            torn = _torn(end, octets)
            if torn >= 0:
                disk.truncate(fd, start + torn)
                end, size = end[:torn], start + torn
            try:
                disk.write_at(fd, gap(end[-3:], size) + octets, size)
                disk.synchronize(fd)
            except OSError:
                with contextlib.suppress(OSError):
                    disk.truncate(fd, size)
                raise

    # -- Maildir

    def put(self, path: str, message: bytes, key: str, date: float) -> None:
        """Put a message into a Maildir."""
        host = self._host()
        disk, path = host.disk, path.rstrip("/")
        where = host.name.decode().replace("/", "\\057").replace(":", "\\072")
        name = f"{int(date)}.Q{key}.{where}"
        with _usable(path):
            for part in _PARTS:
                disk.make_directories(f"{path}/{part}")
            temporary = os.path.join(path, "tmp", name)
            with contextlib.suppress(FileNotFoundError):
                disk.unlink(temporary)
            if _holds(path, name):
                disk.synchronize_directory(f"{path}/new")
                return
            fd = disk.create(temporary)
            try:
                disk.write(fd, message)
                disk.synchronize(fd)
                disk.link(temporary, f"{path}/new/{name}")
                disk.synchronize_directory(f"{path}/new")
            finally:
                os.close(fd)
                with contextlib.suppress(OSError):
                    disk.unlink(temporary)


@contextlib.contextmanager
def _usable(path: str) -> Iterator[None]:
    """Turn an ``OSError`` of a block into ours: some say that it is no mailbox."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_MAILBOX:
            raise AccessDenied(f"{path}: {error.strerror}: no mailbox") from error
        raise translate(error, f"write {path}") from error


def _torn(end: bytes, octets: bytes) -> int:
    """Where a part of the message begins that reaches up to the end; -1 for nowhere."""
    at = end.rfind(b"\nFrom ") + 1
    found = end.startswith(b"From ", at) and octets.startswith(end[at:])
    return at if found else -1


def _is_still(fd: int, path: str) -> bool:
    """Whether a path still names the open file."""
    ours, now = os.fstat(fd), os.stat(path, follow_symlinks=False)
    return stat.S_ISREG(now.st_mode) and (ours.st_dev, ours.st_ino) == (
        now.st_dev,
        now.st_ino,
    )


def _holds(path: str, name: str) -> bool:
    """Whether a message is in a Maildir, whatever its flags."""
    if os.path.lexists(f"{path}/new/{name}"):
        return True
    with os.scandir(f"{path}/cur") as found:
        return any(entry.name.partition(":")[0] == name for entry in found)
