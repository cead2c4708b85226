"""A session's view of a mailbox: message sequence numbers and what it was told.

In this file:
    View       sequence numbers of one session, and its place in the journal
    Updates    what to tell the client now

RFC 3501 section 7.4.1 forbids an EXPUNGE while FETCH, STORE or SEARCH runs, so the
numbers of a view stay put until ``updates(expunges=True)`` is asked for.  A message
that is gone from the table and not yet from the view has a number and no row.
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from maildrop.mailbox.table import MessageTable


@dataclass(slots=True)
class Updates:
    r"""What the client has not been told.

    Attributes:
        expunged: Sequence numbers to send as EXPUNGE, in this order; each is right
            after the ones before it were applied.
        vanished: UIDs of the same messages, ascending.
        exists: The number of messages now, None when it has not grown.
        recent: The number of ``\Recent`` messages, None unless ``exists`` is set.
        flags: UIDs whose flags changed, ascending, by others than this view.
    """

    expunged: list[int] = field(default_factory=list)
    vanished: list[int] = field(default_factory=list)
    exists: int | None = None
    recent: int | None = None
    flags: list[int] = field(default_factory=list)


class View:
    r"""One session's numbers for the messages of one mailbox.

    Attributes:
        table: The columns, shared with other sessions.
        uids: UIDs as this session knows them; valid up to ``count``.
        count: How many messages were announced.
        read_only: EXAMINE, or a snapshot: takes no ``\Recent`` away from others.
        first_recent: Messages of this UID or more are ``\Recent`` here (those that
            arrive later are too).
    """

    def __init__(self, table: MessageTable, *, read_only: bool = False) -> None:
        self.table = table
        self.uids: array[int] = table.uids
        self.count = len(table.uids)
        self.read_only = read_only
        self.first_recent = table.first_recent
        self._position = table.journal.end
        self._pending: list[int] = []  # expunged in the table, not told yet

    @property
    def position(self) -> int:
        """How far in the journal this view is (the table may forget what is before)."""
        return self._position

    @property
    def current(self) -> bool:
        """Whether a message's row is its sequence number less one."""
        return self.uids is self.table.uids

    @property
    def has_news(self) -> bool:
        """Whether ``updates`` may have something to tell."""
        table = self.table
        return bool(
            self._position < table.journal.end
            or self._pending
            or self.uids is not table.uids
            or len(self.uids) > self.count
        )

    def uid(self, number: int) -> int:
        """The UID of a sequence number from 1 to ``count``."""
        return self.uids[number - 1]

    def number(self, uid: int) -> int | None:
        """The sequence number of ``uid``, None when this view has no such message."""
        at = bisect_left(self.uids, uid, 0, self.count)
        return at + 1 if at < self.count and self.uids[at] == uid else None

    def uids_of_numbers(self, low: int, high: int) -> Sequence[int]:
        """UIDs of the inclusive range of numbers, cut to what exists."""
        return self.uids[max(low, 1) - 1 : min(high, self.count)]

    def uids_between(self, low: int, high: int) -> Sequence[int]:
        """This view's UIDs in the inclusive range of UIDs."""
        first = bisect_left(self.uids, low, 0, self.count)
        last = bisect_left(self.uids, high + 1, 0, self.count)
        return self.uids[first:last]

    def is_recent(self, uid: int) -> bool:
        r"""Whether the message is ``\Recent`` in this session."""
        return uid >= self.first_recent

    def recent(self) -> int:
        r"""How many announced messages are ``\Recent`` in this session."""
        return self.count - bisect_left(self.uids, self.first_recent, 0, self.count)

    def updates(self, *, expunges: bool) -> Updates:
        """Take note of what happened, and say what to tell the client.

        Args:
            expunges: Whether an EXPUNGE may be sent now.  When not, expunged messages
                stay in the view and are told later; new messages wait with them if
                their numbers would depend on it (the array was replaced).
        """
        told = Updates()
        journal = self.table.journal
        if self._position < journal.end:
            self._read_journal(told)
        if self._pending and expunges:
            self._expunge(told)
        if not self._pending:
            self.uids = self.table.uids
            if len(self.uids) > self.count:
                self.count = len(self.uids)
                told.exists = self.count
                told.recent = self.recent()
        return told

    def _read_journal(self, told: Updates) -> None:
        changed: set[int] = set()
        for change in self.table.journal.since(self._position):
            if change.expunged:
                self._pending.extend(change.uids)
            elif change.by is not self:
                changed.update(change.uids)
        self._position = self.table.journal.end
        changed.difference_update(self._pending)
        last = self.uids[self.count - 1] if self.count else 0
        told.flags = sorted(uid for uid in changed if uid <= last)

    def _expunge(self, told: Updates) -> None:
        rows = []
        for uid in sorted(self._pending):
            number = self.number(uid)
            if number is not None:
                rows.append(number - 1)
                told.vanished.append(uid)
        self._pending.clear()
        # Highest first: no number sent depends on another one sent before.
        told.expunged = [row + 1 for row in reversed(rows)]
        self.count -= len(rows)  # ``updates`` takes over the table's array
