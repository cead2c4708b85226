"""Which process tries the queue, and how it hears of what others put there."""

import os
from contextlib import nullcontext
from pathlib import Path

from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.task import Clock

from maildrop.app.arrivals import Arrivals
from maildrop.app.queueing import LEAD_EVERY, Lead


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
            self.reactor, str(directory), self.names.append, self._look, every=300.0
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
