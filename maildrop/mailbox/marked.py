"""Which messages have a certain mark among their flags, known without looking at all.

In this file:
    Follower    what is told of changes
    Marked      their number, and between which rows they are

The flags of a mailbox are one octet a message.  To count those with a mark takes a pass
over all of them, 0.7 us for 1,000; that is done once, and from then on each change is
followed.  Messages with a mark are few (deleted, in new/) or near the end (unseen), so
two bounds make a search short; they may be too wide, never too narrow.
"""

from collections.abc import Sequence
from typing import Final

#: Changes of so many rows at a time are followed; after more it is counted anew.
_FEW: Final = 256
#: Rows that are looked at together when the first with a mark is looked for.
_PART: Final = 1 << 12


class Follower:
    """What is told of every change of the flags and rows of a table."""

    __slots__ = ()

    def changed(self, row: int, before: int, after: int) -> None:
        """The flags of a row are others."""

    def changed_some(self, first: int, before: bytes, after: bytes) -> None:
        """The same of neighbours."""

    def grew(self, before: int, flags: bytes) -> None:
        """Rows came behind the last.

        Args:
            before: How many there were.
            flags: Those of the new ones.
        """

    def removing(self, rows: Sequence[int], flags: bytearray) -> None:
        """Rows (ascending) are about to be removed."""

    def forget(self) -> None:
        """The flags of all rows are others."""


class Marked(Follower):
    """The rows of a table that have a mark.

    Args:
        has: For each value of a flags octet 1 if it has the mark, else 0.
    """

    __slots__ = ("_count", "_has", "_high", "_length", "_low")

    def __init__(self, has: bytes) -> None:
        self._has = has
        self._count = 0
        self._low = 0
        self._high = 0
        self._length = -1  # of the flags that were counted; none yet

    # -- asking

    def count(self, flags: bytearray) -> int:
        """How many rows have it.

        Args:
            flags: The table's; the same in every call, as are its rows.
        """
        if self._length != len(flags):
            self._count = flags.translate(self._has).count(1)
            self._length = len(flags)
            self._low, self._high = 0, len(flags)
        return self._count

    def first(self, flags: bytearray) -> int | None:
        """The first row that has it."""
        if not self.count(flags):
            return None
        at = self._low
        while True:
            part = flags[at : min(at + _PART, self._high)]
            if (found := part.translate(self._has).find(1)) >= 0:
                break
            at += _PART
        self._low = at + found
        return self._low

    def rows(self, flags: bytearray, most: int = 1 << 62) -> list[int]:
        """The rows that have it, ascending.

        Args:
            flags: As in ``count``.
            most: The first so many of them.
        """
        first = self.first(flags)
        if first is None:
            return []
        marks = flags[first : self._high].translate(self._has)
        rows: list[int] = []
        at = 0
        while at >= 0 and len(rows) < most:
            rows.append(first + at)
            at = marks.find(1, at + 1)
        if at < 0:
            self._high = rows[-1] + 1
        return rows

    # -- following

    def changed(self, row: int, before: int, after: int) -> None:
        """See ``Follower``."""
        if self._has[before] == self._has[after]:
            return
        if not self._has[after]:
            self._count -= 1
            return
        if not self._count:
            self._low, self._high = row, row + 1
        self._count += 1
        self._low = min(self._low, row)
        self._high = max(self._high, row + 1)

    def changed_some(self, first: int, before: bytes, after: bytes) -> None:
        """See ``Follower``."""
        if len(before) > _FEW:
            self.forget()
            return
        for row, (was, now) in enumerate(zip(before, after, strict=True), first):
            self.changed(row, was, now)

    def grew(self, before: int, flags: bytes) -> None:
        """See ``Follower``."""
        if self._length != before:
            return
        self._length += len(flags)
        marks = flags.translate(self._has)
        if new := marks.count(1):
            if not self._count:
                self._low = before + marks.find(1)
            self._count += new
            self._high = self._length

    def removing(self, rows: Sequence[int], flags: bytearray) -> None:
        """See ``Follower``."""
        if self._length != len(flags) or len(rows) > _FEW:
            self.forget()
            return
        self._length -= len(rows)
        low, high = self._low, self._high
        for row in rows:
            self._count -= self._has[flags[row]]
            self._low -= row < low
            self._high -= row < high

    def forget(self) -> None:
        """Count anew when next asked."""
        self._length = -1
