"""Blocks of the text file: the folded text of some messages, and finding in it.

In this file:
    Entry        the text of one message
    Head         the first octets of a block
    pack         blocks of some messages
    Block        one in memory
    Block.fits   the messages in it that hold some octets
    among        whether a UID is among some

Format (numbers little-endian):

    block     = head uid(u32)*known end(u32)*2*known uid(u32)*absent text
    head      = check(u32) crc(u32) length(u32) bodies(u32) known(u32) absent(u32)
                first(u32) last(u32)
    text      = (header xFF)*known (body xFF)*known

``check`` covers the rest of the head, so that a file can be walked from head to head
without reading it; ``crc`` all behind the head.  ``length`` counts the whole block,
``bodies`` what comes before the bodies, which is all that a look at headers reads.
UIDs ascend, ``first`` and ``last`` are the ends of all of them, known and absent.  The
ends are those of the pieces (header of each known message, then body of each), counted
from the start of the text, behind the octet FF: that stands in no UTF-8, so nothing
that is looked for reaches from one piece into the next.

A message is absent if its text is not here and it has to be read itself: too long, not
to be read when the block was made, or without any text.

Limits: a block above ``BLOCK_MAX`` octets is not believed.
"""

import struct
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Final, NamedTuple

from maildrop.mailbox.stored_text import Where
from maildrop.message.searchable import Searchable
from maildrop.storage.index.columns import U32, from_octets, to_octets
from maildrop.storage.index.finding import Region

HEAD: Final = struct.Struct("<IIIIIIII")
#: Longest block that is believed, in octets.
BLOCK_MAX: Final = 1 << 26
#: Octets of text with which a block is full.
_BLOCK: Final = 1 << 20
_END: Final = b"\xff"


class Entry(NamedTuple):
    """The folded text of one message, UTF-8; both empty for an absent one."""

    uid: int
    header: bytes
    body: bytes

    @classmethod
    def of(cls, uid: int, octets: bytes | None, longest: int) -> "Entry":
        """What is kept of a message.

        Args:
            uid: Its UID.
            octets: The message; None if it could not be read.
            longest: Octets of text above which it is absent.
        """
        if octets is None:
            return cls(uid, b"", b"")
        message = Searchable(octets)
        header = message.headers().encode("utf-8", "surrogatepass")
        body = message.body().encode("utf-8", "surrogatepass")
        if message.cut or len(header) + len(body) > longest:
            return cls(uid, b"", b"")
        return cls(uid, header, body)

    @property
    def known(self) -> bool:
        """Whether it is not absent."""
        return bool(self.header or self.body)


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a block; see the module."""

    crc: int
    length: int
    bodies: int
    known: int
    absent: int
    first: int
    last: int

    @classmethod
    def of(cls, octets: bytes) -> "Head | None":
        """The head in some octets; None when they cannot be believed."""
        if len(octets) < HEAD.size:
            return None
        check, *fields = HEAD.unpack_from(octets)
        head = cls(*fields)
        if zlib.crc32(octets[4 : HEAD.size]) != check:
            return None
        in_order = head.text <= head.bodies <= head.length <= BLOCK_MAX
        if not in_order or head.first > head.last:
            return None
        return head if head.known + head.absent else None

    @property
    def text(self) -> int:
        """Where the text begins, counted from the block's start."""
        return HEAD.size + 4 * (3 * self.known + self.absent)


def pack(entries: Sequence[Entry]) -> bytes:
    """Blocks of some messages, UIDs ascending."""
    blocks = []
    start = octets = 0
    for number, entry in enumerate(entries):
        octets += len(entry.header) + len(entry.body)
        if octets >= _BLOCK:
            blocks.append(_block(entries[start : number + 1]))
            start, octets = number + 1, 0
    if start < len(entries):
        blocks.append(_block(entries[start:]))
    return b"".join(blocks)


def _block(entries: Sequence[Entry]) -> bytes:
    known = [entry for entry in entries if entry.known]
    absent = [entry.uid for entry in entries if not entry.known]
    ends = array(U32)
    at = 0
    pieces = [entry.header for entry in known]
    pieces += [entry.body for entry in known]
    for piece in pieces:
        at += len(piece) + len(_END)
        ends.append(at)
    pieces.append(b"")  # so that the last one gets its end too
    uids = array(U32, [entry.uid for entry in known])
    rest = b"".join(
        (
            to_octets(uids),
            to_octets(ends),
            to_octets(array(U32, absent)),
            _END.join(pieces),
        )
    )
    before = HEAD.size + 4 * (3 * len(known) + len(absent))
    fields = struct.pack(
        "<IIIIIII",
        zlib.crc32(rest),
        HEAD.size + len(rest),
        before + (ends[len(known) - 1] if known else 0),
        len(known),
        len(absent),
        entries[0].uid,
        entries[-1].uid,
    )
    return struct.pack("<I", zlib.crc32(fields)) + fields + rest


class Block:
    """A block in memory.

    Args:
        head: Its head.
        region: Memory that begins with the block: whole, or up to its bodies.
    """

    __slots__ = ("_ends", "_region", "_text", "absent", "head", "uids")

    def __init__(self, head: Head, region: Region) -> None:
        self.head = head
        self._region = region
        known = head.known
        at = HEAD.size + 4 * known
        view = region.view
        self.uids = from_octets(U32, view[HEAD.size : at])
        self._ends = from_octets(U32, view[at : at + 8 * known])
        self.absent = from_octets(U32, view[at + 8 * known : head.text])
        self._text = head.text

    @staticmethod
    def sound(head: Head, region: Region) -> bool:
        """Whether the memory holds what was written."""
        return zlib.crc32(region.view[HEAD.size : head.length]) == head.crc

    def fits(self, octets: bytes, where: Where) -> "array[int]":
        """UIDs of the known messages that hold ``octets``, ascending."""
        ends, known = self._ends, self.head.known
        fits = bytearray(known)
        if not known:
            return self.uids
        find, text = self._region.find, self._text
        start = self.head.bodies if where is Where.BODY else text
        end = self.head.bodies if where is Where.HEADER else self.head.length
        at = find(octets, start, end)
        while at >= 0:
            piece = bisect_right(ends, at - text)
            if piece >= 2 * known:
                break  # not as it was written
            fits[piece % known] = 1
            at = find(octets, max(text + ends[piece], at + 1), end)
        return array(U32, compress(self.uids, fits))

    def entries(self, alive: Sequence[int] | None) -> list[Entry]:
        """What the block has of some messages (UIDs ascending); None for all."""
        octets = bytes(self._region.view[self._text : self.head.length])
        ends, known = self._ends, self.head.known
        starts = array(U32, [0]) + ends[:-1]
        found = [
            Entry(
                uid,
                octets[starts[n] : ends[n] - len(_END)],
                octets[starts[known + n] : ends[known + n] - len(_END)],
            )
            for n, uid in enumerate(self.uids)
            if alive is None or among(alive, uid)
        ]
        found += [
            Entry(uid, b"", b"")
            for uid in self.absent
            if alive is None or among(alive, uid)
        ]
        return sorted(found)


def among(uids: Sequence[int], uid: int) -> bool:
    """Whether ``uids`` (ascending) hold one."""
    at = bisect_left(uids, uid)
    return at < len(uids) and uids[at] == uid
