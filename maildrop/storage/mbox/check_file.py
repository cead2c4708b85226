"""The messages in one mbox against layout, ledger and cache.

The layout notes the state of the file (``Stamp``) that it is right for.  Where that is
another one, some program has changed the file since, and the next one to open the
mailbox takes that in: messages are then known by their digests alone, and a place that
does not fit is no damage.

The file is locked for reading a few messages at a time.  If it is not the same any more
when it is locked again, the walk begins anew; what was only appended does not matter.

In this file:
    MboxWalk       goes through the messages of a file
    Replaced       the file was changed meanwhile
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import islice
from typing import Final

from maildrop.errors import StorageFailure
from maildrop.storage.findings import Code, Finding, Told
from maildrop.storage.index.check_cache import CacheCheck
from maildrop.storage.index.table import IndexTable
from maildrop.storage.mbox.format import content, metadata, visible
from maildrop.storage.mbox.layout import OLD, UNSURE, Layout, Stamp
from maildrop.storage.mbox.scan import digest, is_pseudo, raw_messages

#: Messages that are looked at with the file locked.
_CHUNK: Final = 64
#: So many NULs in a row are no text of a message.
_ZEROS: Final = bytes(512)

Lock = Callable[[], AbstractContextManager[None]]


class Replaced(Exception):  # it is no error
    """The file was changed while we went through it."""


class MboxWalk:
    """Goes through the messages of a file.

    Args:
        fd: The mbox, open for reading.
        stamp: The state of the file that all else is of.
        path: It, for findings.
        mailbox: Whose.
        table: What the ledger says.
        layout: Where messages should stand; None when it is of another state.
        cache: The cache.
    """

    def __init__(
        self,
        fd: int,
        stamp: Stamp,
        path: str,
        mailbox: str,
        table: IndexTable,
        layout: Layout | None,
        cache: CacheCheck,
    ) -> None:
        self._fd = fd
        self._path = path
        self._mailbox = mailbox
        self._table = table
        self._layout = layout
        self._cache = cache
        self._stamp = stamp
        self._names = table.names.all()
        self._rows: dict[bytes, list[int]] = {}
        for row in range(len(self._names) - 1, -1, -1):
            self._rows.setdefault(self._names[row], []).append(row)
        starts = [] if layout is None else layout.starts
        self._place = {start: place for place, start in enumerate(starts)}
        self._wrong = ""

    def findings(self, lock: Lock, told: Told) -> Iterator[Finding]:
        """What is wrong with messages and places.

        Args:
            lock: Holds the file's lock for a block.
            told: Is told how it goes on.

        Raises:
            Replaced: The file was changed meanwhile.
        """
        walk = raw_messages(self._fd, 0, self._stamp.size, self._path)
        while True:
            with lock():
                self._check_unchanged()
                try:
                    chunk = list(islice(walk, _CHUNK))
                except StorageFailure as error:
                    yield self._found(Code.MBOX_INVALID, str(error))
                    return
            for offset, raw in chunk:
                yield from self._message(offset, raw)
            told(len(chunk))
            if len(chunk) < _CHUNK:
                break
        yield from self._places()

    def _check_unchanged(self) -> None:
        found = os.fstat(self._fd)
        named = os.stat(self._path)
        if (found.st_dev, found.st_ino) != (named.st_dev, named.st_ino):
            raise Replaced
        now = Stamp.of(found)
        if now != self._stamp and not now.grown_from(self._stamp):
            raise Replaced

    def _found(
        self, code: Code, evidence: str, uid: int | None = None, what: str = ""
    ) -> Finding:
        return Finding(code, self._mailbox, evidence, self._path, uid, what)

    def _message(self, offset: int, raw: bytes) -> Iterator[Finding]:
        if _ZEROS in raw:
            at = offset + raw.index(_ZEROS)
            yield self._found(Code.MBOX_ZEROS, f"at octet {at}", what=str(at))
        if offset == 0 and is_pseudo(raw):
            return
        stored = content(raw)
        message = visible(stored)
        name = digest(message)
        if self._layout is None:
            row = self._take(name)
        else:
            row = self._placed(offset, raw, stored, name)
        if row is None:
            return
        uid, size = self._table.uids[row], self._table.sizes[row]
        if size != len(message):
            evidence = f"the ledger says {size} octets, the message has {len(message)}"
            yield self._found(Code.LEDGER_SIZE_WRONG, evidence, uid)
        yield from self._cache.examine(row, message)

    def _take(self, name: bytes) -> int | None:
        rows = self._rows.get(name)
        return rows.pop() if rows else None

    def _placed(
        self, offset: int, raw: bytes, stored: bytes, name: bytes
    ) -> int | None:
        """The row of the message that the layout has at an offset, if it fits."""
        layout = self._layout
        place = self._place.pop(offset, None)
        if layout is None:
            return None
        if place is None:
            self._wrong = self._wrong or f"at octet {offset} no message should begin"
            return self._take(name)
        uid = layout.uids[place]
        row = self._table.row(uid)
        if row is None:
            self._wrong = self._wrong or f"UID {uid} has a place and no entry"
            return None
        if layout.lengths[place] != len(raw):
            self._wrong = self._wrong or (
                f"UID {uid} has {len(raw)} octets, should have {layout.lengths[place]}"
            )
        known = metadata(stored)
        shown = layout.status[place] & ~UNSURE
        if (known.flags | (OLD if known.old else 0)) != shown:
            self._wrong = self._wrong or f"UID {uid} has other flags in the file"
        if self._names[row] != name:
            self._wrong = self._wrong or (
                f"UID {uid} has digest {name.decode()}, should have "
                f"{self._names[row].decode('ascii', 'replace')}"
            )
            return None
        return row

    def _places(self) -> Iterator[Finding]:
        """Whether layout and file fit, once the whole file was gone through."""
        layout = self._layout
        if layout is None:
            return
        if self._place and not self._wrong:
            start, place = min(self._place.items())
            self._wrong = (
                f"no message begins at octet {start}, where UID {layout.uids[place]} "
                "should stand"
            )
        if self._wrong:
            yield self._found(Code.LAYOUT_WRONG, self._wrong)
