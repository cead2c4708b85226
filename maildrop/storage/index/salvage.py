"""A snapshot with a damaged section: what can still be known of it.

Each section has its own checksum, and most of what they hold can be found again.  What
cannot are the UIDs themselves: without the section ``uid``, or without any word of
which message a UID belongs to, the mailbox has to be numbered anew.

    lost                  what stands for it
    cache                 nothing: it is filled again
    saved                 the internal date
    object_id             what follows from the name
    mod_seq               one that nobody was told: every message counts as changed
    expunged, its MODSEQ  nothing: QRESYNC clients compare all UIDs once
    size, date, flags,    what the mail files say, where the storage format can tell
    keywords              (``Derive``)
    name                  the names stand in the blob in the order of the messages
    names                 those of them that are a mail file's name: a bit turned over
                          makes a name that no file has.  The others are new messages.

In this file:
    salvage         the table, with ``lost`` saying which columns are not to be believed
    keep_rows       takes rows out of a table, or changes their order
    Derive          puts something into those that only the mail files know
    FROM_FILES      they

Errors: ``Damaged`` when UIDs cannot be known.
"""

import os
import zlib
from array import array
from collections.abc import Callable, Sequence
from typing import Final

from maildrop.mailbox.column import Column
from maildrop.storage.index.columns import U32, U64
from maildrop.storage.index.damage import Damaged
from maildrop.storage.index.names import Names
from maildrop.storage.index.snapshot import Position, Reader, table_of
from maildrop.storage.index.table import IndexTable

#: Fills the columns of a table that are in its ``lost`` and in ``FROM_FILES``; takes
#: out the rows that belong to no mail file if names are lost.
Derive = Callable[[IndexTable], None]

FROM_FILES: Final = frozenset({"size", "date", "flags", "keywords", "name", "names"})
#: Stands for a name that none is; no file is called so.
_NO_NAME: Final = b"?"
_NAME_MAX: Final = 255


class _Lenient(Reader):
    """Takes zeros for sections that fail their checksum."""

    def __init__(self, fd: int, messages_max: int) -> None:
        super().__init__(fd, messages_max)
        self.lost: set[str] = set()

    def octets(self, name: str) -> bytes:
        at, length, crc = self.place(name)
        octets = os.pread(self.fd, length, at)
        if len(octets) == length and zlib.crc32(octets) == crc:
            return octets
        self.lost.add(name)
        return bytes(length)

    def column(self, name: str, code: str) -> "array[int]":
        try:
            return super().column(name, code)
        except Damaged:
            none: array[int] = array(code, [0]) * self.messages
            if self.place(name)[1] != len(none) * none.itemsize:
                raise
            self.lost.add(name)
            return none


def salvage(fd: int, messages_max: int) -> tuple[IndexTable, Position]:
    """What a damaged snapshot still tells.

    Args:
        fd: The file; it stays open.
        messages_max: Most messages that are believed.

    Raises:
        Damaged: UIDs cannot be known.
    """
    try:
        reader = _Lenient(fd, messages_max)
        table = table_of(reader, int(reader.fields["uid_validity"]))
        fields = reader.fields
        position = Position(int(fields["generation"]), int(fields["offset"]))
        lost = frozenset(reader.lost)
        if "uid" in lost or not lost:
            raise Damaged("UIDs are lost")
        names = _names(reader, lost)
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise Damaged(f"snapshot makes no sense: {error}") from error
    table.names = Names()
    table.names.extend(names)
    table.lost = lost
    _fill(table)
    return table, position


def _names(reader: _Lenient, lost: frozenset[str]) -> list[bytes]:
    """The names, as far as they are some."""
    at, length, _ = reader.place("names")
    blob = os.pread(reader.fd, length, at)
    if "name" in lost:
        names = blob.split(b"\0")[:-1]
        if "names" in lost or len(names) != reader.messages:
            raise Damaged("nobody knows which message a UID belongs to")
    else:
        starts = reader.column("name", U32)
        ends = [*starts[1:], length]
        names = [blob[start : end - 1] for start, end in zip(starts, ends, strict=True)]
    return [
        name if 0 < len(name) <= _NAME_MAX and not {0, 47} & {*name} else _NO_NAME
        for name in names
    ]


def _fill(table: IndexTable) -> None:
    """Put something into the columns that need no look at the mail files."""
    lost = table.lost
    if "cache" in lost:
        table.cache_id = 0
        table.cache = Column.zeros(U64, len(table))
    if "mod_seq" in lost:
        table.highest_mod_seq += 1
        table.mod_seqs = Column(U64, array(U64, [table.highest_mod_seq]) * len(table))
    if lost & {"expunged", "expunged_mod_seq"}:
        table.expunged_uids = array(U32)
        table.expunged_mod_seqs = array(U64)
        table.forgotten_mod_seq = table.highest_mod_seq
    if "saved" in lost:
        table.saved = Column(U32, (min(max(d, 0), 0xFFFFFFFF) for d in table.dates))


def keep_rows(table: IndexTable, rows: Sequence[int]) -> None:
    """Make a table of nobody's sessions one of these rows, in this order."""
    names = table.names.all()
    table.names.close()
    table.names = Names()
    table.names.extend([names[row] for row in rows])
    table.uids = array(U32, map(table.uids.__getitem__, rows))
    for attribute in (
        "sizes",
        "dates",
        "mod_seqs",
        "keywords",
        "cache",
        "saved",
        "object_ids",
    ):
        column: Column = getattr(table, attribute)
        setattr(table, attribute, column.of(rows))
    table.flags = bytearray(table.flags[row] for row in rows)
    table.checked = bytearray(len(rows))
