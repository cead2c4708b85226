"""Locks among processes and threads: flock(2), with a bounded wait.

In this file:
    lock      take the lock of an open file, exclusively
    unlock    let go
    locked    hold the lock of a file, by path, for a block
    is_free   whether nobody holds it

The lock belongs to the open file, not to the process: two threads that opened the file
each for themselves exclude each other too.  The kernel lets go when the process dies,
so there are no stale locks.

Errors: ``MailboxInUse`` when the wait is over.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator

from maildrop.durable import translated
from maildrop.errors import MailboxInUse
from maildrop.storage.index.host import Host


def lock(fd: int, host: Host, what: str) -> None:
    """Take the exclusive lock of an open file.

    Args:
        fd: The file.
        host: Gives the time and the longest wait.
        what: What is locked, for the log.

    Raises:
        MailboxInUse: Another one holds it for longer than ``host.lock_seconds``.
    """
    if is_taken_now(fd):
        return
    end = host.monotonic() + host.lock_seconds
    pause = 0.0002
    while not is_taken_now(fd):
        if host.monotonic() >= end:
            raise MailboxInUse(f"{what} is locked for {host.lock_seconds:g} s")
        host.sleep(pause)
        pause = min(pause * 2, 0.02)


def is_taken_now(fd: int) -> bool:
    """Try to take the exclusive lock without waiting."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock(fd: int) -> None:
    """Let go of the lock."""
    fcntl.flock(fd, fcntl.LOCK_UN)


def is_free(fd: int) -> bool:
    """Whether nobody holds the lock of an open file now."""
    if is_taken_now(fd):
        fcntl.flock(fd, fcntl.LOCK_UN)
        return True
    return False


@contextlib.contextmanager
def locked(path: str, host: Host) -> Iterator[int]:
    """Hold the lock of the file ``path``, made if missing, for a block.

    Yields:
        Its descriptor, open for reading and appending.
    """
    with translated(f"open {path}"):
        fd = host.disk.append_to(path)
    try:
        lock(fd, host, path)
        yield fd
    finally:
        os.close(fd)
