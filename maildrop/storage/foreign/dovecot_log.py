r"""``dovecot.index.log``: what happened to a mailbox since its index was written.

In this file:
    LogHeader    the start of the file
    carry_out    the changes of a log, done to an index
    fresh_log    a log for a mailbox without an index, which begins at a MODSEQ

Format (numbers little-endian, of version 1):

    file     = header *change
    header   = major(u8) minor(u8) header-size(u16) indexid(u32) sequence(u32)
               previous-sequence(u32) previous-offset(u32) created(u32) modseq(u64)
               flags(u8; 1 for little-endian) 7 octets
    change   = size(u32) type(u32) body                   ; size of all of it

The size is written in seven bits an octet, the highest bit set in each, the first
octet first, and counts fours: so an octet that was not written yet shows.  Bodies:

    1 | 0xcd90     expunge         *(first(u32) last(u32))
    2              append          *(uid(u32) flags(u8) 3 octets)
    4              flags           *(first last(u32) add remove(u8) bump(u8) 1 octet)
    0x20           header          *(offset size(u16) octets, filled up to fours)
    0x40           extension       id reset-id size(u32) record-size align flags
                                   name-size(u16) name
    0x80           reset           of the extension named last
    0x100          its header      *(offset size(u16) octets, filled up to fours)
    0x200          its records     *(uid(u32) octets, filled up to fours)
    0x400          keyword         how(u8; 0 add, 1 remove) 1 octet, name-size(u16)
                                   name, filled up to fours, *(first(u32) last(u32))
    0x800          no keywords     *(first(u32) last(u32))
    0x2000 | 0xcd90  expunge       *(uid(u32) 16 octets)
    0x8000         modseqs         *(uid(u32) low(u32) high(u32))
    0x10000        its header      as 0x100 with u32
    0x80000        boundary        size(u32) of a transaction

With 0x10000000 in the type it has been done in the mail files already (a change without
it, behind the place that the header names ``log-tail``, may not have been).  An expunge
without it was only asked for.  Append, flags, keywords and expunges that were done
count MODSEQ up by one.

Errors: ``Unreadable``; what is torn at the end is left out, as Dovecot does.

Security: a range of UIDs may be as large as it likes, it only ever touches messages
that are there.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from maildrop.storage.foreign.dovecot_index import (
    DIRTY,
    EXTENSIONS_MAX,
    INDEX_ID,
    LOG_TAIL,
    Extension,
    Index,
    Row,
)
from maildrop.storage.foreign.facts import Unreadable

FILE: Final = "dovecot.index.log"
FILE_BEFORE: Final = "dovecot.index.log.2"
_HEADER: Final = struct.Struct("<BBHIIIIIQB7x")
_LEAST: Final = 24
_WITH_MOD_SEQ: Final = 32
_CHANGE: Final = struct.Struct("<4sI")
_RANGE: Final = struct.Struct("<II")
_APPEND: Final = struct.Struct("<IB3x")
_FLAGS: Final = struct.Struct("<IIBBBx")
_PIECE: Final = struct.Struct("<HH")
_LONG_PIECE: Final = struct.Struct("<II")
_INTRODUCTION: Final = struct.Struct("<IIIHHHH")
_KEYWORD: Final = struct.Struct("<BxH")
_MOD_SEQ: Final = struct.Struct("<III")
_UID: Final = struct.Struct("<I")

_EXPUNGE: Final = 0xCD91
_APPENDED: Final = 0x2
_FLAGGED: Final = 0x4
_BASE_HEADER: Final = 0x20
_INTRODUCED: Final = 0x40
_RESET: Final = 0x80
_EXTENSION_HEADER: Final = 0x100
_RECORDS: Final = 0x200
_KEYWORDS: Final = 0x400
_NO_KEYWORDS: Final = 0x800
_EXPUNGE_GUID: Final = 0xED90
_MOD_SEQS: Final = 0x8000
_LONG_EXTENSION_HEADER: Final = 0x10000
_TYPE: Final = 0x0FFFFFFF
_EXTERNAL: Final = 0x10000000
_SYSTEM: Final = 0x1F
_DATA_MAX: Final = 1 << 24


@dataclass(frozen=True, slots=True)
class LogHeader:
    """The start of a log.

    Attributes:
        size: Where the changes begin.
        index_id: Of the index it belongs to.
        sequence: Its number.
        previous: Of the log before it; 0 for none.
        mod_seq: MODSEQ at its beginning; 0 if none are kept.
    """

    size: int
    index_id: int
    sequence: int
    previous: int
    mod_seq: int

    @classmethod
    def parse(cls, octets: bytes, path: str) -> "LogHeader":
        """Read a header.

        Raises:
            Unreadable: It is none, or of a version that is not known.
        """
        padded = octets[: _HEADER.size].ljust(_HEADER.size, b"\0")
        major, _, size, index_id, sequence, previous, *rest = _HEADER.unpack(padded)
        if major != 1 or not _LEAST <= size <= len(octets) or not index_id:
            raise Unreadable(f"{path} is no log that is known, or marked as damaged")
        mod_seq = rest[2] if size >= _WITH_MOD_SEQ else 0
        return cls(size, index_id, sequence, previous, mod_seq)


def fresh_log(index_id: int, created: int, mod_seq: int) -> bytes:
    """A log without changes, for a mailbox whose index is to be made anew.

    Args:
        index_id: Any number that no index of the mailbox has had.
        created: Seconds since 1970 UTC.
        mod_seq: Every MODSEQ that Dovecot gives will be above it.
    """
    return _HEADER.pack(1, 3, _HEADER.size, index_id, 1, 0, 0, created, mod_seq, 1)


def carry_out(index: Index, octets: bytes, start: int, path: str) -> None:
    """Do to an index what its log says.

    Args:
        index: Becomes what it was when the log ended.
        octets: The log.
        start: Where to begin.
        path: Its name, for errors.

    Raises:
        Unreadable: It is damaged, or belongs to another index.
    """
    header = LogHeader.parse(octets, path)
    if header.index_id != index.number(INDEX_ID):
        raise Unreadable(f"{path} belongs to another index")
    counted = index.highest_mod_seq
    changes = _Changes(index, counted or header.mod_seq)
    try:
        for at, kind, body in _split(octets, header.size):
            if at >= start:
                changes.carry_out(at, kind, body)
            elif not counted:
                changes.pass_over(kind, body)
    except (struct.error, Unreadable) as error:
        raise Unreadable(f"{path}: {error}") from error
    changes.finish()


def _split(octets: bytes, at: int) -> Iterator[tuple[int, int, bytes]]:
    """Offset, type and body of each change."""
    while at + _CHANGE.size <= len(octets):
        coded, kind = _CHANGE.unpack_from(octets, at)
        size = _decoded(coded)
        if size < _CHANGE.size or at + size > len(octets):
            return
        yield at, kind, octets[at + _CHANGE.size : at + size]
        at += size


def _decoded(coded: bytes) -> int:
    size = 0
    for octet in coded:
        if octet < 128:
            return 0
        size = size << 7 | octet & 127
    return size << 2


class _Changes:
    """Carries out changes one by one."""

    def __init__(self, index: Index, mod_seq: int) -> None:
        self._index = index
        self._mod_seq = mod_seq
        self._extension: Extension | None = None
        self._asked: list[tuple[int, bool, list[int]]] = []
        self._handlers: dict[int, Callable[[bytes], list[int]]] = {
            _APPENDED: self._append,
            _FLAGGED: self._flags,
            _BASE_HEADER: self._base_header,
            _INTRODUCED: self._introduce,
            _RESET: self._reset,
            _EXTENSION_HEADER: self._extension_header,
            _LONG_EXTENSION_HEADER: self._long_extension_header,
            _RECORDS: self._records,
            _KEYWORDS: self._keywords,
            _NO_KEYWORDS: self._no_keywords,
            _MOD_SEQS: self._mod_seqs,
        }

    def carry_out(self, at: int, kind: int, body: bytes) -> None:
        """One change, and what it does to MODSEQs."""
        done, kind = bool(kind & _EXTERNAL), kind & _TYPE
        if kind in {_EXPUNGE, _EXPUNGE_GUID}:
            uids = self._named(kind, body)
            if done:
                self._expunge(uids)
                self._count()
            else:
                self._asked.append((at, True, uids))
            return
        handler = self._handlers.get(kind)
        if handler is None:
            return
        touched = handler(body)
        if _counts(kind, body):
            self._count(touched)
        if not done and kind in {_FLAGGED, _KEYWORDS, _NO_KEYWORDS}:
            self._asked.append((at, False, touched))

    def pass_over(self, kind: int, body: bytes) -> None:
        """A change that is in the index already; its MODSEQ is not."""
        done, kind = bool(kind & _EXTERNAL), kind & _TYPE
        if kind == _MOD_SEQS:
            self._mod_seqs(body)
        elif kind in {_EXPUNGE, _EXPUNGE_GUID}:
            if done:
                self._count()
        elif _counts(kind, body):
            self._count()

    def _count(self, touched: list[int] | None = None) -> None:
        if self._mod_seq:
            self._mod_seq += 1
            for uid in touched or ():
                self._index.rows[uid].mod_seq = self._mod_seq

    def finish(self) -> None:
        """What was asked for behind the end of what was done."""
        index = self._index
        tail = index.number(LOG_TAIL)
        for at, expunge, uids in self._asked:
            if at >= tail:
                (index.to_expunge if expunge else index.pending).update(uids)
        dirty = {uid for uid, row in index.rows.items() if row.flags & DIRTY}
        index.pending = (index.pending | dirty).intersection(index.rows)
        index.to_expunge.intersection_update(index.rows)
        for extension in index.extensions:
            if extension.name == b"modseq" and len(extension.data) >= 8:
                extension.data[:8] = max(self._mod_seq, index.highest_mod_seq).to_bytes(
                    8, "little"
                )
                return
        if self._mod_seq:
            data = bytearray(self._mod_seq.to_bytes(8, "little") + bytes(8))
            index.extensions.append(Extension(b"modseq", 8, data))

    # -- messages

    def _append(self, body: bytes) -> list[int]:
        index = self._index
        uids = []
        for uid, flags in _APPEND.iter_unpack(body[: len(body) // 8 * 8]):
            if index.uids and uid <= index.uids[-1]:
                if uid in index.rows:
                    continue
                raise Unreadable(f"UID {uid} was added behind UID {index.uids[-1]}")
            index.rows[uid] = Row(flags)
            index.uids.append(uid)
            uids.append(uid)
        return uids

    def _named(self, kind: int, body: bytes) -> list[int]:
        if kind == _EXPUNGE_GUID:
            given = [_UID.unpack_from(body, at)[0] for at in range(0, len(body), 20)]
            return [uid for uid in given if uid in self._index.rows]
        return [uid for low, high in _ranges(body) for uid in self._span(low, high)]

    def _span(self, low: int, high: int) -> list[int]:
        return self._index.span(low, high)

    def _expunge(self, uids: list[int]) -> None:
        index = self._index
        for uid in uids:
            index.rows.pop(uid, None)
        gone = set(uids)
        index.uids = [uid for uid in index.uids if uid not in gone]

    def _flags(self, body: bytes) -> list[int]:
        touched = []
        whole = len(body) // _FLAGS.size * _FLAGS.size
        for low, high, add, remove, _ in _FLAGS.iter_unpack(body[:whole]):
            for uid in self._span(low, high):
                row = self._index.rows[uid]
                row.flags = row.flags & ~remove | add
                touched.append(uid)
        return touched

    def _keywords(self, body: bytes) -> list[int]:
        how, size = _KEYWORD.unpack_from(body)
        name = body[_KEYWORD.size : _KEYWORD.size + size]
        if how > 1 or len(name) < size or not name:
            raise Unreadable("a change of a keyword makes no sense")
        if all(one.name != b"keywords" for one in self._index.extensions):
            # It takes the next number, though nothing introduces it.
            self._index.extensions.append(Extension(b"keywords"))
        bit = self._index.keyword(name)
        touched = []
        for low, high in _ranges(body[_filled(_KEYWORD.size + size) :]):
            for uid in self._span(low, high):
                row = self._index.rows[uid]
                row.keywords = row.keywords & ~bit if how else row.keywords | bit
                touched.append(uid)
        return touched

    def _no_keywords(self, body: bytes) -> list[int]:
        touched = [uid for low, high in _ranges(body) for uid in self._span(low, high)]
        for uid in touched:
            self._index.rows[uid].keywords = 0
        return touched

    def _mod_seqs(self, body: bytes) -> list[int]:
        whole = len(body) // _MOD_SEQ.size * _MOD_SEQ.size
        for uid, low, high in _MOD_SEQ.iter_unpack(body[:whole]):
            mod_seq = high << 32 | low
            row = self._index.rows.get(uid)
            if row is not None:
                row.mod_seq = max(row.mod_seq, mod_seq)
            self._mod_seq = max(self._mod_seq, mod_seq)
        return []

    # -- headers, extensions

    def _base_header(self, body: bytes) -> list[int]:
        for offset, octets in _pieces(body, _PIECE):
            end = min(offset + len(octets), len(self._index.header))
            if offset < end:
                self._index.header[offset:end] = octets[: end - offset]
        return []

    def _introduce(self, body: bytes) -> list[int]:
        number, _, size, record_size, _, _, name_size = _INTRODUCTION.unpack_from(body)
        name = body[_INTRODUCTION.size : _INTRODUCTION.size + name_size]
        known = self._index.extensions
        if name:
            by_name = [one for one in known if one.name == name]
            if not by_name and len(known) >= EXTENSIONS_MAX:
                raise Unreadable("more extensions than anybody has")
            extension = by_name[0] if by_name else Extension(name)
            if not by_name:
                known.append(extension)
        elif number < len(known):
            extension = known[number]
        else:
            raise Unreadable(f"extension {number} was never named")
        extension.record_size = record_size
        if len(extension.data) < size <= _DATA_MAX:
            extension.data.extend(bytes(size - len(extension.data)))
        self._extension = extension
        if name == b"modseq" and not self._mod_seq:
            self._mod_seq = 1
        return []

    def _reset(self, body: bytes) -> list[int]:
        extension = self._extension
        if extension is not None and len(body) >= 5 and not body[4]:
            extension.data[:] = bytes(len(extension.data))
            for row in self._index.rows.values():
                self._index.take(row, extension, bytes(extension.record_size))
        return []

    def _extension_header(self, body: bytes) -> list[int]:
        return self._put(body, _PIECE)

    def _long_extension_header(self, body: bytes) -> list[int]:
        return self._put(body, _LONG_PIECE)

    def _put(self, body: bytes, form: struct.Struct) -> list[int]:
        if self._extension is None:
            raise Unreadable("a header of no extension")
        data = self._extension.data
        for offset, octets in _pieces(body, form):
            if offset + len(octets) <= len(data):
                data[offset : offset + len(octets)] = octets
        return []

    def _records(self, body: bytes) -> list[int]:
        extension = self._extension
        if extension is None:
            raise Unreadable("a record of no extension")
        width = extension.record_size
        step = _filled(_UID.size + width)
        for at in range(0, len(body) - _UID.size - width + 1, step):
            row = self._index.rows.get(_UID.unpack_from(body, at)[0])
            if row is not None:
                start = at + _UID.size
                self._index.take(row, extension, body[start : start + width])
        return []


def _counts(kind: int, body: bytes) -> bool:
    """Whether a change is one that clients see."""
    if kind != _FLAGGED:
        return kind in {_APPENDED, _KEYWORDS, _NO_KEYWORDS}
    whole = len(body) // _FLAGS.size * _FLAGS.size
    return any(
        (add | remove) & _SYSTEM or bump
        for _, _, add, remove, bump in _FLAGS.iter_unpack(body[:whole])
    )


def _ranges(body: bytes) -> Iterator[tuple[int, int]]:
    yield from _RANGE.iter_unpack(body[: len(body) // _RANGE.size * _RANGE.size])


def _pieces(body: bytes, form: struct.Struct) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + form.size <= len(body):
        offset, size = form.unpack_from(body, at)
        start = at + form.size
        if start + size > len(body):
            raise Unreadable("a part of a header is too long")
        yield offset, body[start : start + size]
        at = _filled(start + size)


def _filled(size: int) -> int:
    return (size + 3) & ~3
