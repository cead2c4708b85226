r"""The queue on disk.

In this file:
    Spool     the directory of the queue
    Placed    an entry that was put there just now
    Taken     an entry that this process has for itself

    DIRECTORY/new/ID        being written
    DIRECTORY/entries/ID    waits (``entry`` has the format); its modification time is
                            when to try again, so that a start reads no file
    DIRECTORY/corrupt/ID    cannot be believed; kept for people

States of a message, and what a crash leaves:

    step                                   state after it, and after a crash
    1  written to new/, synced             nobody was answered; removed when it is old
    2  renamed to entries/                 either, until
    3  entries/ synced, lock let go        waits: from here on it was taken (250)
    4  a line of results written, synced   waits; what the line says is not done again
       (of several, the last: ``entry``)
    5  all lines say "done", unlinked      gone; one that a power cut brings back is
                                           unlinked again, for its lines are still there

Who works on an entry, whether the server or a command, has its file locked (flock(2)),
and so has who adds it, up to the end: an error of step 3 takes it out again, and nobody
has tried it by then.

Errors: ``NoSpace``, ``StorageFailure`` and ``AccessDenied`` of the disk.

Security: the directories belong to the server alone; what other users hand in comes
another way.
"""

import contextlib
import fcntl
import functools
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from maildrop.durable import Content, Disk, translated
from maildrop.queue.entry import (
    LINE_MAX,
    Damaged,
    Entry,
    Kind,
    Result,
    Status,
    Torn,
    Waiting,
    ends,
    follow,
    head,
    line,
    lines,
    read_head,
)

_ID: Final = re.compile(r"[0-9A-Za-z.]{1,64}")
#: Octets copied at once.
_PIECE: Final = 1 << 20
#: Seconds after which what is being written was left by a crash.
_ABANDONED: Final = 3600.0
#: Seconds within which two changes of a directory may have one time.
_TICK: Final = 2.0


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry that is there.

    Attributes:
        id: Its id.
        next: When to try it, seconds since 1970 UTC.
    """

    id: str
    next: float


class Spool:
    """The directory of the queue.

    Args:
        directory: Where it is.
        disk: The calls that change it.
        now: Seconds since 1970 UTC.
        scratch: Directory for the nameless files of large messages.

    Attributes:
        placing: Ids of entries that this process puts there, and has not let go.
        entries: The directory of what waits.
        corrupt: That of what cannot be believed.
    """

    def __init__(
        self, directory: str, disk: Disk, now: Callable[[], float], scratch: str
    ) -> None:
        self._disk = disk
        self._now = now
        self._scratch = scratch
        self._new = f"{directory}/new"
        self.placing: set[str] = set()
        self.corrupt = f"{directory}/corrupt"
        self.entries = f"{directory}/entries"

    def prepare(self) -> None:
        """Make the directories, and remove what a crash left half written."""
        with translated(f"make {self.entries}"):
            for directory in (self._new, self.entries, self.corrupt):
                self._disk.make_directories(directory, 0o700)
        old = self._now() - _ABANDONED
        with translated(f"tidy {self._new}"), os.scandir(self._new) as found:
            for each in list(found):
                if each.stat(follow_symlinks=False).st_mtime < old:
                    with contextlib.suppress(FileNotFoundError):
                        self._disk.unlink(each.path)

    def add(self, entry: Entry, content: Content, before: bytes = b"") -> None:
        """Put a message into the queue; it is on disk when this returns.

        What became already of some recipients is written with it: whoever works on the
        entry has to tell the sender.

        Args:
            entry: Its ``size`` is set here.
            content: The message; the caller closes it.
            before: Header fields to put before it.
        """
        self.place(entry, content, before).let_go()

    def place(self, entry: Entry, content: Content, before: bytes = b"") -> "Placed":
        """The same, and nobody tries it before it is let go."""
        octets = content.octets()
        entry.size = len(before) + len(octets)
        written = f"{self._new}/{entry.id}"
        ended = [
            Result(each.number, each.kind, each.status or Status("5.0.0", ""))
            for each in entry.recipients
            if each.kind is not Kind.WAITING
        ]
        with translated(f"write {written}"):
            fd = self._create(written)
            named = written
            done = functools.partial(self.placing.discard, entry.id)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)  # nobody tries it before it is on disk
                self._disk.write(fd, head(entry) + before)
                for at in range(0, len(octets), _PIECE):
                    self._disk.write(fd, octets[at : at + _PIECE])
                if ended:
                    self._disk.write(fd, line(self._now(), results=ended))
                self._disk.synchronize(fd)
                self.placing.add(entry.id)
                self._disk.rename(written, f"{self.entries}/{entry.id}")
                named = f"{self.entries}/{entry.id}"
                self._disk.synchronize_directory(self.entries)
                with contextlib.suppress(OSError):  # whoever watches hears of it again
                    self._disk.set_times(fd, max(entry.next, self._now()))
            except BaseException:
                Placed(fd, named, self._disk, done).take_back()
                raise
        return Placed(fd, named, self._disk, done)

    def _create(self, path: str) -> int:
        """Make the file of an entry.

        Ids that follow from something (reports, what was dropped) come again after a
        crash that left such a file half written; nobody else writes it.
        """
        try:
            return self._disk.create(path)
        except FileExistsError:
            self._disk.unlink(path)
            return self._disk.create(path)

    def list(self) -> Iterator[Listed]:
        """All that is there, in no order."""
        with translated(f"list {self.entries}"), os.scandir(self.entries) as found:
            for each in found:
                with contextlib.suppress(FileNotFoundError):
                    if _ID.fullmatch(each.name):
                        yield Listed(each.name, each.stat().st_mtime)

    def list_changed(self, seen: int) -> tuple[Sequence[Listed], int]:
        """All that is there; nothing if none came or went since it was asked before.

        Args:
            seen: What was given with the last answer; 0 for the first.
        """
        with translated(f"look at {self.entries}"):
            changed = os.stat(self.entries).st_mtime_ns
        if changed == seen:
            return [], seen
        listed = list(self.list())
        # A change in the same tick of the kernel's clock would not show.
        return listed, changed if self._now() - changed / 1e9 > _TICK else 0

    def holds(self, entry_id: str) -> bool:
        """Whether an entry is there.

        Raises:
            StorageFailure, AccessDenied: That cannot be said.
        """
        path = f"{self.entries}/{entry_id}"
        with translated(f"look for {path}"):
            try:
                os.lstat(path)
            except FileNotFoundError:
                return False
        return True

    def due(self, entry_id: str) -> float | None:
        """When an entry is to be tried, seconds since 1970 UTC; None if it is gone."""
        try:
            return os.stat(f"{self.entries}/{entry_id}").st_mtime
        except OSError:
            return None

    def take(self, entry_id: str) -> "Taken | None":
        """Take an entry for oneself; None if it is gone or somebody else has it.

        Raises:
            Damaged: It cannot be believed; it was put aside.
            FromLater: A later version wrote it; it stays where it is.
        """
        if not _ID.fullmatch(entry_id):
            return None
        path = f"{self.entries}/{entry_id}"
        with translated(f"open {path}"):
            try:
                fd = self._disk.update(path)
            except FileNotFoundError:
                return None
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not os.fstat(fd).st_nlink:  # it went while we waited
                    os.close(fd)
                    return None
                return Taken(fd, path, self._disk, self._now, self._scratch)
            except BlockingIOError:
                os.close(fd)
                return None
            except Damaged:
                self._disk.rename(path, f"{self.corrupt}/{entry_id}")
                os.close(fd)
                raise
            except BaseException:
                os.close(fd)
                raise

    def look(self, entry_id: str) -> Entry | None:
        """What an entry says, whoever works on it; None if it is gone.

        Raises:
            Damaged, FromLater: As ``take``, and nothing is put aside.
        """
        if not _ID.fullmatch(entry_id):
            return None
        path = f"{self.entries}/{entry_id}"
        with translated(f"read {path}"):
            try:
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError:
                return None
            try:
                return _read(fd)[0]
            finally:
                os.close(fd)


class Placed:
    """An entry that was put there, and that nobody has tried yet."""

    def __init__(
        self, fd: int, path: str, disk: Disk, done: Callable[[], None]
    ) -> None:
        self._fd = fd
        self._path = path
        self._disk = disk
        self._done = done

    def take_back(self) -> None:
        """Take it out again: whoever puts it there could not end that."""
        try:
            with contextlib.suppress(OSError):
                self._disk.unlink(self._path)
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Others may have it."""
        try:
            os.close(self._fd)
        finally:
            self._done()


class Taken:
    """An entry that this process has for itself, until ``let_go``.

    Attributes:
        entry: What it says.
    """

    def __init__(
        self, fd: int, path: str, disk: Disk, now: Callable[[], float], scratch: str
    ) -> None:
        self._fd = fd
        self._path = path
        self._disk = disk
        self._now = now
        self._scratch = scratch
        self.entry, self._start, self._end = _read(fd)

    def content(self) -> Content:
        """The message; the caller closes it.

        Raises:
            StorageFailure: It cannot be read.
        """
        with translated(f"read {self._path}"):
            size = self.entry.size
            if size <= _PIECE:
                return Content.of(os.pread(self._fd, size, self._start))
            content = Content(self._scratch)
            try:
                for at in range(0, size, _PIECE):
                    length = min(_PIECE, size - at)
                    content.write(os.pread(self._fd, length, self._start + at))
            except BaseException:
                content.close()
                raise
            return content

    def note(
        self,
        *,
        results: Sequence[Result] = (),
        next_try: float | None = None,
        held: bool | None = None,
        warned: bool = False,
        reported: Sequence[int] = (),
        more: Sequence[Waiting] = (),
    ) -> None:
        """Write down what happened; it is on disk when this returns."""
        for number, each in enumerate(more, len(self.entry.recipients)):
            each.number = number
        *parts, last = lines(
            self._now(),
            results=results,
            next_try=next_try,
            held=held,
            warned=warned,
            reported=reported,
            more=more,
        )
        with translated(f"write {self._path}"):
            if os.fstat(self._fd).st_size != self._end:
                self._disk.truncate(self._fd, self._end)
            end = self._end
            for octets in parts:
                self._disk.write_at(self._fd, octets, end)
                end += len(octets)
            if parts:  # the last one makes them count
                self._disk.synchronize(self._fd)
            self._disk.write_at(self._fd, last, end)
            self._disk.synchronize(self._fd)
            self._end = end + len(last)
            for octets in (*parts, last):
                follow(self.entry, octets)
            with contextlib.suppress(OSError):  # it is looked at too early, that is all
                self._disk.set_times(self._fd, self.entry.next)

    def remove(self) -> None:
        """Take the entry out of the queue; that lets it go."""
        with translated(f"remove {self._path}"):
            self._disk.unlink(self._path)
        self.let_go()  # here, where one may wait: its room on the disk is freed

    def let_go(self) -> None:
        """Others may have it."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _read(fd: int) -> tuple[Entry, int, int]:
    """An entry, where its message begins, and where its last line that counts ends."""
    first = b""
    while b"\n" not in first:
        octets = os.pread(fd, 1 << 16, len(first))
        if not octets or len(first) > LINE_MAX:
            raise Damaged("the first line has no end")
        first += octets
    first = first[: first.index(b"\n") + 1]
    entry = read_head(first)
    start = len(first)
    end = start + entry.size
    size = os.fstat(fd).st_size
    if size < end:
        raise Damaged(f"{end - size} octets of the message are missing")
    rest = os.pread(fd, size - end, end)
    later = rest.splitlines(keepends=True)
    at = end
    for number, octets in enumerate(later, 1):
        try:
            follow(entry, octets)
        except Torn:
            if any(map(ends, later[number:])):
                raise
            break  # it was never synced, or nothing followed from it
        at += len(octets)
        if not entry.parts:
            end = at
    entry.parts.clear()
    return entry, start, end
