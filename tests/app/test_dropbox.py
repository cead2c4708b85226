"""Mail of local programs on its way into the queue, as long as the server runs."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs

from maildrop.app.alone import at_once
from maildrop.app.config import parse
from maildrop.app.dropbox import Dropbox, open_dropbox
from maildrop.decisions.recorder import Recorder
from maildrop.durable import Disk
from maildrop.queue.drop import Dropped, put
from maildrop.queue.entry import Waiting
from maildrop.queue.spool import Spool

T = TypeVar("T")


class Watched:
    """Tells when it is told to."""

    def __init__(self) -> None:
        self.changed: Callable[[], None] = lambda: None
        self.paths: list[str] = []

    def watch(
        self, paths: Sequence[str], changed: Callable[[], None]
    ) -> Callable[[], None]:
        self.paths, self.changed = list(paths), changed
        return self.paths.clear


class Threads:
    """Runs jobs at once, or when they are let go."""

    def __init__(self) -> None:
        self.held: list[Callable[[], None]] | None = None

    def __call__(self, job: Callable[[], T]) -> Deferred[T]:
        if self.held is None:
            return maybeDeferred(job)
        done: Deferred[T] = Deferred()

        def go_on() -> None:
            maybeDeferred(job).chainDeferred(done)

        self.held.append(go_on)
        return done

    def hold(self) -> list[Callable[[], None]]:
        """Run nothing before it is let go."""
        self.held = []
        return self.held


class Notes(Recorder):
    """Keeps what is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[str, str, dict[str, object]]] = []

    def note(self, id: str, kind: str, /, **facts: object) -> None:  # noqa: A002
        self.kept.append((id, kind, facts))


class Box:
    """A dropbox and its surroundings."""

    def __init__(self, directory: Path) -> None:
        self.drop = directory / "state" / "queue" / "drop"
        self.clock = clock = Clock()
        clock.advance(os.stat(directory).st_ctime)
        queue = str(self.drop.parent)
        self.spool = Spool(queue, Disk(), clock.seconds, str(directory))
        self.spool.prepare()
        self.threads, self.watched = Threads(), Watched()
        self.added: list[str] = []
        self.notes = Notes()
        text = 'hostname = "mail.example.org"\nstate = "state"\n'
        text += '[sendmail]\ntrusted = ["root"]\n'
        self.box: Dropbox = open_dropbox(
            parse(text, str(directory / "maildrop.toml")).configuration,
            self.spool,
            lambda domain: domain == "mail.example.org",
            lambda address: Waiting(0, address, "local", ""),
            self.added.append,
            self.threads,
            self.watched,
            clock,
            self.notes,
        )

    def put(self) -> None:
        put(str(self.drop), Dropped(("bob",)), b"\r\nbody\r\n", Disk(), os.urandom)

    def start(self) -> None:
        at_once(self.box.start())


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def test_what_came_while_the_server_was_down_is_taken_first(box: Box) -> None:
    box.drop.mkdir(parents=True)
    for _ in range(120):
        box.put()
    box.start()
    assert len(box.added) == 120
    assert sorted(box.added) == sorted(each.id for each in box.spool.list())
    assert box.watched.paths == [str(box.drop)]


def test_what_comes_is_taken_at_once(box: Box) -> None:
    box.start()
    box.put()
    box.watched.changed()
    assert len(box.added) == 1
    taken = box.spool.take(box.added[0])
    assert taken is not None
    assert taken.entry.recipients[0].address == "bob@mail.example.org"
    [(noted, kind, facts)] = box.notes.kept
    assert (noted, kind, facts["service"]) == (box.added[0], "message", "sendmail")


def test_what_comes_while_one_is_taken_is_taken_after_it(box: Box) -> None:
    box.start()
    held = box.threads.hold()
    box.put()
    box.watched.changed()
    box.watched.changed()
    assert len(held) == 1
    box.put()
    held.pop()()
    assert len(box.added) == 2
    held.pop()()
    assert held == []


def test_the_end_waits_for_what_is_at_work(box: Box) -> None:
    box.start()
    held = box.threads.hold()
    box.put()
    box.watched.changed()
    over = box.box.stop()
    assert not over.called
    held.pop()()
    assert over.called
    assert len(box.added) == 1
    assert box.watched.paths == []
    box.put()
    box.watched.changed()
    assert held == []


def test_without_a_directory_the_rest_goes_on(box: Box) -> None:
    box.drop.write_text("a file")
    with capturedLogs() as events:
        box.start()
    assert [each["log_level"] for each in events] == [LogLevel.error]
    assert box.added == []
    assert box.box.stop().called


def test_trouble_with_the_disk_is_told_and_tried_again(box: Box) -> None:
    box.start()
    box.drop.rename(box.drop.parent / "away")
    with capturedLogs() as events:
        box.watched.changed()
    assert [each["log_level"] for each in events] == [LogLevel.error]
    (box.drop.parent / "away").rename(box.drop)
    box.put()
    box.watched.changed()
    assert len(box.added) == 1


def test_what_could_not_be_taken_is_tried_again_by_itself(box: Box) -> None:
    box.start()
    box.drop.rename(box.drop.parent / "away")
    box.watched.changed()
    (box.drop.parent / "away").rename(box.drop)
    box.put()
    box.clock.advance(60)
    assert len(box.added) == 1
    assert box.clock.getDelayedCalls() == []


def test_who_stops_tries_nothing_again(box: Box) -> None:
    box.start()
    box.drop.rename(box.drop.parent / "away")
    box.watched.changed()
    assert box.box.stop().called
    assert box.clock.getDelayedCalls() == []
