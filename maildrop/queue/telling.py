"""Reports on their way into the queue: each once, whatever stops.

In this file:
    Telling    puts them there

Ends are told in two steps, which a crash may part:

    1  the report enters the queue.  Its id is that of the entry, and the number of the
       first recipient that it is about; it says which others it is about
    2  they are noted as reported

Whoever takes an entry resumes first (``Telling.resume``): what was told is noted before
anything else happens to the entry, for what is tried, or given back, meanwhile must not
change what the next report is about.  A report that waits for that is not sent
(``reports.comes_later``).

Of what nobody is to hear nothing is noted: if nothing of the entry waits, it just goes.

Errors are those of the disk: the entry is resumed another time.
"""

import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

from maildrop.durable import Content
from maildrop.queue.entry import Damaged, Entry, FromLater, Waiting
from maildrop.queue.reports import LATE, Reports, by_sender, unreported
from maildrop.queue.schedule import Schedule
from maildrop.queue.spool import Spool, Taken

#: Recipients that are looked through at once.
_FEW: Final = 100


class Heard(Protocol):
    """Hears of a report that is in the queue now."""

    def __call__(
        self, entry: Entry, report: str, recipients: Sequence[Waiting], /
    ) -> None:
        """It has that id, and is about those recipients."""


class Telling:
    """Puts reports into the queue.

    Args:
        spool: The queue.
        reports: Writes them.
        schedule: Says when a sender is to be told that it takes long.
        now: Seconds since 1970 UTC.
        in_thread: Runs what waits for the disk.
        heard: Hears of each.
    """

    def __init__(
        self,
        spool: Spool,
        reports: Reports,
        schedule: Schedule,
        now: Callable[[], float],
        in_thread: Callable[[Callable[[], Any]], Awaitable[Any]],
        heard: Heard,
    ) -> None:
        self._spool = spool
        self._reports = reports
        self._schedule = schedule
        self._now = now
        self._in_thread = in_thread
        self._heard = heard

    async def resume(self, taken: Taken) -> None:
        """Go on where a crash stopped."""
        entry = taken.entry
        if unreported(entry):
            await self._in_thread(lambda: self._note_told(taken))
            await self._tell_ended(taken)
        late = _late(entry)
        if late and await self._in_thread(lambda: self._one_is_there(entry, late)):
            await self._tell_late(taken, late)

    async def tell(self, taken: Taken) -> None:
        """Tell what there is to tell."""
        await self._tell_ended(taken)
        late = _late(taken.entry)
        if late and self._schedule.is_to_warn(taken.entry.arrived, self._now()):
            await self._tell_late(taken, late)

    # -- ends

    async def _tell_ended(self, taken: Taken) -> None:
        ended = unreported(taken.entry)
        if self._is_over(taken.entry, ended):
            for each in ended:
                each.reported = True
            return
        for group in by_sender(ended):
            await self._report(taken, group, f"{taken.entry.id}.{group[0].number}")
        if ended:
            numbers = [each.number for each in ended]
            await self._in_thread(lambda: taken.note(reported=numbers))

    def _is_over(self, entry: Entry, ended: Sequence[Waiting]) -> bool:
        """Whether an entry may go, for nobody is to hear of its recipients.

        That need not be noted before it goes: whoever finds it after a crash sees it.
        """
        if len(entry.recipients) > _FEW or entry.waiting():
            return False
        return not any(self._reports.tells(entry, each) for each in ended)

    def _note_told(self, taken: Taken) -> None:
        """Note those that reports in the queue are about."""
        told: set[int] = set()
        for each in unreported(taken.entry):
            if each.number not in told:
                told.update(self._about(taken.entry.id, each.number))
        if told:
            taken.note(reported=sorted(told))

    def _about(self, entry_id: str, number: int) -> Sequence[int]:
        """Recipients that a report is about; none if there is no such report."""
        try:
            report = self._spool.look(f"{entry_id}.{number}")
        except Damaged:  # it will be written anew
            return ()
        except FromLater:
            return (number,)
        if report is None or report.options.report != entry_id:
            return ()
        return (number, *report.options.about)

    # -- that it takes long

    async def _tell_late(self, taken: Taken, late: Sequence[Waiting]) -> None:
        for group in by_sender(late):
            await self._report(taken, group, _late_id(taken.entry, group))
        await self._in_thread(lambda: taken.note(warned=True))

    def _one_is_there(self, entry: Entry, late: Sequence[Waiting]) -> bool:
        return any(self._is_there(_late_id(entry, group)) for group in by_sender(late))

    # -- one report

    async def _report(
        self, taken: Taken, recipients: Sequence[Waiting], report: str
    ) -> None:
        if await self._in_thread(lambda: self._write(taken, recipients, report)):
            self._heard(taken.entry, report, recipients)

    def _is_there(self, report: str) -> bool:
        try:
            return self._spool.look(report) is not None
        except Damaged:  # it is replaced
            return False
        except FromLater:
            return True

    def _write(self, taken: Taken, recipients: Sequence[Waiting], report: str) -> bool:
        """Put a report there, unless it is; False if nobody is to be told."""
        if self._is_there(report):
            return True
        content: Content = taken.content()
        try:
            made = self._reports.report(taken.entry, recipients, content)
        finally:
            content.close()
        if made is None:
            return False
        entry, text = made
        entry.id = report
        about = tuple(each.number for each in recipients)
        entry.options = dataclasses.replace(entry.options, about=about)
        try:
            self._spool.add(entry, text)
        finally:
            text.close()
        return True


def _late(entry: Entry) -> list[Waiting]:
    """Recipients whose sender may have to be told that it takes long."""
    return [each for each in entry.waiting() if each.tries and not each.warned]


def _late_id(entry: Entry, group: Sequence[Waiting]) -> str:
    whose = "" if group[0].sender is None else f".{group[0].number}"
    return f"{entry.id}{whose}{LATE}"
