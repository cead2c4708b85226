"""Which process tries the queue, and how it hears of what others put there."""

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.task import Clock

from maildrop.app.arrivals import Arrivals
from maildrop.app.queueing import LEAD_EVERY, Lead, open_arrivals
from maildrop.durable import Content, Disk
from maildrop.errors import MaildropError
from maildrop.queue.spool import Spool, Taken
from tests.queue.conftest import MESSAGE, Queue, add, entry


class Reactor(Clock):
    """A clock on which descriptors are read when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[IReadDescriptor] = []

    def addReader(self, reader: IReadDescriptor) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: IReadDescriptor) -> None:
        self.readers.remove(reader)

    def read(self) -> None:
        for reader in list(self.readers):
            reader.doRead()


def lead(path: Path, clock: Clock) -> Lead:
    return Lead(str(path / "lock"), clock, nullcontext)


def test_one_process_leads_and_another_follows_it(tmp_path: Path) -> None:
    clock = Clock()
    won: list[str] = []
    first, second = lead(tmp_path, clock), lead(tmp_path, clock)
    first.start(lambda: won.append("first"))
    second.start(lambda: won.append("second"))
    clock.advance(10 * LEAD_EVERY)
    assert (won, first.leads, second.leads) == (["first"], True, False)
    first.stop()
    clock.advance(LEAD_EVERY)
    assert (won, first.leads, second.leads) == (["first", "second"], False, True)
    second.stop()
    assert clock.getDelayedCalls() == []


def test_who_never_led_can_stop(tmp_path: Path) -> None:
    clock = Clock()
    first, second = lead(tmp_path, clock), lead(tmp_path, clock)
    first.start(lambda: None)
    second.start(lambda: None)
    second.stop()
    assert clock.getDelayedCalls() == []
    first.stop()


class Heard:
    """Arrivals in a directory, and what was told of them."""

    def __init__(self, directory: Path) -> None:
        self.reactor = Reactor()
        self.names: list[str] = []
        self.looks = 0
        self.arrivals = Arrivals(
            self.reactor,
            str(directory),
            self.names.append,
            self._look,
            (),
            self.names.append,
            every=300.0,
        )
        self.arrivals.start()

    def _look(self) -> None:
        self.looks += 1


def test_what_is_renamed_into_the_directory_is_told(tmp_path: Path) -> None:
    directory, beside = tmp_path / "entries", tmp_path / "new"
    directory.mkdir()
    beside.write_bytes(b"x")
    heard = Heard(directory)
    beside.rename(directory / "ID1")
    heard.reactor.read()
    assert heard.names == ["ID1"]
    os.utime(directory / "ID1", (5, 5))
    os.utime(directory / "ID1", (6, 6))
    heard.reactor.read()
    assert heard.names == ["ID1", "ID1"]  # once, however often it was touched
    (directory / "ID1").unlink()
    heard.reactor.read()
    assert heard.names == ["ID1", "ID1"]
    heard.arrivals.stop()
    assert heard.reactor.readers == []
    assert heard.reactor.getDelayedCalls() == []


def test_the_directory_is_looked_at_now_and_then(tmp_path: Path) -> None:
    heard = Heard(tmp_path)
    heard.reactor.advance(301)
    assert heard.looks == 1
    heard.reactor.advance(301)
    assert heard.looks == 2
    heard.arrivals.stop()


def test_a_directory_that_cannot_be_watched_is_looked_at_often(tmp_path: Path) -> None:
    heard = Heard(tmp_path / "missing")
    assert heard.reactor.readers == []
    heard.reactor.advance(6)
    assert heard.looks == 1
    heard.arrivals.stop()
    heard.arrivals.stop()


class Meanwhile(Disk):
    """A disk on which something happens while the directory is synced."""

    def __init__(self) -> None:
        super().__init__()
        self.happens: Callable[[], None] = lambda: None

    def synchronize_directory(self, path: str | bytes | int) -> None:
        self.happens()
        super().synchronize_directory(path)


class Counted(Spool):
    """A queue that remembers what was taken, in vain or not."""

    takes: list[tuple[str, bool]]

    def take(self, entry_id: str) -> Taken | None:
        taken = super().take(entry_id)
        self.takes.append((entry_id, taken is not None))
        return taken


class Watched:
    """A runner that hears of what comes, whenever something is synced."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.reactor = Reactor()
        self.reactor.advance(2000.0)
        self.disk = Meanwhile()
        self.spool = Counted(*self._place(self.disk))
        self.spool.takes = []
        self.spool.prepare()
        self.disk.happens = self.reactor.read
        self.queue = Queue(self.spool, self.reactor)
        self.queue.start()
        runner = self.queue.runner
        self.arrivals = open_arrivals(self.reactor, self.spool, runner, lambda: None)
        self.arrivals.start()

    def _place(self, disk: Disk) -> tuple[str, Disk, Callable[[], float], str]:
        queue = str(self.directory / "queue")
        return queue, disk, self.reactor.seconds, str(self.directory)

    def other(self) -> Spool:
        """The queue as another process has it."""
        return Spool(*self._place(Disk()))


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_what_this_process_adds_is_never_tried_in_vain(watched: Watched) -> None:
    placed = watched.spool.place(entry("ID1"), Content.of(MESSAGE))
    watched.reactor.read()
    assert watched.spool.takes == []
    placed.let_go()
    watched.queue.runner.added("ID1")
    assert watched.spool.takes == [("ID1", True)]
    watched.reactor.advance(2)
    assert watched.spool.takes == [("ID1", True)]
    assert watched.queue.ids == []


def test_what_was_added_and_not_told_is_found(watched: Watched) -> None:
    """Who added it was stopped before it could tell."""
    placed = watched.spool.place(entry("ID1"), Content.of(MESSAGE))
    watched.reactor.read()
    watched.reactor.advance(2)
    assert watched.spool.takes == []
    placed.let_go()
    watched.reactor.advance(2)
    assert watched.spool.takes == [("ID1", True)]
    assert watched.queue.ids == []


def test_what_another_process_adds_is_found(watched: Watched) -> None:
    add(watched.other(), entry("ID1"))
    watched.reactor.read()
    assert watched.spool.takes == [("ID1", True)]
    assert watched.queue.ids == []


def test_what_another_process_adds_after_it_failed_here_is_found(
    watched: Watched,
) -> None:
    def fail() -> None:
        watched.reactor.read()
        raise OSError(28, "No space left on device")

    watched.disk.happens = fail
    with pytest.raises(MaildropError):
        watched.spool.add(entry("ID1"), Content.of(MESSAGE))
    add(watched.other(), entry("ID1"))
    watched.reactor.read()
    assert watched.spool.takes == [("ID1", True)]
    assert watched.queue.ids == []


def test_who_stops_hears_nothing_more_of_what_it_added(watched: Watched) -> None:
    placed = watched.spool.place(entry("ID1"), Content.of(MESSAGE))
    watched.reactor.read()
    watched.arrivals.stop()
    placed.let_go()
    assert watched.reactor.getDelayedCalls() == []
