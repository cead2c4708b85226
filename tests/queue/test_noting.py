"""What attempts came to is written down."""

from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from maildrop.errors import NoSpace
from maildrop.queue.entry import Kind, Result, Status
from maildrop.queue.noting import Noting
from maildrop.queue.spool import Spool, Taken
from tests.queue.conftest import add, entry

RESULT = Result(0, Kind.RELAYED, Status("2.0.0", "taken", "mx.example.net"))


class Threads:
    """Threads that do something when they are told to."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Callable[[], object], Deferred[object]]] = []

    def __call__(self, job: Callable[[], object]) -> Deferred[object]:
        self.jobs.append((job, Deferred()))
        return self.jobs[-1][1]

    def work(self, error: Exception | None = None) -> None:
        job, done = self.jobs.pop()
        if error is not None:
            done.errback(error)
        else:
            done.callback(job())


@pytest.fixture
def threads() -> Threads:
    return Threads()


@pytest.fixture
def noting(clock: Clock, threads: Threads) -> Noting:
    return Noting(clock, threads)


@pytest.fixture
def taken(spool: Spool) -> Taken:
    add(spool, entry("ID1"))
    taken = spool.take("ID1")
    assert taken is not None
    return taken


def test_what_cannot_be_noted_is_noted_later(
    noting: Noting, threads: Threads, clock: Clock, taken: Taken
) -> None:
    with capturedLogs() as events:
        work = Deferred.fromCoroutine(noting.note(taken, [RESULT], []))
        threads.work(NoSpace("full"))
    assert [formatEvent(each) for each in events] == [
        "ID1: what was done is noted later: full"
    ]
    assert threads.jobs == []
    clock.advance(60)
    threads.work()
    assert work.called
    assert taken.entry.waiting() == []


def test_when_all_stops_it_is_tried_once_more_and_given_up(
    noting: Noting, threads: Threads, clock: Clock, taken: Taken
) -> None:
    work = Deferred.fromCoroutine(noting.note(taken, [RESULT], []))
    threads.work(NoSpace("full"))
    noting.stop()
    threads.work(NoSpace("still full"))
    failures: list[str] = []
    work.addErrback(lambda failure: failures.append(str(failure.value)))
    assert failures == ["still full"]
    assert clock.getDelayedCalls() == []
