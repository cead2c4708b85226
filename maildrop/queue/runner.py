"""The queue at work: what is due is tried, what fails is tried again or given back.

In this file:
    Runner     tries what is due
    Limits     how much at once

What happens to an entry that is due, each line on disk before the next begins:

    1  its waiting recipients are tried, those of one destination together
    2  what each attempt came to is noted in the entry's file, of some recipients before
       others are tried further (``Job.settled``)
    3  recipients whose time is over are noted as failed
    4  a report to the sender, if one is due, enters the queue (``telling``)
    5  noted as reported
    6  nothing left to do: the entry is removed; else it waits for its next time

A crash between 4 and 5 leaves the report and no note of it.  So an entry that is a
report is not touched while the one it reports on is there with something unreported:
that one goes first, finds the report in its place, and notes it.  What an attempt came
to and cannot be noted is kept in memory, and the entry with it, until it can be
(``noting``).

Nothing is held in memory of an entry that is not due but its id and time; when nothing
is due one timer waits for the earliest.

Errors are those of relays, turned into results; one that nobody expected is logged
whole and counts as a temporary failure of that attempt.
"""

import heapq
import math
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from twisted.internet.defer import (
    Deferred,
    DeferredSemaphore,
)
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from maildrop.decisions.recorder import Recorder
from maildrop.errors import MaildropError
from maildrop.queue.entry import (
    Damaged,
    Entry,
    FromLater,
    Kind,
    Result,
    Status,
    Waiting,
)
from maildrop.queue.noting import Noting
from maildrop.queue.relay import Attempt, Job, Relay
from maildrop.queue.reports import Reports, comes_later
from maildrop.queue.resting import Resting
from maildrop.queue.schedule import Schedule
from maildrop.queue.sharing import Notes, Place, some, together
from maildrop.queue.spool import Spool, Taken
from maildrop.queue.telling import Telling

T = TypeVar("T")
InThread = Callable[[Callable[[], T]], Awaitable[T]]

#: Seconds until an entry that somebody else has is looked at again, first and last.
_SOON: Final = 0.01
_TAKEN: Final = 2.0
#: Seconds until one is looked at again at which something of ours failed.
_FAILED: Final = 60.0
#: Recipients that are looked through at once, and told of: then others get a turn.
_SLICE: Final = 100
_TOLD: Final = 20
#: Said of an entry whose destinations are crowded: it waits for them, not for a time.
_CROWDED: Final = math.inf
#: Seconds until an entry that cannot be understood is looked at again.
_STRANGE: Final = 86400.0
_BUG: Final = Status("4.3.0", "server bug, see the log")
_EXPIRED: Final = Status("4.4.7", "tried for too long")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once.

    Attributes:
        entries: Entries worked on.
        destination: Attempts for one destination.
        rest: Seconds for which a destination that cannot be reached is left alone, the
            first time.
    """

    entries: int = 100
    destination: int = 10
    rest: float = 60.0


class Runner:
    """Tries what is due.

    Args:
        spool: The queue on disk.
        relays: By the name that recipients have.
        reports: Tells senders.
        clock: Time; ``seconds`` counts from 1970 UTC.
        in_thread: Runs what waits for the disk.
        schedule: When to try again.
        limits: How much at once.
        recorder: Is told of each try.
        noting: Runs what notes what attempts came to; None for ``in_thread``.
    """

    _log = Logger()

    def __init__(
        self,
        spool: Spool,
        relays: Mapping[str, Relay],
        reports: Reports,
        clock: IReactorTime,
        in_thread: InThread[Any],
        schedule: Schedule | None = None,
        limits: Limits | None = None,
        recorder: Recorder | None = None,
        noting: InThread[Any] | None = None,
    ) -> None:
        self._recorder = recorder or Recorder()
        self._spool = spool
        self._relays = relays
        self._clock = clock
        self._in_thread = in_thread
        self._noting = Noting(clock, noting or in_thread)
        self._schedule = schedule or Schedule()
        self._reports = reports
        self._telling = Telling(
            spool, reports, self._schedule, clock.seconds, in_thread, self._reported
        )
        self._limits = limits or Limits()
        self._due: list[tuple[float, str]] = []
        self._known: dict[str, float] = {}
        self._working: set[str] = set()
        self._slots: dict[tuple[str, str], DeferredSemaphore] = {}
        self._users: Counter[tuple[str, str]] = Counter()
        self._crowds: dict[tuple[str, str], deque[str]] = {}
        self._waits: dict[str, float] = {}
        self._resting = Resting(self._limits.rest)
        self._timer: IDelayedCall | None = None
        self._seen = 0
        self._stopped = True
        self._idle: Deferred[None] | None = None

    # -- from outside

    async def start(self) -> None:
        """Begin: what is there is looked for, and what is due tried."""
        self._stopped = False
        await self.look()

    async def look(self) -> None:
        """Find what others put into the queue."""
        listed, self._seen = await self._in_thread(
            lambda: self._spool.list_changed(self._seen)
        )
        for each in listed:
            if each.id not in self._known:
                self._plan(each.id, each.next)
        self._go_on()

    def added(self, entry_id: str, at: float = 0.0) -> None:
        """An entry was put into the queue, or is to be tried at another time."""
        if at < self._known.get(entry_id, at):
            self._resting.ask(entry_id)
        self._plan(entry_id, at)
        self._go_on()

    def appeared(self, entry_id: str, at: float) -> None:
        """An entry came or changed, by whomever, and is to be tried at a time."""
        if self._known.get(entry_id) != at and entry_id not in self._working:
            self.added(entry_id, at)

    def found(self, entry_id: str, at: float) -> None:
        """An entry is there, and nothing says that it changed."""
        if entry_id not in self._known:
            self.added(entry_id, at)

    def stop(self) -> Deferred[None]:
        """Begin nothing more; fires when what is at work has ended."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._noting.stop()
        self._idle = Deferred()
        if not self._working:
            self._idle.callback(None)
        return self._idle

    @property
    def counts(self) -> tuple[int, int]:
        """Entries known, and those at work."""
        return len(self._known), len(self._working)

    # -- the clock

    def _plan(self, entry_id: str, at: float) -> None:
        self._known[entry_id] = at
        if at != _CROWDED:
            heapq.heappush(self._due, (at, entry_id))

    def _go_on(self) -> None:
        """Begin what is due, as far as there is room, and wait for the next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._clock.seconds()
        while self._due and not self._stopped:
            at, entry_id = self._due[0]
            if self._known.get(entry_id) != at or entry_id in self._working:
                heapq.heappop(self._due)  # it was planned anew since
                continue
            if at > now:
                self._wait_until(at)
                return
            if len(self._working) >= self._limits.entries:
                return
            heapq.heappop(self._due)
            self._working.add(entry_id)
            work = Deferred.fromCoroutine(self._work(entry_id))
            work.addErrback(self._broken, entry_id)
            work.addCallback(self._ended, entry_id)

    def _wait_until(self, at: float) -> None:
        if self._timer is not None:  # set by what began, and ended, just now
            self._timer.cancel()
        wait = max(0.0, at - self._clock.seconds())  # time passes while we look
        self._timer = self._clock.callLater(wait, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._go_on()

    def _broken(self, failure: Failure, entry_id: str) -> float | None:
        if failure.check(MaildropError):
            self._log.error("{id}: {error}", id=entry_id, error=failure.value)
        else:
            self._log.failure("{id}: the queue failed", failure=failure, id=entry_id)
        return self._clock.seconds() + _FAILED

    def _ended(self, again: float | None, entry_id: str) -> None:
        self._working.discard(entry_id)
        self._resting.done(entry_id)
        if again is None:
            self._known.pop(entry_id, None)
            self._waits.pop(entry_id, None)
        else:
            self._plan(entry_id, again)
        if self._idle is not None and not self._working:
            idle, self._idle = self._idle, None
            idle.callback(None)
        self._go_on()

    # -- one entry

    async def _work(self, entry_id: str) -> float | None:
        """Returns when to look at it again; None when it is gone."""
        now = self._clock.seconds()
        try:
            taken = await self._in_thread(lambda: self._spool.take(entry_id))
        except Damaged as error:
            self._recorder.note(entry_id, "put aside", why=str(error))
            self._log.error(
                "{id}: put aside in {place}: {error}",
                id=entry_id,
                place=self._spool.corrupt,
                error=str(error),
            )
            return None
        except FromLater as error:
            self._log.error("{id}: left alone: {error}", id=entry_id, error=str(error))
            return now + _STRANGE
        if taken is None:
            there = await self._in_thread(lambda: self._spool.holds(entry_id))
            return self._soon(entry_id) if there else None
        try:
            if taken.entry.options.report and await self._in_thread(
                lambda: comes_later(self._spool, taken.entry)
            ):
                self.appeared(taken.entry.options.report, now)
                return self._soon(entry_id)
            self._waits.pop(entry_id, None)
            return await self._serve(taken)
        finally:
            taken.let_go()

    def _soon(self, entry_id: str) -> float:
        """When to look again at what somebody else has to be done with: mostly at once.

        An entry is heard of a moment before who puts it there lets it go.
        """
        wait = self._waits.get(entry_id, _SOON)
        self._waits[entry_id] = min(_TAKEN, 2 * wait)
        return self._clock.seconds() + wait

    async def _serve(self, taken: Taken) -> float | None:
        entry = taken.entry
        await self._telling.resume(taken)
        if entry.held:
            return None if entry.done() else self._clock.seconds() + _STRANGE
        if entry.next > self._clock.seconds():
            return entry.next
        shares = await self._calmly(entry, lambda: together(entry))
        places = {place for place, _ in shares}
        most = 4 * self._limits.destination
        if shares and all(self._users[place] >= most for place in places):
            crowded = min(places, key=lambda place: len(self._crowds.get(place, ())))
            self._crowds.setdefault(crowded, deque()).append(entry.id)
            return _CROWDED
        notes = Notes(lambda *noted: self._noting.note(taken, *noted))
        await some(shares, lambda place, group: self._try(taken, place, group, notes))
        await self._conclude(taken)
        if await self._calmly(entry, entry.done):
            await self._in_thread(taken.remove)
            self._note(entry, "removed")
            self._log.info("{id}: removed from the queue", id=entry.id)
            return None
        return entry.next

    async def _calmly(self, entry: Entry, look: Callable[[], T]) -> T:
        """Look through recipients; in a thread, if there are many."""
        if len(entry.recipients) <= _SLICE:
            return look()
        found: T = await self._in_thread(look)
        return found

    async def _try(
        self,
        taken: Taken,
        key: Place,
        group: Sequence[Waiting],
        notes: Notes,
    ) -> None:
        """One attempt for the recipients of one destination."""
        slots = self._slots.get(key)
        if slots is None:
            slots = self._slots[key] = DeferredSemaphore(self._limits.destination)
        self._users[key] += 1
        try:
            await slots.acquire()
            try:
                attempt = await self._attempt(taken, key, group, notes)
                await notes.add(attempt)  # else a crash could repeat any number
            finally:
                slots.release()
        finally:
            self._leave(key)
        await self._tell(taken.entry, attempt.results)

    def _leave(self, key: tuple[str, str]) -> None:
        """An attempt is over: one of those that wait for the destination may come."""
        self._users[key] -= 1
        if not self._users[key]:
            del self._users[key], self._slots[key]
        crowd = self._crowds.get(key)
        if crowd:
            self._plan(crowd.popleft(), 0.0)
        elif crowd is not None:
            del self._crowds[key]

    async def _attempt(
        self, taken: Taken, key: Place, group: Sequence[Waiting], notes: Notes
    ) -> Attempt:
        now = self._clock.seconds()
        why = self._resting.why(key, now, taken.entry.id)
        if why:
            return _deferred(group, Status("4.4.1", why))
        relay = self._relays.get(key[0])
        if relay is None:
            return _deferred(group, Status("4.3.5", f"no relay is called {key[0]}"))
        left = {each.number: each for each in group}

        async def settled(results: Sequence[Result]) -> None:
            for each in results:
                del left[each.number]
            await notes.add(Attempt(results))
            await self._tell(taken.entry, results)

        try:
            job = Job(taken.entry, group, taken.content, settled)
            attempt = await relay.relay(job)
        except MaildropError as error:
            self._log.error("{id}: {error}", id=taken.entry.id, error=str(error))
            return _deferred(left.values(), Status("4.3.0", str(error)))
        except Exception:
            self._log.failure("{id}: an attempt failed", id=taken.entry.id)
            return _deferred(left.values(), _BUG)
        if attempt.unreachable:
            self._resting.failed(key, attempt.unreachable, now)
        else:
            self._resting.reached(key)
        return attempt

    async def _conclude(self, taken: Taken) -> None:
        """Give up, report, plan."""
        entry, now = taken.entry, self._clock.seconds()
        waiting = await self._calmly(entry, entry.waiting)
        if waiting:
            tries = await self._calmly(
                entry, lambda: min(each.tries for each in waiting)
            )
            again: float | None = now  # what others were expanded to
            if tries:
                again = self._schedule.next_try(entry.id, entry.arrived, tries, now)
            if again is None:
                await self._in_thread(lambda: taken.note(results=_given_up(waiting)))
                for number, each in enumerate(waiting, 1):
                    self._note(entry, "given up", recipient=each.address)
                    if number % _TOLD == 0:
                        await self._in_thread(_nothing)
            else:
                if tries:
                    self._note(entry, "waits", next=again, tries=tries)
                await self._in_thread(lambda: taken.note(next_try=again))
        await self._telling.tell(taken)

    def _reported(
        self, entry: Entry, report: str, recipients: Sequence[Waiting]
    ) -> None:
        """See ``telling.Heard``."""
        told = [each for each in recipients if self._reports.tells(entry, each)]
        to = list(dict.fromkeys(each.address for each in told))
        self._note(entry, "reported", report=report, recipient=to)
        self._log.info("{id}: reported in {report}", id=entry.id, report=report)
        self._plan(report, 0.0)

    def _note(self, entry: Entry, kind: str, **facts: object) -> None:
        """Note a decision; what reports on another entry is told with that one."""
        self._recorder.note(entry.id, kind, of=entry.options.report, **facts)

    async def _tell(self, entry: Entry, results: Sequence[Result]) -> None:
        for number, result in enumerate(results, 1):
            self._tell_one(entry, result)
            if number % _TOLD == 0:
                await self._in_thread(_nothing)

    def _tell_one(self, entry: Entry, result: Result) -> None:
        recipient = entry.recipients[result.number]
        self._note(
            entry,
            "tried",
            recipient=recipient.address,
            relay=recipient.relay,
            destination=recipient.destination,
            result=result.kind.value,
            code=result.status.code,
            text=result.status.text,
            remote=result.status.remote,
            tries=recipient.tries,
        )
        self._log.info(
            "{id}: {kind} {recipient} by {relay}: {code} {text}",
            id=entry.id,
            kind=result.kind.value,
            recipient=recipient.address,
            relay=recipient.relay,
            code=result.status.code,
            text=result.status.text,
        )


def _deferred(group: Iterable[Waiting], status: Status) -> Attempt:
    return Attempt([Result(each.number, Kind.WAITING, status) for each in group])


def _given_up(waiting: Sequence[Waiting]) -> list[Result]:
    return [
        Result(each.number, Kind.FAILED, each.status or _EXPIRED) for each in waiting
    ]


def _nothing() -> None:
    """Who waits for this has let others go first."""
