r"""The cache file: ready-to-send pieces of messages, one record a message.

In this file:
    Cache    reads pieces by row, appends records, leaves waste behind

File ``maildrop.cache`` (numbers little-endian):

    cache     = "mdlcache" version(u32) crc(u32) id(u64) 8 zero octets *record
    record    = crc(u32) length(u32) uid(u32) n(u32) offset(u32)*(n+1) piece*n

A record's checksum covers what follows it.  Offsets count from the record's start;
piece k lies between offsets k and k+1, and belongs to key k of ``table.cache_keys``.
An empty piece is one that is not there.  The ledger says where each message's record
stands (``table.cache``) and in the file of which id.

Nothing here is synced: what a power cut takes away, or turns into something else, fails
its checksum or has another UID, and is made again from the message.

Changing a record means appending another one; ``compact`` copies what is in use to a
new file:

    step                                 a crash after it leaves
    1  new file written beside           the old file and one ``.tmp``
    2  renamed over the old              a file whose id the ledger does not know: it
                                         is begun anew, which costs time and no mail
    3  record with all offsets in log    the new file

Limits: a piece over ``piece_octets`` is not kept; keys beyond ``keys_max`` neither.
"""

import contextlib
import os
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from twisted.logger import Logger

from maildrop.durable import Disk, open_to_read, translated
from maildrop.storage.index.batch import Batch
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.window import Window

CACHE: Final = "maildrop.cache"
_MAGIC: Final = b"mdlcache"
_VERSION: Final = 1
_HEADER: Final = struct.Struct("<8sIIQ8x")
_RECORD: Final = struct.Struct("<IIII")
_PAIR: Final = struct.Struct("<II")
#: The places of so many records are looked up one by one.
_FEW: Final = 64
#: Longest record that is believed, in octets.
_RECORD_MAX: Final = 1 << 26


class Cache:
    """The cache file of one mailbox.

    Args:
        directory: The control directory.
        ledger: Holds the offsets.
        host: Disk and random numbers.
        keys: The keys that every new file begins with.
        keys_max: Most keys in a file.
        piece_octets: Longest piece kept.
    """

    _log = Logger()

    def __init__(
        self,
        directory: str,
        ledger: Ledger,
        host: Host,
        keys: Sequence[bytes],
        *,
        keys_max: int = 16,
        piece_octets: int = 1 << 18,
    ) -> None:
        self._path = f"{directory}/{CACHE}"
        self._ledger = ledger
        self._host = host
        self._keys = tuple(keys)
        self._keys_max = keys_max
        self._piece_octets = piece_octets
        self._id = 0
        self._told = 0
        self._window: Window | None = None

    # -- reading

    def _readable(self) -> Window | None:
        """The file that the ledger points into; None when there is none."""
        wanted = self._ledger.table.cache_id
        if self._window is not None and self._id == wanted:
            return self._window
        self.close()
        if not wanted:
            return None
        try:
            fd = self._open()
        except OSError:
            return None
        if _file_id(fd) != wanted:
            os.close(fd)
            self._tell("it is not the one that the ledger knows", wanted)
            return None
        self._window = Window(fd)
        self._id = wanted
        return self._window

    def is_there(self) -> bool:
        """Whether the file that the ledger points into can be read."""
        return self._readable() is not None

    def _open(self) -> int:
        if self._ledger.read_only:
            return open_to_read(self._path)
        return self._host.disk.append_to(self._path)

    def key_number(self, key: bytes) -> int | None:
        """The number of a key, None when the file has no such key."""
        try:
            return self._ledger.table.cache_keys.index(key)
        except ValueError:
            return None

    def pieces(self, key_number: int, rows: Sequence[int]) -> list[bytes]:
        """One piece of each row; empty for one that is not there.

        Cost: 0.5 us a row, 1 us more when a record is met for the first time.
        """
        window = self._readable()
        table = self._ledger.table
        if window is None or table.cache.empty:
            return [b""] * len(rows)
        pair = _PAIR.unpack_from
        in_record = _RECORD.size + 4 * key_number
        found: list[bytes] = []
        add = found.append
        checked, uids = table.checked, table.uids
        cells = table.cache if len(rows) <= _FEW else table.cache.numbers()
        octets, start = window.octets, window.start
        # Records are looked at in this many octets of the window without asking it.
        sure = len(octets) - 256
        for row in rows:
            at = cells[row] - start
            if not checked[row] or not 0 <= at < sure:
                there = self._check(window, row, uids[row])
                octets, start = window.octets, window.start
                sure = len(octets) - 256
                if not there or checked[row] <= key_number:
                    add(b"")
                    continue
                at = cells[row] - start
            begin, end = pair(octets, at + in_record)
            piece = octets[at + begin : at + end]
            if len(piece) != end - begin or checked[row] <= key_number:
                piece = self._piece(window, row, key_number)
                octets, start = window.octets, window.start
                sure = len(octets) - 256
            add(piece)
        return found

    def _check(self, window: Window, row: int, uid: int) -> bool:
        """Bring a record into the window, whole; whether it can be believed.

        Leaves the number of its pieces in ``table.checked``.
        """
        table = self._ledger.table
        offset = table.cache[row]
        if not offset:
            return False
        if self._whole(window, row, uid, offset):
            return True
        self._tell(f"the record of UID {uid} is damaged", self._id)
        return False

    def _whole(self, window: Window, row: int, uid: int, offset: int) -> bool:
        table = self._ledger.table
        at = window.move(offset, _RECORD.size)
        if len(window.octets) - at < _RECORD.size:
            return False
        crc, length, its_uid, count = _RECORD.unpack_from(window.octets, at)
        least = _RECORD.size + 4 * (count + 1)
        if its_uid != uid or not least <= length <= _RECORD_MAX:
            return False
        at = window.move(offset, length)
        record = memoryview(window.octets)[at + 4 : at + length]
        if len(record) != length - 4:
            return False
        if not table.checked[row]:
            if zlib.crc32(record) != crc:
                return False
            table.checked[row] = min(count, 255)
        return True

    def _tell(self, what: str, number: int) -> None:
        """Say, once of a file, that something in it is made again."""
        if self._told != number:
            self._told = number
            self._log.warn(
                "{path}: {what}; it is made again", path=self._path, what=what
            )

    def _piece(self, window: Window, row: int, key_number: int) -> bytes:
        pieces = self._record(window, row)
        return pieces[key_number] if key_number < len(pieces) else b""

    def _record(self, window: Window, row: int) -> list[bytes]:
        """All pieces of a row; none when there is no record to believe."""
        table = self._ledger.table
        if not self._check(window, row, table.uids[row]):
            return []
        at = window.move(table.cache[row], _RECORD.size)
        _, _, _, count = _RECORD.unpack_from(window.octets, at)
        bounds = struct.unpack_from(f"<{count + 1}I", window.octets, at + _RECORD.size)
        octets = window.octets
        return [
            octets[at + bounds[k] : at + bounds[k + 1]]
            for k in range(min(count, self._keys_max))
        ]

    def records(self, rows: Sequence[int]) -> list[dict[bytes, bytes]]:
        """All pieces of rows, by key; to be kept with copies of the messages."""
        window = self._readable()
        if window is None:
            return [{} for _ in rows]
        keys = self._ledger.table.cache_keys
        pieces = [self._record(window, row) for row in rows]
        return [dict(zip(keys, some, strict=False)) for some in pieces]

    # -- writing (the ledger's lock is held)

    def append(
        self, uids: Sequence[int], pieces: Sequence[Mapping[bytes, bytes]]
    ) -> list[int]:
        """Append a record for each message.

        Args:
            uids: Of the messages.
            pieces: What to keep of each, by key.

        Returns:
            Where the records stand; to go into the ledger.
        """
        window = self._writable()
        keys = self._ledger.table.cache_keys
        records = [
            self._pack(uid, [by_key.get(key, b"") for key in keys])
            for uid, by_key in zip(uids, pieces, strict=True)
        ]
        return self._write(window, records)

    def add(self, uids: Sequence[int], pieces: Sequence[Mapping[bytes, bytes]]) -> None:
        """Keep more pieces of each message (UIDs ascending), of keys that have room."""
        table = self._ledger.table
        window = self._writable()
        numbers = self._numbers(dict.fromkeys(key for some in pieces for key in some))
        records = []
        kept = []
        for uid, by_key in zip(uids, pieces, strict=True):
            row = table.row(uid)
            if row is None or numbers.keys().isdisjoint(by_key):
                continue
            known = self._record(window, row)
            for key, piece in by_key.items():
                number = numbers.get(key)
                if number is not None:
                    known += [b""] * (number + 1 - len(known))
                    known[number] = piece
            records.append(self._pack(uid, known))
            kept.append(uid)
        if kept:
            self.point(kept, self._write(window, records))

    def _numbers(self, keys: Iterable[bytes]) -> dict[bytes, int]:
        """The numbers of keys, new ones too as long as there is room."""
        known = self._ledger.table.cache_keys
        room = max(0, self._keys_max - len(known))
        new = [key for key in keys if key not in known][:room]
        if new:
            batch = self._ledger.batch(quiet=True)
            batch.cache_keys(new)
            self._ledger.commit(batch)
        return {key: known.index(key) for key in keys if key in known}

    def point(self, uids: Sequence[int], offsets: Sequence[int]) -> None:
        """Tell the ledger where the records of messages (UIDs ascending) stand."""
        batch = self._ledger.batch(quiet=True)
        batch.cache(uids, offsets)
        self._ledger.commit(batch)

    def _pack(self, uid: int, pieces: Sequence[bytes]) -> bytes:
        limit = self._piece_octets
        kept = [piece if len(piece) <= limit else b"" for piece in pieces]
        at = _RECORD.size + 4 * (len(kept) + 1)
        bounds = [at]
        for piece in kept:
            at += len(piece)
            bounds.append(at)
        rest = b"".join(
            (struct.pack(f"<III{len(bounds)}I", at, uid, len(kept), *bounds), *kept)
        )
        return struct.pack("<I", zlib.crc32(rest)) + rest

    def _write(self, window: Window, records: Sequence[bytes]) -> list[int]:
        offset = os.fstat(window.fd).st_size
        with translated(f"write {self._path}"):
            self._host.disk.write(window.fd, b"".join(records))
        offsets = []
        for record in records:
            offsets.append(offset)
            offset += len(record)
        return offsets

    def _writable(self) -> Window:
        window = self._readable()
        if window is not None and os.fstat(window.fd).st_nlink:
            return window
        fd, number = self._begin()
        batch = self._ledger.batch(quiet=True)
        batch.cache_file(number, self._keys)
        self._commit(batch, fd)
        return self._use(fd, number)

    def _commit(self, batch: Batch, fd: int) -> None:
        """Tell the ledger of a new file, which is closed if that fails."""
        try:
            self._ledger.commit(batch)
        except BaseException:
            os.close(fd)
            raise

    def _begin(self) -> tuple[int, int]:
        """Put a new, empty file in the place of whatever has the name."""
        beside = f"{self._path}.tmp"
        disk = self._host.disk
        with translated(f"write {self._path}"):
            fd = _create(disk, beside)
            try:
                number = self._write_header(fd)
                disk.rename(beside, self._path)
            except BaseException as error:
                os.close(fd)
                _forget(disk, beside, error)
                raise
        return fd, number

    def _write_header(self, fd: int) -> int:
        number = int.from_bytes(self._host.random(7), "little") + 1
        crc = zlib.crc32(struct.pack("<Q", number))
        self._host.disk.write(fd, _HEADER.pack(_MAGIC, _VERSION, crc, number))
        return number

    def _use(self, fd: int, number: int) -> Window:
        self.close()
        self._window = Window(fd)
        self._id = number
        return self._window

    # -- waste

    def wasteful(self, least: int = 1 << 20, samples: int = 64) -> bool:
        """Whether more than half of the file is not in use, by a sample of rows."""
        window = self._readable()
        if window is None or self._ledger.read_only:
            return False
        size = os.fstat(window.fd).st_size
        rows = len(self._ledger.table)
        if size < least:
            return False
        step = max(rows // samples, 1)
        lengths = [
            sum(map(len, self._record(window, row))) for row in range(0, rows, step)
        ]
        in_use = sum(lengths) / max(len(lengths), 1) * rows
        return in_use < size / 2

    def compact(self) -> None:
        """Copy what is in use to a new file; takes the ledger's lock."""
        with self._ledger.locked():
            window = self._readable()
            if window is None:
                return
            table = self._ledger.table
            disk = self._host.disk
            beside = f"{self._path}.tmp"
            with translated(f"write {self._path}"):
                fd = _create(disk, beside)
                try:
                    number = self._write_header(fd)
                    uids, offsets = self._copy(window, fd)
                    disk.rename(beside, self._path)
                except BaseException as error:
                    os.close(fd)
                    _forget(disk, beside, error)
                    raise
            batch = self._ledger.batch(quiet=True)
            batch.cache_file(number, list(table.cache_keys))
            batch.cache(uids, offsets)
            self._commit(batch, fd)
            self._use(fd, number)

    def _copy(self, window: Window, fd: int) -> tuple[list[int], list[int]]:
        uids = []
        offsets = []
        waiting: list[bytes] = []
        at = _HEADER.size
        length = 0
        for row, uid in enumerate(self._ledger.table.uids):
            pieces = self._record(window, row)
            if not pieces:
                continue
            record = self._pack(uid, pieces)
            uids.append(uid)
            offsets.append(at + length)
            waiting.append(record)
            length += len(record)
            if length > 1 << 20:
                self._host.disk.write(fd, b"".join(waiting))
                at += length
                length = 0
                waiting.clear()
        self._host.disk.write(fd, b"".join(waiting))
        return uids, offsets

    def close(self) -> None:
        """Let go of the file."""
        if self._window is not None:
            self._window.close()
            self._window = None
        self._id = 0


def _create(disk: Disk, path: str) -> int:
    with contextlib.suppress(FileNotFoundError):
        disk.unlink(path)
    return disk.append_to(path)


def _forget(disk: Disk, path: str, error: BaseException) -> None:
    """Remove a file that was not finished."""
    if isinstance(error, OSError):
        with contextlib.suppress(OSError):
            disk.unlink(path)


def _file_id(fd: int) -> int:
    """The id in a file's header, 0 when it is none of ours."""
    octets = os.pread(fd, _HEADER.size, 0)
    if len(octets) < _HEADER.size:
        return 0
    magic, version, crc, number = _HEADER.unpack(octets)
    if magic != _MAGIC or version != _VERSION:
        return 0
    return int(number) if zlib.crc32(struct.pack("<Q", number)) == crc else 0
