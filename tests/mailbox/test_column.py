"""Columns of numbers, held against lists."""

import sys
from array import array
from collections.abc import Sequence

import pytest
from hypothesis import given, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from maildrop.mailbox.column import Column, narrow, widen

SMALL = st.integers(0, 3)
NUMBERS = st.one_of(SMALL, st.integers(0, (1 << 64) - 1))


class ColumnMachine(RuleBasedStateMachine):
    """A column does what a list does."""

    def __init__(self) -> None:
        super().__init__()
        self.column = Column("Q")
        self.model: list[int] = []
        self.lent: list[tuple[array[int], list[int]]] = []

    @rule(numbers=st.lists(NUMBERS, max_size=50))
    def extend(self, numbers: list[int]) -> None:
        self.column.extend(array("Q", numbers))
        self.model += numbers

    @rule(count=st.integers(0, 90))
    def extend_by_zeros(self, count: int) -> None:
        self.column.extend([0] * count)
        self.model += [0] * count

    @rule(number=NUMBERS)
    def append(self, number: int) -> None:
        self.column.append(number)
        self.model.append(number)

    @rule(data=st.data(), number=NUMBERS)
    def put_one(self, data: st.DataObject, number: int) -> None:
        if self.model:
            row = data.draw(st.integers(0, len(self.model) - 1))
            self.lent.clear()
            self.column[row] = number
            self.model[row] = number

    @rule(data=st.data(), numbers=st.lists(NUMBERS, max_size=5))
    def put_some(self, data: st.DataObject, numbers: list[int]) -> None:
        if len(self.model) >= len(numbers):
            first = data.draw(st.integers(0, len(self.model) - len(numbers)))
            self.lent.clear()
            self.column.put(first, numbers)
            self.model[first : first + len(numbers)] = numbers

    @rule(data=st.data(), most=st.integers(1, 9))
    def cut(self, data: st.DataObject, most: int) -> None:
        if self.model:
            chosen = st.sets(st.integers(0, len(self.model) - 1), max_size=most)
            rows = sorted(data.draw(chosen))
            self.column.cut(rows)
            for row in reversed(rows):
                del self.model[row]

    @rule()
    def lend(self) -> None:
        self.lent.append((self.column.numbers(), list(self.model)))

    @rule(data=st.data())
    def slice(self, data: st.DataObject) -> None:
        ends = st.integers(-3, len(self.model) + 3)
        rows = slice(data.draw(ends), data.draw(ends))
        assert list(self.column[rows]) == self.model[rows]

    @rule()
    def copy(self) -> None:
        other = self.column.copy()
        assert other.same(self.column)
        self.column = other

    @invariant()
    def has_the_same_numbers(self) -> None:
        assert len(self.column) == len(self.model)
        assert list(self.column) == self.model
        rows = range(-len(self.model), len(self.model))
        assert [self.column[row] for row in rows] == [self.model[row] for row in rows]
        assert self.column.wide() == array("Q", self.model)

    @invariant()
    def what_was_lent_keeps_its_rows(self) -> None:
        for numbers, model in self.lent:
            assert list(numbers[: len(model)]) == model


TestColumnMachine = ColumnMachine.TestCase


@pytest.mark.parametrize("code", ["I", "q", "Q"])
def test_there_is_no_row_behind_the_last(code: str) -> None:
    for numbers in ([0, 0, 0], [1, 2, 3]):
        column = Column(code, numbers)
        column.cut([1])
        for row in (2, -3):
            with pytest.raises(IndexError):
                column[row]


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1)))
def test_numbers_with_a_sign_stay_as_they_are(numbers: list[int]) -> None:
    column = Column("q", numbers)
    assert list(column) == numbers
    assert column.wide() == array("q", numbers)


@given(st.lists(st.one_of(SMALL, st.just(1 << 32))))
def test_numbers_are_narrow_when_all_fit(numbers: list[int]) -> None:
    wide = array("Q", numbers)
    fitting = narrow(wide)
    assert list(fitting) == numbers
    assert widen(fitting, "Q") == wide
    if numbers and max(numbers) < 1 << 32:
        assert fitting.itemsize == 4


def test_a_number_that_is_too_large_changes_nothing() -> None:
    column = Column("I", [1, 2, 3])
    for number in (1 << 32, -1):
        with pytest.raises(OverflowError):
            column[1] = number
        with pytest.raises(OverflowError):
            column.extend([4, number])
    assert list(column) == [1, 2, 3]


def test_zeros_take_no_room() -> None:
    column = Column.zeros("Q", 1 << 40)
    column.extend([0] * 5)
    column.cut([7])
    assert len(column) == (1 << 40) + 4
    assert column.empty
    column[3] = 0
    assert column.empty


def octets_of(column: Column) -> int:
    """Of the array that holds the numbers."""
    return sys.getsizeof(column.numbers())


def test_small_numbers_take_four_octets_each() -> None:
    numbers: Sequence[int] = range(1, 1001)
    assert octets_of(Column("Q", numbers)) < 4 * 1000 + 200
