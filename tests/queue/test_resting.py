"""Destinations that are left alone for a while."""

from maildrop.queue.resting import LONGEST, MOST, Resting

FAR = ("smtp", "far.example")


def waits(resting: Resting, times: int) -> list[float]:
    """How long it is left alone, each time that it is tried as soon as it may be."""
    found = []
    now = 1000.0
    for _ in range(times):
        resting.failed(FAR, "refused", now)
        seconds = 0.0
        while resting.why(FAR, now + seconds):
            seconds += 1.0
        found.append(seconds)
        now += seconds
    return found


def test_it_is_left_alone_twice_as_long_each_time() -> None:
    assert waits(Resting(5.0), 4) == [5.0, 10.0, 20.0, 40.0]
    assert waits(Resting(5.0), 9)[-1] == 5.0 * LONGEST


def test_the_reason_is_told_meanwhile() -> None:
    resting = Resting(60.0)
    resting.failed(FAR, "refused", 1000.0)
    assert resting.why(FAR, 1059.0) == "refused"
    assert resting.why(FAR, 1060.0) == ""
    assert resting.why(("smtp", "near.example"), 1001.0) == ""


def test_attempts_that_fail_together_count_once() -> None:
    resting = Resting(60.0)
    for _ in range(10):
        resting.failed(FAR, "refused", 1000.0)
    assert resting.why(FAR, 1060.0) == ""


def test_once_it_is_back_all_begins_anew() -> None:
    resting = Resting(5.0)
    waits(resting, 5)
    resting.reached(FAR)
    assert waits(resting, 1) == [5.0]


def test_an_entry_that_somebody_asks_for_is_tried_once() -> None:
    resting = Resting(60.0)
    resting.failed(FAR, "refused", 1000.0)
    resting.ask("A")
    assert resting.why(FAR, 1001.0, "A") == ""
    assert resting.why(FAR, 1001.0, "B") == "refused"
    resting.done("A")
    assert resting.why(FAR, 1001.0, "A") == "refused"


def test_with_no_time_it_is_never_left_alone() -> None:
    assert waits(Resting(0.0), 3) == [0.0, 0.0, 0.0]


def test_only_so_many_are_remembered() -> None:
    resting = Resting(60.0)
    for number in range(MOST):
        resting.failed(("smtp", f"d{number}.example"), "refused", 1000.0)
    resting.failed(FAR, "refused", 1060.0)
    assert len(resting._rests) == 1
