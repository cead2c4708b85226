"""Entries that are tried now because somebody asks, not because their time has come.

In this file:
    bring_forward    makes entries due
    Turns            does it for domains whose servers may ask (ETRN)

An entry that somebody works on, or that is held, is left alone.  Its new time is on
disk before it is tried, as every time is.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from maildrop.queue.entry import Damaged, Entry, FromLater
from maildrop.queue.spool import Spool


def bring_forward(
    spool: Spool,
    is_meant: Callable[[Entry], bool],
    now: float,
    ids: Sequence[str] = (),
) -> list[str]:
    """Make entries due; gives their ids.

    Args:
        spool: The queue.
        is_meant: Which of them.
        now: Seconds since 1970 UTC.
        ids: Look at these alone; empty for all.
    """
    found = []
    for entry_id in ids or [listed.id for listed in spool.list()]:
        try:
            entry = spool.look(entry_id)
            if entry is None or entry.held or not is_meant(entry):
                continue
            taken = spool.take(entry_id)
        except (Damaged, FromLater):
            continue  # the runner will say so
        if taken is None:
            continue
        try:
            if taken.entry.next > now:
                taken.note(next_try=now)
        finally:
            taken.let_go()
        found.append(entry_id)
    return found


class Turns:
    """Tries what waits for a domain, for those that may ask.

    Args:
        spool: The queue.
        added: Tells the runner of an entry that is due.
        in_thread: Runs what waits for the disk.
        now: Seconds since 1970 UTC.
        domains: Who may be asked for, and what is below them.
    """

    def __init__(
        self,
        spool: Spool,
        added: Callable[[str], None],
        in_thread: Callable[[Callable[[], Any]], Awaitable[Any]],
        now: Callable[[], float],
        domains: Iterable[str],
    ) -> None:
        self._spool = spool
        self._added = added
        self._in_thread = in_thread
        self._now = now
        self._domains = tuple(domains)
        self._looking: set[str] = set()

    def allows(self, domain: str) -> bool:
        """Whether a domain may be asked for."""
        return any(_is_within(domain, each) for each in self._domains)

    async def start(self, domain: str, *, below: bool) -> int:
        """Try what waits for it; the number of entries.

        While a domain is looked for, who asks for it again gets no second look.
        """
        if domain in self._looking:
            return 0
        self._looking.add(domain)
        try:
            found = await self._in_thread(lambda: self._found(domain, below=below))
        finally:
            self._looking.discard(domain)
        for entry_id in found:
            self._added(entry_id)
        return len(found)

    def _found(self, domain: str, *, below: bool) -> list[str]:
        def is_meant(entry: Entry) -> bool:
            for each in entry.waiting():
                of_it = each.address.rpartition("@")[2].lower()
                if of_it == domain or (below and _is_within(of_it, domain)):
                    return True
            return False

        return bring_forward(self._spool, is_meant, self._now())


def _is_within(domain: str, above: str) -> bool:
    return domain == above or domain.endswith("." + above)
