r"""``cyrus.header`` and ``cyrus.index``: what Cyrus keeps of a mailbox.

In this file:
    Header          names of keywords, and the mailbox's own name
    Index           UIDs, flags, dates, MODSEQs
    Record          a message of it
    parse_header    the first, from its octets
    parse_index     the second

Header: three lines that are the same everywhere, then either

    quota-root TAB unique-id LF
    *(keyword SP) LF                    ; by their numbers, empty where there is none
    acl LF

or, from version 3.6 on, one list: ``%(`` key value ... ``)``, of which ``U`` is a list
of keywords (NIL where there is none) and ``N`` the name.

Index (numbers big-endian): a header of numbers, then a record for each message.  Which
number stands where follows from the version, 9 to 20 (11 was never published):

    header     0 generation, format, version, header-size, record-size, records(u32)
    to 18      28 last-uid(u32) 44 uidvalidity(u32) 60 options(u32) 68 modseq(u64)
               104 recent-uid(u32; from 12)
    19         28 last-uid 44 uidvalidity 64 options 72 modseq 104 recent-uid
    20         64 options 72 modseq 88 last-uid 92 uidvalidity 184 recent-uid
    record     0 uid(u32)
    to 19      4 date(u32) 32 flags(u32) 36 keywords(u32 * 4)
               72 modseq(u64; version 9), 80 modseq(u64; later ones)
    20         8 date(u64, nanoseconds) 36 flags 40 keywords 80 modseq

From version 12 on header and records end with a CRC-32 of what stands before.  Bits 30
and 31 of the flags: expunged, the file may be there still.

Errors: ``Unreadable``.

Security: all sizes and offsets are checked against the file.
"""

import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from maildrop.mailbox.flags import (
    ANSWERED,
    DELETED,
    DRAFT,
    FLAGGED,
    SEEN,
    is_keyword,
)
from maildrop.storage.foreign.facts import Unreadable

HEADER: Final = "cyrus.header"
INDEX: Final = "cyrus.index"
_MAGIC: Final = b"\xa1\x02\x8b\x0dCyrus mailbox header\n"
_MAGIC_LINES: Final = 3
KEYWORDS_MAX: Final = 128
_U32: Final = struct.Struct(">I")
_U64: Final = struct.Struct(">Q")
_START: Final = struct.Struct(">IIIIII")
_FLAGS: Final = ((1, ANSWERED), (2, FLAGGED), (4, DELETED), (8, DRAFT), (16, SEEN))
_GONE: Final = 0xC0000000
_NEW_UIDL: Final = 1
_NANO: Final = 1_000_000_000
#: From this version on the index says what the owner has seen, and has checksums.
_WITH_SEEN: Final = 12
_LAST: Final = 20
_TOKEN: Final = re.compile(rb'[()]|%\(|"((?:[^"\\]|\\.)*)"|[^\s()"%]+')


@dataclass(frozen=True, slots=True)
class _Form:
    """Where numbers stand, by version."""

    header: int
    record: int
    last_uid: int = 28
    uid_validity: int = 44
    options: int = 60
    mod_seq: int = 68
    recent: int = 104
    date: int = 4
    flags: int = 32
    keywords: int = 36
    record_mod_seq: int = 80


_V19: Final = _Form(160, 112, options=64, mod_seq=72)
_V20: Final = _Form(
    192,
    144,
    last_uid=88,
    uid_validity=92,
    options=64,
    mod_seq=72,
    recent=184,
    date=8,
    flags=36,
    keywords=40,
)
_V19_WITH_RECORDS_OF_20: Final = replace(
    _V19, record=144, date=8, flags=36, keywords=40
)
_FORMS: Final[Mapping[int, _Form]] = {
    9: _Form(96, 80, record_mod_seq=72),
    10: _Form(96, 88),
    12: _Form(128, 96),
    13: _Form(128, 104),
    14: _Form(160, 104),
    15: _Form(160, 104),
    16: _Form(160, 112),
    17: _Form(160, 112),
    18: _Form(160, 112),
    19: _V19,
    20: _V20,
}


@dataclass(frozen=True, slots=True)
class Header:
    """What the header says.

    Attributes:
        keywords: By their numbers; empty where there is none.
        name: The mailbox, levels joined by "."; empty where it does not say.
    """

    keywords: tuple[str, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A message.

    Attributes:
        uid: Its UID.
        date: INTERNALDATE, seconds since 1970 UTC.
        flags: System flags, our bits.
        keywords: A bit for each keyword of the header.
        mod_seq: Its MODSEQ.
    """

    uid: int
    date: int
    flags: int
    keywords: int
    mod_seq: int


@dataclass(frozen=True, slots=True)
class Index:
    r"""A mailbox.

    Attributes:
        version: Of the format.
        uid_validity: RFC 3501 section 2.3.1.1.
        uid_next: Above all UIDs given away.
        mod_seq: HIGHESTMODSEQ.
        recent: The last UID that the owner was told of; 0 if not kept.
        with_validity: Unique ids of POP3 have UIDVALIDITY in them.
        knows_seen: It says which messages are ``\Seen``.
        records: The messages that are not expunged, in order of their UIDs.
    """

    version: int
    uid_validity: int
    uid_next: int
    mod_seq: int
    recent: int
    with_validity: bool
    knows_seen: bool
    records: tuple[Record, ...]


def parse_header(octets: bytes, path: str) -> Header:
    """``cyrus.header``.

    Raises:
        Unreadable: It is none.
    """
    if not octets.startswith(_MAGIC):
        raise Unreadable(f"{path} is no header of a Cyrus mailbox")
    lines = octets.split(b"\n")[_MAGIC_LINES:]
    if lines and lines[0].startswith(b"%("):
        return _listed(b"\n".join(lines), path)
    if len(lines) < 2:
        raise Unreadable(f"{path} ends before the names of keywords")
    return Header(_names(lines[1].split(b" "), path))


def _names(words: list[bytes], path: str) -> tuple[str, ...]:
    if len(words) > KEYWORDS_MAX + 1:
        raise Unreadable(f"{path}: more than {KEYWORDS_MAX} keywords")
    names = (word.decode("ascii", "replace") for word in words)
    return tuple(name if is_keyword(name) else "" for name in names)


def _listed(octets: bytes, path: str) -> Header:
    """The header that is a list."""
    keywords: list[bytes] = []
    name = b""
    key, depth, inside = b"", 0, b""
    for found in _TOKEN.finditer(octets):
        token = found[0]
        if token in {b"(", b"%("}:
            depth += 1
            inside = key if depth > 1 else b""
        elif token == b")":
            depth -= 1
            key = inside = b""
            if not depth:
                break
        elif depth > 1:
            if inside == b"U":
                keywords.append(b"" if token == b"NIL" else token)
        elif not key:
            key = token
        else:
            if key == b"N":
                name = token if found[1] is None else found[1]
            key = b""
    return Header(_names(keywords, path), name.decode("utf-8", "replace"))


def parse_index(octets: bytes, path: str) -> Index:
    """``cyrus.index``.

    Raises:
        Unreadable: It is damaged, or of a version that is not known.
    """
    version, form, count = _form(octets, path)
    size, record_size = form.header, form.record
    checked = version >= _WITH_SEEN
    if checked and not _is_whole(octets[:size]):
        raise Unreadable(f"{path}: the header fails its checksum")

    def u32(offset: int) -> int:
        number: int = _U32.unpack_from(octets, offset)[0]
        return number

    mod_seq: int = _U64.unpack_from(octets, form.mod_seq)[0]
    records = []
    last = 0
    for at in range(size, size + count * record_size, record_size):
        record = octets[at : at + record_size]
        if checked and not _is_whole(record):
            raise Unreadable(f"{path}: the record at {at} fails its checksum")
        found = _record(record, form, path, last)
        last = _U32.unpack_from(record)[0]
        if found is not None:
            records.append(found)
    return Index(
        version,
        u32(form.uid_validity),
        max(u32(form.last_uid), last) + 1,
        mod_seq,
        u32(form.recent) if checked else 0,
        with_validity=bool(u32(form.options) & _NEW_UIDL),
        knows_seen=checked,
        records=tuple(records),
    )


def _form(octets: bytes, path: str) -> tuple[int, _Form, int]:
    """Version, form, and how many records there are."""
    if len(octets) < _START.size:
        raise Unreadable(f"{path} is cut off in its header")
    _, _, version, size, record_size, count = _START.unpack_from(octets)
    form = _FORMS.get(version)
    if form is None:
        raise Unreadable(f"{path} is of version {version}; 9 to {_LAST} are known")
    if version == _LAST - 1 and record_size == _V20.record:
        # Written by a program that knew the next version's records already.
        form = _V19_WITH_RECORDS_OF_20
    if (size, record_size) != (form.header, form.record) or size > len(octets):
        raise Unreadable(f"{path}: sizes in the header make no sense")
    if size + count * record_size > len(octets):
        raise Unreadable(f"{path} ends before its last record")
    return version, form, count


def _is_whole(octets: bytes) -> bool:
    crc: int = _U32.unpack_from(octets, len(octets) - 4)[0]
    return crc == zlib.crc32(octets[:-4])


def _record(octets: bytes, form: _Form, path: str, last: int) -> Record | None:
    """A message; None for one that is expunged."""
    uid: int = _U32.unpack_from(octets)[0]
    flags: int = _U32.unpack_from(octets, form.flags)[0]
    if uid <= last:
        raise Unreadable(f"{path}: UID {uid} follows UID {last}")
    if flags & _GONE:
        return None
    if form.date == _V20.date:
        date = _U64.unpack_from(octets, form.date)[0] // _NANO
    else:
        date = _U32.unpack_from(octets, form.date)[0]
    words = struct.unpack_from(">4I", octets, form.keywords)
    keywords = sum(word << 32 * n for n, word in enumerate(words))
    mod_seq: int = _U64.unpack_from(octets, form.record_mod_seq)[0]
    ours = sum(bit for theirs, bit in _FLAGS if flags & theirs)
    return Record(uid, min(date, 0xFFFFFFFF), ours, keywords, mod_seq)
