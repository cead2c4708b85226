"""The queue at work."""

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent

from maildrop.errors import StorageFailure
from maildrop.queue.entry import Kind, Options, Result, Status, Waiting
from maildrop.queue.spool import Taken
from maildrop.queue.turns import bring_forward
from tests.queue.conftest import Queue, add, at_once, entry


def test_what_is_due_at_the_start_is_tried_and_gone(queue: Queue) -> None:
    add(queue.spool, entry("ID1"), entry("ID2"))
    queue.start()
    assert queue.smtp.asked == [("a@far.example",)] * 2
    assert queue.ids == []
    assert queue.runner.counts == (0, 0)
    assert queue.clock.getDelayedCalls() == []


def test_what_is_added_is_tried_at_once(queue: Queue) -> None:
    queue.start()
    add(queue.spool, entry("ID1"))
    queue.runner.added("ID1")
    assert queue.ids == []


def test_recipients_of_one_destination_are_tried_together(queue: Queue) -> None:
    add(queue.spool, entry("ID1", "a@x", "b@y", "c@x"))
    queue.start()
    assert queue.smtp.asked == [("a@x", "c@x"), ("b@y",)]


def test_what_fails_for_now_is_tried_again_and_the_rest_is_not(queue: Queue) -> None:
    queue.smtp.says["b@x"] = Kind.WAITING
    add(queue.spool, entry("ID1", "a@x", "b@x"))
    queue.start()
    queue.clock.advance(99)
    assert len(queue.smtp.asked) == 1
    del queue.smtp.says["b@x"]
    queue.clock.advance(14)
    assert queue.smtp.asked == [("a@x", "b@x"), ("b@x",)]
    assert queue.ids == []


def test_a_restart_goes_on_where_it_was(queue: Queue) -> None:
    queue.smtp.says["b@x"] = Kind.WAITING
    add(queue.spool, entry("ID1", "a@x", "b@x"))
    queue.start()
    queue.runner.stop()
    again = queue.opened()
    queue.start(again)
    assert len(queue.smtp.asked) == 1
    queue.clock.advance(113)
    assert queue.smtp.asked[1:] == [("b@x",)]


def test_a_failure_is_reported_to_the_sender(queue: Queue) -> None:
    queue.smtp.says["a@far.example"] = Kind.FAILED
    add(queue.spool, entry("ID1"))
    queue.start()
    assert queue.home.asked == [("sender@example.org",)]
    assert queue.home.seen == [b"a@far.example failed\r\n"]
    assert queue.ids == []


def test_what_is_noted_of_a_report_is_what_it_says(queue: Queue) -> None:
    """Who got the message is not in it."""
    queue.smtp.says["b@x"] = Kind.FAILED
    add(queue.spool, entry("ID1", "a@x", "b@x"))
    queue.start()
    [facts] = [
        facts for _, _, kind, facts in queue.notebook.notes if kind == "reported"
    ]
    assert facts["recipient"] == ["b@x"]


def test_each_try_has_a_line_in_the_log_with_its_code(queue: Queue) -> None:
    queue.smtp.says = {"b@x": Kind.WAITING, "c@x": Kind.FAILED}
    add(queue.spool, entry("ID1", "a@x", "b@x", "c@x"))
    with capturedLogs() as events:
        queue.start()
    lines = [formatEvent(event) for event in events]
    for kind, address in (("delivered", "a"), ("waiting", "b"), ("failed", "c")):
        assert f"ID1: {kind} {address}@x by smtp: 2.0.0 said so" in lines


def test_what_was_expanded_is_not_said_to_wait(queue: Queue) -> None:
    queue.home.says["list@b"] = Kind.EXPANDED
    queue.home.more = [Waiting(-1, "c@d", "smtp", "d", parent=0)]
    there = entry("ID1", "list@b")
    there.recipients[0].relay = "home"
    add(queue.spool, there)
    queue.start()
    queue.clock.advance(0)
    assert "waits" not in [kind for _, _, kind, _ in queue.notebook.notes]


def test_patience_ends(queue: Queue) -> None:
    queue.smtp.says["a@far.example"] = Kind.WAITING
    add(queue.spool, entry("ID1"))
    queue.start()
    queue.clock.pump([50.0] * 30)
    assert queue.home.seen == [
        b"a@far.example waiting\r\n",
        b"a@far.example failed\r\n",
    ]
    assert queue.ids == []


def test_a_report_that_fails_is_not_reported(queue: Queue) -> None:
    queue.smtp.says["a@far.example"] = Kind.FAILED
    queue.home.says["sender@example.org"] = Kind.FAILED
    add(queue.spool, entry("ID1"))
    queue.start()
    assert queue.ids == []
    assert len(queue.home.asked) == 1


def test_a_report_left_by_a_crash_is_not_written_twice(queue: Queue) -> None:
    add(queue.spool, entry("ID1"))
    taken = queue.spool.take("ID1")
    assert taken is not None
    taken.note(results=[Result(0, Kind.FAILED, Status("5.1.1", "nobody"))])
    taken.let_go()
    report = entry("ID1.0")
    report.options = Options(report="ID1")
    report.recipients = [Waiting(0, "sender@example.org", "home", "")]
    add(queue.spool, report)
    queue.start()
    queue.clock.advance(2)
    assert queue.home.asked == [("sender@example.org",)]
    assert queue.ids == []


def test_what_is_just_being_put_there_is_tried_a_moment_later(queue: Queue) -> None:
    """It is heard of by inotify before who puts it there lets it go."""
    add(queue.spool, entry("ID1"))
    putting = queue.spool.take("ID1")
    assert putting is not None
    queue.start()
    assert queue.smtp.asked == []
    putting.let_go()
    queue.clock.advance(0.01)
    assert queue.ids == []


def test_what_somebody_works_on_for_long_is_looked_at_less_and_less(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(queue.spool, entry("ID1"))
    working = queue.spool.take("ID1")
    assert working is not None
    looks: list[float] = []
    take = queue.spool.take

    def counted(entry_id: str) -> Taken | None:
        looks.append(queue.clock.seconds())
        return take(entry_id)

    monkeypatch.setattr(queue.spool, "take", counted)
    queue.start()
    queue.clock.pump([0.005] * 2000)
    assert 10 <= len(looks) <= 14
    assert looks[-1] - looks[-2] == pytest.approx(2.0, abs=0.01)
    working.let_go()
    queue.clock.advance(2)
    assert queue.ids == []


def test_expanded_recipients_are_tried_at_once(queue: Queue) -> None:
    queue.home.says["list@b"] = Kind.EXPANDED
    queue.home.more = [Waiting(-1, "c@d", "smtp", "d", parent=0)]
    there = entry("ID1", "list@b")
    there.recipients[0].relay = "home"
    add(queue.spool, there)
    queue.start()
    queue.clock.advance(0)
    assert queue.smtp.asked == [("c@d",)]
    assert queue.home.asked[0] == ("list@b",)


def test_held_entries_wait(queue: Queue) -> None:
    there = entry("ID1")
    add(queue.spool, there)
    taken = queue.spool.take("ID1")
    assert taken is not None
    taken.note(held=True)
    taken.let_go()
    queue.start()
    queue.clock.advance(500)
    assert queue.smtp.asked == []
    assert queue.ids == ["ID1"]


def test_a_destination_that_cannot_be_reached_is_left_alone_a_while(
    queue: Queue,
) -> None:
    queue.smtp.says["a@far.example"] = Kind.WAITING
    queue.smtp.unreachable = "connection refused"
    add(queue.spool, *[entry(f"ID{n}") for n in range(5)])
    queue.start()
    assert len(queue.smtp.asked) == 1
    there = [queue.spool.look(f"ID{n}") for n in range(5)]
    texts = [each.recipients[0].status for each in there if each is not None]
    assert sum(text == Status("4.4.1", "connection refused") for text in texts) == 4


def test_what_somebody_asks_for_is_tried_though_its_destination_is_left_alone(
    queue: Queue,
) -> None:
    """As after ETRN (RFC 1985): who asks is back."""
    queue.smtp.says["a@far.example"] = Kind.WAITING
    queue.smtp.unreachable = "connection refused"
    add(queue.spool, *[entry(f"ID{n}") for n in range(5)])
    queue.start()
    now = queue.clock.seconds()
    [brought] = bring_forward(queue.spool, lambda entry: entry.id == "ID3", now)
    queue.runner.appeared(brought, now)
    assert len(queue.smtp.asked) == 2


@pytest.mark.parametrize("error", [StorageFailure("disk"), ValueError("bug")])
def test_an_error_is_a_temporary_failure_and_is_logged(
    queue: Queue, error: Exception
) -> None:
    queue.smtp.error = error
    add(queue.spool, entry("ID1"))
    with capturedLogs() as events:
        queue.start()
    assert [e for e in events if e["log_level"] >= LogLevel.error]
    queue.smtp.error = None
    queue.clock.advance(113)
    assert queue.ids == []


def test_what_was_settled_before_an_error_stays_so(queue: Queue) -> None:
    queue.smtp.settles = 1
    queue.smtp.error = ValueError("bug")
    add(queue.spool, entry("ID1", "a@x", "b@x"))
    with capturedLogs() as events:
        queue.start()
    assert "ID1: delivered a@x by smtp: 2.0.0 said so" in map(formatEvent, events)
    left = queue.spool.look("ID1")
    assert left is not None
    assert [(each.kind, each.tries) for each in left.recipients] == [
        (Kind.DELIVERED, 1),
        (Kind.WAITING, 1),
    ]
    queue.smtp.error = None
    queue.smtp.settles = 0
    queue.clock.advance(113)
    assert queue.smtp.asked[1:] == [("b@x",)]
    assert queue.ids == []


def test_a_relay_that_nobody_knows_is_a_temporary_failure(queue: Queue) -> None:
    there = entry("ID1")
    there.recipients[0].relay = "uucp"
    add(queue.spool, there)
    queue.start()
    left = queue.spool.look("ID1")
    assert left is not None
    assert left.recipients[0].status == Status("4.3.5", "no relay is called uucp")


def test_so_many_are_at_work_and_no_more(queue: Queue) -> None:
    queue.smtp.waits = []
    runner = queue.opened(entries=3, destination=2)
    add(queue.spool, *[entry(f"ID{n}", f"a@h{n % 2}.example") for n in range(9)])
    queue.start(runner)
    assert runner.counts == (9, 3)
    assert len(queue.smtp.waits) == 3
    while queue.smtp.waits:
        queue.smtp.waits.pop().callback(None)
        assert runner.counts[1] <= 3
    assert queue.ids == []


def test_one_destination_does_not_take_all_the_room(queue: Queue) -> None:
    queue.smtp.waits = []
    runner = queue.opened(entries=20, destination=2)
    crowd = [entry(f"ID1{n:02}", "a@slow.example") for n in range(30)]
    add(queue.spool, *crowd, entry("ID200", "b@quick.example"))
    queue.start(runner)
    assert ("b@quick.example",) in queue.smtp.asked
    assert queue.smtp.asked.count(("a@slow.example",)) == 2
    while queue.smtp.waits:
        queue.smtp.waits.pop().callback(None)
    assert queue.ids == []
    assert queue.clock.getDelayedCalls() == []


def test_what_waits_for_room_is_not_taken_again_because_it_was_found(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.smtp.waits = []
    runner = queue.opened(destination=1)
    add(queue.spool, *(entry(f"ID{number}") for number in range(5)))
    queue.start(runner)
    takes: list[str] = []
    monkeypatch.setattr(queue.spool, "take", takes.append)
    for number in range(5):
        runner.found(f"ID{number}", 1000.0)
    assert takes == []
    runner.found("ID5", 1000.0)
    assert takes == ["ID5"]


def test_stop_waits_for_what_is_at_work(queue: Queue) -> None:
    queue.smtp.waits = []
    add(queue.spool, entry("ID1"))
    queue.start()
    stopped = queue.runner.stop()
    assert not stopped.called
    queue.smtp.waits.pop().callback(None)
    assert stopped.called
    assert queue.ids == []


def test_what_was_taken_is_noted_before_what_waits_for_a_thread(queue: Queue) -> None:
    """However long the threads are busy: until then a crash sends it again."""
    jobs: deque[tuple[Callable[[], object], Deferred[object]]] = deque()

    def in_thread(job: Callable[[], object]) -> Deferred[object]:
        jobs.append((job, Deferred()))
        return jobs[-1][1]

    queue.smtp.waits = []
    runner = queue.opened(in_thread, at_once)
    add(queue.spool, entry("ID1"), *[entry(f"ID2{n}") for n in range(9)])
    Deferred.fromCoroutine(runner.start())
    while not queue.smtp.waits:  # the list of what is there, and ID1
        job, done = jobs.popleft()
        done.callback(job())
    waiting = len(jobs)
    assert waiting > 0
    queue.smtp.waits.pop(0).callback(None)
    left = queue.spool.look("ID1")
    assert left is not None
    assert left.waiting() == []
    assert len(jobs) == waiting + 1  # it is removed when its turn comes


def test_nothing_is_begun_after_stop(queue: Queue) -> None:
    queue.start()
    assert queue.runner.stop().called
    add(queue.spool, entry("ID1"))
    queue.runner.added("ID1")
    assert queue.ids == ["ID1"]
    assert queue.clock.getDelayedCalls() == []


def test_a_damaged_entry_hurts_no_other(queue: Queue, tmp_path: Path) -> None:
    add(queue.spool, entry("ID1"), entry("ID2"))
    path = tmp_path / "queue/entries/ID1"
    path.write_bytes(path.read_bytes()[5:])
    os.utime(path, (1000, 1000))
    with capturedLogs() as events:
        queue.start()
    assert [e for e in events if e["log_level"] >= LogLevel.error]
    assert queue.ids == []
    assert queue.smtp.asked == [("a@far.example",)]


def test_recipients_of_several_reverse_paths_go_apart(queue: Queue) -> None:
    """Members of a list have its owner; each owner hears of its own."""
    one = entry("ID1", "a@far.example", "b@far.example", "c@far.example")
    one.recipients[1].sender = "owner-list@example.org"
    add(queue.spool, one)
    queue.smtp.says = {"a@far.example": Kind.FAILED, "b@far.example": Kind.FAILED}
    queue.start()
    assert queue.smtp.asked == [("a@far.example", "c@far.example"), ("b@far.example",)]
    assert queue.smtp.senders == ["sender@example.org", "owner-list@example.org"]
    reports = sorted(octets.strip() for octets in queue.home.seen)
    assert reports == [b"a@far.example failed", b"b@far.example failed"]


def test_what_was_sent_on_by_several_addresses_goes_apart(queue: Queue) -> None:
    """Each copy tells of its own (RFC 9228)."""
    one = entry("ID1", "a@far.example", "b@far.example", "c@far.example")
    one.recipients[1].via = "list@example.org"
    add(queue.spool, one)
    queue.start()
    assert queue.smtp.asked == [("a@far.example", "c@far.example"), ("b@far.example",)]


def test_one_timer_waits_however_much_is_tried_at_once(
    queue: Queue, clock: Clock
) -> None:
    for number in range(5):
        add(queue.spool, entry(f"ID{number}", "a@far.example"))
    queue.smtp.says["a@far.example"] = Kind.WAITING
    queue.start()
    for _ in range(5):
        assert len(clock.getDelayedCalls()) == 1
        clock.advance(200)
