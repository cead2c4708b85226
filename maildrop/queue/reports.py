"""Who tells senders what became of their mail, as the queue sees it.

In this file:
    Reports        tells them: ``delivery.reports``
    unreported     recipients whose end is still to be told
    by_sender      those of each reverse path together
    comes_later    whether a report has to wait for what it reports on
"""

from collections.abc import Sequence
from typing import Final, Protocol

from maildrop.durable import Content
from maildrop.queue.entry import Damaged, Entry, FromLater, Kind, Waiting
from maildrop.queue.spool import Spool

#: What the id of a report ends in that says that it takes long.
LATE: Final = ".late"


class Reports(Protocol):
    """Tells senders what became of their mail."""

    def report(
        self, entry: Entry, recipients: Sequence[Waiting], content: Content
    ) -> tuple[Entry, Content] | None:
        """A message to the sender.

        Args:
            entry: What was sent.
            recipients: Those to be reported on: done with, or, when they still wait,
                late.
            content: The message.

        Returns:
            The entry of the report (its id is set by the caller) and its content; None
            when nobody is to be told.
        """

    def tells(self, entry: Entry, recipient: Waiting) -> bool:
        """Whether a report says anything of a recipient."""


def unreported(entry: Entry) -> list[Waiting]:
    """Recipients whose end is still to be told."""
    return [
        each
        for each in entry.recipients
        if each.kind is not Kind.WAITING and not each.reported
    ]


def by_sender(recipients: Sequence[Waiting]) -> list[list[Waiting]]:
    """Those of each reverse path together: each hears of its own."""
    groups: dict[str | None, list[Waiting]] = {}
    for each in recipients:
        groups.setdefault(each.sender, []).append(each)
    return list(groups.values())


def comes_later(spool: Spool, entry: Entry) -> bool:
    """Whether an entry reports on another that has not noted that yet."""
    if not entry.options.report:
        return False
    try:
        reported_on = spool.look(entry.options.report)
    except (Damaged, FromLater):
        return False
    if reported_on is None:
        return False
    if entry.id.endswith(LATE):
        return any(each.tries and not each.warned for each in reported_on.waiting())
    return bool(unreported(reported_on))
