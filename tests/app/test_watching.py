"""Watches on files; inotify itself is real, time is not."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.task import Clock

from maildrop.app.watching import DiskWatcher, Inotify
from tests.ticking import ticked


class Reactor(Clock):
    """Time, and readers that are read when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[IReadDescriptor] = []

    def addReader(self, reader: IReadDescriptor) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: IReadDescriptor) -> None:
        self.readers.remove(reader)

    def turn(self) -> None:
        for reader in self.readers:
            reader.doRead()
        self.advance(0.005)


@pytest.fixture
def reactor() -> Reactor:
    return Reactor()


@pytest.fixture
def watcher(reactor: Reactor) -> Iterator[DiskWatcher]:
    made = DiskWatcher(reactor, contextlib.nullcontext, inotify=Inotify())
    made.start()
    yield made
    made.close()
    assert reactor.getDelayedCalls() == []
    assert reactor.readers == []


@pytest.fixture
def poller(reactor: Reactor) -> Iterator[DiskWatcher]:
    """One without inotify."""
    made = DiskWatcher(reactor, contextlib.nullcontext)
    yield made
    made.close()


def test_a_new_file_in_a_directory_is_told_once(
    tmp_path: Path, reactor: Reactor, watcher: DiskWatcher
) -> None:
    told: list[int] = []
    watcher.watch([str(tmp_path)], lambda: told.append(1))
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
    reactor.turn()
    assert told == [1]


def test_what_came_in_the_same_tick_of_the_clock_is_told_by_a_second_call(
    tmp_path: Path, reactor: Reactor, watcher: DiskWatcher
) -> None:
    told: list[int] = []
    watcher.watch([str(tmp_path)], lambda: told.append(1))
    (tmp_path / "a").touch()
    reactor.turn()
    reactor.advance(1.1)
    assert told == [1]
    reactor.advance(0.1)
    assert told == [1, 1]
    reactor.advance(4)
    assert told == [1, 1]


def test_two_watches_on_one_path_are_both_told(
    tmp_path: Path, reactor: Reactor, watcher: DiskWatcher
) -> None:
    told: list[str] = []
    end = watcher.watch([str(tmp_path)], lambda: told.append("one"))
    watcher.watch([str(tmp_path)], lambda: told.append("two"))
    (tmp_path / "a").touch()
    reactor.turn()
    assert sorted(told) == ["one", "two"]
    end()
    (tmp_path / "b").touch()
    reactor.turn()
    assert sorted(told) == ["one", "two", "two"]


def test_a_watch_that_ended_is_told_nothing(
    tmp_path: Path, reactor: Reactor, watcher: DiskWatcher
) -> None:
    told: list[int] = []
    end = watcher.watch([str(tmp_path)], lambda: told.append(1))
    (tmp_path / "a").touch()
    for reader in reactor.readers:
        reader.doRead()
    end()
    end()
    reactor.turn()
    assert told == []


def test_a_file_replaced_by_rename_stays_watched(
    tmp_path: Path, reactor: Reactor, watcher: DiskWatcher
) -> None:
    file, new = tmp_path / "f", tmp_path / "new"
    told: list[int] = []
    file.write_text("1")
    watcher.watch([str(file)], lambda: told.append(1))
    new.write_text("2")
    new.rename(file)
    reactor.turn()
    assert told == [1]
    reactor.turn()
    told.clear()
    file.write_text("3")
    reactor.turn()
    assert told == [1]


def test_a_path_that_appears_later_is_found(
    tmp_path: Path, reactor: Reactor, watcher: DiskWatcher
) -> None:
    told: list[int] = []
    watcher.watch([str(tmp_path / "later")], lambda: told.append(1))
    (tmp_path / "later").mkdir()
    reactor.advance(5.0)
    reactor.advance(0.005)
    assert told == [1]
    (tmp_path / "later/x").touch()
    reactor.turn()
    assert told == [1, 1]


def test_without_inotify_changes_are_found_by_looking(
    tmp_path: Path, reactor: Reactor, poller: DiskWatcher
) -> None:
    told: list[int] = []
    poller.watch([str(tmp_path)], lambda: told.append(1))
    reactor.advance(5.0)
    assert told == []
    (tmp_path / "a").touch()
    ticked(tmp_path)
    reactor.advance(5.0)
    reactor.advance(0.005)
    assert told == [1]


def test_a_failing_function_hurts_no_other(
    tmp_path: Path, reactor: Reactor, watcher: DiskWatcher
) -> None:
    told: list[int] = []

    def failing() -> None:
        raise ValueError("told")

    watcher.watch([str(tmp_path)], failing)
    watcher.watch([str(tmp_path)], lambda: told.append(1))
    (tmp_path / "a").touch()
    reactor.turn()
    (tmp_path / "b").touch()
    reactor.turn()
    assert told == [1, 1]


def test_the_same_directory_by_two_paths_is_two_watches(
    tmp_path: Path, reactor: Reactor, watcher: DiskWatcher
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "d")
    told: list[str] = []
    end = watcher.watch([str(tmp_path / "d")], lambda: told.append("d"))
    watcher.watch([str(tmp_path / "link")], lambda: told.append("link"))
    (tmp_path / "d/x").touch()
    reactor.turn()
    assert sorted(told) == ["d", "link"]
    end()
    (tmp_path / "d/y").touch()
    reactor.turn()
    assert sorted(told) == ["d", "link", "link"]
