"""How much an account in memory may still take."""

from collections.abc import Callable, Iterable, Sequence

from maildrop.mailbox.quota import Counted, Quota, Reached, Usage, level
from maildrop.mailbox.table import MessageTable


class Allowance:
    """The quota of one account.

    Args:
        tables: Gives the columns of all its mailboxes.
    """

    def __init__(self, tables: Callable[[], Iterable[MessageTable]]) -> None:
        self._tables = tables
        self._quota: Quota | None = None
        self._reached: Callable[[Reached], None] | None = None
        self._told = 0

    def limit(
        self, quota: Quota | None, reached: Callable[[Reached], None] | None
    ) -> None:
        """See ``quota.LimitedStore``."""
        self._quota = quota or None
        self._reached = reached

    def used(self) -> Usage:
        """What is there in all mailboxes."""
        usage = Usage()
        for table in self._tables():
            usage += Usage(table.octets(), len(table))
        return usage

    def admit(self, sizes: Sequence[int], counted: Counted) -> None:
        """See whether messages may be added.

        Raises:
            OverQuota: They may not.
        """
        if self._quota is not None:
            used = self.used()
            self._told = min(self._told, level(self._quota, used))
            self._quota.check(used, Usage(sum(sizes), len(sizes)), counted)

    def added(self) -> None:
        """Messages were added: tell of a warning that is due."""
        if self._quota is not None and self._reached is not None:
            used = self.used()
            now = level(self._quota, used)
            if now > self._told:
                self._told = now
                self._reached(Reached(now, used, self._quota))
