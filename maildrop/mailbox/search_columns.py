"""Sets of messages, and the questions of SEARCH that columns answer.

In this file:
    Columns    the columns of a mailbox as they are when a search begins

A set of messages is a number with an octet for each message, 1 where it is in the set,
so that "and", "or" and "not" are operations on numbers.  Dates of arrival are days of
UTC, as FETCH shows them.
"""

import datetime
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import compress
from typing import Any, Final

from maildrop.mailbox.table import MessageTable
from maildrop.mailbox.view import View
from maildrop.message import criteria
from maildrop.message.criteria import Criterion

_EPOCH: Final = datetime.date(1970, 1, 1).toordinal()
_DAY: Final = 86400


class Columns:
    """Columns as they are when the search begins, without messages that are gone.

    Attributes:
        numbers: Sequence numbers.
        uids: UIDs.
        sizes: Octets.
        all: The set of all messages.
    """

    def __init__(self, view: View) -> None:
        table = view.table
        count = view.count
        self._count = count
        self.uids: Sequence[int] = view.uids[:count]
        self.numbers: Sequence[int] = range(1, count + 1)
        if view.current:
            self._flags = bytes(table.flags[:count])
            self._keywords = table.keywords[:count]
            self.sizes = table.sizes[:count]
            self._dates = table.dates[:count]
        else:
            self._gather(table)
        self._first_recent = view.first_recent
        self._largest = self.uids[-1] if self.uids else 0
        self._keyword_names = list(table.keyword_names)
        self.all = int.from_bytes(b"\1" * len(self.uids), "little")

    def _gather(self, table: MessageTable) -> None:
        """The columns of a view that has messages which are gone."""
        found = [
            (number, uid, row)
            for number, uid in zip(self.numbers, self.uids, strict=True)
            if (row := table.row(uid)) is not None
        ]
        rows = [row for _, _, row in found]
        self.numbers = [number for number, _, _ in found]
        self.uids = array("I", [uid for _, uid, _ in found])
        self._flags = bytes([table.flags[row] for row in rows])
        self._keywords = array("I", [table.keywords[row] for row in rows])
        self.sizes = array("I", [table.sizes[row] for row in rows])
        self._dates = array("q", [table.dates[row] for row in rows])

    def marks(self, messages: int) -> bytes:
        """A set as octets, one for each message."""
        return messages.to_bytes(len(self.uids), "little")

    def places(self, messages: int) -> list[int]:
        """Where in the columns the messages of a set are."""
        return list(compress(range(len(self.uids)), self.marks(messages)))

    def answer(self, criterion: Criterion) -> int | None:
        """The set that fits, None if the columns cannot tell."""
        ask = self._answers.get(type(criterion))
        return None if ask is None else ask(self, criterion)

    # -- sets

    def _between(self, spans: Sequence[tuple[int, int]], of: Sequence[int]) -> int:
        """The set of messages whose number in an ascending column is in a span."""
        marks = bytearray(len(self.uids))
        for low, high in spans:
            first = bisect_left(of, low)
            last = bisect_right(of, high, first)
            if first < last:
                marks[first:last] = b"\1" * (last - first)
        return int.from_bytes(marks, "little")

    def _since(self, date: datetime.date) -> int:
        """The set of messages that arrived on a day or later."""
        start = (date.toordinal() - _EPOCH) * _DAY
        return int.from_bytes(bytes(map(start.__le__, self._dates)), "little")

    @staticmethod
    def _marked(octets: bytes, bits: int) -> int:
        """The set of messages with one of some bits in their octet."""
        table = bytes(1 if octet & bits else 0 for octet in range(256))
        return int.from_bytes(octets.translate(table), "little")

    # -- answers

    def _has_flag(self, criterion: criteria.HasFlag) -> int:
        return self._marked(self._flags, criterion.bits)

    def _has_keyword(self, criterion: criteria.HasKeyword) -> int:
        names = [name.lower() for name in self._keyword_names]
        try:
            index = names.index(criterion.name.lower())
        except ValueError:
            return 0
        # Of each keyword word only the octet with the bit.
        octets = self._keywords.tobytes()
        size = self._keywords.itemsize
        at = index // 8 if sys.byteorder == "little" else size - 1 - index // 8
        return self._marked(octets[at::size], 1 << index % 8)

    def _recent(self, _: criteria.Recent) -> int:
        old = bisect_left(self.uids, self._first_recent)
        marks = b"\0" * old + b"\1" * (len(self.uids) - old)
        return int.from_bytes(marks, "little")

    def _larger(self, criterion: criteria.Larger) -> int:
        marks = bytes(map(criterion.octets.__lt__, self.sizes))
        return int.from_bytes(marks, "little")

    def _smaller(self, criterion: criteria.Smaller) -> int:
        marks = bytes(map(criterion.octets.__gt__, self.sizes))
        return int.from_bytes(marks, "little")

    def _internal_before(self, criterion: criteria.InternalBefore) -> int:
        return self.all ^ self._since(criterion.date)

    def _internal_since(self, criterion: criteria.InternalSince) -> int:
        return self._since(criterion.date)

    def _internal_on(self, criterion: criteria.InternalOn) -> int:
        number = criterion.date.toordinal() - _EPOCH
        day = range(number * _DAY, (number + 1) * _DAY)
        marks = bytes(map(day.__contains__, self._dates))
        return int.from_bytes(marks, "little")

    def _by_number(self, criterion: criteria.Numbers) -> int:
        return self._between(criterion.messages.spans(self._count), self.numbers)

    def _by_uid(self, criterion: criteria.Uids) -> int:
        return self._between(criterion.messages.spans(self._largest), self.uids)

    def _everything(self, _: criteria.All) -> int:
        return self.all

    _answers: Final[dict[type, Callable[["Columns", Any], int]]] = {
        criteria.All: _everything,
        criteria.HasFlag: _has_flag,
        criteria.HasKeyword: _has_keyword,
        criteria.Recent: _recent,
        criteria.Larger: _larger,
        criteria.Smaller: _smaller,
        criteria.InternalBefore: _internal_before,
        criteria.InternalOn: _internal_on,
        criteria.InternalSince: _internal_since,
        criteria.Numbers: _by_number,
        criteria.Uids: _by_uid,
    }
