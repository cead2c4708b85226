"""How much is in a mailbox that is not open: its ledger, looked at without a lock.

In this file:
    Mark      which state of a ledger something was told of
    mark_of   the state a ledger is in now
    mark_of_open
    peek      what is in a mailbox in its present state

Whoever asks may hold the lock of another mailbox, and must not wait for this one: two
that did so crosswise would wait for each other.  So the log and the snapshot are read
as they are.  The log is opened first: if it is folded into a new snapshot meanwhile,
the two do not fit, and it is tried again.  A record that is being written counts when
it is whole.
"""

import os
from typing import Final, NamedTuple

from maildrop.durable import open_to_read
from maildrop.mailbox.quota import Usage
from maildrop.storage.index.apply import replay
from maildrop.storage.index.damage import Damaged
from maildrop.storage.index.log import HEADER_SIZE, TAIL_MAX, LogHeader, Tail
from maildrop.storage.index.opening import LOG, SNAPSHOT, start_of
from maildrop.storage.index.snapshot import read_snapshot

_TRIES: Final = 4
_MESSAGES_MAX: Final = 1 << 24


class Mark(NamedTuple):
    """Which state of a ledger something was told of.

    The log only grows, or another file takes its name; and the change time of a file
    cannot be set.  So two states of one mark are the same.
    """

    inode: int
    size: int
    changed: int


#: The state of a mailbox that nobody has looked at yet.
NONE: Final = Mark(0, 0, 0)


def _mark(facts: os.stat_result) -> Mark:
    return Mark(facts.st_ino, facts.st_size, facts.st_ctime_ns)


def mark_of_open(log: int) -> Mark:
    """The state of a ledger whose log is open."""
    return _mark(os.fstat(log))


def mark_of(directory: str) -> Mark:
    """The state that the ledger of a directory is in; NONE when there is none."""
    try:
        return _mark(os.stat(f"{directory}/{LOG}"))
    except OSError:
        return NONE


def peek(directory: str) -> tuple[Mark, Usage] | None:
    """What is in a mailbox, and the state it is in.

    Returns:
        None when the ledger makes no sense; whoever opens the mailbox mends it.
    """
    for _ in range(_TRIES):
        try:
            fd = open_to_read(f"{directory}/{LOG}")
        except OSError:
            return NONE, Usage()
        try:
            mark = mark_of_open(fd)
            usage = _usage(directory, fd, mark.size)
        except (Damaged, OSError):
            continue
        finally:
            os.close(fd)
        if usage is not None:
            return mark, usage
    return None


def _usage(directory: str, fd: int, size: int) -> Usage | None:
    """What snapshot and log say together; None when they do not fit."""
    if not size:
        return Usage()
    header = LogHeader.parse(os.pread(fd, HEADER_SIZE, 0))
    try:
        snapshot = open_to_read(f"{directory}/{SNAPSHOT}")
    except FileNotFoundError:
        found = None
    else:
        found = read_snapshot(snapshot, _MESSAGES_MAX)
    try:
        start = start_of(header, found, size)
        if start is None:
            return None
        table, offset = start
        octets = os.pread(fd, min(size - offset, TAIL_MAX), offset)
        replay(table, Tail(header.generation, octets).payloads)
        return Usage(table.octets(), len(table))
    finally:
        if found is not None:
            found[0].names.close()
