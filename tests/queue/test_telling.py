"""Reports, each once: what a crash parts, and what comes between."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from maildrop.durable import Content, Disk
from maildrop.errors import NoSpace
from maildrop.queue import handling
from maildrop.queue.entry import Entry, Kind, Options, Result, Status, Waiting
from maildrop.queue.spool import Spool, Taken
from tests.queue.conftest import OpenSpool, Queue, add, entry

UNKNOWN = Status("5.1.1", "nobody is called so")


def crash(
    spool: Spool, taken: Taken, *numbers: int, report: str = "", text: str = "told"
) -> None:
    """A process that is killed between a report and the note of it."""
    taken.note(results=[Result(each, Kind.FAILED, UNKNOWN) for each in numbers])
    options = Options(report=taken.entry.id, about=numbers)
    to = Waiting(0, "sender@example.org", "home", "")
    left = Entry(report or f"{taken.entry.id}.{numbers[0]}", "", 1000.0, 0, [to])
    spool.add(replace(left, options=options), Content.of(text.encode()))
    taken.let_go()


def taken(spool: Spool, entry_id: str = "ID1") -> Taken:
    found = spool.take(entry_id)
    assert found is not None
    return found


def test_who_fails_after_a_crash_is_told_of_too(queue: Queue) -> None:
    """Whoever was told of before is not told of again, whatever number it has."""
    add(queue.spool, entry("ID1", "a@x", "b@y", "c@z"))
    crash(queue.spool, taken(queue.spool), 1)
    queue.smtp.says = dict.fromkeys(("a@x", "c@z"), Kind.FAILED)
    queue.start()
    queue.clock.advance(1)
    assert sorted(queue.home.seen) == [b"a@x failed\r\nc@z failed\r\n", b"told"]
    assert queue.ids == []


def test_what_is_given_back_after_a_crash_is_told_of_apart(queue: Queue) -> None:
    add(queue.spool, entry("ID1", "a@x", "b@y", "c@z"))
    crash(queue.spool, taken(queue.spool), 1)
    handling.give_back(queue.spool, "ID1", 1000.0)
    queue.start()
    queue.clock.advance(1)
    assert sorted(queue.home.seen) == [b"a@x failed\r\nc@z failed\r\n", b"told"]
    assert queue.smtp.asked == []


@pytest.mark.parametrize("held", [False, True])
def test_a_report_does_not_wait_for_what_it_reports_on(
    queue: Queue, *, held: bool
) -> None:
    """That one may have hours until its next time, or until somebody releases it."""
    add(queue.spool, entry("ID1", "a@x", "b@y"))
    work = taken(queue.spool)
    work.note(next_try=9000.0, held=held)
    crash(queue.spool, work, 1)
    queue.start()
    queue.clock.advance(1)
    assert queue.home.seen == [b"told"]
    assert queue.smtp.asked == []
    assert queue.ids == ["ID1"]


def test_a_report_that_cannot_be_believed_is_written_anew(
    queue: Queue, tmp_path: Path
) -> None:
    add(queue.spool, entry("ID1", "a@x"))
    crash(queue.spool, taken(queue.spool), 0)
    (tmp_path / "queue/entries/ID1.0").write_bytes(b"0 {}\n")
    queue.start()
    queue.clock.advance(1)
    assert queue.home.seen == [b"a@x failed\r\n"]
    assert queue.ids == []


def test_a_warning_left_by_a_crash_is_not_written_twice(queue: Queue) -> None:
    add(queue.spool, entry("ID1", "a@x"))
    work = taken(queue.spool)
    work.note(results=[Result(0, Kind.WAITING, UNKNOWN)], next_try=1600.0)
    crash(queue.spool, work, report="ID1.late")
    queue.smtp.says["a@x"] = Kind.WAITING
    queue.start()
    queue.clock.advance(900)
    assert queue.home.seen == [b"told"]
    left = queue.spool.look("ID1")
    assert left is not None
    assert left.recipients[0].warned


class Full(Disk):
    """A disk on which nothing can be written for a while."""

    full = False

    def write_at(self, fd: int, octets: bytes | memoryview, offset: int) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().write_at(fd, octets, offset)


def test_what_was_sent_is_not_sent_again_while_it_cannot_be_noted(
    queue: Queue, tmp_path: Path
) -> None:
    disk = Full()
    queue.spool = Spool(
        str(tmp_path / "queue"), disk, queue.clock.seconds, str(tmp_path)
    )
    queue.runner = queue.opened()
    add(queue.spool, entry("ID1", "a@x"))
    disk.full = True
    queue.start()
    queue.clock.pump([61.0] * 5)
    assert len(queue.smtp.asked) == 1
    with pytest.raises(handling.Busy):
        handling.give_back(queue.spool, "ID1", 1000.0)
    disk.full = False
    queue.clock.advance(61)
    assert len(queue.smtp.asked) == 1
    assert queue.ids == []


def test_no_more_go_to_a_destination_than_may_be_left_without_a_note(
    queue: Queue, tmp_path: Path
) -> None:
    """So many messages, and no more, may come twice after a crash."""
    disk = Full()
    queue.spool = Spool(
        str(tmp_path / "queue"), disk, queue.clock.seconds, str(tmp_path)
    )
    queue.runner = queue.opened(destination=1)
    add(queue.spool, entry("ID1", "a@x"), entry("ID2", "b@x"))
    disk.full = True
    queue.start()
    assert len(queue.smtp.asked) == 1
    disk.full = False
    queue.clock.advance(61)
    assert len(queue.smtp.asked) == 2
    assert queue.ids == []


def test_who_stops_tries_once_more_to_note_what_was_sent(
    queue: Queue, tmp_path: Path
) -> None:
    disk = Full()
    queue.spool = Spool(
        str(tmp_path / "queue"), disk, queue.clock.seconds, str(tmp_path)
    )
    queue.runner = queue.opened()
    add(queue.spool, entry("ID1", "a@x"))
    disk.full = True
    queue.start()
    disk.full = False
    assert queue.runner.stop().called
    assert queue.clock.getDelayedCalls() == []
    left = queue.spool.look("ID1")
    assert left is None or left.recipients[0].kind is Kind.DELIVERED


def test_who_stops_does_not_wait_for_room(queue: Queue, tmp_path: Path) -> None:
    disk = Full()
    queue.spool = Spool(
        str(tmp_path / "queue"), disk, queue.clock.seconds, str(tmp_path)
    )
    queue.runner = queue.opened()
    add(queue.spool, entry("ID1", "a@x"))
    disk.full = True
    queue.start()
    assert queue.runner.stop().called
    assert queue.clock.getDelayedCalls() == []
    with pytest.raises(NoSpace):
        handling.hold(queue.spool, "ID1")


class Counting(Disk):
    """Counts what waits for the disk."""

    def __init__(self) -> None:
        self.waits = 0

    def synchronize(self, fd: int) -> None:
        self.waits += 1
        super().synchronize(fd)


@pytest.mark.parametrize(("kind", "waits"), [(Kind.RELAYED, 1), (Kind.FAILED, 4)])
def test_of_what_nobody_is_to_hear_nothing_is_noted(
    open_spool: OpenSpool, clock: Clock, kind: Kind, waits: int
) -> None:
    """One wait for what became of it; else for the report, how it fared, the note."""
    disk = Counting()
    queue = Queue(open_spool(disk), clock)
    add(queue.spool, entry("ID1"))
    before = disk.waits
    queue.smtp.says["a@far.example"] = kind
    queue.start()
    assert queue.ids == []
    assert disk.waits - before == waits


def test_what_was_done_before_a_crash_goes_without_a_word(queue: Queue) -> None:
    add(queue.spool, entry("ID1"))
    left = taken(queue.spool)
    left.note(results=[Result(0, Kind.RELAYED, Status("2.0.0", "ok"))])
    left.let_go()
    queue.start()
    assert queue.smtp.asked == []
    assert queue.ids == []
