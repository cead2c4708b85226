"""The kept text of an open mailbox, as searches use it.

In this file:
    Texts    makes it, looks through it, keeps it in order

Limits: ``limit``; what no text is made of is read each time.

One call at a time on the text, whoever makes it; beside those on the mailbox.  Each is
some milliseconds of work in a thread, and after each others have their turn: several
searches that need the same text share the making of it, and one whose session is gone
stops.  A store that keeps no text covers nothing; neither does one that fails: then the
messages are read.
"""

import contextlib
from array import array
from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from functools import partial
from typing import Final, Protocol, TypeVar

from twisted.logger import Logger

from maildrop.errors import (
    AccessDenied,
    MailboxVanished,
    MaildropError,
    TemporaryError,
)
from maildrop.mailbox.gate import Gate
from maildrop.mailbox.stored_text import StoredText, Where
from maildrop.mailbox.table import MessageTable

T = TypeVar("T")

#: Text of a mailbox, in octets, above which no more is made.
OCTETS_MAX: Final = 1 << 32
#: Messages read and folded at a time, and their octets.
_MESSAGES: Final = 64
_OCTETS: Final = 1 << 20
#: Text is made for all messages only if this part of those that lack it is asked for.
_WORTH: Final = 2


class Messages(Protocol):
    """The mailbox whose messages they are."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def table(self) -> MessageTable:
        """The columns, to be read right after ``turn``."""

    async def turn(self) -> None:
        """Wait until nobody changes the table; raises MailboxVanished."""

    async def read_many(self, uids: Sequence[int]) -> list[bytes | None]:
        """Whole messages; None for one that is gone."""


class Texts:
    """The text of one mailbox's messages.

    Args:
        mailbox: Whose.
        stored: What the store keeps; None for nothing.
        gate: For calls on it; nobody else's.
    """

    _log = Logger()

    def __init__(
        self, mailbox: Messages, stored: StoredText | None, gate: Gate
    ) -> None:
        self._mailbox = mailbox
        self._stored = stored
        self._gate = gate
        self._octets = OCTETS_MAX
        self._closed = False

    def limit(self, octets: int) -> None:
        """Make no more text where there are so many octets of it; 0 for none at all."""
        self._octets = octets
        if not octets:
            self._stored = None

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        await self._gate.enter()
        try:
            if self._closed:
                raise MailboxVanished(f"mailbox {self._mailbox.name} was closed")
            yield
        finally:
            self._gate.leave()

    async def _ask(self, job: Callable[[], T]) -> T | None:
        """Make a call, with our turn taken; None when the text is of no use now."""
        try:
            return await self._gate.beside(job)
        except (TemporaryError, AccessDenied) as error:
            self._log.warn(
                "text of {name} not used: {error}",
                name=self._mailbox.name,
                error=str(error),
            )
            return None

    @property
    def last(self) -> int:
        """The UID up to which messages are covered, as far as is known."""
        return 0 if self._stored is None else self._stored.last

    # -- what searches ask

    async def cover(
        self, uids: "array[int]", breathe: Callable[[], Awaitable[None]]
    ) -> None:
        """Make what text some messages (UIDs ascending) lack, if that pays.

        It does when many are asked for; text is made in the order of UIDs, for all.
        """
        stored = self._stored
        if stored is None or not uids:
            return
        async with self._turn():
            after = await self._ask(stored.covered)
        before = None
        while after != before and await self._worth(uids, after or 0):
            async with self._turn():
                before = stored.last
                await self._extend(stored)
                after = stored.last
            await breathe()

    async def _worth(self, uids: "array[int]", after: int) -> bool:
        await self._mailbox.turn()
        table = self._mailbox.table.uids
        asked = len(uids) - bisect_right(uids, after)
        lacking = bisect_right(table, uids[-1]) - bisect_right(table, after)
        return bool(asked) and asked * _WORTH >= lacking

    async def _extend(self, stored: StoredText) -> None:
        """Cover some more messages."""
        await self._mailbox.turn()
        after = stored.last
        uids = self._next(after)
        if uids and stored.octets < self._octets:
            messages = await self._mailbox.read_many(uids)
            await self._ask(lambda: stored.add(uids, messages, after))

    def _next(self, after: int) -> "array[int]":
        """The messages after a UID, not too many and not too large."""
        table = self._mailbox.table
        start = end = bisect_right(table.uids, after)
        octets = 0
        while end < len(table) and end - start < _MESSAGES and octets < _OCTETS:
            octets += table.sizes[end]
            end += 1
        return table.uids[start:end]

    async def find(
        self,
        text: str,
        uids: "array[int]",
        where: Where,
        breathe: Callable[[], Awaitable[None]],
    ) -> tuple["array[int]", "array[int]"]:
        """Look for text (folded, not empty) in some messages, UIDs ascending.

        Returns:
            Those that fit, as far as text is kept; and those that have to be read.
        """
        stored = self._stored
        fits, unknown = array("I"), array("I")
        upto = 0
        while stored is not None and uids and upto < uids[-1]:
            async with self._turn():
                found = await self._ask(partial(stored.find, text, uids, upto, where))
            if found is None or found.upto <= upto:
                break
            fits.extend(found.fits)
            unknown.extend(found.absent)
            upto = found.upto
            await breathe()
        unknown.extend(uids[bisect_right(uids, upto) :])
        return fits, unknown

    # -- in idle time

    async def keep_up(self) -> None:
        """Where there is text: cover a few new messages, or get rid of waste."""
        stored = self._stored
        if stored is None or self._closed or not stored.begun:
            return
        try:
            async with self._turn():
                await self._extend(stored)
            uids = self._mailbox.table.uids[:]
            if stored.untidy(uids):
                await self._tidy(stored.tidy(uids))
        except MaildropError as error:
            self._log.info(
                "text of {name} left as it is: {error}",
                name=self._mailbox.name,
                error=str(error),
            )

    async def _tidy(self, steps: Generator[None, None, None]) -> None:
        try:
            going: bool | None = True
            while going:
                async with self._turn():
                    going = await self._ask(lambda: next(steps, self) is None)
        finally:
            self._gate.as_owner(steps.close)

    async def close(self) -> None:
        """Begin nothing more; waits for the call at work."""
        self._closed = True
        await self._gate.enter()
        self._gate.leave()
