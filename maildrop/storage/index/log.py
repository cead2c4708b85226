r"""The log of a ledger: records appended under a lock, each with a checksum.

In this file:
    LogHeader     what stands at the start of the file
    record        a payload with its length and checksum
    framed        how long that is
    Tail          the records found in octets read from the file

Format (numbers little-endian):

    log       = header *record
    header    = "mdledlog" version(u32) crc(u32)
                generation(u64) previous-generation(u64) previous-offset(u64)
                uid-validity(u32) 4 zero octets, boot(16 octets)         ; 64 octets
    record    = length(u32) crc(u32) payload                             ; see batch

The header's checksum covers what follows it.  A record's covers the generation, the
length and the payload, so that octets of an older file are never taken for a record.

A log follows on a snapshot or on another log: ``previous`` says up to where the changes
of that log are in the snapshot.  Zeros: it starts from an empty mailbox.
"""

import struct
import zlib
from dataclasses import dataclass
from typing import Final

from maildrop.storage.index.damage import Damaged

_MAGIC: Final = b"mdledlog"
_VERSION: Final = 1
_START: Final = struct.Struct("<8sII")
_REST: Final = struct.Struct("<QQQI4x16s")
_RECORD: Final = struct.Struct("<II")
HEADER_SIZE: Final = _START.size + _REST.size
#: Longest record, in octets: beyond it the length itself is not believed.
RECORD_MAX: Final = 1 << 28
#: Octets of a log that are read at a time; one record always fits.
TAIL_MAX: Final = RECORD_MAX + _RECORD.size


@dataclass(frozen=True, slots=True)
class LogHeader:
    """The start of a log.

    Attributes:
        generation: Number of this log; every replacement takes the next.
        previous: Generation of the log before it; 0 if there was none.
        previous_offset: Up to where that one is in the snapshot.
        uid_validity: The mailbox's.
        boot: The machine's start in which the log was made.
    """

    generation: int
    previous: int
    previous_offset: int
    uid_validity: int
    boot: bytes

    def __bytes__(self) -> bytes:
        rest = _REST.pack(
            self.generation,
            self.previous,
            self.previous_offset,
            self.uid_validity,
            self.boot,
        )
        return _START.pack(_MAGIC, _VERSION, zlib.crc32(rest)) + rest

    @classmethod
    def parse(cls, octets: bytes) -> "LogHeader":
        """Read a header.

        Raises:
            Damaged: It is not one.
        """
        if len(octets) < HEADER_SIZE:
            raise Damaged("log cut off in its header")
        magic, version, crc = _START.unpack_from(octets)
        if magic != _MAGIC or version != _VERSION:
            raise Damaged("not a log, or of a version that is not known")
        if crc != zlib.crc32(octets[_START.size : HEADER_SIZE]):
            raise Damaged("log header fails its checksum")
        return cls(*_REST.unpack_from(octets, _START.size))


def _seed(generation: int, length: int) -> int:
    return zlib.crc32(struct.pack("<QI", generation, length))


def record(generation: int, payload: bytes) -> bytes:
    """A payload as it stands in the log."""
    length = len(payload)
    return (
        _RECORD.pack(length, zlib.crc32(payload, _seed(generation, length))) + payload
    )


def framed(payload: bytes) -> int:
    """Octets that a payload takes in the log."""
    return _RECORD.size + len(payload)


class Tail:
    """The whole records at the start of some octets.

    Attributes:
        payloads: Of each record.
        length: Octets that they take, with what frames them.
    """

    __slots__ = ("length", "payloads")

    def __init__(self, generation: int, octets: bytes) -> None:
        self.payloads: list[bytes] = []
        self.length = 0
        at = 0
        while at + _RECORD.size <= len(octets):
            length, crc = _RECORD.unpack_from(octets, at)
            start = at + _RECORD.size
            if length > RECORD_MAX or start + length > len(octets):
                break
            payload = octets[start : start + length]
            if crc != zlib.crc32(payload, _seed(generation, length)):
                break
            self.payloads.append(payload)
            at = start + length
        self.length = at
