"""Files that say what is done in somebody's name, and who could have written them.

In this file:
    read       reads one, and says what speaks against trusting it
    Read       what was read

A file is trusted if its owner is the one it is read for, or root, if nobody else may
write it, and if the same holds for the directory it is in and for every one above: who
may write a directory can put another file in the place of the one we look at.  Others
may write a directory with the sticky bit (``/tmp``): there they cannot touch a file
that is not theirs.

Everything is asked of what is open: the file is opened in its open directory, never
through a symbolic link, and the directories above are found by ``..``.  So there is no
moment between look and use in which something else could be put there.

Errors: StorageFailure when the disk fails or the file is too large; a missing file is
None, one that may not be read is not trusted.

Limits: octets of a file, directories above it.
"""

import errno
import os
import stat
from dataclasses import dataclass
from typing import Final

from maildrop.durable import translate
from maildrop.errors import StorageFailure

_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_DIRECTORY: Final = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
#: Directories above a file that are looked at.
_DEPTH: Final = 100
_MISSING: Final = frozenset({errno.ENOENT, errno.ENOTDIR})
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM})


@dataclass(frozen=True, slots=True)
class Read:
    """What was read.

    Attributes:
        octets: The file; empty if it was not read.
        uid: Its owner, -1 if not known.
        gid: Its group.
        stamp: Changes with the file.
        doubt: What speaks against trusting it; empty if nothing does.
    """

    octets: bytes
    uid: int = -1
    gid: int = -1
    stamp: tuple[int, ...] = ()
    doubt: str = ""


def read(
    path: str,
    uid: int | None,
    most: int,
    *,
    group: bool = False,
    known: tuple[int, ...] = (),
    always: bool = False,
) -> Read | None:
    """Read a file; None if there is none.

    Args:
        path: Absolute.
        uid: For whom; None for its owner, whoever that is.
        most: Octets it may have.
        group: Its group, and that of the directories, may write too.
        known: Stamp of what was read before: the same file is not read again.
        always: Read it although it is not trusted.

    Raises:
        StorageFailure: The disk failed, or the file is too large.
    """
    above, _, name = path.rpartition("/")
    try:
        directory = os.open(above or "/", _DIRECTORY)
    except OSError as error:
        return _unread(error, path)
    try:
        try:
            fd = os.open(name, _FILE, dir_fd=directory)
        except OSError as error:
            return _unread(error, path)
        try:
            return _read(fd, directory, path, uid, most, group, known, always)
        except OSError as error:
            raise translate(error, f"read {path}") from error
        finally:
            os.close(fd)
    finally:
        os.close(directory)


def _unread(error: OSError, path: str) -> Read | None:
    if error.errno in _MISSING:
        return None
    if error.errno == errno.ELOOP:
        return Read(b"", doubt="it is a symbolic link")
    if error.errno in _DENIED:
        return Read(b"", doubt="it may not be read")
    if error.errno == errno.ENXIO:
        return Read(b"", doubt="it is no regular file")
    raise translate(error, f"open {path}") from error


def _read(
    fd: int,
    directory: int,
    path: str,
    uid: int | None,
    most: int,
    group: bool,
    known: tuple[int, ...],
    always: bool,
) -> Read:
    facts = os.fstat(fd)
    if not stat.S_ISREG(facts.st_mode):
        return Read(b"", doubt="it is no regular file")
    owners = {0, facts.st_uid if uid is None else uid}
    others = stat.S_IWOTH | (0 if group else stat.S_IWGRP)
    doubt = _doubt(facts, owners, others, "it")
    doubt = doubt or _doubt_above(directory, owners, others)
    stamp = (
        facts.st_dev,
        facts.st_ino,
        facts.st_mtime_ns,
        facts.st_ctime_ns,
        facts.st_size,
    )
    octets = b""
    if stamp != known and (always or not doubt):
        if facts.st_size > most:
            raise StorageFailure(f"{path}: over {most} octets")
        octets = _all(fd, most)
    return Read(octets, facts.st_uid, facts.st_gid, stamp, doubt)


def _all(fd: int, most: int) -> bytes:
    parts = []
    while most > 0 and (part := os.read(fd, min(most, 1 << 20))):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


def _doubt(facts: os.stat_result, owners: set[int], others: int, what: str) -> str:
    if facts.st_uid not in owners:
        return f"{what} belongs to uid {facts.st_uid}"
    sticky = stat.S_ISDIR(facts.st_mode) and facts.st_mode & stat.S_ISVTX
    if facts.st_mode & others and not sticky:
        return f"{what} can be written by others (mode {facts.st_mode & 0o7777:o})"
    return ""


def _doubt_above(directory: int, owners: set[int], others: int) -> str:
    """What speaks against a directory, or one above it."""
    fd = os.dup(directory)
    try:
        before = None
        for level in range(_DEPTH):
            facts = os.fstat(fd)
            place = facts.st_dev, facts.st_ino
            if place == before:
                return ""
            before = place
            what = f"the directory {'../' * level or './'}"
            doubt = _doubt(facts, owners, others, what)
            if doubt:
                return doubt
            above = os.open("..", _DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = above
        return "there are too many directories above it"
    except PermissionError:
        return "the directories above it may not be looked at"
    finally:
        os.close(fd)
