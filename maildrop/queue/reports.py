"""Who tells senders what became of their mail, as the queue sees it.

In this file:
    Reports    tells them: ``delivery.reports``
"""

from collections.abc import Sequence
from typing import Protocol

from maildrop.durable import Content
from maildrop.queue.entry import Entry, Waiting


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
