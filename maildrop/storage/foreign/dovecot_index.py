r"""``dovecot.index``: what Dovecot's index holds of a mailbox.

In this file:
    Row      a message
    Index    all of them, and the header
    parse    the index from the octets of the file

The file is a state; ``dovecot.index.log`` has what happened since (``dovecot_log``).

Format (numbers little-endian, of version 7):

    file       = header *extension *record
    header     = major(u8) minor(u8) base-size(u16) header-size(u32) record-size(u32)
                 flags(u8; 1 for little-endian) 3 octets
                 indexid flags uid-validity next-uid messages(u32, each)
                 3 * u32, first-recent(u32) 2 * u32
                 log-seq log-tail log-head(u32, each) ...         ; base-size octets
    extension  = data-size(u32) reset-id(u32) record-offset(u16) record-size(u16)
                 align(u16) name-size(u16) name, data at the next multiple of 8
    record     = uid(u32) flags(u8) ..., extensions at their offsets

Every extension starts at a multiple of 8.  Those used here:

    keywords   data: count(u32) *(u32 name-offset(u32)) *(name NUL); record: a bit each
    modseq     data: highest(u64) log-seq(u32) log-offset(u32); record: u64
    mbox       data: size(u64) mtime(u32) dirty(u8) ...; record: offset in the file(u64)

Flags of a record: 1 \Answered, 2 \Flagged, 4 \Deleted, 8 \Seen, 16 \Draft, and 128 for
"not in the mail file yet".

Errors: ``Unreadable``.  Dovecot makes a damaged index anew from the mail files; so may
whoever reads it here go on without.

Security: every offset and size is checked against the file.
"""

import struct
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import Final

from maildrop.mailbox.flags import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from maildrop.storage.foreign.facts import Unreadable

FILE: Final = "dovecot.index"
_MAJOR: Final = 7
_BASE: Final = 120
_START: Final = struct.Struct("<BBHIIB3x")
#: Of the base header, by offset: each u32.
INDEX_ID: Final = 16
UID_VALIDITY: Final = 24
NEXT_UID: Final = 28
MESSAGES: Final = 32
FIRST_RECENT: Final = 48
LOG_SEQUENCE: Final = 60
LOG_TAIL: Final = 64
LOG_HEAD: Final = 68
_U32: Final = struct.Struct("<I")
_U64: Final = struct.Struct("<Q")
_EXTENSION: Final = struct.Struct("<IIHHHH")
_RECORD: Final = struct.Struct("<IB")
_NAME_MAX: Final = 255
EXTENSIONS_MAX: Final = 256
KEYWORDS_MAX: Final = 4096
DIRTY: Final = 128
_FLAGS: Final = (
    (1, ANSWERED),
    (2, FLAGGED),
    (4, DELETED),
    (8, SEEN),
    (16, DRAFT),
)


def system_flags(flags: int) -> int:
    """Our bits for Dovecot's."""
    return sum(ours for theirs, ours in _FLAGS if flags & theirs)


@dataclass(slots=True)
class Row:
    """A message.

    Attributes:
        flags: Dovecot's bits.
        keywords: A bit for each of ``Index.keywords``.
        mod_seq: 0 if none is kept.
        offset: Where it begins in an mbox; None if not kept.
    """

    flags: int = 0
    keywords: int = 0
    mod_seq: int = 0
    offset: int | None = None


@dataclass(slots=True)
class Extension:
    """What a part of Dovecot adds to the index.

    Attributes:
        name: Its name.
        record_size: Octets of each record.
        data: Its part of the header.
    """

    name: bytes
    record_size: int = 0
    data: bytearray = field(default_factory=bytearray)


class Index:
    """A mailbox as the index has it.

    Attributes:
        header: The base header.
        extensions: By their number.
        keywords: Names, by their number.
        rows: By UID.
        uids: Ascending.
        pending: UIDs whose flags the mail files do not hold yet.
        to_expunge: UIDs whose removal was asked for and not done.
    """

    def __init__(self) -> None:
        self.header = bytearray(_BASE)
        self.extensions: list[Extension] = []
        self.keywords: list[bytes] = []
        self.rows: dict[int, Row] = {}
        self.uids: list[int] = []
        self.pending: set[int] = set()
        self.to_expunge: set[int] = set()

    def number(self, offset: int) -> int:
        """A number of the base header."""
        found: int = _U32.unpack_from(self.header, offset)[0]
        return found

    @property
    def highest_mod_seq(self) -> int:
        """As the extension has it; 0 without."""
        for extension in self.extensions:
            if extension.name == b"modseq" and len(extension.data) >= 16:
                found: int = _U64.unpack_from(extension.data)[0]
                return found
        return 0

    def span(self, low: int, high: int) -> list[int]:
        """The UIDs from ``low`` to ``high``."""
        return self.uids[bisect_left(self.uids, low) : bisect_right(self.uids, high)]

    def keyword(self, name: bytes) -> int:
        """The bit of a keyword, which gets one if it has none."""
        if name not in self.keywords:
            if len(self.keywords) >= KEYWORDS_MAX:
                raise Unreadable(f"more than {KEYWORDS_MAX} keywords")
            self.keywords.append(name)
        return 1 << self.keywords.index(name)

    def names_of(self, row: Row) -> tuple[str, ...]:
        """The keywords of a message."""
        return tuple(
            name.decode("ascii", "replace")
            for bit, name in enumerate(self.keywords)
            if row.keywords >> bit & 1
        )

    def take(self, row: Row, extension: Extension, octets: bytes) -> None:
        """Take an extension's part of a record."""
        if extension.name == b"keywords":
            row.keywords = int.from_bytes(octets, "little")
        elif extension.name == b"modseq" and len(octets) == 8:
            row.mod_seq = int.from_bytes(octets, "little")
        elif extension.name == b"mbox" and len(octets) == 8:
            row.offset = int.from_bytes(octets, "little")


def parse(octets: bytes, path: str) -> Index:
    """The index.

    Args:
        octets: What the file holds.
        path: Its name, for errors.

    Raises:
        Unreadable: It is damaged, or of a version that is not known.
    """
    try:
        return _parse(octets)
    except (struct.error, Unreadable) as error:
        raise Unreadable(f"{path}: {error}") from error


def _parse(octets: bytes) -> Index:
    major, _, base, header_size, record_size, little = _START.unpack_from(octets)
    if major != _MAJOR or little != 1:
        raise Unreadable(f"an index of version {major} or of a big-endian machine")
    if not _BASE <= base <= header_size <= len(octets) or record_size < _RECORD.size:
        raise Unreadable("sizes in the header make no sense")
    index = Index()
    index.header[:] = octets[:_BASE]
    places = _extensions(index, octets[:header_size], base, record_size)
    count = index.number(MESSAGES)
    if header_size + count * record_size > len(octets):
        raise Unreadable("the file ends before its last record")
    last = 0
    for at in range(header_size, header_size + count * record_size, record_size):
        uid, flags = _RECORD.unpack_from(octets, at)
        if uid <= last:
            raise Unreadable(f"UID {uid} follows UID {last}")
        last = uid
        row = index.rows[uid] = Row(flags)
        for extension, offset in places:
            start = at + offset
            index.take(row, extension, octets[start : start + extension.record_size])
        if flags & DIRTY:
            index.pending.add(uid)
    index.uids = list(index.rows)
    return index


def _extensions(
    index: Index, header: bytes, base: int, record_size: int
) -> list[tuple[Extension, int]]:
    """Extensions with their offsets in a record."""
    places = []
    at = _aligned(base)
    while at < len(header):
        size, _, offset, width, _, name_size = _EXTENSION.unpack_from(header, at)
        name = header[at + _EXTENSION.size :][:name_size]
        start = _aligned(at + _EXTENSION.size + name_size)
        if start + size > len(header) or offset + width > record_size:
            raise Unreadable(f"extension {name[:40]!r} is too long")
        if len(index.extensions) >= EXTENSIONS_MAX or name_size > _NAME_MAX:
            raise Unreadable("more extensions than anybody has")
        extension = Extension(name, width, bytearray(header[start : start + size]))
        index.extensions.append(extension)
        places.append((extension, offset))
        if name == b"keywords":
            index.keywords = _keywords(bytes(extension.data))
        at = start + _aligned(size)
    return places


def _aligned(offset: int) -> int:
    return (offset + 7) & ~7


def _keywords(data: bytes) -> list[bytes]:
    if not data:
        return []
    count: int = _U32.unpack_from(data)[0]
    if count > KEYWORDS_MAX:
        raise Unreadable(f"more than {KEYWORDS_MAX} keywords")
    names = data[4 + 8 * count :].split(b"\0")
    if len(names) <= count and count:
        raise Unreadable("a keyword has no name")
    return names[:count]
