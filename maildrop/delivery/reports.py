"""Who is told what became of mail, and how the report gets there.

In this file:
    Reporter    makes reports: ``queue.reports.Reports``
    Place       makes an address a recipient that waits in the queue

Who is told:

    mail from          recipient asked for it    a report goes to
    -----------------  ------------------------  --------------------------------------
    an address         no                        nobody
    an address         yes (``bounce``)          that address, from the null sender
    nobody             failed                    ``double`` if one is set; else nobody,
                                                 and the log has it
    nobody, for        failed                    nobody; the log has it
    ``double``

RFC 5321 section 6.1: mail without a sender is never answered; so no report is the
answer to a report, and none goes round in circles.

A recipient with a reverse path of its own (a list's owner) is reported to that one.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from twisted.logger import Logger

from maildrop.delivery.bounce import (
    HEADER_MAX,
    Action,
    Report,
    action_of,
    compose,
    is_wanted,
)
from maildrop.durable import Content
from maildrop.queue.entry import Entry, Options, Waiting


class Place(Protocol):
    """Makes an address a recipient that waits in the queue."""

    def __call__(self, address: str) -> Waiting:
        """The recipient, number 0; it still has to be routed if it is one of ours."""


class Reporter:
    """Makes reports.

    Args:
        hostname: Ours.
        now: Seconds since 1970 UTC.
        place: Makes an address a recipient.
        give_up: Seconds for which a message is tried.
        whole: Octets up to which a message that failed is returned whole.
        double: The address that hears of mail without a sender that failed; empty for
            nobody.
    """

    _log = Logger()

    def __init__(
        self,
        hostname: str,
        now: Callable[[], float],
        place: Place,
        *,
        give_up: float = 5 * 86400.0,
        whole: int = 50_000,
        double: str = "",
    ) -> None:
        self._hostname = hostname
        self._now = now
        self._place = place
        self._give_up = give_up
        self._whole = whole
        self._double = double

    def report(
        self, entry: Entry, recipients: Sequence[Waiting], content: Content
    ) -> tuple[Entry, Content] | None:
        """See ``queue.reports.Reports``."""
        own = recipients[0].sender
        sender = entry.sender if own is None else own
        double = not sender
        told = [each for each in recipients if self.tells(entry, each)]
        if double:
            sender = self._for_the_double(entry, told)
        if not told or not sender:
            return None
        report = Report(
            entry,
            told,
            sender,
            self._hostname,
            self._now(),
            until=entry.arrived + self._give_up,
            whole=self._whole,
            double=double,
        )
        octets = content.octets()
        most = len(octets) if report.returns_all else HEADER_MAX + 4
        text = compose(report, bytes(octets[:most]))
        return self._entry(report, text), Content.of(text)

    def tells(self, entry: Entry, recipient: Waiting) -> bool:
        """See ``queue.reports.Reports``."""
        own = recipient.sender
        if not (entry.sender if own is None else own):
            return action_of(recipient) is Action.FAILED
        return is_wanted(recipient)

    def _for_the_double(self, entry: Entry, failed: Sequence[Waiting]) -> str:
        """Who hears of mail without a sender that failed."""
        for each in failed:
            self._log.warn(
                "{id}: not delivered to {recipient}, and no sender to tell: {reason}",
                id=entry.id,
                recipient=each.address,
                reason=each.status.text if each.status is not None else "",
            )
        is_one = any(each.address == self._double for each in entry.recipients)
        return "" if is_one else self._double

    def _entry(self, report: Report, text: bytes) -> Entry:
        recipient = self._place(report.to)
        recipient.notify = ("NEVER",)
        options = Options(
            smtputf8=report.utf8,
            eight_bit=not text.isascii(),
            report=report.entry.id,
        )
        now = self._now()
        return Entry("", "", now, len(text), [recipient], options, next=now)
