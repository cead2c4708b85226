"""The gate: one call at a time, however many wait, and whoever waits for the disk."""

import contextlib
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest
from twisted.internet.defer import Deferred, succeed

from maildrop.durable import Disk, Sync
from maildrop.errors import StorageFailure
from maildrop.mailbox.gate import Gate
from maildrop.mailbox.steps import Steps

T = TypeVar("T")


class Waits:
    """Waits for the disk that end when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[Deferred[None]] = []

    def __call__(self, sync: Sync) -> Deferred[None]:
        assert isinstance(sync, Sync)
        self.waiting.append(Deferred())
        return self.waiting[-1]


class Rights:
    """Whether the rights of the account are taken on."""

    def __init__(self) -> None:
        self.taken = False

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        self.taken = True
        try:
            yield
        finally:
            self.taken = False


def here(job: Callable[[], T]) -> Deferred[T]:
    return succeed(job())


def started(work: Coroutine[Any, Any, T]) -> list[object]:
    """Begin some work; gives a list that its result will be in."""
    results: list[object] = []
    Deferred.fromCoroutine(work).addBoth(results.append)
    return results


def two_waits(rights: Rights, seen: list[object]) -> Steps[str]:
    for _ in range(2):
        seen.append(rights.taken)
        try:
            yield Sync(Disk(), "wait")
        except StorageFailure as error:
            seen.append(rights.taken)
            raise error from None
    return "done"


def test_steps_are_done_with_rights_and_waits_without() -> None:
    waits, rights = Waits(), Rights()
    seen: list[object] = []
    gate = Gate(here, rights, waits)
    results = started(gate.walk(two_waits(rights, seen)))
    for _ in range(2):
        assert (results, rights.taken) == ([], False)
        waits.waiting.pop().callback(None)
    assert results == ["done"]
    assert seen == [True, True]


def test_an_error_of_waiting_is_thrown_into_the_call() -> None:
    waits, rights = Waits(), Rights()
    seen: list[object] = []
    results = started(Gate(here, rights, waits).walk(two_waits(rights, seen)))
    waits.waiting.pop().errback(StorageFailure("broken"))
    (failure,) = results
    with pytest.raises(StorageFailure, match="broken"):
        failure.raiseException()  # type: ignore[attr-defined]
    assert seen == [True, True]
    assert not rights.taken


def test_without_anything_else_threads_wait() -> None:
    synced: list[int] = []

    class Noted(Disk):
        def synchronize(self, fd: int) -> None:
            synced.append(fd)

    def steps() -> Steps[None]:
        yield Sync(Noted(), "wait", (9,))

    assert started(Gate(here, contextlib.nullcontext).walk(steps())) == [None]
    assert synced == [9]


def test_thousands_may_wait() -> None:
    """Letting each of them in from the one before would be a recursion."""
    gate = Gate(here, contextlib.nullcontext)
    started(gate.enter())
    served: list[int] = []

    def calls(number: int) -> Callable[[], None]:
        return lambda: served.append(number)

    waiting = [started(gate.run(calls(n), inline=True)) for n in range(5000)]
    gate.leave()
    assert served == list(range(5000))
    assert all(results == [None] for results in waiting)
    assert gate.free


def test_who_fails_lets_the_next_one_in() -> None:
    gate = Gate(here, contextlib.nullcontext)
    started(gate.enter())
    failing = started(gate.run(lambda: 1 // 0, inline=True))
    fine = started(gate.run(lambda: 1, inline=True))
    gate.leave()
    assert failing[0].check(ZeroDivisionError)  # type: ignore[attr-defined]
    assert fine == [1]
    assert gate.free
