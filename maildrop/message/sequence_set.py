"""Sequence sets: the ``1:3,7,*`` that names messages in FETCH, STORE, COPY and SEARCH.

In this file:
    SequenceSet          what was asked, before it is known how many messages there are
    SequenceSet.parse    from octets
    SequenceSet.spans    ranges with "*" resolved, put in order and joined
    compact              octets for a list of numbers, as COPYUID wants them

Grammar: RFC 3501 section 9, "sequence-set":

    sequence-set = (seq-number / seq-range) *("," sequence-set)
    seq-range    = seq-number ":" seq-number    ; either order
    seq-number   = nz-number / "*"              ; "*" is the largest number in use

Errors: ``ProtocolSyntaxError`` for anything else, numbers over 32 bits included;
``LimitExceeded`` for too many elements.

Limits: ``ELEMENTS`` elements, unless the caller says otherwise.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from maildrop.errors import LimitExceeded, ProtocolSyntaxError

#: Elements between commas that a set may have.
ELEMENTS: Final = 10_000
#: What stands for "*" in ``SequenceSet.ranges``; no number is that small.
STAR: Final = 0
#: RFC 3501 section 9: numbers are unsigned and have 32 bits.
LARGEST: Final = 0xFFFFFFFF

_SET: Final = re.compile(
    rb"(?:[1-9]\d{0,9}|\*)(?::(?:[1-9]\d{0,9}|\*))?"
    rb"(?:,(?:[1-9]\d{0,9}|\*)(?::(?:[1-9]\d{0,9}|\*))?)*+"
).fullmatch


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """Sequence numbers, or UIDs, as a client named them.

    Attributes:
        ranges: Both ends of each element as written, in the client's order; ``STAR``
            is "*", and an element without ":" has the same number twice.
    """

    ranges: tuple[tuple[int, int], ...]

    @classmethod
    def parse(
        cls, octets: bytes, elements: int = ELEMENTS, offset: int = 0
    ) -> "SequenceSet":
        """Read a whole ``sequence-set``.

        Args:
            octets: The set and nothing else.
            elements: How many elements it may have.
            offset: Where it stands, for the error.

        Raises:
            ProtocolSyntaxError: It is none.
            LimitExceeded: It has more elements.
        """
        if len(octets) < 10 and octets.isdigit() and octets[0] != 48:
            number = int(octets)
            return cls(((number, number),))
        if _SET(octets) is None:
            raise ProtocolSyntaxError("expected a sequence-set", offset)
        if octets.count(b",") >= elements:
            raise LimitExceeded(f"a sequence set of more than {elements} elements")
        ranges = []
        for element in octets.replace(b"*", b"0").split(b","):
            low, colon, high = element.partition(b":")
            first = int(low)
            last = int(high) if colon else first
            if first > LARGEST or last > LARGEST:
                raise ProtocolSyntaxError("a number of more than 32 bits", offset)
            ranges.append((first, last))
        return cls(tuple(ranges))

    def __bytes__(self) -> bytes:
        """As it is written."""
        return b",".join(
            _number(low) if low == high else b"%b:%b" % (_number(low), _number(high))
            for low, high in self.ranges
        )

    def spans(self, largest: int) -> list[tuple[int, int]]:
        """The numbers asked for, as inclusive ranges: ascending, none touching another.

        Numbers that are not in use are still in it; "*" in an empty mailbox names
        nothing.  Time grows with the elements, never with the numbers they span.

        Args:
            largest: The largest number in use, 0 when the mailbox is empty.
        """
        if len(self.ranges) == 1:
            low, high = self.ranges[0]
            low, high = low or largest, high or largest
            span = (low, high) if low <= high else (high, low)
            return [span] if span[0] else []
        return _joined(
            sorted(
                (first, last) if first <= last else (last, first)
                for low, high in self.ranges
                for first, last in ((low or largest, high or largest),)
            )
        )


def _number(number: int) -> bytes:
    return b"%d" % number if number else b"*"


def _joined(ordered: list[tuple[int, int]]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    start = end = 0
    for low, high in ordered:
        if low == 0:  # "*" of an empty mailbox
            continue
        if low <= end + 1 and end:
            end = max(end, high)
            continue
        if end:
            spans.append((start, end))
        start, end = low, high
    if end:
        spans.append((start, end))
    return spans


def compact(numbers: Iterable[int]) -> bytes:
    """A ``uid-set`` of RFC 4315 section 4, in the order given.

    Order matters: COPYUID pairs the n-th source with the n-th target.  Only neighbours
    that ascend by one are joined to a range.

    Args:
        numbers: At least one number.
    """
    pieces = []
    start = end = 0
    for number in numbers:
        if number == end + 1 and end:
            end = number
            continue
        if end:
            pieces.append(b"%d" % start if start == end else b"%d:%d" % (start, end))
        start = end = number
    pieces.append(b"%d" % start if start == end else b"%d:%d" % (start, end))
    return b",".join(pieces)
