"""When an entry is tried again (RFC 5321 section 4.5.4.1)."""

import pytest
from hypothesis import given, strategies as st

from maildrop.queue.schedule import Schedule

DAY = 86400.0


def test_the_waits_grow_and_the_last_goes_on() -> None:
    schedule = Schedule(waits=(60, 300, 900))
    waits = [schedule.next_try("", 0.0, tries, 1000.0) for tries in (1, 2, 3, 4, 50)]
    assert waits == [1060, 1300, 1900, 1900, 1900]


def test_entries_that_came_together_are_not_tried_together() -> None:
    schedule = Schedule()
    times = {schedule.next_try(f"ID{n}", 0.0, 3, 1000.0) for n in range(10)}
    assert len(times) == 10
    assert all(
        time is not None and 1900 <= time <= 1000 + 900 * 1.125 for time in times
    )


def test_the_last_attempt_is_at_the_end_of_patience() -> None:
    schedule = Schedule(give_up=DAY)
    assert schedule.next_try("", 0.0, 9, DAY - 1) == DAY
    assert schedule.next_try("", 0.0, 9, DAY) is None


@pytest.mark.parametrize(
    ("warn", "age", "told"), [(3600, 3599, False), (3600, 3600, True), (0, 9e9, False)]
)
def test_the_sender_is_told_when_it_takes_long(
    warn: float, age: float, told: bool
) -> None:
    assert Schedule(warn=warn).is_to_warn(100.0, 100.0 + age) is told


@given(st.integers(1, 1000), st.floats(0, 5 * DAY), st.text())
def test_every_entry_comes_to_an_end(tries: int, age: float, key: str) -> None:
    schedule = Schedule()
    again = schedule.next_try(key, 0.0, tries, age)
    assert (again is None) == (age >= schedule.give_up)
    assert again is None or age < again <= schedule.give_up
