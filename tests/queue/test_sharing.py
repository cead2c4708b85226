"""Which recipients of an entry are tried together."""

from collections.abc import Sequence

import pytest
from twisted.internet.defer import Deferred

from maildrop.queue.entry import Kind, Result, Status, Waiting
from maildrop.queue.relay import Attempt
from maildrop.queue.sharing import (
    ATTEMPTS,
    TOGETHER,
    Notes,
    Place,
    some,
    together,
)
from tests.queue.conftest import entry


def test_what_differs_in_anything_goes_alone() -> None:
    there = entry("ID1", "a@x", "b@y", "c@x", "d@x", "e@x")
    there.recipients[3].sender = "owner-list@b"
    there.recipients[4].via = "ann@b"
    found = [[each.address for each in group] for _, group in together(there)]
    assert found == [["a@x", "c@x"], ["b@y"], ["d@x"], ["e@x"]]


def test_very_many_of_one_destination_share_several_attempts() -> None:
    there = entry("ID1", *[f"u{number}@x" for number in range(2 * TOGETHER + 1)])
    shares = together(there)
    assert {place for place, _ in shares} == {("smtp", "x")}
    assert [len(group) for _, group in shares] == [TOGETHER, TOGETHER, 1]


class Attempts:
    """Attempts that take as long as they are told to."""

    def __init__(self) -> None:
        self.under_way: list[Deferred[None]] = []
        self.begun = 0

    async def __call__(self, place: Place, group: Sequence[Waiting]) -> None:
        del place, group
        self.begun += 1
        turn: Deferred[None] = Deferred()
        self.under_way.append(turn)
        await turn


def test_not_all_destinations_of_a_long_list_are_tried_at_once() -> None:
    there = entry("ID1", *[f"u@x{number}" for number in range(ATTEMPTS + 7)])
    attempts = Attempts()
    work = Deferred.fromCoroutine(some(together(there), attempts))
    assert attempts.begun == ATTEMPTS
    attempts.under_way.pop().callback(None)
    assert attempts.begun == ATTEMPTS + 1
    while attempts.under_way:
        assert not work.called
        attempts.under_way.pop().callback(None)
    assert work.called
    assert attempts.begun == ATTEMPTS + 7


def test_an_attempt_that_fails_is_told_when_all_have_ended() -> None:
    """The entry is let go then, and nobody may still write to it."""
    attempts = Attempts()
    shares = together(entry("ID1", "a@x", "b@y"))
    work = Deferred.fromCoroutine(some(shares, attempts))
    failed, other = attempts.under_way
    failed.errback(OSError("no"))
    assert not work.called
    other.callback(None)
    errors: list[type[BaseException] | None] = []
    work.addErrback(lambda failure: errors.append(failure.type))
    assert errors == [OSError]


@pytest.mark.parametrize("addresses", [(), ("a@x",)])
def test_few_are_done_at_once(addresses: tuple[str, ...]) -> None:
    there = entry("ID1", *addresses)
    there.recipients = there.recipients if addresses else []
    done: list[Place] = []

    async def attempt(place: Place, group: Sequence[Waiting]) -> None:
        del group
        done.append(place)

    assert Deferred.fromCoroutine(some(together(there), attempt)).called
    assert done == [("smtp", "x")] * len(addresses)


class Disk:
    """Takes its time over what is written, and fails when it is told to."""

    def __init__(self) -> None:
        self.written: list[list[int]] = []
        self.turns: list[Deferred[None]] = []

    async def __call__(
        self, results: Sequence[Result], more: Sequence[Waiting]
    ) -> None:
        numbers = [each.number for each in results]
        self.written.append(numbers + [each.number for each in more])
        turn: Deferred[None] = Deferred()
        self.turns.append(turn)
        await turn


def came(number: int) -> Attempt:
    return Attempt(
        [Result(number, Kind.EXPANDED, Status("2.1.5", ""))],
        [Waiting(number + 100, "a@b", "smtp", "b", parent=number)],
    )


def test_what_attempts_came_to_while_the_disk_was_busy_is_noted_together() -> None:
    disk = Disk()
    notes = Notes(disk)
    work = [Deferred.fromCoroutine(notes.add(came(number))) for number in range(4)]
    assert disk.written == [[0, 100]]
    disk.turns.pop().callback(None)
    assert [each.called for each in work] == [True, False, False, False]
    assert disk.written[1:] == [[1, 2, 3, 101, 102, 103]]
    disk.turns.pop().callback(None)
    assert all(each.called for each in work)
    assert len(disk.written) == 2


def test_what_could_not_be_noted_is_noted_by_the_next() -> None:
    disk = Disk()
    notes = Notes(disk)
    first, second = (Deferred.fromCoroutine(notes.add(came(n))) for n in range(2))
    errors: list[type[BaseException] | None] = []
    first.addErrback(lambda failure: errors.append(failure.type))
    disk.turns.pop().errback(OSError("no"))
    assert errors == [OSError]
    assert disk.written == [[0, 100], [0, 1, 100, 101]]
    disk.turns.pop().callback(None)
    assert second.called
