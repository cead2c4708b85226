"""Sequence sets: RFC 3501 section 9, and the uid-set of RFC 4315 section 4."""

import itertools

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import LimitExceeded, ProtocolSyntaxError
from maildrop.message.sequence_set import (
    ELEMENTS,
    LARGEST,
    STAR,
    SequenceSet,
    compact,
)

numbers = st.integers(1, LARGEST) | st.integers(1, 30) | st.just(STAR)
sets = st.builds(
    SequenceSet,
    st.lists(st.tuples(numbers, numbers), min_size=1, max_size=12).map(tuple),
)


@pytest.mark.parametrize(
    ("octets", "largest", "spans"),
    [
        (b"1", 9, [(1, 1)]),
        (b"1:3,7,*", 9, [(1, 3), (7, 7), (9, 9)]),
        (b"*", 9, [(9, 9)]),
        (b"7:*", 9, [(7, 9)]),
        (b"*:7", 9, [(7, 9)]),
        (b"12:*", 9, [(9, 12)]),
        (b"3:1", 9, [(1, 3)]),
        (b"5,4,3", 9, [(3, 5)]),
        (b"1:5,3:8", 9, [(1, 8)]),
        (b"1:8,3:5,10", 12, [(1, 8), (10, 10)]),
        (b"2,2,2", 9, [(2, 2)]),
        (b"1:*,1:*", 9, [(1, 9)]),
        (b"4294967295:1", 9, [(1, LARGEST)]),
        (b"*:*", 9, [(9, 9)]),
        (b"9999999", 9, [(9999999, 9999999)]),
    ],
)
def test_spans_are_ascending_and_joined(
    octets: bytes, largest: int, spans: list[tuple[int, int]]
) -> None:
    assert SequenceSet.parse(octets).spans(largest) == spans


@pytest.mark.parametrize("octets", [b"*", b"1:*", b"*:5", b"*,*:*"])
def test_star_in_an_empty_mailbox_names_nothing(octets: bytes) -> None:
    assert SequenceSet.parse(octets).spans(0) == []


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"0",
        b"01",
        b"1,",
        b",1",
        b"1,,2",
        b"1:",
        b":1",
        b"1:2:3",
        b"-1",
        b"+1",
        b"a",
        b"1 ",
        b" 1",
        b"1\n",
        b"1:0",
        b"$",
        b"**",
        b"4294967296",
        b"1:4294967296",
        b"99999999999999999999",
        "٣".encode(),
    ],
)
def test_what_is_no_set_is_a_syntax_error(octets: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        SequenceSet.parse(octets)


def test_an_error_says_where_the_set_stands() -> None:
    with pytest.raises(ProtocolSyntaxError) as caught:
        SequenceSet.parse(b"1:x", offset=12)
    assert caught.value.offset == 12


def test_elements_are_limited() -> None:
    assert len(SequenceSet.parse(b"1,2,3", elements=3).ranges) == 3
    with pytest.raises(LimitExceeded):
        SequenceSet.parse(b"1,2,3,4", elements=3)


def test_as_many_overlapping_ranges_as_allowed_become_one() -> None:
    hostile = b",".join([b"1:*", b"4294967295:1"] * (ELEMENTS // 2))
    assert SequenceSet.parse(hostile).spans(100_000) == [(1, LARGEST)]


def test_as_many_single_numbers_as_allowed_stay_apart() -> None:
    sparse = b",".join(b"%d" % number for number in range(2 * ELEMENTS, 0, -2))
    spans = SequenceSet.parse(sparse).spans(1)
    assert spans == [(number, number) for number in range(2, 2 * ELEMENTS + 1, 2)]


@given(sets)
def test_what_is_written_reads_back(asked: SequenceSet) -> None:
    assert SequenceSet.parse(bytes(asked)) == asked


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=6),
    st.integers(0, 15),
)
def test_spans_hold_what_the_elements_hold(
    ranges: list[tuple[int, int]], largest: int
) -> None:
    expected: set[int] = set()
    for low, high in ranges:
        ends = low or largest, high or largest
        if min(ends):
            expected.update(range(min(ends), max(ends) + 1))
    spans = SequenceSet(tuple(ranges)).spans(largest)
    assert [n for low, high in spans for n in range(low, high + 1)] == sorted(expected)
    assert all(end + 1 < start for (_, end), (start, _) in itertools.pairwise(spans))


@given(st.binary(max_size=24) | st.text("0123456789:,*", max_size=24).map(str.encode))
def test_any_octets_parse_or_raise_syntax_error(octets: bytes) -> None:
    try:
        asked = SequenceSet.parse(octets)
    except ProtocolSyntaxError:
        return
    assert SequenceSet.parse(bytes(asked)) == asked


@pytest.mark.parametrize(
    ("numbers", "octets"),
    [
        ([5], b"5"),
        ([1, 2, 3], b"1:3"),
        ([1, 2, 4, 5, 9], b"1:2,4:5,9"),
        ([3, 2, 1], b"3,2,1"),
        ([304, 319, 320, 3955], b"304,319:320,3955"),
    ],
)
def test_compaction_joins_neighbours_and_keeps_the_order(
    numbers: list[int], octets: bytes
) -> None:
    """RFC 4315 section 3: the n-th source goes with the n-th target."""
    assert compact(numbers) == octets


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_compacted_numbers_come_back_in_order(uids: list[int]) -> None:
    ranges = SequenceSet.parse(compact(uids)).ranges
    assert [n for low, high in ranges for n in range(low, high + 1)] == uids
