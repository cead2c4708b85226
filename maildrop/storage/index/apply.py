"""Changes of the log carried out on the table: the one way that the table changes.

What this process writes and what it reads from others goes through the same code.

In this file:
    apply     carry out the changes of one record
    replay    carry out those of many, before anybody looks at the table

Security: the log may have been written by anyone who may write the mailbox.  Lengths,
order and names are checked; what does not fit raises ``Damaged``.
"""

import itertools
import operator
import struct
from array import array
from collections.abc import Callable, Sequence
from typing import Final

from maildrop.mailbox.column import Column
from maildrop.mailbox.flags import ALL_SYSTEM, KEYWORDS_MAX
from maildrop.storage.index.batch import Kind, changes, mod_seq_of
from maildrop.storage.index.columns import I64, U32, U64, from_octets
from maildrop.storage.index.damage import Damaged
from maildrop.storage.index.keyword_names import mended
from maildrop.storage.index.table import IndexTable

_COUNT: Final = struct.Struct("<I")
_U64: Final = struct.Struct("<Q")
#: Longest name, in octets: what a directory entry may have.
_NAME_MAX: Final = 255


def apply(table: IndexTable, payload: bytes, by: object | None = None) -> None:
    """Carry out a record.

    Args:
        table: What changes.
        payload: The record (``batch`` has the format).
        by: The view that asked for it, when it is this process's own.

    Raises:
        Damaged: The record makes no sense.
    """
    mod_seq = mod_seq_of(payload)
    for kind, body in changes(payload):
        _carry_out(table, kind, body, mod_seq, by)
    table.highest_mod_seq = max(table.highest_mod_seq, mod_seq)


def replay(table: IndexTable, payloads: Sequence[bytes]) -> None:
    """Carry out records on a table that has no views.

    Messages are removed all together at the end: one by one each would cost a pass over
    the columns.

    Raises:
        Damaged: A record makes no sense.
    """
    gone: set[int] = set()
    for payload in payloads:
        mod_seq = mod_seq_of(payload)
        for kind, body in changes(payload):
            if kind == Kind.EXPUNGE:
                uids = [
                    u for u in _uids(body) if u not in gone and table.row(u) is not None
                ]
                gone.update(uids)
                table.remember_expunged(uids, mod_seq)
            else:
                _carry_out(table, kind, body, mod_seq, None)
        table.highest_mod_seq = max(table.highest_mod_seq, mod_seq)
    if gone:
        table.remove_rows(table.rows(sorted(gone)), table.highest_mod_seq, None)
        # It remembered them once more.
        del table.expunged_uids[-len(gone) :]
        del table.expunged_mod_seqs[-len(gone) :]


def _carry_out(
    table: IndexTable, kind: int, body: bytes, mod_seq: int, by: object | None
) -> None:
    handler = _HANDLERS.get(kind)
    if handler is None:
        return
    try:
        handler(table, body, mod_seq, by)
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        raise Damaged(f"log record: {error}") from error


def _uids(body: bytes) -> "array[int]":
    if len(body) % 4:
        raise Damaged("a column is too short")
    uids = from_octets(U32, body)
    _check_ascending(uids)
    return uids


class _Body:
    """Takes columns off the front of a body."""

    __slots__ = ("at", "count", "octets")

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.count: int = _COUNT.unpack_from(octets)[0]
        self.at = 4

    def column(self, code: str, width: int) -> "array[int]":
        end = self.at + width * self.count
        column = from_octets(code, self.octets[self.at : end])
        if len(column) != self.count:
            raise Damaged("a column is too short")
        self.at = end
        return column

    def single_octets(self) -> bytes:
        end = self.at + self.count
        octets = self.octets[self.at : end]
        if len(octets) != self.count:
            raise Damaged("a column is too short")
        self.at = end
        return octets

    def texts(self) -> list[bytes]:
        texts = _texts(self.octets, self.at)
        if len(texts) != self.count:
            raise Damaged("names and messages differ in number")
        return texts


def _texts(octets: bytes, at: int) -> list[bytes]:
    texts = octets[at:].split(b"\0")
    if texts.pop():
        raise Damaged("a name without an end")
    return texts


def _check_names(octets: bytes, names: Sequence[bytes]) -> None:
    if b"/" in octets or not all(names) or max(map(len, names), default=0) > _NAME_MAX:
        raise Damaged("a name that no message may have")


def _check_ascending(uids: Sequence[int]) -> None:
    if not all(map(operator.lt, uids, itertools.islice(uids, 1, None))):
        raise Damaged("UIDs out of order")


def _append(table: IndexTable, body: bytes, mod_seq: int, by: object | None) -> None:
    del by  # growth needs no entry in the journal
    columns = _Body(body)
    uids = columns.column(U32, 4)
    sizes = columns.column(U32, 4)
    keywords = columns.column(U32, 4)
    saved = columns.column(U32, 4)
    dates = columns.column(I64, 8)
    object_ids = columns.column(U64, 8)
    cache = columns.column(U64, 8)
    flags = columns.single_octets()
    at = columns.at
    names = columns.texts()
    if not uids:
        return
    _check_names(body[at:], names)
    _check_ascending(uids)
    if uids[0] < max(table.uid_next, 1):
        raise Damaged("a UID given twice")
    table.names.extend(names)
    table.cache.extend(cache)
    table.checked.extend(bytes(len(cache)))
    table.saved.extend(saved)
    table.object_ids.extend(object_ids)
    table.sizes.extend(sizes)
    table.grew(sum(sizes))
    table.dates.extend(dates)
    table.mod_seqs.extend(array(U64, [mod_seq]) * len(uids))
    table.extend_flags(flags)
    table.keywords.extend(keywords)
    table.uids.extend(uids)
    table.uid_next = uids[-1] + 1


def _flags(table: IndexTable, body: bytes, mod_seq: int, by: object | None) -> None:
    columns = _Body(body)
    uids = columns.column(U32, 4)
    keywords = columns.column(U32, 4)
    flags = columns.single_octets()
    rows = table.rows(uids)
    if isinstance(rows, range):
        table.put_flags_of(rows.start, flags)
        table.keywords.put(rows.start, keywords)
        table.mod_seqs.put(rows.start, array(U64, [mod_seq]) * len(rows))
    else:
        for uid, bits, words in zip(uids, flags, keywords, strict=True):
            row = table.row(uid)
            if row is not None:
                table.set_row(row, bits, words, mod_seq)
    if rows:
        table.record(uids, mod_seq, by)


def _expunge(table: IndexTable, body: bytes, mod_seq: int, by: object | None) -> None:
    rows = table.rows(_uids(body))
    if rows:
        table.remove_rows(rows, mod_seq, by)


def _keywords(table: IndexTable, body: bytes, mod_seq: int, by: object | None) -> None:
    del mod_seq, by
    first: int = _COUNT.unpack_from(body)[0]
    names = [name.decode() for name in _texts(body, 4)]
    if first > len(table.keyword_names) or first + len(names) > KEYWORDS_MAX:
        raise Damaged("a keyword without a bit")
    table.keyword_names[first : first + len(names)] = names
    table.keyword_names[:] = mended(table.keyword_names)


def _first_recent(
    table: IndexTable, body: bytes, mod_seq: int, by: object | None
) -> None:
    del mod_seq, by
    table.first_recent = max(table.first_recent, _COUNT.unpack(body)[0])


def _names(table: IndexTable, body: bytes, mod_seq: int, by: object | None) -> None:
    del mod_seq, by
    columns = _Body(body)
    uids = columns.column(U32, 4)
    at = columns.at
    names = columns.texts()
    _check_names(body[at:], names)
    for uid, name in zip(uids, names, strict=True):
        row = table.row(uid)
        if row is not None:
            table.names.replace(row, name)


def _sizes(table: IndexTable, body: bytes, mod_seq: int, by: object | None) -> None:
    del mod_seq, by
    columns = _Body(body)
    uids = columns.column(U32, 4)
    rows, sizes = [], []
    for uid, size in zip(uids, columns.column(U32, 4), strict=True):
        row = table.row(uid)
        if row is not None:
            rows.append(row)
            sizes.append(size)
    table.resize(rows, sizes)


def _source(table: IndexTable, body: bytes, mod_seq: int, by: object | None) -> None:
    del mod_seq, by
    table.source = body


def _cache_file(
    table: IndexTable, body: bytes, mod_seq: int, by: object | None
) -> None:
    del mod_seq, by
    table.cache_id = _U64.unpack_from(body)[0]
    table.cache_keys = _texts(body, 8)
    table.cache = Column.zeros(U64, len(table))
    table.checked = bytearray(len(table))


def _cache_keys(
    table: IndexTable, body: bytes, mod_seq: int, by: object | None
) -> None:
    del mod_seq, by
    table.cache_keys.extend(_texts(body, 0))


def _cache(table: IndexTable, body: bytes, mod_seq: int, by: object | None) -> None:
    del mod_seq, by
    columns = _Body(body)
    uids = columns.column(U32, 4)
    offsets = columns.column(U64, 8)
    rows = table.rows(uids)
    if isinstance(rows, range):
        table.cache.put(rows.start, offsets)
        table.checked[rows.start : rows.stop] = bytes(len(rows))
        return
    for uid, offset in zip(uids, offsets, strict=True):
        row = table.row(uid)
        if row is not None:
            table.cache[row] = offset
            table.checked[row] = 0


def _note(table: IndexTable, body: bytes, mod_seq: int, by: object | None) -> None:
    del mod_seq, by
    name, _, value = body.partition(b"\0")
    if value:
        table.notes[name] = value
    else:
        table.notes.pop(name, None)


def _uidls(table: IndexTable, body: bytes, mod_seq: int, by: object | None) -> None:
    del mod_seq, by
    columns = _Body(body)
    uids = columns.column(U32, 4)
    table.uidls.update(zip(uids, columns.texts(), strict=True))


def _uid_next(table: IndexTable, body: bytes, mod_seq: int, by: object | None) -> None:
    del mod_seq, by
    table.uid_next = max(table.uid_next, _COUNT.unpack(body)[0])


def _boot(table: IndexTable, body: bytes, mod_seq: int, by: object | None) -> None:
    del mod_seq, by
    table.boot = body


def _marks(table: IndexTable, body: bytes, mod_seq: int, by: object | None) -> None:
    del mod_seq, by
    columns = _Body(body)
    uids = columns.column(U32, 4)
    for uid, mark in zip(uids, columns.single_octets(), strict=True):
        row = table.row(uid)
        if row is not None:
            system = table.flags[row] & ALL_SYSTEM
            table.put_flags(row, system | (mark & ~ALL_SYSTEM))


_HANDLERS: Final[dict[int, Callable[[IndexTable, bytes, int, object | None], None]]] = {
    Kind.APPEND: _append,
    Kind.FLAGS: _flags,
    Kind.EXPUNGE: _expunge,
    Kind.KEYWORDS: _keywords,
    Kind.FIRST_RECENT: _first_recent,
    Kind.NAMES: _names,
    Kind.SIZES: _sizes,
    Kind.SOURCE: _source,
    Kind.CACHE_FILE: _cache_file,
    Kind.CACHE_KEYS: _cache_keys,
    Kind.CACHE: _cache,
    Kind.NOTE: _note,
    Kind.UIDLS: _uidls,
    Kind.UID_NEXT: _uid_next,
    Kind.BOOT: _boot,
    Kind.MARKS: _marks,
}
