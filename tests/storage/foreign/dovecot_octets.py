"""Octets of Dovecot's index and its log, made for tests.

In this file:
    index     a file ``dovecot.index``
    log       a file ``dovecot.index.log``
    change    a change in it
    introduce, flags, keyword ...    bodies of changes
"""

import struct
from collections.abc import Sequence

EXTERNAL = 0x10000000
INDEX_ID = 77


def _aligned(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 8)


def index(
    records: Sequence[tuple[int, int, int, int]] = (),
    *,
    uid_validity: int = 5,
    next_uid: int = 10,
    keywords: Sequence[bytes] = (b"Junk",),
    highest: int = 9,
    sequence: int = 1,
    head: int = 40,
    tail: int = 40,
    first_recent: int = 4,
    version: int = 7,
) -> bytes:
    """A file with keywords and MODSEQs; a record is UID, flags, keywords, MODSEQ."""
    numbers = [INDEX_ID, 0, uid_validity, next_uid, len(records), 0, 0, 0]
    numbers += [first_recent, 0, 0, sequence, tail, head]
    base = struct.pack("<14I", *numbers)
    names = b"".join([name + b"\0" for name in keywords])
    directory = struct.pack("<I", len(keywords)) + bytes(8 * len(keywords))
    extensions = b""
    for name, offset, width, data in (
        (b"keywords", 8, 4, directory + names),
        (b"modseq", 16, 8, struct.pack("<QII", highest, sequence, head)),
    ):
        fields = struct.pack("<IIHHHH", len(data), 0, offset, width, 4, len(name))
        extensions += _aligned(fields + name) + _aligned(data)
    start = struct.pack("<BBHIIB3x", version, 3, 120, 120 + len(extensions), 24, 1)
    header = (start + base).ljust(120, b"\0")
    body = b"".join(
        struct.pack("<IB3xI4xQ", uid, bits, words, mod_seq)
        for uid, bits, words, mod_seq in records
    )
    return header + extensions + body


def log(
    *changes: bytes,
    sequence: int = 1,
    previous: int = 0,
    mod_seq: int = 1,
    index_id: int = INDEX_ID,
) -> bytes:
    """A file with changes."""
    header = struct.pack(
        "<BBHIIIIIQB7x", 1, 3, 40, index_id, sequence, previous, 0, 0, mod_seq, 1
    )
    return header + b"".join(changes)


def change(kind: int, body: bytes, *, done: bool = True) -> bytes:
    """A change; its size is written in seven bits an octet."""
    count = (8 + len(body)) // 4
    coded = bytes(128 | count >> shift & 127 for shift in (21, 14, 7, 0))
    return coded + struct.pack("<I", kind | (EXTERNAL if done else 0)) + body


def append(*uids: int, flags: int = 0) -> bytes:
    """Messages come in."""
    return change(2, b"".join(struct.pack("<IB3x", uid, flags) for uid in uids))


def flag(low: int, high: int, add: int, remove: int = 0, *, done: bool = True) -> bytes:
    """Flags change."""
    return change(4, struct.pack("<IIBBBx", low, high, add, remove, 0), done=done)


def keyword(
    name: bytes, low: int, high: int, *, remove: bool = False, done: bool = True
) -> bytes:
    """A keyword is put on messages."""
    body = struct.pack("<BxH", remove, len(name)) + name
    body += bytes(-len(body) % 4) + struct.pack("<II", low, high)
    return change(0x400, body, done=done)


def expunge(low: int, high: int, *, done: bool = True) -> bytes:
    """Messages go."""
    return change(0xCD91, struct.pack("<II", low, high), done=done)


def header(offset: int, value: int) -> bytes:
    """A number of the base header changes."""
    return change(0x20, struct.pack("<HHI", offset, 4, value))


def introduce(name: bytes, width: int, *, number: int = 0xFFFFFFFF) -> bytes:
    """An extension is named."""
    body = struct.pack("<IIIHHHH", number, 0, 16, width, 4, 0, len(name)) + name
    return change(0x40, body + bytes(-len(body) % 4))


def extension_header(octets: bytes) -> bytes:
    """An extension's part of the header changes."""
    body = struct.pack("<HH", 0, len(octets)) + octets
    return change(0x100, body + bytes(-len(body) % 4))


def record(uid: int, octets: bytes) -> bytes:
    """An extension's record changes."""
    body = struct.pack("<I", uid) + octets
    return change(0x200, body + bytes(-len(body) % 4))
