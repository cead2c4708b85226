"""Bringing ledger and layout up to what stands in the file.

In this file:
    Places    the layout of a mailbox, kept in step with its ledger and its file

Another program appended: only what is new is read, if the last message known still
stands there unchanged.  The others may not (a longer backup was copied over the file):
each is looked at before it is read, removed or written to for the first time since, and
one that is another gives all of them away.  Anything else (a mail reader rewrote the
file, an editor, a backup put back) is read whole and matched message by message through
the digest of the content.  So a message keeps its UID wherever it went; one that is not
in the file any more is expunged; one that the ledger does not know gets the next UID,
wherever in the file it stands: sequence numbers follow UIDs, not the file, so that
nothing ever has to be renumbered.

Flags are in two places.  The ledger has the truth; ``Layout.status`` has what the file
said when we last looked.  Where the file says something else now, another program has
changed it, and that difference, not the whole, is carried over to the ledger, once:
whoever took it over, or wrote flags into the file, saves the layout before letting go
of the lock, and a process that meets a file it does not know looks first whether
another one has saved what it knows.  What was only appended is not worth that; the next
one to open the mailbox finds it again.

A message restored from a backup has its UID if nobody looked meanwhile.  Once seen to
be gone it is expunged, and comes back as a new message: UIDs ascend in the order in
which messages appear (RFC 3501 section 2.3.1.1), and every session may have told that
the old one is gone.
"""

import contextlib
import dataclasses
import os
from array import array
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from twisted.logger import Logger

from maildrop.errors import KeywordLimit, MaildropError
from maildrop.mailbox.flags import ALL_SYSTEM, is_keyword
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.mbox.format import FROM_LINE
from maildrop.storage.mbox.layout import FILE, OLD, UNSURE, Layout, Stamp
from maildrop.storage.mbox.scan import Found, examine, scan

_log = Logger()

_WITHOUT_DOUBT: Final = bytes(octet & ~UNSURE for octet in range(256))
#: A layout of fewer messages is saved when the mailbox is closed,
_SMALL: Final = 1000
#: a larger one only if more octets than these were appended since it was.
_READ_AGAIN: Final = 1 << 17

#: No From_ line is longer, in octets.
_FROM_LINE_MAX: Final = 1 << 11

#: Digest of a content -> UIDs that have it, in order, not placed yet.
Unplaced = dict[bytes, deque[int]]


class Places:
    """Where the messages of a ledger stand in the mbox.

    Args:
        ledger: The mailbox's.
        control: Directory of its control files.
        host: Disk, time, chance.
        path: The mbox, for errors.

    Attributes:
        layout: The columns.
        changed: The layout is not what was saved.
    """

    def __init__(self, ledger: Ledger, control: str, host: Host, path: str) -> None:
        self._ledger = ledger
        self._control = control
        self._host = host
        self._path = path
        self._saved: tuple[int, int] | None = None
        self._saved_size = 0
        self.layout = Layout()
        self.changed = False
        self._take_saved()

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
            self._take_saved()
            known = self.layout.stamp
            if known == stamp:
                return
            if stamp.grown_from(known) and self._is_intact(fd, known.size):
                self._take_appended(list(scan(fd, known.size, stamp.size, self._path)))
                self.layout.stamp = stamp
                self.changed = True
            else:
                self._take_file(fd, stamp)
            self._ledger.begun()

    def _take_saved(self) -> None:
        """Begin with what another process saved, if it did since we did."""
        saved = self._saved_now()
        if saved is None or saved == self._saved:
            return
        layout = Layout.load(self._control)
        if layout.stamp == Stamp():
            return
        self.layout = layout
        self._saved = saved
        self._saved_size = layout.stamp.size
        uids = self._ledger.table.uids
        if layout.uids != uids:
            if set(layout.uids).issubset(uids):
                # What was appended since was not saved: look behind the end.
                layout.stamp = dataclasses.replace(layout.stamp, modified=0)
            else:
                # A power cut took the end of the log: look at everything.
                layout.stamp = Stamp()

    def _saved_now(self) -> tuple[int, int] | None:
        try:
            found = os.stat(os.path.join(self._control, FILE))
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def save(self) -> None:
        """Put the layout beside the ledger, for other processes and later ones.

        Where that fails nothing is lost: a change of flags may be taken over twice.
        """
        if self._ledger.read_only:
            return
        self.changed = True
        try:
            with self._ledger.locked():
                self.layout.save(self._control, self._host.disk)
                self._saved = self._saved_now()
        except (MaildropError, OSError) as error:
            _log.warn(
                "the layout of {path} is not saved: {error}",
                path=self._path,
                error=str(error),
            )
            return
        self._saved_size = self.layout.stamp.size
        self.changed = False

    def save_if_worth(self) -> None:
        """The same, unless another process did, or it is found again more cheaply."""
        grown = self.layout.stamp.size - self._saved_size
        little = 0 <= grown <= _READ_AGAIN and len(self.layout) > _SMALL
        if self.changed and not little:
            with self._ledger.locked():
                if self._saved_now() == self._saved:
                    self.save()

    def _is_intact(self, fd: int, end: int) -> bool:
        """Whether the last message known still stands there, and one begins after."""
        if not len(self.layout):
            return False
        last = self.layout.last
        length = self.layout.lengths[last]
        return self.layout.starts[last] + length == end and self._stands(fd, last)

    def _stands(self, fd: int, place: int) -> bool:
        """Whether a message stands where the layout has it, and ends where it did."""
        start, length = self.layout.starts[place], self.layout.lengths[place]
        row = self._ledger.table.row(self.layout.uids[place])
        octets = os.pread(fd, length + _FROM_LINE_MAX, start)
        raw, after = octets[:length], octets[length:]
        if row is None or raw[:5] != b"From ":
            return False
        if after and FROM_LINE.match(after) is None:
            return False
        return examine(start, raw).digest == self._ledger.table.names.name(row)

    def confirm(self, fd: int, uids: Iterable[int]) -> None:
        """Look whether messages still stand where the layout has them.

        If one does not, everything is taken in again: some may be expunged then.

        Args:
            fd: The mbox, locked and taken in.
            uids: The messages.
        """
        layout = self.layout
        for uid in uids:
            place = layout.row(uid)
            if place is None or not layout.status[place] & UNSURE:
                continue
            if not self._stands(fd, place):
                with self._ledger.locked():
                    self._take_file(fd, Stamp.of(os.fstat(fd)))
                return
            layout.status[place] &= ~UNSURE

    def _take_file(self, fd: int, stamp: Stamp) -> None:
        self._take_all(list(scan(fd, 0, stamp.size, self._path)))
        self.layout.stamp = stamp
        self.save()

    def _take_appended(self, found: Sequence[Found]) -> None:
        self.layout.doubt()
        self.layout.status[self.layout.last] &= ~UNSURE
        self._drop_expunged()
        known = len(self.layout)
        unplaced = self._by_digest(self._without_place())
        new = [one for one in found if not self._place(one, unplaced)]
        self._restore_order(known)
        self._number(new)

    def _without_place(self) -> Sequence[int]:
        """UIDs of the ledger that the layout lacks, ascending."""
        uids, placed = self._ledger.table.uids, self.layout.uids
        if uids[: len(placed)] == placed:
            return uids[len(placed) :]
        return sorted(set(uids).difference(placed))

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
        self.layout.append(
            uid,
            found.start,
            found.length,
            found.metadata.flags | old,
            self._keywords(found),
        )

    def _keywords(self, found: Found) -> int:
        """The keywords that the file gives; what finds no room is passed over."""
        bits = 0
        for name in filter(is_keyword, found.metadata.keywords):
            with contextlib.suppress(KeywordLimit):
                bits |= self._ledger.table.keyword_bits((name,), create=True)
        return bits

    def _number(self, new: Sequence[Found]) -> None:
        """Give UIDs to messages that the ledger does not know."""
        if not new:
            return
        table = self._ledger.table
        batch = self._ledger.batch()
        uid = table.uid_next
        now = int(self._host.clock())
        for found in new:
            batch.append(
                uid,
                found.size,
                found.date or now,
                found.metadata.flags,
                self._keywords(found),
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

    def _restore_order(self, known: int = 0) -> None:
        """Put the rows of the layout in UID order again.

        Args:
            known: So many of the first are.
        """
        layout = self.layout
        uids = layout.uids
        added = uids[max(known - 1, 0) :]
        if all(before < after for before, after in pairwise(added)):
            return
        layout.moved()
        order = sorted(range(len(uids)), key=uids.__getitem__)
        layout.uids = array("I", map(uids.__getitem__, order))
        layout.starts = layout.starts.of(order)
        layout.lengths = layout.lengths.of(order)
        layout.keywords = layout.keywords.of(order)
        layout.status = bytearray(map(layout.status.__getitem__, order))

    def _drop_expunged(self) -> None:
        """Forget the places of messages that another process expunged."""
        uids, placed = self._ledger.table.uids, self.layout.uids
        if uids[: len(placed)] != placed:
            self.layout.remove(set(placed).difference(uids))

    def _file_flags(self) -> Iterable[tuple[int, int]]:
        status = self.layout.status.translate(_WITHOUT_DOUBT)
        return zip(status, self.layout.keywords, strict=True)

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
