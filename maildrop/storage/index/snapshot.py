r"""The snapshot of a ledger: all columns in one file, which says itself what it holds.

In this file:
    Position          up to where in which log
    write_snapshot    the file's octets for a table
    Written           those
    read_snapshot     a table from the file
    Reader            its parts
    table_of          a table of them

Format (numbers little-endian):

    snapshot  = start header section*               ; sections at multiples of 8
    start     = "mdledger" version(u32) header-length(u32) header-crc(u32) 12 zeros
    header    = a JSON object:
        "uid_validity" "uid_next" "highest_mod_seq" "first_recent" "messages"
        "generation" "offset"     changes of that log up to there are in here
        "forgotten_mod_seq" "cache_id" "cache_keys" "keywords"
        "source" "notes" "uidls"  octets as ISO 8859-1
        "sections"                [name, width, offset, octets, crc] each

A section is a column (``width`` octets an entry, one entry a message), or the blob of
names, or the expunged UIDs and their MODSEQs.  Sections and header fields that are not
known are passed over; a later version may add some.

Security: the file may have been written by anyone who may write the mailbox.  Every
length is checked against the file before memory is taken for it.
"""

import json
import os
import struct
import zlib
from array import array
from dataclasses import dataclass
from typing import Any, Final

from maildrop.mailbox.column import Column
from maildrop.mailbox.flags import KEYWORDS_MAX
from maildrop.storage.index.columns import (
    I64,
    U32,
    U64,
    from_octets,
    read,
    to_octets,
    zeros,
)
from maildrop.storage.index.damage import Damaged
from maildrop.storage.index.table import IndexTable
from maildrop.storage.index.window import Window

_MAGIC: Final = b"mdledger"
_VERSION: Final = 1
_START: Final = struct.Struct("<8sIII12x")
_HEADER_MAX: Final = 1 << 26
#: Longest section: a file without blocks on disk may claim any length.
_SECTION_MAX: Final = 1 << 30
_WIDTHS: Final = {U32: 4, U64: 8, I64: 8}
#: Name, type code and attribute of each column of numbers.
_COLUMNS: Final = (
    ("size", U32, "sizes"),
    ("date", I64, "dates"),
    ("mod_seq", U64, "mod_seqs"),
    ("keywords", U32, "keywords"),
    ("cache", U64, "cache"),
    ("saved", U32, "saved"),
    ("object_id", U64, "object_ids"),
)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the series of logs.

    Attributes:
        generation: Of the log; 0 for none.
        offset: In it.
    """

    generation: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Written:
    """The octets of a snapshot.

    Attributes:
        pieces: What the file holds, in order.
        names_at: Where in it the blob of names stands.
        names_length: Octets of the blob.
        name_offsets: Where each row's name starts in the blob.
    """

    pieces: list[bytes]
    names_at: int
    names_length: int
    name_offsets: "array[int]"


def write_snapshot(table: IndexTable, position: Position) -> Written:
    """The octets of a snapshot.

    Args:
        table: What it is of.
        position: Changes up to there are in the table.
    """
    blob, name_offsets = table.names.packed()
    sections = [("uid", 4, to_octets(table.uids))]
    sections += [
        (name, _WIDTHS[code], to_octets(getattr(table, attribute).wide()))
        for name, code, attribute in _COLUMNS
    ]
    sections += [
        ("flags", 1, bytes(table.flags)),
        ("name", 4, to_octets(name_offsets)),
        ("expunged", 4, to_octets(table.expunged_uids)),
        ("expunged_mod_seq", 8, to_octets(table.expunged_mod_seqs)),
        ("names", 0, blob),
    ]
    directory: list[tuple[str, int, int, int, int]] = []
    pieces = []
    at = 0
    for name, width, octets in sections:
        directory.append((name, width, at, len(octets), zlib.crc32(octets)))
        padding = bytes(-len(octets) % 8)
        pieces += [octets, padding]
        at += len(octets) + len(padding)
    header = json.dumps(_fields(table, position) | {"sections": directory}).encode()
    header += b" " * (-len(header) % 8)
    start = _START.pack(_MAGIC, _VERSION, len(header), zlib.crc32(header))
    names_at = len(start) + len(header) + directory[-1][2]
    return Written([start, header, *pieces], names_at, len(blob), name_offsets)


def _fields(table: IndexTable, position: Position) -> dict[str, Any]:
    latin = "iso-8859-1"
    return {
        "uid_validity": table.uid_validity,
        "uid_next": table.uid_next,
        "highest_mod_seq": table.highest_mod_seq,
        "first_recent": table.first_recent,
        "messages": len(table),
        "generation": position.generation,
        "offset": position.offset,
        "forgotten_mod_seq": table.forgotten_mod_seq,
        "cache_id": table.cache_id,
        "cache_keys": [key.decode(latin) for key in table.cache_keys],
        "keywords": table.keyword_names,
        "source": table.source.decode(latin),
        "notes": [[k.decode(latin), v.decode(latin)] for k, v in table.notes.items()],
        "uidls": [[uid, text.decode(latin)] for uid, text in table.uidls.items()],
    }


class Reader:
    """The parts of a snapshot, checked."""

    def __init__(self, fd: int, messages_max: int) -> None:
        self.fd = fd
        self.size = os.fstat(fd).st_size
        start = os.pread(fd, _START.size, 0)
        if len(start) < _START.size:
            raise Damaged("snapshot cut off")
        magic, version, length, crc = _START.unpack(start)
        if magic != _MAGIC or version != _VERSION or length > _HEADER_MAX:
            raise Damaged("not a snapshot, or of a version that is not known")
        header = os.pread(fd, length, _START.size)
        if len(header) != length or zlib.crc32(header) != crc:
            raise Damaged("snapshot header fails its checksum")
        self.fields: dict[str, Any] = json.loads(header)
        self.first = _START.size + length
        self.messages = int(self.fields["messages"])
        if not 0 <= self.messages <= messages_max:
            raise Damaged("more messages than the limit allows")
        self.sections = {entry[0]: entry for entry in self.fields["sections"]}

    def place(self, name: str) -> tuple[int, int, int]:
        """Offset in the file, length and checksum of a section."""
        _, _, offset, length, crc = self.sections[name]
        at = self.first + int(offset)
        if int(offset) < 0 or int(length) < 0 or at + int(length) > self.size:
            raise Damaged(f"section {name} is cut off")
        if int(length) > _SECTION_MAX:
            raise Damaged(f"section {name} is longer than the limit allows")
        return at, int(length), int(crc)

    def octets(self, name: str) -> bytes:
        """A section, whole."""
        at, length, crc = self.place(name)
        octets = os.pread(self.fd, length, at)
        if len(octets) != length or zlib.crc32(octets) != crc:
            raise Damaged(f"section {name} fails its checksum")
        return octets

    def column(self, name: str, code: str) -> "array[int]":
        """A column with one entry a message; zeros when the file lacks it."""
        if name not in self.sections:
            return zeros(code, self.messages)
        at, length, crc = self.place(name)
        if length == self.messages * _WIDTHS[code]:
            column = zeros(code, self.messages)
            if read(self.fd, at, column) == crc:
                return column
        column = from_octets(code, self.octets(name))  # which says what is wrong
        if len(column) != self.messages:
            raise Damaged(f"section {name} has a wrong length")
        return column


def read_snapshot(fd: int, messages_max: int) -> tuple[IndexTable, Position]:
    """Read the snapshot that is open as ``fd``, which the table keeps.

    Args:
        fd: The file; closed with the table's names, or at an error.
        messages_max: Most messages that are believed.

    Raises:
        Damaged: It cannot be believed; with UIDVALIDITY if that could be read.
    """
    validity = 0
    try:
        reader = Reader(fd, messages_max)
        validity = int(reader.fields["uid_validity"])
        table = table_of(reader, validity)
        fields = reader.fields
        position = Position(int(fields["generation"]), int(fields["offset"]))
    except Damaged as error:
        os.close(fd)
        raise Damaged(str(error), validity) from error
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        os.close(fd)
        raise Damaged(f"snapshot makes no sense: {error}", validity) from error
    except BaseException:
        os.close(fd)
        raise
    return table, position


def table_of(reader: Reader, uid_validity: int) -> IndexTable:
    """The table that the parts of a snapshot make."""
    fields = reader.fields
    table = IndexTable(uid_validity, int(fields["uid_next"]))
    table.uids = reader.column("uid", U32)
    for name, code, attribute in _COLUMNS:
        setattr(table, attribute, Column(code, reader.column(name, code)))
    table.flags = bytearray(reader.octets("flags"))
    table.checked = bytearray(reader.messages)
    table.expunged_uids = from_octets(U32, reader.octets("expunged"))
    table.expunged_mod_seqs = from_octets(U64, reader.octets("expunged_mod_seq"))
    table.highest_mod_seq = int(fields["highest_mod_seq"])
    table.first_recent = int(fields["first_recent"])
    table.forgotten_mod_seq = int(fields["forgotten_mod_seq"])
    table.cache_id = int(fields["cache_id"])
    table.cache_keys = [key.encode("iso-8859-1") for key in fields["cache_keys"]]
    table.keyword_names = [str(name) for name in fields["keywords"]]
    table.source = fields["source"].encode("iso-8859-1")
    table.notes = {
        name.encode("iso-8859-1"): value.encode("iso-8859-1")
        for name, value in fields["notes"]
    }
    table.uidls = {int(u): text.encode("iso-8859-1") for u, text in fields["uidls"]}
    lengths = {len(table.flags), reader.messages}
    if len(lengths) != 1 or len(table.keyword_names) > KEYWORDS_MAX:
        raise Damaged("columns differ in length")
    if len(table.expunged_uids) != len(table.expunged_mod_seqs):
        raise Damaged("columns differ in length")
    _rest_names(reader, table)
    return table


def _rest_names(reader: Reader, table: IndexTable) -> None:
    blob = reader.octets("names")
    at, length, _ = reader.place("names")
    offsets = reader.column("name", U32)
    if b"/" in blob or (blob and blob[-1]) or (offsets and offsets[-1] >= length):
        raise Damaged("names make no sense")
    table.names.rest_on(Window(reader.fd), at, length, offsets)
