"""The table of a mailbox kept in files: further columns beside ``MessageTable``'s.

In this file:
    IndexTable    what the ledger holds, in memory: 30 to 50 octets a message
"""

from array import array
from collections.abc import Iterator, Sequence
from typing import Final

from maildrop.mailbox.column import Column, cut
from maildrop.mailbox.table import MessageTable
from maildrop.storage.index.columns import U32, U64
from maildrop.storage.index.names import Names

#: Expunged UIDs remembered with their MODSEQ, newest kept: at most, and at least.
EXPUNGED_MAX: Final = 65536
EXPUNGED_LEAST: Final = 4096
#: Up to so many UIDs are looked up one by one.
_FEW: Final = 64


class IndexTable(MessageTable):
    """The columns of a ledger.

    Attributes:
        names: What the mail files call each message.
        cache: u64 by row, where its record stands in the cache file; 0 for nowhere.
        checked: u8 by row, how many pieces its cache record has, once this process has
            seen that it can be believed; else 0.
        saved: u32 by row, when it came into this mailbox (RFC 8514 SAVEDATE).
        object_ids: u64 by row, kept when a message is copied (RFC 8474 EMAILID); 0 for
            one that follows from the name.
        expunged_uids: u32, UIDs that are gone, in the order they went.
        expunged_mod_seqs: u64, MODSEQ of each of them.
        forgotten_mod_seq: Expunges up to this MODSEQ may be forgotten.
        uidls: POP3 unique ids that differ from what the format makes of a message.
        notes: Small facts that the storage format keeps, by name.
        source: State of the mail files that the table agrees with; the format's own.
        boot: The machine's start in which the last change was made.
        cache_id: The cache file that ``cache`` points into; 0 for none.
        cache_keys: Names of the pieces kept in the cache, by their number in it.
        lost: Sections of the snapshot that were damaged (``salvage``).
    """

    def __init__(self, uid_validity: int, uid_next: int = 1) -> None:
        super().__init__(uid_validity, uid_next)
        self.names = Names()
        self.cache = Column(U64)
        self.checked = bytearray()
        self.saved = Column(U32)
        self.object_ids = Column(U64)
        self.expunged_uids = array(U32)
        self.expunged_mod_seqs = array(U64)
        self.forgotten_mod_seq = 0
        self.uidls: dict[int, bytes] = {}
        self.notes: dict[bytes, bytes] = {}
        self.source = b""
        self.boot = b""
        self.cache_id = 0
        self.cache_keys: list[bytes] = []
        self.lost: frozenset[str] = frozenset()

    def remove_rows(self, rows: Sequence[int], mod_seq: int, by: object | None) -> None:
        """Remove messages, tell the views, and remember the UIDs."""
        gone = [self.uids[row] for row in rows]
        self.remember_expunged(gone, mod_seq)
        if self.uidls:
            for uid in gone:
                self.uidls.pop(uid, None)
        for column in (self.cache, self.saved, self.object_ids):
            column.cut(rows)
        cut(self.checked, rows)
        self.names.remove(rows)
        super().remove_rows(rows, mod_seq, by)

    def came_before(self, seconds: float) -> list[int]:
        """UIDs of messages that came into this mailbox before a moment."""
        came = zip(self.uids, self.saved, self.dates, strict=True)
        return [uid for uid, saved, date in came if (saved or date) < seconds]

    def remember_expunged(self, uids: Sequence[int], mod_seq: int) -> None:
        """Keep in mind which messages went, and when."""
        self.expunged_uids.extend(uids)
        self.expunged_mod_seqs.extend([mod_seq] * len(uids))

    def prune_expunged(self, limit: int | None = None) -> None:
        """Forget the oldest expunged UIDs.

        A client that asks from before what is remembered gets all UIDs that are not
        there, as ranges.  So the memory need not be larger than the mailbox: every
        snapshot has it, and a mailbox that is emptied again and again would drag along
        more of it than of messages.

        Args:
            limit: How many are remembered; None for as many as there are messages,
                but at least EXPUNGED_LEAST and at most EXPUNGED_MAX.
        """
        if limit is None:
            limit = min(max(len(self), EXPUNGED_LEAST), EXPUNGED_MAX)
        extra = len(self.expunged_uids) - limit
        if extra > 0:
            self.forgotten_mod_seq = self.expunged_mod_seqs[extra - 1]
            del self.expunged_uids[:extra]
            del self.expunged_mod_seqs[:extra]

    def expunged_since(self, mod_seq: int) -> list[int] | None:
        """UIDs expunged after ``mod_seq``, ascending; None when that is forgotten."""
        if mod_seq < self.forgotten_mod_seq:
            return None
        pairs = zip(self.expunged_uids, self.expunged_mod_seqs, strict=True)
        return sorted({uid for uid, gone_at in pairs if gone_at > mod_seq})

    def gone_since(self, mod_seq: int) -> Iterator[tuple[int, int]]:
        """UIDs to be told as gone to a client that knows all up to ``mod_seq``.

        RFC 7162 section 3.2.6: who asks from before the first expunge remembered is
        told of every UID that is not there.

        Yields:
            First and last of each range, ascending.
        """
        gone = self.expunged_since(mod_seq)
        if gone is not None:
            there = set(self.uids) if len(gone) > _FEW else None
            for uid in gone:
                if (uid not in there) if there is not None else self.row(uid) is None:
                    yield uid, uid
            return
        first = 1
        for uid in self.uids:
            if uid > first:
                yield first, uid - 1
            first = uid + 1
        if first < self.uid_next:
            yield first, self.uid_next - 1
