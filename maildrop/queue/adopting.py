"""Taking over what local programs left in the drop directory.

In this file:
    Adopter    takes it over
    Adopted    what became of a turn
    Submitted  makes an entry of a message: ``delivery.dropped``
    Made       the entry, and what belongs to it
    Found      a complete file
    fairly     the oldest of each user in turn

``drop`` has the directory and its states.  The id of an entry follows from its file
(when it was written, its name, inode and content), so that a crash between 5 and 6 does
not make two entries: the file is found again, and so is the entry.  That is why the
directory is looked through before anything of the queue is tried, and why an entry is
kept for oneself until its file is gone for good: were it tried, and over, before, the
file would be taken for a new message.

Errors: those of the disk end a turn; what was taken over before stays so.

Limits: files in a turn, in all and of one user, so that a flood from one keeps nobody
else waiting; octets of a message; what cannot be taken is kept in ``corrupt`` up to a
number of files, and removed beyond.

Security: see ``drop``.  Names that are not ours, and what is no regular file, are
removed: their owners had no reason to put them there.  Of what a file holds, only the
kind of the fault reaches the log.
"""

import contextlib
import errno
import fcntl
import os
import re
import stat
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from twisted.logger import Logger

from maildrop.durable import Content, Disk, open_to_read, translated
from maildrop.queue.drop import COMPLETE, NEW, Dropped, Unfit, parse, prepare, read
from maildrop.queue.entry import Entry
from maildrop.queue.naming import entry_id as id_of
from maildrop.queue.spool import Placed, Spool

_NAME: Final = re.compile(r"[0-9a-f]{32}(\.new|\.mail)")
#: Seconds after which what is still being written was left by a crash.
_ABANDONED: Final = 3600.0
#: Seconds until the directory is listed again, while there is something left of it.
_LIST_EVERY: Final = 5.0
#: Names remembered of what cannot be removed, so that it is told of once.
_TOLD_MAX: Final = 1000
#: What opening says of links and sockets, and of files that are gone.
_NO_FILE: Final = frozenset({errno.ELOOP, errno.ENXIO, errno.EINVAL, errno.ENODEV})


@dataclass(frozen=True, slots=True)
class Made:
    """An entry of a message.

    Attributes:
        entry: The entry.
        before: Header fields to put before the message.
        facts: What is noted of the decision to take it.
    """

    entry: Entry
    before: bytes = b""
    facts: Mapping[str, object] = field(default_factory=dict)


class Submitted(Protocol):
    """Makes an entry of a message."""

    def entry(self, entry_id: str, dropped: Dropped, uid: int, message: bytes) -> Made:
        """The entry, and what belongs to it.

        Args:
            entry_id: Its id.
            dropped: What the owner says.
            uid: The owner.
            message: The message.

        Raises:
            Unfit: It cannot be sent.
        """


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once.

    Attributes:
        message: Octets of a message.
        turn: Files in a turn.
        kept: Files kept of those that cannot be taken.
    """

    message: int = 52_428_800
    turn: int = 100
    kept: int = 100


@dataclass(slots=True)
class Adopted:
    """What became of a turn.

    Attributes:
        ids: Entries that are in the queue now.
        facts: What is to be noted of those that were not before, by id.
        more: Something is left for the next turn.
    """

    ids: list[str] = field(default_factory=list)
    facts: dict[str, Mapping[str, object]] = field(default_factory=dict)
    more: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A complete file.

    Attributes:
        name: Its name.
        uid: Its owner.
        changed: When it was completed, nanoseconds since 1970 UTC.
    """

    name: str
    uid: int
    changed: int


@dataclass(slots=True)
class _Turn:
    """A turn.

    Attributes:
        adopted: What became of it.
        files: Files that are in the queue, and their entries (None for those that were
            there before).
        placed: Entries whose files are gone.
    """

    adopted: Adopted = field(default_factory=Adopted)
    files: dict[str, Placed | None] = field(default_factory=dict)
    placed: list[Placed | None] = field(default_factory=list)

    def end(self) -> None:
        """Let the entries be tried, but for those whose file could not be removed."""
        for each in filter(None, self.files.values()):
            each.take_back()
        for each in filter(None, self.placed):
            each.let_go()


class Adopter:
    """Takes over what lies in the drop directory.

    Args:
        directory: The queue's; ``drop`` and ``corrupt`` are in it.
        spool: The queue.
        submitted: Makes entries.
        disk: The calls that change it.
        now: Seconds since 1970 UTC.
        limits: How much at once.
    """

    _log = Logger()

    def __init__(
        self,
        directory: str,
        spool: Spool,
        submitted: Submitted,
        disk: Disk,
        now: Callable[[], float],
        limits: Limits | None = None,
    ) -> None:
        self.drop = f"{directory}/drop"
        self._corrupt = f"{directory}/corrupt"
        self._spool = spool
        self._submitted = submitted
        self._disk = disk
        self._now = now
        self._limits = limits or Limits()
        self._told: set[str] = set()
        self._found: deque[Found] = deque()
        self._listed = 0.0

    def prepare(self) -> None:
        """Make the directory; with the server's rights, before anything is tried."""
        prepare(self.drop, self._disk)

    def adopt(self) -> Adopted:
        """Take over what is there, as far as a turn goes; it is on disk then.

        Nothing is done while another process is at it.
        """
        with translated(f"look through {self.drop}"):
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(self.drop, flags)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return self._turn(fd)
            except BlockingIOError:
                return Adopted()
            finally:
                os.close(fd)

    def _turn(self, directory: int) -> Adopted:
        now = self._now()
        if not self._found or not 0 <= now - self._listed < _LIST_EVERY:
            self._found = deque(fairly(self._files(directory)))
            self._listed = now
        turn = _Turn()
        try:
            for _ in range(min(self._limits.turn, len(self._found))):
                self._next(directory, self._found.popleft(), turn)
            for name in list(turn.files):
                with contextlib.suppress(FileNotFoundError):
                    self._disk.unlink(name, directory)
                turn.placed += [turn.files.pop(name)]
            if turn.placed:
                self._disk.synchronize_directory(directory)
        finally:
            turn.end()
        turn.adopted.more = bool(self._found)
        return turn.adopted

    def _next(self, directory: int, found: Found, turn: "_Turn") -> None:
        try:
            entry_id, placed = self._take(directory, found, turn.adopted.facts)
        except Unfit as unfit:
            self._refuse(directory, found.name, found.uid, str(unfit))
        except FileNotFoundError:
            return  # its owner took it back
        else:
            turn.adopted.ids.append(entry_id)
            turn.files[found.name] = placed

    def _files(self, directory: int) -> list[Found]:
        """What is complete, the oldest first; what has no business there is removed."""
        found = []
        with os.scandir(directory) as entries:
            for entry in list(entries):
                with contextlib.suppress(FileNotFoundError):
                    status = os.stat(
                        entry.name, dir_fd=directory, follow_symlinks=False
                    )
                    if self._complete(directory, entry.name, status):
                        found.append(
                            Found(entry.name, status.st_uid, status.st_ctime_ns)
                        )
        return sorted(found, key=lambda each: each.changed)

    def _complete(self, directory: int, name: str, status: os.stat_result) -> bool:
        """Whether a file is complete; one that never will be is removed."""
        if stat.S_ISREG(status.st_mode) and _NAME.fullmatch(name):
            if name.endswith(COMPLETE):
                return True
            if status.st_ctime > self._now() - _ABANDONED:
                return False
        if name.endswith(NEW) and stat.S_ISREG(status.st_mode):
            self._log.info(
                "drop: removed what uid {uid} never ended", uid=status.st_uid
            )
        elif name not in self._told:
            self._strange(status.st_uid, "not a file of ours")
        self._remove(directory, name, status)
        return False

    def _remove(self, directory: int, name: str, status: os.stat_result) -> None:
        try:
            if stat.S_ISDIR(status.st_mode):
                self._disk.remove_directory(f"{self.drop}/{name}")
            else:
                self._disk.unlink(name, directory)
            self._told.discard(name)
        except OSError:  # a directory that holds something
            if len(self._told) < _TOLD_MAX:
                self._told.add(name)

    def _take(
        self,
        directory: int,
        found: Found,
        facts: dict[str, Mapping[str, object]],
    ) -> tuple[str, Placed | None]:
        """Put one message into the queue, unless a crash left it there; its id.

        Raises:
            Unfit: It cannot be taken.
            FileNotFoundError: It is gone.
        """
        octets, status = self._read(directory, found.name)
        dropped, start = parse(octets)
        entry_id = id_of(found.name, [octets], status)
        if self._spool.holds(entry_id):
            return entry_id, None
        message = octets[start:]
        if len(message) > self._limits.message:
            raise Unfit(f"the message has {len(message)} octets")
        made = self._submitted.entry(entry_id, dropped, status.st_uid, message)
        content = Content.of(message)
        try:
            placed = self._spool.place(made.entry, content, made.before)
        finally:
            content.close()
        self._log.info(
            "{id}: {octets} octets from <{sender}> by uid {uid}, {recipients} "
            "recipients",
            id=entry_id,
            octets=made.entry.size,
            sender=made.entry.sender,
            uid=status.st_uid,
            recipients=len(made.entry.recipients),
        )
        facts[entry_id] = made.facts
        return entry_id, placed

    def _read(self, directory: int, name: str) -> tuple[bytes, os.stat_result]:
        try:
            fd = open_to_read(name, directory)
        except PermissionError as error:
            raise Unfit("it may not be read") from error
        except OSError as error:
            if error.errno in _NO_FILE:
                raise Unfit("it is no regular file") from error
            raise
        try:
            return read(fd, self._limits.message)
        finally:
            os.close(fd)

    def _refuse(self, directory: int, name: str, uid: int, reason: str) -> None:
        """Put aside what cannot be taken, or remove it when there is enough of that."""
        self._strange(uid, reason)
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            plain = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
            if plain and len(os.listdir(self._corrupt)) < self._limits.kept:
                target = f"{self._corrupt}/drop-{uid}-{name}"
                self._disk.rename(name, target, directory)
            else:
                self._remove(directory, name, status)

    def _strange(self, uid: int, reason: str) -> None:
        self._log.error(
            "drop: not taken from uid {uid}: {reason}", uid=uid, reason=reason
        )


def fairly(found: list[Found]) -> Iterator[Found]:
    """The oldest of each user in turn."""
    users: dict[int, deque[Found]] = {}
    for each in found:
        users.setdefault(each.uid, deque()).append(each)
    turns = deque(users.values())
    while turns:
        its = turns.popleft()
        yield its.popleft()
        if its:
            turns.append(its)
