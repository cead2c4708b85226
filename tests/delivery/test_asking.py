"""Questions to the disk: answered here or in a thread, the search is the same."""

from collections.abc import Callable
from functools import partial
from operator import floordiv
from typing import TypeVar

import pytest
from twisted.internet.defer import Deferred

from maildrop.delivery.asking import Asking, ask, elsewhere
from maildrop.errors import StorageFailure
from maildrop.mailbox.steps import finished
from maildrop.smtp.wire.path import Path
from tests.delivery.conftest import Host

T = TypeVar("T")


def search(numbers: list[int]) -> Asking[int]:
    total = 0
    for number in numbers:
        try:
            total += yield from ask(partial(floordiv, 100, number))
        except ZeroDivisionError:
            total += 1
    return total


class Threads:
    """A thread that works when it is told."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], None]] = []

    def __call__(self, job: Callable[[], T]) -> Deferred[T]:
        done: Deferred[T] = Deferred()

        def work() -> None:
            try:
                done.callback(job())
            except Exception:
                done.errback()

        self.jobs.append(work)
        return done

    def work(self) -> None:
        while self.jobs:
            self.jobs.pop(0)()


def test_questions_are_answered_here() -> None:
    assert finished(search([1, 0, 2])) == 151
    assert finished(search([])) == 0


def test_questions_are_answered_in_a_thread() -> None:
    threads = Threads()
    found: list[int] = []
    Deferred.fromCoroutine(elsewhere(search([1, 0, 2]), threads)).addCallback(
        found.append
    )
    assert len(threads.jobs) == 1
    threads.work()
    assert found == [151]


def test_what_asks_nothing_waits_for_nothing() -> None:
    with pytest.raises(StopIteration) as done:
        elsewhere(search([]), Threads()).send(None)
    assert done.value.value == 0


def test_an_error_that_nobody_expects_gets_through() -> None:
    def broken() -> Asking[int]:
        return (yield from ask(lambda: int("x")))

    with pytest.raises(ValueError, match="invalid literal"):
        finished(broken())


def test_a_server_reads_files_in_a_thread(host: Host) -> None:
    """And a coroutine that needs none does not wait."""
    host.write("aliases", "team: bob\n")
    host.forward("bob", "carol\n")
    threads = Threads()
    host.in_thread = threads
    router = host.router
    found: list[object] = []

    def route(name: str) -> None:
        work = Deferred.fromCoroutine(router.route(Path(name, "")))
        work.addCallbacks(found.append, lambda failure: found.append(failure.value))

    route("team")
    assert found == []
    threads.work()
    assert [str(action.account.name) for action in found.pop().mailboxes] == ["carol"]  # type: ignore[attr-defined]
    route("team")
    assert len(found) == 1
    assert not threads.jobs
    (host.directory / "aliases").unlink()
    host.clock.advance(1)
    route("team")
    threads.work()
    assert isinstance(found[-1], StorageFailure)
