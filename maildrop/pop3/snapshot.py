"""The maildrop as one session sees it, from login to QUIT.

In this file:
    Snapshot         messages by number, and which are marked as deleted
    NoSuchMessage    a number that names no message
    Totals           sums of sizes, remembered

RFC 1939 section 4: what arrives or is removed after the login does not show.  So the
UIDs and sizes of that moment are kept; no object exists per message.
"""

import itertools
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

from maildrop.errors import PermanentError
from maildrop.mailbox.table import MessageTable

T = TypeVar("T")

_KEPT: Final = bytes([1, 0]) + bytes(254)
_SIZE_LINE: Final = b"%d %d\r\n".__mod__
_UIDL_LINE: Final = b"%d %b\r\n".__mod__


class NoSuchMessage(PermanentError):
    """No message has that number, or it is marked as deleted."""


class Totals:
    """Sums of the sizes of mailboxes.

    Adding up 100,000 numbers takes longer than a whole poll; seeing that they are the
    same as at the last login, or the same with some new ones behind, does not.
    """

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[MessageTable, tuple[bytes, int]] = (
            WeakKeyDictionary()
        )

    def __len__(self) -> int:
        return len(self._known)

    def octets(self, table: MessageTable, sizes: "array[int]") -> int:
        """The sum of ``sizes``, which are those of ``table``."""
        now = sizes.tobytes()
        before, total = self._known.get(table, (b"", 0))
        if now.startswith(before):
            total += sum(sizes[len(before) // sizes.itemsize :])
        else:
            total = sum(sizes)
        self._known[table] = now, total
        return total


class Snapshot:
    """Messages by number from 1.

    Args:
        table: The mailbox's columns, at login.
        totals: Sums of sizes.

    Attributes:
        count: How many messages there are, the deleted ones included.
        deleted: How many are marked as deleted.
        uids: Their UIDs; longer than ``count`` when messages have arrived.
    """

    def __init__(self, table: MessageTable, totals: Totals) -> None:
        self.count = len(table)
        self.deleted = 0
        self.uids = table.uids  # grows at its end, or is replaced in the table
        self._sizes = table.sizes[:]
        self._marks: bytearray | None = None
        self._freed = 0
        self._total: int | None = None
        self._table = table
        self._totals = totals

    @property
    def octets(self) -> int:
        """Octets of the messages that are not marked as deleted."""
        if self._total is None:
            self._total = self._totals.octets(self._table, self._sizes)
        return self._total - self._freed

    def uid(self, number: int) -> int:
        """The UID of a message.

        Raises:
            NoSuchMessage: There is none of that number, or it is marked as deleted.
        """
        if not 0 < number <= self.count or (
            self._marks is not None and self._marks[number - 1]
        ):
            raise NoSuchMessage(f"no message {number}")
        return self.uids[number - 1]

    def size(self, number: int) -> int:
        """The octets of a message.

        Raises:
            NoSuchMessage: See ``uid``.
        """
        self.uid(number)
        return self._sizes[number - 1]

    def delete(self, number: int) -> None:
        """Mark a message as deleted.

        Raises:
            NoSuchMessage: See ``uid``.
        """
        self.uid(number)
        if self._marks is None:
            self._marks = bytearray(self.count)
        self._marks[number - 1] = 1
        self._freed += self._sizes[number - 1]
        self.deleted += 1

    def reset(self) -> None:
        """Take all marks away."""
        self._marks = None
        self._freed = self.deleted = 0

    def deleted_uids(self) -> list[int]:
        """UIDs of the messages marked as deleted, ascending."""
        if self._marks is None:
            return []
        return list(itertools.compress(self.uids, self._marks))

    # -- listings, in pieces

    def sizes_listed(self, piece: int) -> Iterator[bytes]:
        """The lines of LIST.

        Args:
            piece: Messages in each piece of octets.
        """
        for low in range(0, self.count, piece):
            high = min(low + piece, self.count)
            pairs = zip(range(low + 1, high + 1), self._sizes[low:high], strict=True)
            yield b"".join(map(_SIZE_LINE, self._kept(pairs, low, high)))

    def uidls_listed(self, uidls: Sequence[bytes], piece: int) -> Iterator[bytes]:
        """The lines of UIDL.

        Args:
            uidls: The unique-id of each message; empty for one that is gone, which
                has no line.
            piece: Messages in each piece of octets.
        """
        whole = all(uidls)
        for low in range(0, self.count, piece):
            high = min(low + piece, self.count)
            pairs = zip(range(low + 1, high + 1), uidls[low:high], strict=True)
            kept = self._kept(pairs, low, high)
            if not whole:
                kept = (pair for pair in kept if pair[1])
            yield b"".join(map(_UIDL_LINE, kept))

    def _kept(
        self, pairs: Iterable[tuple[int, T]], low: int, high: int
    ) -> Iterable[tuple[int, T]]:
        """Of the rows from ``low`` up to ``high``, those not marked as deleted."""
        if self._marks is None:
            return pairs
        return itertools.compress(pairs, self._marks[low:high].translate(_KEPT))
