"""Which recipients of an entry are tried together, and how many attempts at a time.

In this file:
    Place       a relay and a destination
    together    recipients that share an attempt
    some        makes attempts one after the other, some at a time
    Notes       notes what they came to, several at once

Those of one relay, destination, reverse path and ``via`` go together, up to a number:
what an attempt of very many does in one go would hold up all others, and would be done
again if a crash came before it was noted.

A list may lead to as many destinations as it has members, so not all are tried at once,
and what attempts came to while the disk was busy is noted together.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredList, DeferredLock

from maildrop.queue.entry import Entry, Result, Waiting
from maildrop.queue.relay import Attempt

#: A relay and a destination.
Place = tuple[str, str]
#: Recipients of an attempt.
TOGETHER: Final = 500
#: Attempts for one entry at a time.
ATTEMPTS: Final = 50

Share = tuple[Place, Sequence[Waiting]]
Attempting = Callable[[Place, Sequence[Waiting]], Awaitable[None]]


def together(entry: Entry) -> list[Share]:
    """Recipients that share an attempt, with their place."""
    groups: dict[tuple[str, str, str | None, str], list[Waiting]] = {}
    for each in entry.waiting():
        key = each.relay, each.destination, each.sender, each.via
        groups.setdefault(key, []).append(each)
    return [
        (key[:2], group[at : at + TOGETHER])
        for key, group in groups.items()
        for at in range(0, len(group), TOGETHER)
    ]


async def some(
    shares: Sequence[Share],
    attempt: Callable[[Place, Sequence[Waiting]], Awaitable[None]],
) -> None:
    """Make all attempts, some at a time; returns when the last one has ended.

    Raises:
        Exception: What the first attempt that failed has raised.
    """
    rest = iter(shares)
    work = [
        Deferred.fromCoroutine(_each(rest, attempt))
        for _ in range(min(len(shares), ATTEMPTS))
    ]
    outcomes: list[tuple[bool, Any]] = await DeferredList(work, consumeErrors=True)
    for worked, failure in outcomes:
        if not worked:
            failure.raiseException()


async def _each(
    rest: Iterator[Share],
    attempt: Callable[[Place, Sequence[Waiting]], Awaitable[None]],
) -> None:
    for place, recipients in rest:
        await attempt(place, recipients)


class Notes:
    """Notes what attempts for one entry came to.

    Args:
        write: Notes results, and what expanded recipients stand for.
    """

    def __init__(
        self, write: Callable[[Sequence[Result], Sequence[Waiting]], Awaitable[None]]
    ) -> None:
        self._write = write
        self._lock = DeferredLock()
        self._left: list[Attempt] = []

    async def add(self, attempt: Attempt) -> None:
        """Returns when it is noted; others that wait are noted with it."""
        self._left.append(attempt)
        await self._lock.acquire()
        try:
            left, self._left = self._left, []
            try:
                if left:
                    await self._write(
                        [result for each in left for result in each.results],
                        [waiting for each in left for waiting in each.more],
                    )
            except BaseException:
                self._left = left + self._left  # the next one has to
                raise
        finally:
            self._lock.release()
