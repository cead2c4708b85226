"""Recorders."""

from collections.abc import Callable, Sequence

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs

from maildrop.decisions.recorder import Diary, Note, Recorder
from maildrop.decisions.trace import TraceIds


class Paper:
    """What is written, and the threads that write."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.written: list[list[Note]] = []
        self.jobs: list[tuple[Callable[[], None], Deferred[None]]] = []
        self.slow = False

    def write(self, notes: Sequence[Note]) -> None:
        self.written.append(list(notes))

    def in_thread(self, job: Callable[[], None]) -> Deferred[None]:
        if not self.slow:
            job()
            return succeed(None)
        done: Deferred[None] = Deferred()
        self.jobs.append((job, done))
        return done

    def finish(self) -> None:
        job, done = self.jobs.pop(0)
        job()
        done.callback(None)

    def diary(self, waiting: int = 1000) -> Diary:
        ids = TraceIds(lambda: 0.0, bytes)
        return Diary(ids, self.write, self.clock, self.in_thread, waiting=waiting)


@pytest.fixture
def paper() -> Paper:
    return Paper()


def test_one_who_keeps_nothing_still_makes_ids() -> None:
    recorder = Recorder()
    recorder.note("a", "kind", fact=1)
    assert recorder.new_id() != recorder.new_id()


def test_notes_of_a_while_are_written_together(paper: Paper) -> None:
    diary = paper.diary()
    diary.note("a", "one", fact=1)
    diary.note("a", "two")
    assert paper.written == []
    paper.clock.advance(1)
    [batch] = paper.written
    assert [(kind, facts) for _, _, kind, facts in batch] == [
        *(("one", {"fact": 1}), ("two", {})),
    ]


def test_a_note_has_the_time_when_it_was_made(paper: Paper) -> None:
    diary = paper.diary()
    paper.clock.advance(5)
    diary.note("a", "one")
    paper.clock.advance(5)
    assert paper.written[0][0][0] == 5


def test_an_idle_diary_has_no_timer(paper: Paper) -> None:
    diary = paper.diary()
    diary.note("a", "one")
    paper.clock.advance(1)
    assert paper.clock.getDelayedCalls() == []


def test_batches_are_written_one_after_the_other(paper: Paper) -> None:
    paper.slow = True
    diary = paper.diary()
    diary.note("a", "one")
    paper.clock.advance(1)
    diary.note("a", "two")
    paper.clock.advance(1)
    assert len(paper.jobs) == 1
    paper.finish()
    paper.clock.advance(1)
    paper.finish()
    assert [[kind for _, _, kind, _ in batch] for batch in paper.written] == [
        *(["one"], ["two"]),
    ]


def test_when_too_many_wait_the_lost_are_counted(paper: Paper) -> None:
    diary = paper.diary(waiting=2)
    for kind in ("one", "two", "three", "four"):
        diary.note("a", kind)
    paper.clock.advance(1)
    [batch] = paper.written
    assert [kind for _, _, kind, _ in batch] == ["one", "two", "lost"]
    assert batch[-1][3] == {"notes": 2}


def test_what_waits_is_written_at_the_end(paper: Paper) -> None:
    diary = paper.diary()
    diary.note("a", "one")
    diary.close()
    assert len(paper.written) == 1
    paper.clock.advance(1)
    assert len(paper.written) == 1


def test_a_failure_to_write_is_logged_and_hurts_no_further_note(paper: Paper) -> None:
    def fail(notes: Sequence[Note]) -> None:
        if not paper.written:
            paper.written.append([])
            raise OSError("no space")
        paper.write(notes)

    diary = Diary(TraceIds(lambda: 0.0, bytes), fail, paper.clock, paper.in_thread)
    with capturedLogs() as logged:
        diary.note("a", "one")
        paper.clock.advance(1)
    [told] = logged
    assert told["log_level"] is LogLevel.warn
    assert (told["count"], told["error"]) == (1, "no space")
    diary.note("a", "two")
    paper.clock.advance(1)
    assert [kind for _, _, kind, _ in paper.written[-1]] == ["two", "lost"]
