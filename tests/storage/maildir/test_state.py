"""When a directory's time can be believed."""

import dataclasses

from maildrop.storage.index.host import Host
from maildrop.storage.maildir.state import Known, Times
from tests.storage.maildir.conftest import Clock

FINE: Times = (1_700_000_000_123_000_000, 1_700_000_000_456_000_000)
COARSE: Times = (1_700_000_000_000_000_000, 1_700_000_001_000_000_000)
LATER: Times = (FINE[0], FINE[1] + 1)


def known(clock: Clock) -> Known:
    host = Host.here()
    return Known(
        dataclasses.replace(host, monotonic=clock, clock=lambda: 1_700_000_002.0)
    )


def scanned(it: Known, clock: Clock, times: Times, seconds: float = 0.0) -> None:
    began = clock()
    clock.advance(seconds)
    it.scanned(times, began, clock())


def test_other_times_need_a_scan_at_once(clock: Clock) -> None:
    it = known(clock)
    assert not it.current(FINE)
    scanned(it, clock, FINE)
    assert it.current(FINE)
    assert not it.current(LATER)


def test_a_time_is_settled_by_a_scan_a_tick_later(clock: Clock) -> None:
    it = known(clock)
    scanned(it, clock, FINE)
    assert not it.settled
    clock.advance(0.4)
    assert not it.current(FINE)
    scanned(it, clock, FINE)
    assert it.settled
    clock.advance(1e6)
    assert it.current(FINE)


def test_whole_seconds_need_more_than_a_second(clock: Clock) -> None:
    it = known(clock)
    scanned(it, clock, COARSE)
    clock.advance(1.0)
    assert it.current(COARSE)
    clock.advance(1.5)
    assert not it.current(COARSE)
    scanned(it, clock, COARSE)
    assert it.settled


def test_the_second_scan_waits_for_fifty_times_its_cost(clock: Clock) -> None:
    it = known(clock)
    scanned(it, clock, FINE, seconds=0.1)
    clock.advance(4.9)
    assert it.current(FINE)
    clock.advance(0.2)
    assert not it.current(FINE)


def test_what_we_changed_needs_a_scan_later_and_not_now(clock: Clock) -> None:
    it = known(clock)
    scanned(it, clock, FINE)
    clock.advance(0.4)
    scanned(it, clock, FINE)
    it.changed_by_us(FINE, LATER)
    assert it.current(LATER)
    clock.advance(0.4)
    assert not it.current(LATER)


def test_many_changes_do_not_put_the_scan_off_for_ever(clock: Clock) -> None:
    it = known(clock)
    scanned(it, clock, FINE)
    times = FINE
    for _ in range(5):
        after = times[0], times[1] + 1
        it.changed_by_us(times, after)
        times = after
        clock.advance(0.1)
    assert not it.current(times)


def test_a_change_on_top_of_an_unknown_one_needs_a_scan(clock: Clock) -> None:
    it = known(clock)
    scanned(it, clock, FINE)
    it.changed_by_us(LATER, (LATER[0], LATER[1] + 1))
    assert not it.current((LATER[0], LATER[1] + 1))


def test_the_state_goes_through_the_ledger(clock: Clock) -> None:
    it = known(clock)
    scanned(it, clock, FINE)
    clock.advance(0.4)
    scanned(it, clock, FINE)
    other = known(clock)
    other.take(it.octets())
    assert other.settled
    assert other.current(FINE)
    other.take(b"rubbish")
    assert not other.current(FINE)


def test_times_long_past_are_settled_at_once(clock: Clock) -> None:
    it = known(clock)
    old: Times = (1_600_000_000_000_000_000, 1_600_000_000_000_000_000)
    scanned(it, clock, old)
    assert it.settled


def settled(clock: Clock) -> Known:
    it = known(clock)
    scanned(it, clock, FINE)
    clock.advance(0.4)
    scanned(it, clock, FINE)
    assert it.settled
    return it


def test_after_a_delivery_of_ours_only_new_has_to_be_looked_at(clock: Clock) -> None:
    it = settled(clock)
    delivered = FINE[0] + 1, FINE[1]
    it.changed_by_us(FINE, delivered)
    assert it.current(delivered)
    assert it.needs_only_new(delivered)
    clock.advance(0.4)
    assert not it.current(delivered)
    assert it.needs_only_new(delivered)
    it.scanned(delivered, clock(), clock(), only_new=True)
    assert it.settled


def test_after_a_change_of_cur_both_have_to_be_looked_at_in_the_end(
    clock: Clock,
) -> None:
    it = settled(clock)
    it.changed_by_us(FINE, LATER)
    assert it.needs_only_new(LATER)
    delivered = FINE[0] + 1, LATER[1]
    it.scanned(delivered, clock(), clock(), only_new=True)
    assert not it.settled
    clock.advance(0.4)
    assert not it.current(delivered)
    assert not it.needs_only_new(delivered)
    scanned(it, clock, delivered)
    assert it.settled


def test_a_time_of_cur_that_is_not_known_has_both_looked_at(clock: Clock) -> None:
    it = settled(clock)
    assert not it.needs_only_new(LATER)


def test_many_messages_put_the_first_scan_off_for_longer(clock: Clock) -> None:
    host = dataclasses.replace(Host.here(), monotonic=clock)
    few, many = Known(host, 100), Known(host, 100_000)
    for it in (few, many):
        it.take(settled(clock).octets())
        it.changed_by_us(FINE, LATER)
    clock.advance(1.0)
    assert not few.current(LATER)
    assert many.current(LATER)
