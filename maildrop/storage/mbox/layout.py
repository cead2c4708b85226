"""Where each message stands in the mbox, and what the file says of it.

In this file:
    Stamp     what tells that a file is the one we know
    Layout    columns by UID, kept beside the ledger as ``maildrop.layout``

All of it can be found again by reading the mbox; it saves doing so.

Format: a header, then the columns, each as many entries as there are messages.

    magic 8, crc32 of all that follows u32, messages u32,
    device u64, inode u64, size u64, mtime ns u64, ctime ns u64
    uid u32*, status u8*, length u32*, start u64*, keywords u32*    ; little-endian
"""

import itertools
import operator
import os
import struct
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Final

from twisted.logger import Logger

from maildrop.durable import Disk, open_to_read
from maildrop.mailbox.column import Column, cut
from maildrop.storage.index.columns import U32, U64, from_octets, to_octets

FILE: Final = "maildrop.layout"
#: Bits of ``Layout.status`` beside the system flags: Status has an "O";
OLD: Final = 32
#: and whether this message still stands there was not looked at since others appended.
UNSURE: Final = 64
_MAGIC: Final = b"mdrpLAY3"
_START: Final = struct.Struct("<8sI")
_HEADER: Final = struct.Struct("<IQQQQQ")
#: Octets of a message in all columns.
_ENTRY: Final = 4 + 1 + 4 + 8 + 4
#: Longest file that is believed, in octets: ten million messages.
_OCTETS_MAX: Final = 1 << 28

_DOUBTED: Final = bytes(octet | UNSURE for octet in range(256))

_log = Logger()


@dataclass(frozen=True, slots=True)
class Stamp:
    """What stat(2) says of a file."""

    device: int = 0
    inode: int = 0
    size: int = 0
    modified: int = 0
    changed: int = 0

    @classmethod
    def of(cls, found: os.stat_result) -> "Stamp":
        """The stamp of a file."""
        return cls(
            found.st_dev,
            found.st_ino,
            found.st_size,
            found.st_mtime_ns,
            found.st_ctime_ns,
        )

    def grown_from(self, before: "Stamp") -> bool:
        """Whether this may be the same file with something appended."""
        same = (self.device, self.inode) == (before.device, before.inode)
        return same and self.size > before.size > 0


class Layout:
    """The place of every message, in UID order.

    Attributes:
        stamp: The file as it was when this was right.
        uids: u32, ascending.
        status: u8, flags as the file has them, ``OLD`` and ``UNSURE``.
        lengths: u32, octets up to the next From_ line.
        starts: u64, offset of the From_ line; need not ascend.
        keywords: u32, keyword bits (of the ledger) that the file has.
    """

    __slots__ = (
        "_in_order",
        "keywords",
        "lengths",
        "stamp",
        "starts",
        "status",
        "uids",
    )

    def __init__(self) -> None:
        self.stamp = Stamp()
        self.clear()

    def clear(self) -> None:
        """Forget all messages."""
        self.uids = array(U32)
        self.status = bytearray()
        self.lengths = Column(U32)
        self.starts = Column(U64)
        self.keywords = Column(U32)
        self._in_order: bool | None = True

    def __len__(self) -> int:
        return len(self.uids)

    def append(
        self, uid: int, start: int, length: int, status: int, keywords: int
    ) -> None:
        """Add a message; ``uid`` is above all others."""
        if self._in_order and self.starts and start < self.starts[-1]:
            self._in_order = False
        self.uids.append(uid)
        self.starts.append(start)
        self.lengths.append(length)
        self.status.append(status)
        self.keywords.append(keywords)

    @property
    def in_order(self) -> bool:
        """Whether the messages stand in the file in UID order; found out once."""
        if self._in_order is None:
            after = itertools.islice(self.starts, 1, None)
            self._in_order = all(map(operator.lt, self.starts, after))
        return self._in_order

    @property
    def last(self) -> int:
        """The row of the message that stands last in the file; there is one."""
        if self.in_order:
            return len(self) - 1
        starts = self.starts.numbers()
        return starts.index(max(starts))

    def behind(self, offset: int) -> Sequence[int]:
        """The rows of messages at ``offset`` and behind, as they stand in the file."""
        if self.in_order:
            return range(bisect_left(self.starts, offset), len(self))
        rows = [row for row, start in enumerate(self.starts) if start >= offset]
        return sorted(rows, key=self.starts.__getitem__)

    def doubt(self) -> None:
        """No message is known to stand where it stood."""
        self.status = self.status.translate(_DOUBTED)

    def moved(self) -> None:
        """The places, or the rows, of messages are others."""
        self._in_order = None

    def remove(self, uids: Collection[int]) -> None:
        """Drop the rows of some UIDs."""
        rows = [row for row in map(self.row, sorted(uids)) if row is not None]
        for column in (self.starts, self.lengths, self.keywords):
            column.cut(rows)
        cut(self.uids, rows)
        cut(self.status, rows)

    def keep(self, wanted: Callable[[int], bool]) -> None:
        """Drop the rows of all UIDs but those wanted."""
        chosen = [wanted(uid) for uid in self.uids]
        self.uids = array(U32, compress(self.uids, chosen))
        self.starts = Column(U64, compress(self.starts, chosen))
        self.lengths = Column(U32, compress(self.lengths, chosen))
        self.status = bytearray(compress(self.status, chosen))
        self.keywords = Column(U32, compress(self.keywords, chosen))

    def row(self, uid: int) -> int | None:
        """The row of ``uid``, None when it has no place."""
        at = bisect_left(self.uids, uid)
        return at if at < len(self.uids) and self.uids[at] == uid else None

    def pack(self) -> bytes:
        """The octets of the file."""
        body = b"".join(
            (
                to_octets(self.uids),
                self.status,
                to_octets(self.lengths.wide()),
                to_octets(self.starts.wide()),
                to_octets(self.keywords.wide()),
            )
        )
        stamp = self.stamp
        header = _HEADER.pack(
            len(self.uids),
            stamp.device,
            stamp.inode,
            stamp.size,
            stamp.modified,
            stamp.changed,
        )
        return _START.pack(_MAGIC, zlib.crc32(header + body)) + header + body

    def save(self, directory: str, disk: Disk) -> None:
        """Put it beside the ledger."""
        disk.replace_file(os.path.join(directory, FILE), self.pack())

    @classmethod
    def load(cls, directory: str) -> "Layout":
        """What was saved; an empty one if that is nothing, or damaged."""
        path = os.path.join(directory, FILE)
        try:
            with open(open_to_read(path), "rb") as file:
                octets = file.read(_OCTETS_MAX)
        except OSError:
            return cls()
        if not _is_whole(octets):
            _log.warn("{path} is damaged; it is made again", path=path)
        return cls.unpack(octets)

    @classmethod
    def unpack(cls, octets: bytes) -> "Layout":
        """From the octets of the file; empty if they are damaged."""
        layout = cls()
        if not _is_whole(octets):
            return layout
        count, *stamp = _HEADER.unpack_from(octets, _START.size)
        body = octets[_START.size + _HEADER.size :]
        layout.stamp = Stamp(*stamp)
        layout.moved()
        ends = itertools.accumulate((4, 1, 4, 8, 4), initial=0)
        uids, status, lengths, starts, keywords = (
            body[begin * count : end * count] for begin, end in itertools.pairwise(ends)
        )
        layout.uids = from_octets(U32, uids)
        layout.status = bytearray(status)
        layout.lengths = Column(U32, from_octets(U32, lengths))
        layout.starts = Column(U64, from_octets(U64, starts))
        layout.keywords = Column(U32, from_octets(U32, keywords))
        return layout


def _is_whole(octets: bytes) -> bool:
    """Whether the octets of a file can be believed."""
    least = _START.size + _HEADER.size
    if len(octets) < least:
        return False
    magic, checksum = _START.unpack_from(octets)
    if magic != _MAGIC or zlib.crc32(octets[_START.size :]) != checksum:
        return False
    count, *_ = _HEADER.unpack_from(octets, _START.size)
    return len(octets) - least == int(count) * _ENTRY
