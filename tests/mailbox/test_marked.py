"""Marks followed through every change are those that a look at all flags finds."""

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from maildrop.mailbox.flags import ANSWERED, DELETED, FLAGGED, SEEN
from maildrop.mailbox.marked import Marked
from maildrop.mailbox.table import MessageTable

HAS = bytes(1 if bits & DELETED else 0 for bits in range(256))
FLAGS = st.sampled_from((0, SEEN, DELETED, SEEN | DELETED, FLAGGED, ANSWERED))
OCTETS = st.lists(FLAGS, max_size=12).map(bytes)


class Changes(RuleBasedStateMachine):
    """A table that is changed in every way there is."""

    def __init__(self) -> None:
        super().__init__()
        self.table = MessageTable(1)
        self.asked = False

    def row(self, number: int) -> int:
        return number % len(self.table)

    @rule(flags=FLAGS)
    def append(self, flags: int) -> None:
        self.table.append_row(self.table.uid_next, 1, 0, flags, 0, 1)

    @rule(octets=OCTETS)
    def append_some(self, octets: bytes) -> None:
        first = self.table.uid_next
        self.table.extend_flags(octets)
        self.table.uids.extend(range(first, first + len(octets)))
        self.table.uid_next += len(octets)
        for column in (
            self.table.sizes,
            self.table.dates,
            self.table.mod_seqs,
            self.table.keywords,
        ):
            column.extend([0] * len(octets))

    @rule(number=st.integers(0, 99), flags=FLAGS)
    def change(self, number: int, flags: int) -> None:
        if len(self.table):
            self.table.set_row(self.row(number), flags, 0, 2)

    @rule(number=st.integers(0, 99), octets=OCTETS)
    def change_some(self, number: int, octets: bytes) -> None:
        if len(self.table):
            first = self.row(number)
            octets = octets[: len(self.table) - first]
            self.table.put_flags_of(first, octets)

    @rule(octets=st.binary(max_size=40))
    def change_all(self, octets: bytes) -> None:
        length = len(self.table)
        self.table.replace_flags(octets.ljust(length, b"\0")[:length])

    @rule(numbers=st.sets(st.integers(0, 99), max_size=5))
    def remove(self, numbers: set[int]) -> None:
        if len(self.table):
            rows = sorted({self.row(number) for number in numbers})
            self.table.remove_rows(rows, 3, None)

    @invariant()
    def is_what_a_look_at_all_finds(self) -> None:
        flags = self.table.flags
        deleted = [row for row, bits in enumerate(flags) if bits & DELETED]
        unseen = [row for row, bits in enumerate(flags) if not bits & SEEN]
        assert self.table.deleted == len(deleted)
        assert self.table.deleted_uids() == [self.table.uids[row] for row in deleted]
        assert self.table.unseen == len(unseen)
        assert self.table.first_unseen == (unseen[0] if unseen else None)


TestChanges = Changes.TestCase
TestChanges.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(st.binary(max_size=60), st.integers(1, 5))
def test_no_more_rows_are_looked_for_than_wanted(flags: bytes, most: int) -> None:
    rows = [row for row, bits in enumerate(flags) if bits & DELETED]
    assert Marked(HAS).rows(bytearray(flags), most) == rows[:most]


class Counted(bytearray):
    """Flags that tell how many of them were looked at."""

    looked = 0

    def translate(self, table: Any, /, delete: Any = b"") -> bytearray:  # noqa: ANN401
        self.looked += len(self)
        return super().translate(table, delete)

    def __getitem__(self, at: Any) -> Any:  # noqa: ANN401 (an index or a slice)
        found = super().__getitem__(at)
        self.looked += len(found) if isinstance(at, slice) else 0
        return found


@pytest.mark.parametrize("size", [100, 10_000])
def test_after_one_look_changes_cost_the_same_at_any_size(size: int) -> None:
    flags = Counted(size)
    marked = Marked(HAS)
    assert marked.count(flags) == 0
    assert flags.looked == size
    flags[size // 2] = DELETED
    marked.changed(size // 2, 0, DELETED)
    assert marked.count(flags) == 1
    assert marked.rows(flags) == [size // 2]
    assert flags.looked <= size + 2
