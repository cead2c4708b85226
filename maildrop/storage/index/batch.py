r"""What one record of the log says: any number of changes that happen together.

In this file:
    Kind      the kinds of change
    Batch     collects changes and writes them as octets
    changes   reads them back

Format of a payload (numbers little-endian):

    payload   = mod-seq(u64) *change
    change    = kind(u8) 3 zero octets, length(u32), body

    APPEND          n(u32) uid(u32)*n size(u32)*n keywords(u32)*n saved(u32)*n
                    date(i64)*n object-id(u64)*n cache(u64)*n flags(u8)*n *(name NUL)
    FLAGS           n(u32) uid(u32)*n keywords(u32)*n flags(u8)*n
    EXPUNGE         uid(u32)*n, ascending
    KEYWORDS        number of the first(u32) *(name NUL)
    FIRST_RECENT    uid(u32)
    NAMES           n(u32) uid(u32)*n *(name NUL)
    SIZES           n(u32) uid(u32)*n size(u32)*n
    SOURCE          octets of the storage format
    CACHE_FILE      id(u64) *(key NUL)      ; every offset is 0 from here on
    CACHE_KEYS      *(key NUL)              ; further keys
    CACHE           n(u32) uid(u32)*n offset(u64)*n
    NOTE            name NUL value          ; no value: forget it
    UIDLS           n(u32) uid(u32)*n *(text NUL)
    UID_NEXT        uid(u32)                ; at least
    BOOT            octets(16)              ; the machine's start
    MARKS           n(u32) uid(u32)*n mark(u8)*n

A kind that is not known is passed over, so that a later version may add some.
"""

import enum
import struct
from array import array
from collections.abc import Iterator, Sequence
from typing import Final

from maildrop.storage.index.columns import I64, U32, U64, to_octets, zeros
from maildrop.storage.index.damage import Damaged

_CHANGE: Final = struct.Struct("<B3xI")
_MOD_SEQ: Final = struct.Struct("<Q")
_COUNT: Final = struct.Struct("<I")


class Kind(enum.IntEnum):
    """What a change does; the value is its first octet."""

    APPEND = 1
    FLAGS = 2
    EXPUNGE = 3
    KEYWORDS = 4
    FIRST_RECENT = 5
    NAMES = 6
    SIZES = 7
    SOURCE = 8
    CACHE_FILE = 9
    CACHE_KEYS = 10
    CACHE = 11
    NOTE = 12
    UIDLS = 13
    UID_NEXT = 14
    BOOT = 15
    MARKS = 16


def _u32(numbers: Sequence[int]) -> bytes:
    return to_octets(array(U32, numbers))


def _texts(texts: Sequence[bytes]) -> bytes:
    return b"\0".join((*texts, b""))


class NewRows:
    """Messages on their way into the table, as columns.

    Attributes:
        uids, sizes, dates, flags, keywords, names, saved, object_ids, cache: as in
            ``IndexTable``.
    """

    __slots__ = (
        "cache",
        "dates",
        "flags",
        "keywords",
        "names",
        "object_ids",
        "saved",
        "sizes",
        "uids",
    )

    def __init__(self) -> None:
        self.uids = array(U32)
        self.sizes = array(U32)
        self.keywords = array(U32)
        self.saved = array(U32)
        self.dates = array(I64)
        self.object_ids = array(U64)
        self.cache = array(U64)
        self.flags = bytearray()
        self.names: list[bytes] = []

    def body(self) -> bytes:
        """The body of an APPEND."""
        return b"".join(
            (
                _COUNT.pack(len(self.uids)),
                to_octets(self.uids),
                to_octets(self.sizes),
                to_octets(self.keywords),
                to_octets(self.saved),
                to_octets(self.dates),
                to_octets(self.object_ids),
                to_octets(self.cache),
                self.flags,
                _texts(self.names),
            )
        )


class Batch:
    """Changes that become one record: after a crash all of them are there, or none.

    Attributes:
        mod_seq: MODSEQ of every change in it.
        assigns: It gives UIDs, so it has to be on disk before anyone is told.
    """

    __slots__ = ("_parts", "_rows", "assigns", "mod_seq")

    def __init__(self, mod_seq: int) -> None:
        self.mod_seq = mod_seq
        self.assigns = False
        self._parts: list[bytes] = []
        self._rows: NewRows | None = None

    def __bool__(self) -> bool:
        return bool(self._parts) or self._rows is not None

    def _add(self, kind: Kind, body: bytes) -> None:
        self._parts.append(_CHANGE.pack(kind, len(body)))
        self._parts.append(body)

    def append(
        self,
        uid: int,
        size: int,
        date: int,
        flags: int,
        keywords: int,
        name: bytes,
        *,
        saved: int = 0,
        object_id: int = 0,
        cache: int = 0,
    ) -> None:
        """Add a message; ``uid`` is above all others."""
        rows = self._rows
        if rows is None:
            rows = self._rows = NewRows()
            self.assigns = True
        rows.uids.append(uid)
        rows.sizes.append(size)
        rows.dates.append(date)
        rows.flags.append(flags)
        rows.keywords.append(keywords)
        rows.names.append(name)
        rows.saved.append(saved)
        rows.object_ids.append(object_id)
        rows.cache.append(cache)

    def extend(
        self,
        first: int,
        sizes: "array[int]",
        dates: "array[int]",
        flags: bytes | bytearray,
        names: Sequence[bytes],
        saved: int,
    ) -> None:
        """Add messages that have no keywords; ``first`` is the UID of the first."""
        count = len(names)
        if not count:
            return
        rows = self._rows
        if rows is None:
            rows = self._rows = NewRows()
            self.assigns = True
        rows.uids.extend(array(U32, range(first, first + count)))
        rows.sizes.extend(sizes)
        rows.dates.extend(dates)
        rows.flags += flags
        rows.keywords.extend(zeros(U32, count))
        rows.names += names
        rows.saved.extend(array(U32, [saved]) * count)
        rows.object_ids.extend(zeros(U64, count))
        rows.cache.extend(zeros(U64, count))

    def change_flags(
        self, uids: Sequence[int], flags: bytes, keywords: Sequence[int]
    ) -> None:
        """Put new flags and keywords (all of them) to messages; UIDs ascending."""
        self._add(
            Kind.FLAGS, _COUNT.pack(len(uids)) + _u32(uids) + _u32(keywords) + flags
        )

    def expunge(self, uids: Sequence[int]) -> None:
        """Remove messages."""
        # In any other order the record would make no sense to whoever reads it.
        self._add(Kind.EXPUNGE, _u32(sorted(uids)))

    def keyword_names(self, first: int, names: Sequence[str]) -> None:
        """Name keyword bits, from bit ``first`` on."""
        self._add(
            Kind.KEYWORDS, _COUNT.pack(first) + _texts([n.encode() for n in names])
        )

    def first_recent(self, uid: int) -> None:
        r"""Messages below ``uid`` are not ``\Recent`` any more."""
        self._add(Kind.FIRST_RECENT, _COUNT.pack(uid))

    def rename(self, uids: Sequence[int], names: Sequence[bytes]) -> None:
        """Give messages other names in the mail files."""
        self._add(Kind.NAMES, _COUNT.pack(len(uids)) + _u32(uids) + _texts(names))

    def resize(self, uids: Sequence[int], sizes: Sequence[int]) -> None:
        """Put right the sizes of messages."""
        self._add(Kind.SIZES, _COUNT.pack(len(uids)) + _u32(uids) + _u32(sizes))

    def source(self, state: bytes) -> None:
        """The table now agrees with this state of the mail files."""
        self._add(Kind.SOURCE, state)

    def cache_file(self, number: int, keys: Sequence[bytes]) -> None:
        """Start over with another cache file."""
        self._add(Kind.CACHE_FILE, _MOD_SEQ.pack(number) + _texts(keys))

    def cache_keys(self, keys: Sequence[bytes]) -> None:
        """Name further pieces kept in the cache."""
        self._add(Kind.CACHE_KEYS, _texts(keys))

    def cache(self, uids: Sequence[int], offsets: Sequence[int]) -> None:
        """Where the cache records of messages stand; UIDs ascending."""
        octets = to_octets(array(U64, offsets))
        self._add(Kind.CACHE, _COUNT.pack(len(uids)) + _u32(uids) + octets)

    def note(self, name: bytes, value: bytes) -> None:
        """Keep a small fact of the storage format; no value forgets it."""
        self._add(Kind.NOTE, name + b"\0" + value)

    def uidls(self, uids: Sequence[int], texts: Sequence[bytes]) -> None:
        """Fix POP3 unique ids (RFC 1939 section 7)."""
        self._add(Kind.UIDLS, _COUNT.pack(len(uids)) + _u32(uids) + _texts(texts))

    def uid_next(self, uid: int) -> None:
        """UIDs below this one are used up."""
        self._add(Kind.UID_NEXT, _COUNT.pack(uid))
        self.assigns = True

    def mark(self, uids: Sequence[int], marks: bytes) -> None:
        """Put the storage format's own bits of the flags; no client hears of it.

        Args:
            uids: Ascending.
            marks: Bits above ``flags.ALL_SYSTEM`` for each.
        """
        self._add(Kind.MARKS, _COUNT.pack(len(uids)) + _u32(uids) + marks)

    def boot(self, boot: bytes) -> None:
        """The machine was started anew since the last change."""
        self._add(Kind.BOOT, boot)
        self.assigns = True

    def payload(self) -> bytes:
        """The record's octets; what it appends comes first."""
        parts = [_MOD_SEQ.pack(self.mod_seq)]
        if self._rows is not None:
            body = self._rows.body()
            parts += (_CHANGE.pack(Kind.APPEND, len(body)), body)
        return b"".join(parts + self._parts)


def mod_seq_of(payload: bytes) -> int:
    """MODSEQ of a record."""
    if len(payload) < _MOD_SEQ.size:
        raise Damaged("a record without MODSEQ")
    number: int = _MOD_SEQ.unpack_from(payload)[0]
    return number


def changes(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and body of each change of a record.

    Raises:
        Damaged: A length does not fit.
    """
    at = _MOD_SEQ.size
    end = len(payload)
    while at < end:
        if at + _CHANGE.size > end:
            raise Damaged("a record ends inside a change")
        kind, length = _CHANGE.unpack_from(payload, at)
        at += _CHANGE.size
        if at + length > end:
            raise Damaged("a record ends inside a change")
        yield kind, payload[at : at + length]
        at += length
