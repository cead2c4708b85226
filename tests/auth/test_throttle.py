"""Guessing made slow, without locking anybody out."""

import pytest
from hypothesis import given, settings, strategies as st

from maildrop.auth.throttle import Pace, Throttle, TooManyAttempts, network

EVIL, GOOD = "192.0.2.66", "192.0.2.1"


def throttle(**pace: float) -> Throttle:
    return Throttle(b"k" * 32, Pace(**pace))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("192.0.2.1", b"\xc0\x00\x02\x01"),
        ("::ffff:192.0.2.1", b"\xc0\x00\x02\x01"),
        ("2001:db8:0:1::1", b"\x20\x01\x0d\xb8\0\0\0\x01"),
        ("2001:db8:0:1:ffff::2", b"\x20\x01\x0d\xb8\0\0\0\x01"),
        ("fe80::1%eth0", b"\xfe\x80" + bytes(6)),
        ("127.0.0.1", None),
        ("::1", None),
        ("unix", None),
        ("", None),
    ],
)
def test_an_address_or_the_network_of_one_is_a_source(
    source: str, wanted: bytes | None
) -> None:
    assert network(source) == wanted


def test_each_distinct_wrong_password_doubles_the_delay_up_to_a_limit() -> None:
    slow = throttle()
    delays = [slow.failed(EVIL, f"bob\0{n}", 0.0) for n in range(8)]
    assert delays == [1, 2, 4, 8, 15, 15, 15, 15]


def test_the_same_wrong_password_again_costs_no_more() -> None:
    slow = throttle()
    assert [slow.failed(EVIL, "bob\0old", float(n)) for n in range(20)] == [1.0] * 20


def test_wrong_passwords_are_forgotten_after_a_while() -> None:
    slow = throttle(forget=100)
    slow.failed(EVIL, "a", 0.0)
    assert slow.failed(EVIL, "b", 100.0) == 2
    assert slow.failed(EVIL, "c", 200.1) == 1


def test_attempts_of_an_offender_are_checked_one_after_the_other() -> None:
    slow = throttle()
    assert [slow.before(EVIL, "bob", 0.0) for _ in range(3)] == [0, 0, 0]
    slow.failed(EVIL, "a", 0.0)
    slow.failed(EVIL, "b", 0.0)
    assert [slow.before(EVIL, "bob", 0.0) for _ in range(4)] == [0, 2, 4, 6]
    assert slow.before(EVIL, "bob", 7.0) == 1
    assert slow.before(GOOD, "bob", 0.0) == 0


def test_more_attempts_than_the_backlog_are_not_taken() -> None:
    slow = throttle(first=10, backlog=20)
    slow.failed(EVIL, "a", 0.0)
    assert [slow.before(EVIL, "bob", 0.0) for _ in range(3)] == [0, 10, 20]
    with pytest.raises(TooManyAttempts):
        slow.before(EVIL, "bob", 0.0)
    assert slow.before(EVIL, "bob", 10.0) == 20


def test_who_has_logged_in_well_from_there_is_never_held_back() -> None:
    slow = throttle(first=10, backlog=20, shared=3)
    slow.succeeded(EVIL, "Bob", 0.0)
    for n in range(5):
        slow.failed(EVIL, str(n), 0.0)
    for _ in range(9):
        assert slow.before(EVIL, "bob", 1.0) == 0


def test_others_where_somebody_has_wait_a_little_and_are_not_turned_away() -> None:
    slow = throttle(first=10, backlog=20, shared=3)
    for _ in range(3):
        slow.failed(EVIL, "x", 0.0)
        slow.before(EVIL, "al", 0.0)
    slow.succeeded(EVIL, "bob", 0.0)
    for _ in range(9):
        assert slow.before(EVIL, "al", 0.0) == 3


def test_a_good_login_counts_for_a_day() -> None:
    slow = throttle(trust=100, forget=1000)
    slow.succeeded(EVIL, "bob", 0.0)
    slow.failed(EVIL, "a", 0.0)
    for _ in range(3):
        slow.before(EVIL, "al", 100.0)
    assert slow.before(EVIL, "bob", 99.0) == 0
    assert slow.before(EVIL, "bob", 100.0) > 0


def test_programs_on_this_host_are_answered_late_but_never_held_back() -> None:
    slow = throttle()
    slow.failed("127.0.0.1", "a", 0.0)
    assert slow.failed("unix", "b", 0.0) == 2
    assert [slow.before("127.0.0.1", "bob", 0.0) for _ in range(9)] == [0] * 9


def test_sources_remembered_are_bounded_and_the_oldest_goes_first() -> None:
    slow = throttle(sources=2)
    for source in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3"):
        slow.failed(source, "a", 0.0)
    assert slow.failed("192.0.2.1", "b", 0.0) == 2
    assert slow.failed("192.0.2.2", "b", 0.0) == 1


def test_good_logins_remembered_are_bounded() -> None:
    slow = throttle(logins=2)
    slow.succeeded(EVIL, "bob", 0.0)
    slow.succeeded(GOOD, "bob", 0.0)
    slow.failed(EVIL, "a", 0.0)
    slow.before(EVIL, "bob", 0.0)
    assert slow.before(EVIL, "bob", 0.0) == 1


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["before", "failed", "succeeded", "wait"]),
            st.sampled_from([EVIL, GOOD, "::1"]),
            st.sampled_from(["al", "bob"]),
            st.integers(0, 9),
        ),
        max_size=40,
    )
)
def test_no_wait_is_ever_negative_or_over_its_limit(
    steps: list[tuple[str, str, str, int]],
) -> None:
    slow, now = throttle(), 0.0
    for step, source, name, number in steps:
        now += number if step == "wait" else 0
        if step == "failed":
            assert 1 <= slow.failed(source, f"{name}\0{number}", now) <= 15
        elif step == "succeeded":
            slow.succeeded(source, name, now)
            assert slow.before(source, name, now) == 0
        elif step == "before":
            try:
                assert 0 <= slow.before(source, name, now) <= 30
            except TooManyAttempts:
                assert source != "::1"
