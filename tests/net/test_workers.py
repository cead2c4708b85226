"""Workers: started, replaced when they end or at a reload, stopped."""

from collections.abc import Callable, Mapping

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from maildrop.net.workers import Process, WorkerFailed, Workers


class Child:
    """A process that does as the test says."""

    def __init__(
        self, pid: int, up: Callable[[], None], ended: Callable[[str], None]
    ) -> None:
        self.pid = pid
        self.up = up
        self.ended = ended
        self.signals: list[str] = []
        self.asked: list[Mapping[str, object]] = []
        self.deaf = False

    def ask(self, request: Mapping[str, object]) -> Deferred[dict[str, object]]:
        self.asked.append(request)
        return fail(WorkerFailed("deaf")) if self.deaf else succeed({"ok": True})

    def terminate(self) -> None:
        self.signals.append("TERM")

    def kill(self) -> None:
        self.signals.append("KILL")


class Nursery:
    """Starts children."""

    def __init__(self, count: int, **limits: float) -> None:
        self.clock = Clock()
        self.children: list[Child] = []
        self.workers = Workers(self.clock, self.launch, count, **limits)

    def launch(self, up: Callable[[], None], ended: Callable[[str], None]) -> Process:
        child = Child(len(self.children) + 1, up, ended)
        self.children.append(child)
        return child

    def serving(self) -> list[int]:
        return [process.pid for process in self.workers.processes]


def outcome(deferred: Deferred[None]) -> list[str]:
    """What it came to, empty before."""
    told: list[str] = []
    deferred.addCallbacks(
        lambda _: told.append("done"), lambda failure: told.append(str(failure.value))
    )
    return told


def started(count: int = 2, **limits: float) -> Nursery:
    nursery = Nursery(count, **limits)
    told = outcome(Deferred.fromCoroutine(nursery.workers.start()))
    for child in list(nursery.children):
        assert told == []
        child.up()
    assert told == ["done"]
    return nursery


def test_start_waits_until_all_serve() -> None:
    nursery = started(3)
    assert nursery.serving() == [1, 2, 3]


def test_start_fails_when_one_ends_before_it_serves() -> None:
    nursery = Nursery(2)
    told = outcome(Deferred.fromCoroutine(nursery.workers.start()))
    nursery.children[1].ended("ended with status 78")
    nursery.children[0].up()
    assert told == ["worker is gone"]


def test_a_worker_that_served_long_is_replaced_at_once() -> None:
    nursery = started()
    nursery.clock.advance(60)
    nursery.children[0].ended("killed by signal 9")
    nursery.clock.advance(0)
    nursery.children[2].up()
    assert nursery.serving() == [2, 3]


def test_a_worker_that_keeps_failing_is_tried_ever_more_seldom() -> None:
    nursery = started(1)
    for delay in (0.5, 1, 2, 4, 8, 16, 30, 30):
        count = len(nursery.children)
        nursery.children[-1].ended("ended with status 1")
        nursery.clock.advance(delay - 0.1)
        assert len(nursery.children) == count
        nursery.clock.advance(0.1)
        assert len(nursery.children) == count + 1


def test_a_reload_replaces_one_after_the_other() -> None:
    nursery = started()
    told = outcome(Deferred.fromCoroutine(nursery.workers.reload()))
    one, two = nursery.children[:2]
    assert (len(nursery.children), one.asked) == (3, [])
    nursery.children[2].up()
    assert one.asked == [{"command": "drain"}]
    assert (len(nursery.children), two.asked) == (4, [])
    nursery.children[3].up()
    assert two.asked == [{"command": "drain"}]
    assert told == ["done"]
    assert nursery.serving() == [1, 2, 3, 4]
    one.ended("ended with status 0")
    two.ended("ended with status 0")
    nursery.clock.advance(100)
    assert nursery.serving() == [3, 4]
    assert len(nursery.children) == 4


def test_a_worker_that_cannot_be_asked_to_drain_is_ended() -> None:
    nursery = started(1)
    nursery.children[0].deaf = True
    outcome(Deferred.fromCoroutine(nursery.workers.reload()))
    nursery.children[1].up()
    assert nursery.children[0].signals == ["TERM"]


def test_a_reload_that_fails_leaves_the_old_ones() -> None:
    nursery = started()
    told = outcome(Deferred.fromCoroutine(nursery.workers.reload()))
    nursery.children[2].ended("ended with status 78")
    assert told == ["worker ended with status 78"]
    nursery.clock.advance(100)
    assert nursery.serving() == [1, 2]
    assert len(nursery.children) == 3


def test_a_worker_that_ends_during_its_reload_is_replaced_once() -> None:
    nursery = started(1)
    outcome(Deferred.fromCoroutine(nursery.workers.reload()))
    nursery.children[0].ended("killed by signal 11")
    nursery.clock.advance(1)
    nursery.children[2].up()
    nursery.children[1].up()
    assert nursery.children[1].asked == [{"command": "drain"}]
    assert nursery.children[2].asked == []


def test_a_new_worker_that_never_serves_is_killed() -> None:
    nursery = started(1, up_within=60)
    outcome(Deferred.fromCoroutine(nursery.workers.reload()))
    nursery.clock.advance(60)
    assert nursery.children[1].signals == ["KILL"]


def test_one_reload_at_a_time() -> None:
    nursery = started()
    outcome(Deferred.fromCoroutine(nursery.workers.reload()))
    told = outcome(Deferred.fromCoroutine(nursery.workers.reload()))
    assert told == ["a reload is under way already"]


def test_stop_ends_all_and_replaces_none() -> None:
    nursery = started()
    nursery.children[0].ended("killed by signal 11")
    told = outcome(Deferred.fromCoroutine(nursery.workers.stop()))
    assert nursery.children[1].signals == ["TERM"]
    assert told == []
    nursery.children[1].ended("ended with status 0")
    assert told == ["done"]
    assert nursery.clock.getDelayedCalls() == []


def test_stop_kills_what_does_not_end() -> None:
    nursery = started(1, stop_within=35)
    told = outcome(Deferred.fromCoroutine(nursery.workers.stop()))
    nursery.clock.advance(35)
    assert nursery.children[0].signals == ["TERM", "KILL"]
    nursery.children[0].ended("killed by signal 9")
    assert told == ["done"]


@pytest.mark.parametrize("count", [1, 4])
def test_as_many_as_wanted_are_kept(count: int) -> None:
    nursery = started(count)
    for round_ in range(3):
        nursery.clock.advance(100)
        nursery.children[-1].ended(f"in round {round_}")
        nursery.clock.advance(0)
        nursery.children[-1].up()
        assert len(nursery.serving()) == count
