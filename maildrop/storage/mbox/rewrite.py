"""Rewriting the end of an mbox in place, so that a crash anywhere loses nothing.

In this file:
    replace_tail    put other octets in the place of all from an offset on
    recover         finish what a crash interrupted

An mbox is rewritten in place: the spool's directory often may not be written, and other
programs hold the file open and lock it by its inode.  What will stand in the file is
first saved in a journal beside the ledger; from then on it can only go forward.

| state | journal | mbox | after a crash |
|---|---|---|---|
| 0 | none, or a temporary | old | the old file; the temporary is overwritten |
| 1 | renamed into place, synced | old | ``recover`` writes the new end |
| 2 | there | longer by zeros, if it grows | ``recover`` writes it again |
| 3 | there | new end written, synced | ``recover`` writes it again |
| 4 | there | cut to size, synced | ``recover`` removes the journal |
| 5 | removed | new | done |

What another program appends between crash and recovery is kept.  It begins where the
file ended at that moment, and that can be told: a file that grows was lengthened if
what stands beyond its old size is zeros or ours; one that shrinks was cut if what stood
beyond its new size is gone.  ``recover`` moves it to the new end, journaled again.

Format of the journal: a header, then the new end as it will stand in the file.

    magic 8, inode u64, old size u64, start u64, length u64,
    crc32 of the context u32        ; up to 4096 octets before start
    crc32 of the cut u32            ; the old octets beyond the new size
    crc32 of the new end u32        ; all little-endian

A journal that does not fit the file (another inode, other octets before ``start``, a
wrong checksum) is put aside as ``....unfit``, never applied and never deleted.

The caller holds the locks of the mbox.
"""

import contextlib
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from maildrop.durable import Disk, open_to_read

_MAGIC: Final = b"mdrpMBX1"
_HEADER: Final = struct.Struct("<8sQQQQIII")
_CHUNK: Final = 1 << 20
_CONTEXT: Final = 4096


@dataclass(frozen=True, slots=True)
class _Plan:
    inode: int
    old_size: int
    start: int
    length: int
    context: int
    cut: int
    checksum: int

    @property
    def new_size(self) -> int:
        return self.start + self.length

    def pack(self) -> bytes:
        return _HEADER.pack(
            _MAGIC,
            self.inode,
            self.old_size,
            self.start,
            self.length,
            self.context,
            self.cut,
            self.checksum,
        )


def replace_tail(
    fd: int, start: int, pieces: Iterable[bytes], journal: str, disk: Disk
) -> None:
    """Replace everything from ``start`` to the end of the file.

    Args:
        fd: The mbox, open for reading and writing, locked.
        start: Offset of the first octet to replace.
        pieces: The new octets; may be slices of the file itself.
        journal: Path of the journal; its directory is synced.
        disk: The system calls.

    Raises:
        OSError: A call failed.  Before the journal is in place nothing has changed;
            after that the next ``recover`` finishes.
    """
    _write_journal(fd, start, pieces, journal, disk)
    _apply(fd, journal, disk)


def _write_journal(
    fd: int, start: int, pieces: Iterable[bytes], journal: str, disk: Disk
) -> None:
    temporary = journal + ".tmp"
    with contextlib.suppress(FileNotFoundError):
        disk.unlink(temporary)
    out = disk.create(temporary)
    try:
        try:
            disk.write(out, bytes(_HEADER.size))
            length = checksum = 0
            for piece in pieces:
                disk.write(out, piece)
                length += len(piece)
                checksum = zlib.crc32(piece, checksum)
            found = os.fstat(fd)
            plan = _Plan(
                inode=found.st_ino,
                old_size=found.st_size,
                start=start,
                length=length,
                context=_context(fd, start),
                cut=_checksum(fd, start + length, found.st_size),
                checksum=checksum,
            )
            disk.write_at(out, plan.pack(), 0)
            disk.synchronize(out)
        finally:
            os.close(out)
        disk.rename(temporary, journal)
    except OSError:
        with contextlib.suppress(OSError):
            disk.unlink(temporary)
        raise
    disk.synchronize_directory(os.path.dirname(journal))


def _context(fd: int, start: int) -> int:
    begin = max(0, start - _CONTEXT)
    return zlib.crc32(os.pread(fd, start - begin, begin))


def recover(fd: int, journal: str, disk: Disk) -> bool:
    """Finish an interrupted rewrite, if there is one.

    Args:
        fd: The mbox, open for reading and writing, locked.
        journal: Path of the journal.
        disk: The system calls.

    Returns:
        Whether the file was written.
    """
    try:
        source = open_to_read(journal)
    except FileNotFoundError:
        return False
    try:
        plan = _read_plan(source)
        if plan is None or not _fits(fd, plan):
            disk.rename(journal, journal + ".unfit")
            return False
        end = os.fstat(fd).st_size
        appended = _appended(fd, source, plan, end)
        if appended is not None and appended < end:
            pieces = _chain(
                _octets(source, _HEADER.size, plan.length),
                _octets(fd, appended, end - appended),
            )
            _write_journal(fd, plan.start, pieces, journal, disk)
    finally:
        os.close(source)
    if appended is None:
        disk.unlink(journal)
    else:
        _apply(fd, journal, disk)
    return True


def _appended(fd: int, source: int, plan: _Plan, size: int) -> int | None:
    """Where octets of others begin; None when the new end is in place already."""
    if plan.new_size >= plan.old_size:
        lengthened = size >= plan.new_size and _is_ours(fd, source, plan)
        return plan.new_size if lengthened else plan.old_size
    cut = size < plan.old_size
    if cut or _checksum(fd, plan.new_size, plan.old_size) != plan.cut:
        return None
    return plan.old_size


def _is_ours(fd: int, source: int, plan: _Plan) -> bool:
    """Whether zeros or octets of the new end stand beyond the old size."""
    length = plan.new_size - plan.old_size
    there = _octets(fd, plan.old_size, length)
    ours = _octets(source, _HEADER.size + plan.old_size - plan.start, length)
    for found, wanted in zip(there, ours, strict=True):
        if found != wanted and any(
            octet not in {0, expected}
            for octet, expected in zip(found, wanted, strict=True)
        ):
            return False
    return True


def _checksum(fd: int, start: int, end: int) -> int:
    checksum = 0
    for piece in _octets(fd, start, end - start):
        checksum = zlib.crc32(piece, checksum)
    return checksum


def _read_plan(source: int) -> _Plan | None:
    header = os.pread(source, _HEADER.size, 0)
    if len(header) != _HEADER.size:
        return None
    magic, *fields = _HEADER.unpack(header)
    plan = _Plan(*fields)
    checksum = _checksum(source, _HEADER.size, _HEADER.size + plan.length)
    return plan if magic == _MAGIC and checksum == plan.checksum else None


def _fits(fd: int, plan: _Plan) -> bool:
    found = os.fstat(fd)
    least = min(plan.old_size, plan.new_size)
    return (
        found.st_ino == plan.inode
        and found.st_size >= least
        and _context(fd, plan.start) == plan.context
    )


def _apply(fd: int, journal: str, disk: Disk) -> None:
    source = open_to_read(journal)
    try:
        _, _, _, start, length, *_ = _HEADER.unpack(os.pread(source, _HEADER.size, 0))
        new_size = start + length
        if os.fstat(fd).st_size < new_size:
            disk.truncate(fd, new_size)
        offset = start
        for piece in _octets(source, _HEADER.size, length):
            disk.write_at(fd, piece, offset)
            offset += len(piece)
        disk.synchronize(fd)
        if os.fstat(fd).st_size > new_size:
            disk.truncate(fd, new_size)
            disk.synchronize(fd)
    finally:
        os.close(source)
    disk.unlink(journal)


def _octets(fd: int, offset: int, length: int) -> Iterator[bytes]:
    """Octets of a file in pieces; ends early where the file does."""
    while length > 0:
        piece = os.pread(fd, min(length, _CHUNK), offset)
        if not piece:
            return
        yield piece
        offset += len(piece)
        length -= len(piece)


def _chain(first: Iterable[bytes], second: Iterable[bytes]) -> Iterator[bytes]:
    yield from first
    yield from second
