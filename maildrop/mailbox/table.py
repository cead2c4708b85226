"""The columns of an open mailbox, and the journal of what changed in them.

In this file:
    MessageTable    one row a message, in UID order; shared by a process's sessions
    Change          one entry of the journal
    Journal         the entries that some view has not seen yet

No Python object exists per message: a row is the same index in several columns.
Only the reactor thread changes a table; ``bridge`` sees to that.  A storage format
subclasses it to keep further columns in step (``append_row``, ``remove_rows``).

How sessions follow: a ``View`` holds the ``uids`` array it was told about and how far
in the journal it is.  New messages extend ``uids`` in place (a view knows how many it
has announced).  An expunge puts a *new* array in place, so the arrays held by views
that may not hear of an EXPUNGE yet stay as they were told.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from maildrop.errors import KeywordLimit
from maildrop.mailbox.column import Column, cut, without
from maildrop.mailbox.flags import DELETED, KEYWORDS_MAX, SEEN
from maildrop.mailbox.marked import Follower, Marked

_MASK_UNSEEN: Final = bytes(0 if bits & SEEN else 1 for bits in range(256))
_MASK_DELETED: Final = bytes(1 if bits & DELETED else 0 for bits in range(256))


@dataclass(frozen=True, slots=True)
class Change:
    """One step of a mailbox's history.

    Attributes:
        mod_seq: MODSEQ given to it.
        uids: The messages it touched.
        expunged: They were removed; else their flags or keywords changed.
        by: The view that asked for it (it needs no echo), None for anyone else.
    """

    mod_seq: int
    uids: Sequence[int]
    expunged: bool
    by: object | None


@dataclass(slots=True)
class Journal:
    """Changes since the oldest view; positions count from the mailbox's opening."""

    start: int = 0
    entries: list[Change] = field(default_factory=list)

    @property
    def end(self) -> int:
        """The position after the newest change."""
        return self.start + len(self.entries)

    def since(self, position: int) -> list[Change]:
        """The changes at ``position`` and after."""
        return self.entries[position - self.start :]

    def forget_before(self, position: int) -> None:
        """Drop what every view has seen."""
        if position > self.start:
            del self.entries[: position - self.start]
            self.start = position


class MessageTable:
    """Columns of all messages, in ascending UID order.

    Attributes:
        uid_validity: RFC 3501 section 2.3.1.1.
        uid_next: The UID the next message will get, or more.
        highest_mod_seq: RFC 7162 section 3.1.1; every change raises it.
        first_recent: Messages with this UID or more were in no session yet.
        keyword_names: The keyword of each bit, in bit order.
        uids: u32, ascending.
        sizes: u32, octets with CRLF line ends (RFC822.SIZE).
        dates: i64, INTERNALDATE in seconds since 1970 UTC.
        mod_seqs: u64.
        flags: u8, ``flags.SEEN`` ...; bits above ``flags.ALL_SYSTEM`` are storage's.
        keywords: u32, a bit for each of ``keyword_names``.
        journal: What changed, for the views.
        followed: What is told of every change of flags.
    """

    def __init__(self, uid_validity: int, uid_next: int = 1) -> None:
        self.uid_validity = uid_validity
        self.uid_next = uid_next
        self.highest_mod_seq = 1
        self.first_recent = 1
        self.keyword_names: list[str] = []
        self.uids = array("I")
        self.sizes = Column("I")
        self.dates = Column("q")
        self.mod_seqs = Column("Q")
        self.flags = bytearray()
        self.keywords = Column("I")
        self.journal = Journal()
        self._unseen = Marked(_MASK_UNSEEN)
        self._deleted = Marked(_MASK_DELETED)
        self.followed: list[Follower] = [self._unseen, self._deleted]
        self._octets: int | None = None

    def __len__(self) -> int:
        return len(self.uids)

    # -- finding

    def row(self, uid: int) -> int | None:
        """The row of ``uid``, or None when it is gone."""
        at = bisect_left(self.uids, uid)
        return at if at < len(self.uids) and self.uids[at] == uid else None

    def rows(self, uids: Sequence[int]) -> Sequence[int]:
        """The rows of ``uids`` (ascending) that are still there.

        Two searches and a comparison of memory when none between them is missing,
        which is the rule.
        """
        if not uids:
            return ()
        first = bisect_left(self.uids, uids[0])
        last = first + len(uids)
        neighbours = self.uids[first:last]
        if neighbours == (uids if isinstance(uids, array) else array("I", uids)):
            return range(first, last)
        found = (self.row(uid) for uid in uids)
        return [row for row in found if row is not None]

    def spans(self, spans: Iterable[tuple[int, int]]) -> Iterator[range]:
        """The rows of inclusive UID ranges, as ranges, empty ones left out."""
        for low, high in spans:
            first = bisect_left(self.uids, low)
            last = bisect_left(self.uids, high + 1)
            if first < last:
                yield range(first, last)

    # -- counting

    @property
    def unseen(self) -> int:
        r"""How many messages lack ``\Seen``."""
        return self._unseen.count(self.flags)

    @property
    def first_unseen(self) -> int | None:
        r"""Row of the first message without ``\Seen``."""
        return self._unseen.first(self.flags)

    @property
    def deleted(self) -> int:
        r"""How many messages have ``\Deleted``."""
        return self._deleted.count(self.flags)

    def deleted_uids(self) -> list[int]:
        r"""UIDs of the messages with ``\Deleted``."""
        return [self.uids[row] for row in self._deleted.rows(self.flags)]

    def recent(self) -> int:
        """How many messages no session has seen yet."""
        return len(self.uids) - bisect_left(self.uids, self.first_recent)

    def octets(self) -> int:
        """Sum of the sizes; added up once, and followed from then on."""
        if self._octets is None:
            self._octets = sum(self.sizes)
        return self._octets

    def grew(self, octets: int) -> None:
        """The sum of the sizes is another one by so much."""
        if self._octets is not None:
            self._octets += octets

    # -- keywords

    def keyword_bits(self, names: Iterable[str], *, create: bool = False) -> int:
        """Bits of keywords by name, compared without regard to ASCII case.

        Args:
            names: Keyword names.
            create: Give unknown names a bit; else they are passed over.

        Raises:
            KeywordLimit: No bit is left.
        """
        bits = 0
        for name in names:
            index = self._keyword_index(name)
            if index is None:
                if not create:
                    continue
                if len(self.keyword_names) >= KEYWORDS_MAX:
                    raise KeywordLimit(f"no room for a keyword beyond {KEYWORDS_MAX}")
                index = len(self.keyword_names)
                self.keyword_names.append(name)
            bits |= 1 << index
        return bits

    def _keyword_index(self, name: str) -> int | None:
        folded = name.lower()
        for index, known in enumerate(self.keyword_names):
            if known.lower() == folded:
                return index
        return None

    def keywords_of(self, bits: int) -> list[str]:
        """The names of the bits set."""
        names = enumerate(self.keyword_names)
        return [name for index, name in names if bits >> index & 1]

    # -- changing (the storage format's business)

    def append_row(
        self, uid: int, size: int, date: int, flags: int, keywords: int, mod_seq: int
    ) -> None:
        """Add a message; ``uid`` is above all others."""
        self.uids.append(uid)
        self.sizes.append(size)
        self.grew(size)
        self.dates.append(date)
        self.mod_seqs.append(mod_seq)
        self.extend_flags(bytes((flags,)))
        self.keywords.append(keywords)
        self.uid_next = max(self.uid_next, uid + 1)
        self.highest_mod_seq = max(self.highest_mod_seq, mod_seq)

    def set_row(self, row: int, flags: int, keywords: int, mod_seq: int) -> None:
        """Put new flags, keywords and MODSEQ; ``record`` tells the views."""
        self.put_flags(row, flags)
        self.keywords[row] = keywords
        self.mod_seqs[row] = mod_seq
        self.highest_mod_seq = max(self.highest_mod_seq, mod_seq)

    def put_flags(self, row: int, flags: int) -> None:
        """Other flags for a message; nobody is told."""
        before = self.flags[row]
        self.flags[row] = flags
        for marked in self.followed:
            marked.changed(row, before, flags)

    def put_flags_of(self, first: int, flags: bytes) -> None:
        """The same for neighbours, from row ``first`` on."""
        before = bytes(self.flags[first : first + len(flags)])
        self.flags[first : first + len(flags)] = flags
        for marked in self.followed:
            marked.changed_some(first, before, flags)

    def extend_flags(self, flags: bytes) -> None:
        """The flags of messages that come behind the last."""
        for marked in self.followed:
            marked.grew(len(self.flags), flags)
        self.flags += flags

    def replace_flags(self, flags: bytes | bytearray) -> None:
        """The flags of all messages."""
        self.flags[:] = flags
        for marked in self.followed:
            marked.forget()

    def resize(self, rows: Sequence[int], sizes: Sequence[int]) -> None:
        """Put sizes right; nobody is told."""
        self.sizes = self.sizes.copy()  # snapshots may hold the old ones
        for row, size in zip(rows, sizes, strict=True):
            self.grew(size - self.sizes[row])
            self.sizes[row] = size

    def remove_rows(self, rows: Sequence[int], mod_seq: int, by: object | None) -> None:
        """Remove messages and tell the views.

        Args:
            rows: Ascending row numbers.
            mod_seq: MODSEQ of the removal.
            by: Whose doing it is.
        """
        gone = [self.uids[row] for row in rows]
        if self._octets is not None:
            self.grew(-sum(self.sizes[row] for row in rows))
        for marked in self.followed:
            marked.removing(rows, self.flags)
        # Views and snapshots may hold the old ones.
        self.uids = without(self.uids, rows)
        for column in (self.sizes, self.dates, self.mod_seqs, self.keywords):
            column.cut(rows)
        cut(self.flags, rows)
        self.highest_mod_seq = max(self.highest_mod_seq, mod_seq)
        self.journal.entries.append(Change(mod_seq, gone, expunged=True, by=by))

    def record(self, uids: Sequence[int], mod_seq: int, by: object | None) -> None:
        """Tell the views that flags or keywords of ``uids`` changed."""
        self.journal.entries.append(Change(mod_seq, uids, expunged=False, by=by))
