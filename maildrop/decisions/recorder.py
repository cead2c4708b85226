"""Recorders: they are told of decisions while these are made.

In this file:
    Recorder    notes nothing; what all layers are given if nobody keeps decisions
    Notebook    keeps what was noted, for a short while
    Diary       has what was noted written, soon and elsewhere
    Note        one decision
    Noting      what notes for one id
    SILENT      does not
    Write       what writes notes: ``journal.Journal.write``

A decision is noted under an id: that of the message (it stands in the log, the Received
field and the reply), or that of the connection (it stands in the log).  A note of a
message names its connection as ``session``; a note of a message that reports on
another, or stems from it, names that as ``of``.

    recorder.note(id, "recipient", session=..., recipient=path, answer="250", why=...)

Facts may be any values that do not change: they are made text later, in a thread.
``telling`` has the kinds and what they say.

Cost: a note is one tuple in a list.  The first of a batch sets a timer; the batch is
written by one job in a thread, so nothing here waits for the disk.

Limits: notes that wait to be written; beyond, notes are lost, and how many were is
noted.

Security: callers give no secrets and no text of messages.  What is written is one line
of ASCII whatever the values are.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from maildrop.decisions.trace import TraceIds

#: When (seconds since 1970 UTC), id, kind, facts.
Note = tuple[float, str, str, dict[str, object]]
Write = Callable[[Sequence[Note]], None]
InThread = Callable[[Callable[[], None]], Awaitable[None]]

#: Seconds that a note waits for others to be written with.
DELAY: Final = 0.25
#: Notes that may wait to be written.
WAITING: Final = 100_000


class Recorder:
    """Notes nothing.

    Args:
        ids: Makes ids; None for small numbers, for one who serves alone.
    """

    def __init__(self, ids: TraceIds | None = None) -> None:
        self.new_id = (ids or TraceIds(lambda: 0.0, bytes)).next

    def note(self, id: str, kind: str, /, **facts: object) -> None:  # noqa: A002
        """Note a decision.

        Args:
            id: Of the message or the connection it was about.
            kind: Which kind of decision; see ``telling``.
            facts: What it was and why.  None and empty ones are left out.
        """


class Noting:
    """Notes for one id, and adds facts that are known already.

    Args:
        recorder: Is told.
        trace: The id.
        facts: Are added.

    Attributes:
        recorder: The recorder.
        trace: The id.
    """

    __slots__ = ("_facts", "recorder", "trace")

    def __init__(self, recorder: Recorder, trace: str, **facts: object) -> None:
        self.recorder = recorder
        self.trace = trace
        self._facts = facts

    def __call__(self, kind: str, /, **facts: object) -> None:
        """Note a decision."""
        self.recorder.note(self.trace, kind, **self._facts, **facts)

    def further(self, **facts: object) -> "Noting":
        """One that adds these facts, too."""
        return Noting(self.recorder, self.trace, **self._facts, **facts)


SILENT: Final = Noting(Recorder(), "-")


class Notebook(Recorder):
    """Keeps what was noted, for who writes it at the end, or only looks at it.

    Args:
        ids: Makes ids.
        now: Seconds since 1970 UTC.

    Attributes:
        notes: What was noted.
    """

    def __init__(self, ids: TraceIds, now: Callable[[], float]) -> None:
        super().__init__(ids)
        self._now = now
        self.notes: list[Note] = []

    def note(self, id: str, kind: str, /, **facts: object) -> None:  # noqa: A002
        """See ``Recorder``."""
        self.notes.append((self._now(), id, kind, facts))


class Diary(Recorder):
    """Has what was noted written, soon and elsewhere.

    Args:
        ids: Makes ids.
        write: Writes notes; called in a thread, never twice at once.
        clock: Time; ``seconds`` counts from 1970 UTC.
        in_thread: Runs it.
        delay: Seconds that a note waits for others.
        waiting: Notes that may wait.
    """

    _log = Logger()

    def __init__(
        self,
        ids: TraceIds,
        write: Write,
        clock: IReactorTime,
        in_thread: InThread,
        *,
        delay: float = DELAY,
        waiting: int = WAITING,
    ) -> None:
        super().__init__(ids)
        self._write = write
        self._clock = clock
        self._now = clock.seconds
        self._in_thread = in_thread
        self._delay = delay
        self._most = waiting
        self._notes: list[Note] = []
        self._lost = 0
        self._writing = False

    def note(self, id: str, kind: str, /, **facts: object) -> None:  # noqa: A002
        """See ``Recorder``."""
        notes = self._notes
        if not notes:
            self._clock.callLater(self._delay, self._batch)
        elif len(notes) >= self._most:
            self._lost += 1
            return
        notes.append((self._now(), id, kind, facts))

    def close(self) -> None:
        """Write what is left, here and now."""
        notes = self._take()
        if notes:
            self._write(notes)

    def _take(self) -> list[Note]:
        notes, self._notes = self._notes, []
        if self._lost:
            notes.append((self._now(), "-", "lost", {"notes": self._lost}))
            self._lost = 0
        return notes

    def _batch(self) -> None:
        if self._writing:
            self._clock.callLater(self._delay, self._batch)
            return
        notes = self._take()
        if not notes:
            return
        self._writing = True
        work = Deferred.fromCoroutine(self._write_soon(notes))
        work.addErrback(self._failed, len(notes))
        work.addCallback(self._written)

    async def _write_soon(self, notes: list[Note]) -> None:
        await self._in_thread(lambda: self._write(notes))

    def _failed(self, failure: Failure, count: int) -> None:
        self._lost += count
        if failure.check(OSError):
            self._log.warn(
                "{count} decisions not written, maildrop why will not know them: "
                "{error}",
                count=count,
                error=str(failure.value),
            )
        else:
            self._log.failure("decisions not written", failure=failure)

    def _written(self, _: Any) -> None:  # noqa: ANN401
        self._writing = False
