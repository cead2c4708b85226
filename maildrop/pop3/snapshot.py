"""The maildrop as one session sees it, from login to QUIT.

In this file:
    Snapshot         messages by number, and which are marked as deleted
    NoSuchMessage    a number that names no message

RFC 1939 section 4: what arrives or is removed after the login does not show.  So the
UIDs and sizes of that moment are kept, without a copy: they only grow at their end, or
are replaced in the table.  No object exists per message.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeVar

from maildrop.errors import PermanentError
from maildrop.mailbox.table import MessageTable

T = TypeVar("T")

_KEPT: Final = bytes([1, 0]) + bytes(254)
_SIZE_LINE: Final = b"%d %d\r\n".__mod__
_UIDL_LINE: Final = b"%d %b\r\n".__mod__


class NoSuchMessage(PermanentError):
    """No message has that number, or it is marked as deleted."""


class Snapshot:
    """Messages by number from 1.

    Args:
        table: The mailbox's columns, at login.

    Attributes:
        count: How many messages there are, the deleted ones included.
        deleted: How many are marked as deleted.
        uids: Their UIDs; longer than ``count`` when messages have arrived.
    """

    def __init__(self, table: MessageTable) -> None:
        self.count = len(table)
        self.deleted = 0
        self.uids = table.uids
        self._sizes = table.sizes.numbers()
        self._total = table.octets()
        self._marks: bytearray | None = None
        self._freed = 0

    @property
    def octets(self) -> int:
        """Octets of the messages that are not marked as deleted."""
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
