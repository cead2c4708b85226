"""The outbox: puts into the queue what cannot be done at once.

In this file:
    Outbox         what the agent needs of it
    SpoolOutbox    the queue on disk
"""

import dataclasses
import mmap
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from twisted.logger import Logger

from maildrop.durable import Content
from maildrop.queue.entry import Entry
from maildrop.queue.spool import Spool

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]

#: Octets looked at in one piece.
_PIECE: Final = 1 << 20


class Outbox(Protocol):
    """Puts messages into the queue."""

    async def put(self, entry: Entry, content: Content, before: bytes) -> None:
        """Put one there; it is on disk when this returns.

        Args:
            entry: Who sent it to whom.
            content: The message; the caller closes it.
            before: Header fields to put before it.

        Raises:
            NoSpace, StorageFailure: It is not there.
        """


class SpoolOutbox:
    """The queue on disk.

    Args:
        spool: The queue.
        in_thread: Where it is written.
        added: Told of the id of each entry.
    """

    _log = Logger()

    def __init__(
        self, spool: Spool, in_thread: InThread, added: Callable[[str], None]
    ) -> None:
        self._spool = spool
        self._in_thread = in_thread
        self._added = added

    async def put(self, entry: Entry, content: Content, before: bytes) -> None:
        """See ``Outbox``."""
        await self._in_thread(lambda: self._put(entry, content, before))
        for each in entry.waiting():
            self._log.info(
                "{id}: queued for {recipient} by {relay}",
                id=entry.id,
                recipient=each.address,
                relay=each.relay,
            )
        self._added(entry.id)

    def _put(self, entry: Entry, content: Content, before: bytes) -> None:
        eight_bit = not (before.isascii() and is_ascii(content.octets()))
        entry.options = dataclasses.replace(entry.options, eight_bit=eight_bit)
        self._spool.add(entry, content, before)


def is_ascii(octets: bytes | mmap.mmap) -> bool:
    """Whether no octet is above 127."""
    return all(
        octets[at : at + _PIECE].isascii() for at in range(0, len(octets), _PIECE)
    )
