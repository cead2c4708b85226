r"""Expunged messages of mbox mailboxes that can come back: one file for an account.

In this file:
    KeepFile    the file ``maildrop.kept`` in the control directory
    Shelved     one message in it
    Head        the start of its record
    key_of      names a message once and for all

An mbox has no file for a message that could be put aside, so here a copy is made, and
synced, before the message is taken out.

Format (numbers little-endian): records one after the other.

    record = "mdK1" state(u8) 3 zero octets, meta-length(u32) length(u64) crc(u32)
             meta content
    state  = "K" kept / "R" brought back or given up; not in the checksum
    meta   = a JSON object: mailbox, uid_validity, uid, expunged, date, flags, keywords
    content = the message, CRLF line ends

States of an expunge:

| step | a crash after it |
|---|---|
| copied to the keep file, synced | the message is still there, and its copy not shown |
| the mbox rewritten | gone, and can come back |
| record in the ledger | done |

A copy whose UID is still in its mailbox is not shown: it was never expunged.  If it is
expunged later it is copied again, and the later copy counts.

Appending, marking and rewriting happen under the lock of ``maildrop.kept.lock``.  What
is behind the last whole record was left by a crash and is cut off by the next append.

When the copy cannot be written (a full disk) the message is expunged all the same.
"""

import contextlib
import itertools
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from twisted.logger import Logger

from maildrop.durable import open_to_read, translated
from maildrop.errors import NoSpace, StorageFailure
from maildrop.mailbox.flags import ALL_SYSTEM, KEYWORDS_MAX
from maildrop.mailbox.keeping import Freed, Keeping, Kept
from maildrop.storage.index.host import Host
from maildrop.storage.index.locks import locked
from maildrop.storage.index.table import IndexTable

NAME: Final = "maildrop.kept"
_MAGIC: Final = b"mdK1"
_HEAD: Final = struct.Struct("<4sc3xIQI")
_STATE_AT: Final = 4
_KEPT: Final = b"K"
_GONE: Final = b"R"
_META_MAX: Final = 1 << 16
_LENGTH_MAX: Final = 1 << 32
_CHUNK: Final = 1 << 20
#: Room is made after this part of the limit was kept.
_PART: Final = 8


@dataclass(frozen=True, slots=True)
class Shelved:
    """One message in the keep file.

    Attributes:
        kept: What it was.
        head: Its record.
    """

    kept: Kept
    head: "Head"


def key_of(kept: Kept) -> bytes:
    """Names a message once and for all."""
    return b"%d/%d" % (kept.uid_validity, kept.uid)


class KeepFile:
    """The keep file of one account.

    Args:
        control: The account's control directory.
        host: Disk, time.

    Attributes:
        keeping: What is kept.
    """

    _log = Logger()

    def __init__(self, control: str, host: Host) -> None:
        self.keeping = Keeping()
        self._path = os.path.join(control, NAME)
        self._host = host
        self._whole = (0, 0)
        self._added = 0

    @property
    def due(self) -> bool:
        """So much was kept that room should be made."""
        return 0 < self.keeping.octets < self._added * _PART

    def make_room(self) -> None:
        """Give up what is old or too much."""
        before = self._host.clock() - self.keeping.seconds
        self.give_up(before, self.keeping.octets)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with locked(self._path + ".lock", self._host):
            yield

    # -- putting

    def put(
        self,
        mailbox: str,
        table: IndexTable,
        uids: Sequence[int],
        read: Callable[[int], bytes | None],
    ) -> None:
        """Copy messages that are about to be expunged; the copy is on disk then.

        Args:
            mailbox: Where they are.
            table: Its columns.
            uids: Which.
            read: Gives the octets of one.
        """
        if not self.keeping.seconds or not uids:
            return
        try:
            with self._locked(), translated(f"write {self._path}"):
                self._append(self._records(mailbox, table, uids, read))
        except (NoSpace, StorageFailure) as error:
            self._log.warn("expunged messages are not kept: {error}", error=str(error))

    def newest(self, table: IndexTable) -> Sequence[int]:
        """UIDs of the newest messages that there is room for."""
        most = self.keeping.octets
        if not most:
            return table.uids
        sizes = itertools.accumulate(reversed(table.sizes))
        count = sum(1 for _ in itertools.takewhile(most.__ge__, sizes))
        return table.uids[len(table) - count :]

    def _records(
        self,
        mailbox: str,
        table: IndexTable,
        uids: Sequence[int],
        read: Callable[[int], bytes | None],
    ) -> Iterator[bytes]:
        now = int(self._host.clock())
        for row in table.rows(uids):
            octets = read(table.uids[row])
            if octets is None:
                continue
            meta = {
                "mailbox": mailbox,
                "uid_validity": table.uid_validity,
                "uid": table.uids[row],
                "expunged": now,
                "date": table.dates[row],
                "flags": table.flags[row] & ALL_SYSTEM,
                "keywords": table.keywords_of(table.keywords[row]),
            }
            self._added += len(octets)
            yield _record(json.dumps(meta).encode(), octets)

    def _append(self, records: Iterable[bytes]) -> None:
        disk = self._host.disk
        there = os.path.exists(self._path)
        fd = disk.append_to(self._path)
        try:
            end = self._mend(fd)
            try:
                for record in records:
                    disk.write(fd, record)
                disk.synchronize(fd)
            except OSError:
                with contextlib.suppress(OSError):
                    disk.truncate(fd, end)
                raise
            self._note_whole(fd)
            if not there:
                disk.synchronize_directory(os.path.dirname(self._path))
        finally:
            os.close(fd)

    def _mend(self, fd: int) -> int:
        """Cut off what a crash left of a record; gives where the last one ends."""
        facts = os.fstat(fd)
        if (facts.st_ino, facts.st_size) == self._whole:
            return facts.st_size
        end = max((head.end for head in _heads(fd)), default=0)
        if end < facts.st_size:
            self._host.disk.truncate(fd, end)
        return end

    def _note_whole(self, fd: int) -> None:
        facts = os.fstat(fd)
        self._whole = facts.st_ino, facts.st_size

    # -- looking

    @contextlib.contextmanager
    def _reading(self) -> Iterator[int | None]:
        try:
            with translated(f"read {self._path}"):
                fd = open_to_read(self._path)
        except FileNotFoundError:
            yield None
            return
        try:
            yield fd
        finally:
            os.close(fd)

    def all(self) -> list[Shelved]:
        """All that is kept, once each."""
        with self._reading() as fd:
            if fd is None:
                return []
            found = {key_of(one.kept): one for one in _scan(fd, self._path)}
        return list(found.values())

    def read(self, kept: Kept) -> bytes | None:
        """The whole message; None when it is no more."""
        at = kept.place.rpartition("@")[2]
        with self._reading() as fd:
            if fd is None or not at.isdecimal():
                return None
            one = _shelved(fd, int(at), self._path)
            if one is None or key_of(one.kept) != key_of(kept):
                # The file was written anew meanwhile.
                found = {key_of(one.kept): one for one in _scan(fd, self._path)}
                one = found.get(key_of(kept))
            return None if one is None else _content(fd, one)

    # -- taking out

    def mark(self, keys: Iterable[bytes]) -> None:
        """Messages are back, and that is on disk: they are kept no more."""
        wanted = set(keys)
        with self._locked(), translated(f"write {self._path}"):
            try:
                fd = self._host.disk.update(self._path)
            except FileNotFoundError:
                return
            try:
                for one in list(_scan(fd, "")):
                    if key_of(one.kept) in wanted:
                        self._host.disk.write_at(fd, _GONE, one.head.at + _STATE_AT)
                self._host.disk.synchronize(fd)
            finally:
                os.close(fd)

    def give_up(self, before: float, octets: int) -> Freed:
        """Remove for good what is old, the oldest of what is too much, and the dead."""
        self._added = 0
        if not os.path.exists(self._path):
            return Freed()
        with self._locked(), self._reading() as fd:
            if fd is None:
                return Freed()
            everything = list(_scan(fd, self._path))
            left = sum(one.head.length for one in everything)
            freed = Freed()
            stay = []
            for one in sorted(everything, key=lambda one: one.kept.expunged):
                if one.kept.expunged < before or (octets and left > octets):
                    freed += Freed(1, one.head.length)
                    left -= one.head.length
                else:
                    stay.append(one)
            if sum(one.head.end - one.head.at for one in stay) < os.fstat(fd).st_size:
                with translated(f"write {self._path}"):
                    self._replace(fd, stay)
        return freed

    def _replace(self, fd: int, stay: Sequence[Shelved]) -> None:
        """Write the file anew with some of its records, piece by piece."""
        disk = self._host.disk
        if not stay:
            disk.unlink(self._path)
            return
        beside = self._path + ".tmp"
        with contextlib.suppress(FileNotFoundError):
            disk.unlink(beside)
        out = disk.create(beside)
        try:
            for one in sorted(stay, key=lambda one: one.head.at):
                at, end = one.head.at, one.head.end
                while at < end:
                    piece = os.pread(fd, min(_CHUNK, end - at), at)
                    if not piece:
                        raise StorageFailure(f"{self._path} became shorter")
                    disk.write(out, piece)
                    at += len(piece)
            disk.synchronize(out)
        finally:
            os.close(out)
        disk.rename(beside, self._path)


def _record(meta: bytes, octets: bytes) -> bytes:
    crc = zlib.crc32(octets, zlib.crc32(meta))
    return _HEAD.pack(_MAGIC, _KEPT, len(meta), len(octets), crc) + meta + octets


@dataclass(frozen=True, slots=True)
class Head:
    """The start of a record.

    Attributes:
        at: Where it stands.
        state: Whether the message is kept still.
        meta: Octets of what is said of it.
        length: Its octets.
        crc: Checksum of both.
    """

    at: int
    state: bytes
    meta: int
    length: int
    crc: int

    @property
    def end(self) -> int:
        """Where the record ends."""
        return self.at + _HEAD.size + self.meta + self.length


def _head(fd: int, at: int, size: int) -> Head | None:
    """The record at an offset; None when there is none."""
    if at + _HEAD.size > size:
        return None
    magic, *rest = _HEAD.unpack(os.pread(fd, _HEAD.size, at))
    head = Head(at, *rest)
    sound = magic == _MAGIC and head.meta <= _META_MAX and head.length <= _LENGTH_MAX
    return head if sound and head.end <= size else None


def _heads(fd: int) -> Iterator[Head]:
    """The records of a file, up to its end or to what is no record."""
    size = os.fstat(fd).st_size
    head = _head(fd, 0, size)
    while head is not None:
        yield head
        head = _head(fd, head.end, size)


def _message(fd: int, head: Head, path: str) -> Shelved | None:
    """The message of a record, if it is kept."""
    if head.state != _KEPT:
        return None
    meta = os.pread(fd, head.meta, head.at + _HEAD.size)
    kept = _kept(meta, head.length, f"{path}@{head.at}")
    return None if kept is None else Shelved(kept, head)


def _shelved(fd: int, at: int, path: str) -> Shelved | None:
    """The message at an offset."""
    head = _head(fd, at, os.fstat(fd).st_size)
    return None if head is None else _message(fd, head, path)


def _scan(fd: int, path: str) -> Iterator[Shelved]:
    """All messages that are kept."""
    for head in _heads(fd):
        message = _message(fd, head, path)
        if message is not None:
            yield message


def _kept(meta: bytes, length: int, place: str) -> Kept | None:
    try:
        said: dict[str, Any] = json.loads(meta)
        return Kept(
            mailbox=str(said["mailbox"]),
            uid_validity=int(said["uid_validity"]),
            uid=int(said["uid"]),
            expunged=float(said["expunged"]),
            date=int(said["date"]),
            size=length,
            flags=int(said["flags"]) & ALL_SYSTEM,
            keywords=tuple(map(str, said["keywords"]))[:KEYWORDS_MAX],
            place=place,
        )
    except (ValueError, TypeError, KeyError):
        return None


def _content(fd: int, one: Shelved) -> bytes:
    """The octets of a message.

    Raises:
        StorageFailure: They are not what was written.
    """
    head = one.head
    octets = os.pread(fd, head.meta + head.length, head.at + _HEAD.size)
    if zlib.crc32(octets) != head.crc:
        raise StorageFailure(f"{one.kept.place}: a kept message fails its checksum")
    return octets[head.meta :]
