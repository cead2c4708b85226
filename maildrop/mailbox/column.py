"""Numbers of messages, one a row, in as little memory as they need.

In this file:
    Column     such numbers
    without    a copy of an array without some rows
    cut        the same in place
    narrow     numbers of 8 octets in 4
    widen      and back

Three things make a column small and quick to change:

    all numbers were zero so far     only their count is kept
    all fit into four octets         they take four, though eight are allowed
    few rows were removed            what is behind them stays where it is, and reading
                                     leaves them out; after some more they are taken out
                                     all at once

So to remove one message of very many costs no pass over what is behind it.

Threads: one changes a column at a time; others may read meanwhile.  Reading changes
nothing, and what a reader needs is replaced in one step.
"""

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Final, TypeVar, overload

#: Rows that are removed and not yet taken out: at most.
_GONE_MAX: Final = 32
#: Up to so many rows it is cheaper to move up what is behind each.
_FEW: Final = 4
_NARROW: Final = "I"
#: Which half of a number of eight octets is the low one.
_LOW: Final = 0 if sys.byteorder == "little" else 1

Numbers = TypeVar("Numbers", "array[int]", bytearray)


def without(numbers: Numbers, rows: Sequence[int]) -> Numbers:
    """A copy without some rows (ascending).  Cost: one pass of memcpy."""
    if len(rows) <= _FEW:
        kept = numbers[:]
        for row in reversed(rows):
            del kept[row]
        return kept
    kept = numbers[:0]
    start = 0
    for row in rows:
        if row > start:
            kept += numbers[start:row]
        start = row + 1
    kept += numbers[start:]
    return kept


def cut(numbers: Numbers, rows: Sequence[int]) -> None:
    """Take some rows (ascending) out, in place."""
    if len(rows) > _FEW:
        numbers[:] = without(numbers, rows)
        return
    for row in reversed(rows):
        del numbers[row]


def narrow(numbers: "array[int]") -> "array[int]":
    """The same numbers in four octets each, if they fit; else what was given."""
    if numbers.itemsize == 4 or not numbers:
        return numbers
    halves = array(_NARROW, numbers.tobytes())
    return halves[_LOW::2] if _are_zeros(halves[1 - _LOW :: 2]) else numbers


def widen(numbers: "array[int]", code: str) -> "array[int]":
    """The same numbers with another type code."""
    if numbers.typecode == code:
        return numbers
    halves = array(_NARROW, bytes(8 * len(numbers)))
    halves[_LOW::2] = numbers
    return array(code, halves.tobytes())


class Column(Sequence[int]):
    """The numbers of all rows.

    Args:
        code: Type code of ``array``: "I", or "Q" and "q" for up to eight octets.
        numbers: The first rows; the array is the column's from now on.
    """

    __slots__ = ("_code", "_state", "_zeros")

    def __init__(self, code: str, numbers: Iterable[int] = ()) -> None:
        self._code = code
        self._zeros = 0
        given = numbers if isinstance(numbers, array) else array(code, iter(numbers))
        self._put(given)

    def _put(self, numbers: "array[int]") -> None:
        """Have these numbers."""
        if _are_zeros(numbers):
            self._state: tuple[array[int] | None, tuple[int, ...]] = None, ()
            self._zeros = len(numbers)
        else:
            self._state = narrow(numbers), ()

    @classmethod
    def zeros(cls, code: str, count: int) -> "Column":
        """A column of so many zeros."""
        column = cls(code)
        column._zeros = count
        return column

    # -- reading

    def __len__(self) -> int:
        numbers, gone = self._state
        return self._zeros if numbers is None else len(numbers) - len(gone)

    @property
    def empty(self) -> bool:
        """Whether no row was ever anything but zero."""
        return self._state[0] is None

    @overload
    def __getitem__(self, row: int) -> int: ...
    @overload
    def __getitem__(self, row: slice) -> "array[int]": ...
    def __getitem__(self, row: int | slice) -> "int | array[int]":
        numbers, gone = self._state
        if numbers is not None and not gone:
            return numbers[row]
        if isinstance(row, slice):
            return self._part(numbers, gone, row)
        if numbers is None:
            if not -self._zeros <= row < self._zeros:
                raise IndexError("no such row")
            return 0
        return numbers[_place(range(len(numbers) - len(gone))[row], gone)]

    def _part(
        self, numbers: "array[int] | None", gone: tuple[int, ...], rows: slice
    ) -> "array[int]":
        if numbers is None:
            return array(_NARROW, bytes(4 * len(range(self._zeros)[rows])))
        first, last, step = rows.indices(len(numbers) - len(gone))
        if step != 1 or first >= last:
            return without(numbers, gone)[rows]
        start, end = _place(first, gone), _place(last - 1, gone) + 1
        inside = [place - start for place in gone if start < place < end]
        return without(numbers[start:end], inside)

    def __iter__(self) -> Iterator[int]:
        numbers = self._state[0]
        return repeat(0, self._zeros) if numbers is None else iter(self.numbers())

    def same(self, other: "Column") -> bool:
        """Whether another column has the same numbers."""
        if self.empty and other.empty:
            return len(self) == len(other)
        return self.numbers() == other.numbers()

    def __repr__(self) -> str:
        return f"Column({self._code!r}, {list(self)})"

    def at(self, rows: Sequence[int]) -> Sequence[int]:
        """Those of some rows."""
        if isinstance(rows, range) and rows.step == 1:
            return self[rows.start : rows.stop]
        return [self[row] for row in rows]

    def numbers(self) -> "array[int]":
        """All of them; not to be changed, and it may grow."""
        numbers, gone = self._state
        return self[:] if numbers is None or gone else numbers

    def wide(self) -> "array[int]":
        """All of them with the type code of the column; not to be changed."""
        return widen(self.numbers(), self._code)

    def copy(self) -> "Column":
        """Another column of the same numbers."""
        return Column(self._code, self[:])

    def of(self, rows: Iterable[int]) -> "Column":
        """Another column, of the numbers of some rows."""
        return Column(self._code, map(self.numbers().__getitem__, rows))

    # -- changing

    def __setitem__(self, row: int, number: int) -> None:
        numbers, gone = self._state
        if numbers is None:
            if number == 0:
                return
            numbers = self._written_out()
        place = _place(range(len(self))[row], gone) if gone else row
        try:
            numbers[place] = number
        except OverflowError:
            self._widened()[place] = number

    def put(self, first: int, numbers: Sequence[int]) -> None:
        """Other numbers for neighbours, from row ``first`` on."""
        if self.empty and not any(numbers):
            return
        for row, number in enumerate(numbers, first):
            self[row] = number

    def append(self, number: int) -> None:
        """One further row."""
        self.extend((number,))

    def extend(self, more: "array[int] | list[int] | tuple[int, ...]") -> None:
        """Further rows."""
        numbers, _ = self._state
        if numbers is None:
            if not any(more):
                self._zeros += len(more)
                return
            numbers = self._written_out()
        try:
            numbers.extend(array(numbers.typecode, more))
        except OverflowError:
            self._widened().extend(array(self._code, more))

    def cut(self, rows: Sequence[int]) -> None:
        """Remove rows (ascending)."""
        numbers, gone = self._state
        if numbers is None:
            self._zeros -= len(rows)
            return
        if len(rows) <= _FEW:
            places = (_place(row, gone) for row in rows)
            gone = tuple(sorted((*gone, *places)))
            if len(gone) > _GONE_MAX:
                numbers, gone = without(numbers, gone), ()
        else:
            numbers, gone = without(self.numbers(), rows), ()
        self._state = numbers, gone

    def _written_out(self) -> "array[int]":
        """Zeros that are to become something else."""
        numbers = self[:]
        self._state = numbers, ()
        return numbers

    def _widened(self) -> "array[int]":
        numbers, gone = self._state
        wide = widen(numbers if numbers is not None else self[:], self._code)
        self._state = wide, gone
        return wide


def _are_zeros(numbers: "array[int]") -> bool:
    octets = numbers.tobytes()
    return octets == bytes(len(octets))


def _place(row: int, gone: Sequence[int]) -> int:
    """Where a row stands among those that are not taken out yet."""
    for place in gone:
        if place > row:
            break
        row += 1
    return row
