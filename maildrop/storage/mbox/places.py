"""Bringing ledger and layout up to what stands in the file.

In this file:
    Places    the layout of a mailbox, kept in step with its ledger and its file

Another program appended: the octets before the old end are taken as they are, if the
last message known still stands there unchanged, and only what is new is read.  Anything
else (a mail reader rewrote the file, an editor, a backup put back) is read whole and
matched message by message through the digest of the content.  So a message keeps its
UID wherever it went; one that is not in the file any more is expunged; one that the
ledger does not know gets the next UID, wherever in the file it stands: sequence numbers
follow UIDs, not the file, so that nothing ever has to be renumbered.

Flags are in two places.  The ledger has the truth; ``Layout.status`` has what the file
said when we last looked.  Where the file says something else now, another program has
changed it, and that difference, not the whole, is carried over to the ledger.
"""

import os
from array import array
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from itertools import pairwise

from maildrop.errors import KeywordLimit
from maildrop.mailbox.flags import ALL_SYSTEM
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.mbox.layout import OLD, Layout, Stamp
from maildrop.storage.mbox.scan import Found, examine, scan

#: Digest of a content -> UIDs that have it, in order, not placed yet.
Unplaced = dict[bytes, deque[int]]


class Places:
    """Where the messages of a ledger stand in the mbox.

    Attributes:
        layout: The columns.
        changed: The layout is not what was saved.
    """

    def __init__(self, ledger: Ledger, layout: Layout, host: Host, path: str) -> None:
        self._ledger = ledger
        self._host = host
        self._path = path
        self.layout = layout
        self.changed = False
        if layout.uids != ledger.table.uids:
            # A power cut took the end of the log: one has to look.
            layout.stamp = Stamp()

    def knows(self, stamp: Stamp) -> bool:
        """Whether the layout is that of the file as it is."""
        return stamp == self.layout.stamp

    def synchronize(self, fd: int) -> None:
        """Bring everything up to the file.

        Args:
            fd: The mbox, locked.
        """
        stamp = Stamp.of(os.fstat(fd))
        if self.knows(stamp):
            return
        with self._ledger.locked():
            known = self.layout.stamp
            if stamp.grown_from(known) and self._is_intact(fd, known.size):
                self._take_appended(list(scan(fd, known.size, stamp.size, self._path)))
            else:
                self._take_all(list(scan(fd, 0, stamp.size, self._path)))
        self.layout.stamp = stamp
        self.changed = True

    def _is_intact(self, fd: int, end: int) -> bool:
        """Whether the last message known still stands there, and one begins after."""
        if os.pread(fd, 5, end) != b"From " or not len(self.layout):
            return False
        starts = self.layout.starts
        last = max(range(len(starts)), key=starts.__getitem__)
        length = self.layout.lengths[last]
        row = self._ledger.table.row(self.layout.uids[last])
        if starts[last] + length != end or row is None:
            return False
        raw = os.pread(fd, length, starts[last])
        if raw[:5] != b"From ":
            return False
        return examine(starts[last], raw).digest == self._ledger.table.names.name(row)

    def _take_appended(self, found: Sequence[Found]) -> None:
        table = self._ledger.table
        self._drop_expunged()
        without_place = set(table.uids).difference(self.layout.uids)
        unplaced = self._by_digest(sorted(without_place))
        new = [one for one in found if not self._place(one, unplaced)]
        self._restore_order()
        self._number(new)

    def _take_all(self, found: Sequence[Found]) -> None:
        before = dict(zip(self.layout.uids, self._file_flags(), strict=True))
        self.layout.clear()
        unplaced = self._by_digest(self._ledger.table.uids)
        new = [one for one in found if not self._place(one, unplaced)]
        self._restore_order()
        gone = sorted(uid for uids in unplaced.values() for uid in uids)
        if gone:
            batch = self._ledger.batch()
            batch.expunge(gone)
            self._ledger.commit(batch)
        self._take_over_flags(before)
        self._number(new)

    def _by_digest(self, uids: Iterable[int]) -> Unplaced:
        table = self._ledger.table
        unplaced: Unplaced = defaultdict(deque)
        for uid in uids:
            row = table.row(uid)
            if row is not None:
                unplaced[table.names.name(row)].append(uid)
        return unplaced

    def _place(self, found: Found, unplaced: Unplaced) -> bool:
        """Give a message of the file to a UID that has its content."""
        uids = unplaced.get(found.digest)
        if not uids:
            return False
        self._append(uids.popleft(), found)
        return True

    def _append(self, uid: int, found: Found) -> None:
        old = OLD if found.metadata.old else 0
        keywords = self._keywords(found)
        self.layout.append(
            uid, found.start, found.length, found.metadata.flags | old, keywords
        )

    def _keywords(self, found: Found) -> int:
        """Keywords of a message in the file; those without room are passed over."""
        table = self._ledger.table
        try:
            return table.keyword_bits(found.metadata.keywords, create=True)
        except KeywordLimit:
            return table.keyword_bits(found.metadata.keywords)

    def _number(self, new: Sequence[Found]) -> None:
        """Give UIDs to messages that the ledger does not know."""
        if not new:
            return
        table = self._ledger.table
        batch = self._ledger.batch()
        uid = table.uid_next
        now = int(self._host.clock())
        for found in new:
            keywords = self._keywords(found)
            batch.append(
                uid,
                found.size,
                found.date or now,
                found.metadata.flags,
                keywords,
                found.digest,
                saved=now,
                object_id=int.from_bytes(self._host.random(8), "little"),
            )
            self._append(uid, found)
            uid += 1
        if self._ledger.fresh:
            seen = [at for at, found in enumerate(new, 1) if found.metadata.old]
            if seen:
                batch.first_recent(table.uid_next + seen[-1])
        self._ledger.commit(batch)

    def _restore_order(self) -> None:
        """Put the rows of the layout in UID order again."""
        layout = self.layout
        uids = layout.uids
        if all(before < after for before, after in pairwise(uids)):
            return
        order = sorted(range(len(uids)), key=uids.__getitem__)
        layout.uids = array("I", map(uids.__getitem__, order))
        layout.starts = array("Q", map(layout.starts.__getitem__, order))
        layout.lengths = array("Q", map(layout.lengths.__getitem__, order))
        layout.keywords = array("I", map(layout.keywords.__getitem__, order))
        layout.status = bytearray(map(layout.status.__getitem__, order))

    def _drop_expunged(self) -> None:
        """Forget the places of messages that another process expunged."""
        gone = set(self.layout.uids).difference(self._ledger.table.uids)
        if gone:
            self.layout.keep(lambda uid: uid not in gone)

    def _file_flags(self) -> Iterable[tuple[int, int]]:
        return zip(self.layout.status, self.layout.keywords, strict=True)

    def _take_over_flags(self, before: dict[int, tuple[int, int]]) -> None:
        """Carry over to the ledger what another program changed in the file."""
        table = self._ledger.table
        uids, flags, keywords = [], bytearray(), []
        for uid, now in zip(self.layout.uids, self._file_flags(), strict=True):
            row = table.row(uid)
            was = before.get(uid)
            if was is None or was == now or row is None:
                continue
            merged_flags = merged(table.flags[row], was[0], now[0]) & ALL_SYSTEM
            merged_keywords = merged(table.keywords[row], was[1], now[1])
            if (merged_flags, merged_keywords) != (
                table.flags[row] & ALL_SYSTEM,
                table.keywords[row],
            ):
                uids.append(uid)
                flags.append(merged_flags)
                keywords.append(merged_keywords)
        if uids:
            batch = self._ledger.batch()
            batch.change_flags(uids, bytes(flags), keywords)
            self._ledger.commit(batch)


def merged(ours: int, was: int, now: int) -> int:
    """Bits of ours with the difference between two states applied."""
    return (ours | (now & ~was)) & ~(was & ~now)
