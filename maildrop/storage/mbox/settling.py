"""Writing what the ledger knows into the mbox: flags, and the removal of messages.

In this file:
    settle       brings the file up to the ledger
    unlike       the messages whose fields it would write
    differing    where octets differ from others

Flags go into the padded Status fields that our own messages begin with, in place;
nothing moves.  A message of another program has no such fields: the file is rewritten
from there on, once, and has room afterwards.  Removal rewrites from the first message
removed; what stands before it is not touched.
"""

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from maildrop.mailbox.flags import ALL_SYSTEM
from maildrop.storage.index.table import IndexTable
from maildrop.storage.mbox.file import MboxFile, gap
from maildrop.storage.mbox.format import (
    content,
    has_metadata,
    metadata,
    split_header,
    status_fields,
    with_status,
)
from maildrop.storage.mbox.layout import OLD, Layout, Stamp

#: Octets in which the From_ line and the header of most messages end.
_HEAD: Final = 1 << 14
_SYSTEM_ONLY: Final = bytes(octet & ALL_SYSTEM for octet in range(256))
_NOT_NUL: Final = re.compile(rb"[^\0]").finditer


def settle(
    fd: int,
    file: MboxFile,
    layout: Layout,
    table: IndexTable,
    removed: Collection[int] = (),
) -> bool:
    """Bring the file up to the ledger.

    Args:
        fd: The mbox, locked for writing; the layout agrees with it, and no place of a
            message that is removed or ``unlike`` is unsure.
        file: Its file.
        layout: Is brought up to what is written.
        table: The ledger's columns.
        removed: UIDs of messages to take out of the file.

    Returns:
        Whether flags were written.
    """
    fields = dict(_changed_fields(fd, layout, table, removed))
    fitting = {row: at for row in fields if (at := _room(fd, layout, row, fields[row]))}
    moving = [layout.starts[row] for row in fields if row not in fitting]
    moving += [
        layout.starts[row] for row in map(layout.row, removed) if row is not None
    ]
    first = min(moving, default=None)
    in_place = [
        (at, fields[row])
        for row, at in fitting.items()
        if first is None or layout.starts[row] < first
    ]
    if in_place:
        file.overwrite(fd, in_place)
    if first is not None:
        _rewrite(fd, file, layout, fields, removed, first)
    for row, text in fields.items():
        known = metadata(text)
        layout.status[row] = known.flags | (OLD if known.old else 0)
        layout.keywords[row] = table.keyword_bits(known.keywords)
    if removed:
        gone = set(removed)
        layout.remove(gone)
    layout.stamp = Stamp.of(os.fstat(fd))
    return bool(fields)


def _changed_fields(
    fd: int, layout: Layout, table: IndexTable, removed: Collection[int]
) -> Iterator[tuple[int, bytes]]:
    """Rows whose flags in the file are not the ledger's, and the fields they need."""
    for place in unlike(layout, table):
        uid = layout.uids[place]
        row = table.row(uid)
        if row is None or uid in removed:
            continue
        flags, keywords = table.flags[row] & ALL_SYSTEM, table.keywords[row]
        shown = layout.status[place] & ALL_SYSTEM
        if (flags, keywords) == (shown, layout.keywords[place]):
            continue
        head = _head(fd, layout, place)
        yield (
            place,
            status_fields(
                flags,
                tuple(table.keywords_of(keywords)),
                old=uid < table.first_recent,
                unterminated=metadata(content(head)).unterminated,
            ),
        )


def unlike(layout: Layout, table: IndexTable) -> Sequence[int]:
    """The rows in which the file may show other flags than the ledger."""
    if layout.uids != table.uids:
        return range(len(layout))
    shown = layout.status.translate(_SYSTEM_ONLY)
    places = set(differing(shown, table.flags.translate(_SYSTEM_ONLY)))
    if not layout.keywords.same(table.keywords):
        ours, others = layout.keywords.numbers(), table.keywords.numbers()
        octets = differing(ours.tobytes(), others.tobytes())
        places.update(at // ours.itemsize for at in octets)
    return sorted(places)


def differing(some: bytes | bytearray, others: bytes | bytearray) -> list[int]:
    """Where octets differ from others, as many.  Cost: some passes of memcpy."""
    if some == others:
        return []
    unlike = int.from_bytes(some, "little") ^ int.from_bytes(others, "little")
    octets = unlike.to_bytes(len(some), "little")
    return [found.start() for found in _NOT_NUL(octets)]


def _head(fd: int, layout: Layout, row: int) -> bytes:
    """From_ line and header, and perhaps more."""
    length = min(_HEAD, layout.lengths[row])
    head = os.pread(fd, length, layout.starts[row])
    if split_header(content(head)) == len(content(head)):
        head = os.pread(fd, layout.lengths[row], layout.starts[row])
    return head


def _room(fd: int, layout: Layout, row: int, fields: bytes) -> int | None:
    """Offset of fields that can be overwritten with new ones; None without room."""
    head = _head(fd, layout, row)
    begin = head.find(b"\n") + 1
    there = head[begin : begin + len(fields)]
    if _shape(there) != _shape(fields):
        return None
    stored = content(head)
    if has_metadata(stored[len(fields) : split_header(stored)]):
        return None
    return layout.starts[row] + begin


def _shape(fields: bytes) -> list[tuple[bytes, int]]:
    """Names and lengths of the lines."""
    return [(line.partition(b":")[0], len(line)) for line in fields.split(b"\n")]


def _rewrite(
    fd: int,
    file: MboxFile,
    layout: Layout,
    fields: Mapping[int, bytes],
    removed: Collection[int],
    first: int,
) -> None:
    """Write everything from ``first`` on anew, without the removed messages."""
    kept = [row for row in layout.behind(first) if layout.uids[row] not in removed]
    places: list[tuple[int, int]] = []

    def pieces() -> Iterator[bytes]:
        at = first
        following = (layout.starts[row] for row in kept[1:])
        for row in kept:
            end = layout.starts[row] + layout.lengths[row]
            raw = os.pread(fd, layout.lengths[row], layout.starts[row])
            if row in fields:
                raw = _with_fields(raw, fields[row])
            if end != next(following, 0):
                raw += gap(raw[-3:], len(raw))
            places.append((at, len(raw)))
            at += len(raw)
            yield raw

    file.replace_tail(fd, first, pieces())
    for row, (start, length) in zip(kept, places, strict=True):
        layout.starts[row] = start
        layout.lengths[row] = length


def _with_fields(raw: bytes, fields: bytes) -> bytes:
    begin = raw.find(b"\n") + 1
    stored = content(raw)
    return raw[:begin] + with_status(stored, fields) + raw[begin + len(stored) :]
