"""Ids of messages."""

import pytest

from maildrop.decisions.trace import TraceIds, born


def test_ids_are_short_and_differ_though_the_clock_and_chance_do_not() -> None:
    ids = TraceIds(lambda: 1_790_000_000.0, bytes)
    made = [ids.next() for _ in range(100)]
    assert len(set(made)) == 100
    assert {len(one) for one in made} == {13}
    assert all(one.isalnum() for one in made)


def test_ids_sort_by_time() -> None:
    seconds = iter([1_600_000_000.0, 1_600_000_000.002, 1_790_000_000.0, 2e9])
    chances = iter([b"\xff\xff\xff", b"\0\0\0", b"\xff\0\0", b"\0\0\0"])
    ids = TraceIds(lambda: next(seconds), lambda octets: next(chances)[:octets])
    made = [ids.next() for _ in range(4)]
    assert sorted(made) == made


def test_a_clock_set_back_gives_no_id_twice() -> None:
    seconds = iter([1_790_000_000.0, 1_780_000_000.0, 0.0])
    ids = TraceIds(lambda: next(seconds), bytes)
    assert len({ids.next() for _ in range(3)}) == 3


def test_an_id_says_when_it_was_made() -> None:
    ids = TraceIds(lambda: 1_700_000_000.5, lambda count: b"x" * count)
    assert born(ids.next()) == 1_700_000_000.5


@pytest.mark.parametrize("text", ["", "-", "maria", "S1", "\u00e9" * 13])
def test_what_is_no_id_was_never_made(text: str) -> None:
    assert born(text) <= 1_577_836_800
