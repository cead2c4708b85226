"""Entries that are tried because somebody asks."""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from maildrop.queue.entry import Kind, Result, Status
from maildrop.queue.spool import Spool
from maildrop.queue.turns import Turns
from tests.queue.conftest import add, entry

T = TypeVar("T")
LATER = 9000.0


async def at_once(work: Callable[[], T]) -> T:
    return work()


def waiting(spool: Spool, entry_id: str, *addresses: str) -> None:
    """An entry that was tried, and waits."""
    add(spool, entry(entry_id, *addresses))
    taken = spool.take(entry_id)
    assert taken
    taken.note(next_try=LATER)
    taken.let_go()


def asked(spool: Spool, clock: Clock, domain: str, *, below: bool = False) -> list[str]:
    added: list[str] = []
    turns = Turns(spool, added.append, at_once, clock.seconds, ["far.example"])
    counts: list[int] = []
    work = Deferred.fromCoroutine(turns.start(domain, below=below))
    work.addCallback(counts.append)
    assert counts == [len(added)]
    return sorted(added)


def next_of(spool: Spool, entry_id: str) -> float:
    found = spool.look(entry_id)
    assert found
    return found.next


def test_what_waits_for_the_domain_is_due(spool: Spool, clock: Clock) -> None:
    waiting(spool, "ID1", "a@far.example")
    waiting(spool, "ID2", "b@other.example", "c@FAR.example")
    waiting(spool, "ID3", "d@other.example")
    assert asked(spool, clock, "far.example") == ["ID1", "ID2"]
    assert next_of(spool, "ID1") == next_of(spool, "ID2") == clock.seconds()
    assert next_of(spool, "ID3") == LATER


def test_what_is_below_it_is_due_when_that_was_asked(
    spool: Spool, clock: Clock
) -> None:
    """RFC 1985 section 5.1: the "@"."""
    waiting(spool, "ID1", "a@b.far.example")
    waiting(spool, "ID2", "a@notfar.example")
    assert asked(spool, clock, "far.example") == []
    assert asked(spool, clock, "far.example", below=True) == ["ID1"]


def test_what_is_held_or_at_work_is_left_alone(spool: Spool, clock: Clock) -> None:
    for entry_id in ("ID1", "ID2"):
        waiting(spool, entry_id, "a@far.example")
    held = spool.take("ID1")
    assert held
    held.note(held=True)
    held.let_go()
    at_work = spool.take("ID2")
    assert at_work
    assert asked(spool, clock, "far.example") == []
    at_work.let_go()
    assert asked(spool, clock, "far.example") == ["ID2"]


def test_recipients_that_are_served_do_not_count(spool: Spool, clock: Clock) -> None:
    waiting(spool, "ID1", "a@far.example", "b@other.example")
    taken = spool.take("ID1")
    assert taken
    done = Result(0, Kind.RELAYED, Status("2.0.0", "taken"))
    taken.note(results=[done], next_try=LATER)
    taken.let_go()
    assert asked(spool, clock, "far.example") == []


@pytest.mark.parametrize(
    ("domain", "allowed"),
    [
        ("far.example", True),
        ("b.far.example", True),
        ("notfar.example", False),
        ("example", False),
    ],
)
def test_who_may_be_asked_for(
    spool: Spool, clock: Clock, domain: str, allowed: bool
) -> None:
    turns = Turns(spool, print, at_once, clock.seconds, ["far.example"])
    assert turns.allows(domain) is allowed


def test_a_second_look_at_the_same_time_finds_nothing(
    spool: Spool, clock: Clock
) -> None:
    waiting(spool, "ID1", "a@far.example")
    begun: list[Deferred[Any]] = []

    async def never(work: Callable[[], T]) -> T:
        del work
        begun.append(Deferred())
        found: T = await begun[-1]
        return found

    turns = Turns(spool, print, never, clock.seconds, ["far.example"])
    Deferred.fromCoroutine(turns.start("far.example", below=False))
    counts: list[int] = []
    second = Deferred.fromCoroutine(turns.start("far.example", below=False))
    second.addCallback(counts.append)
    assert (len(begun), counts) == (1, [0])
