"""What an administrator does to entries."""

from collections.abc import Callable
from pathlib import Path

import pytest

from maildrop.queue import handling
from maildrop.queue.entry import Kind
from maildrop.queue.handling import GIVEN_BACK, Busy, Gone
from maildrop.queue.spool import Spool
from maildrop.queue.turns import bring_forward
from tests.queue.conftest import add, entry

ALL: list[Callable[[Spool, str], None]] = [
    handling.hold,
    lambda spool, one: handling.release(spool, one, 2000.0),
    handling.delete,
    lambda spool, one: handling.give_back(spool, one, 2000.0),
]


def test_an_entry_is_held_and_released(spool: Spool) -> None:
    add(spool, entry("ID1"))
    handling.hold(spool, "ID1")
    held = spool.look("ID1")
    assert held is not None
    assert held.held
    handling.release(spool, "ID1", 2000.0)
    released = spool.look("ID1")
    assert released is not None
    assert not released.held
    assert released.next == spool.due("ID1") == 2000.0


def test_an_entry_is_deleted(spool: Spool) -> None:
    add(spool, entry("ID1"))
    handling.delete(spool, "ID1")
    assert not spool.holds("ID1")


def test_an_entry_that_is_given_back_has_failed_for_those_that_wait(
    spool: Spool,
) -> None:
    given = entry("ID1", "a@far.example", "b@far.example")
    given.recipients[0].kind = Kind.DELIVERED
    add(spool, given)
    handling.hold(spool, "ID1")
    handling.give_back(spool, "ID1", 2000.0)
    back = spool.look("ID1")
    assert back is not None
    assert [each.kind for each in back.recipients] == [Kind.DELIVERED, Kind.FAILED]
    assert back.recipients[1].status == GIVEN_BACK
    assert not back.held


@pytest.mark.parametrize("job", ALL)
def test_what_is_not_there_is_said(
    spool: Spool, job: Callable[[Spool, str], None]
) -> None:
    for name in ("ID1", "../../etc/passwd", "", "a" * 65):
        with pytest.raises(Gone):
            job(spool, name)


@pytest.mark.parametrize("job", ALL)
def test_what_is_being_tried_is_left_alone(
    spool: Spool, job: Callable[[Spool, str], None]
) -> None:
    add(spool, entry("ID1"))
    taken = spool.take("ID1")
    assert taken is not None
    with pytest.raises(Busy):
        job(spool, "ID1")
    taken.let_go()
    job(spool, "ID1")


@pytest.mark.parametrize("job", ALL)
def test_what_cannot_be_believed_is_put_aside(
    spool: Spool, tmp_path: Path, job: Callable[[Spool, str], None]
) -> None:
    (tmp_path / "queue/entries/ID1").write_bytes(b"junk\n")
    with pytest.raises(Gone):
        job(spool, "ID1")
    assert (tmp_path / "queue/corrupt/ID1").exists()


def test_entries_are_made_due_by_their_ids(spool: Spool) -> None:
    for name in ("ID1", "ID2", "ID3"):
        add(spool, entry(name))
        taken = spool.take(name)
        assert taken is not None
        taken.note(next_try=9000.0)
        taken.let_go()
    handling.hold(spool, "ID3")
    found = bring_forward(spool, lambda _: True, 1000.0, ["ID2", "ID3", "ID4"])
    assert found == ["ID2"]
    assert [spool.due(name) for name in ("ID1", "ID2")] == [9000.0, 1000.0]
