"""Which messages fit what SEARCH asks (RFC 3501 section 6.4.4).

In this file:
    search    finds them
    Found     as sequence numbers and as UIDs

How: columns are copied when the search begins, so that it sees one state of the mailbox
however long it takes, and answer what they can at once (``search_columns``).  Then
header fields are asked for, then bodies, and each only of those messages that can still
make a difference: the cheaper question comes first.

Text is compared folded (``text.folding``), as substrings.

Limits: ``HEADERS`` or ``BODIES`` messages are read at a time, and after each message
the caller's ``pause`` may let others work.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Final

from maildrop.mailbox.open_mailbox import Mailbox
from maildrop.mailbox.search_columns import Columns
from maildrop.mailbox.view import View
from maildrop.message import criteria
from maildrop.message.criteria import Criterion
from maildrop.message.fragments import fields_key
from maildrop.message.searchable import Searchable
from maildrop.text.folding import fold

#: Messages whose header fields are asked for at a time.
HEADERS: Final = 200
#: Messages that are read whole at a time,
BODIES: Final = 50
#: and their octets, unless it is a single one.
BODY_OCTETS: Final = 1 << 20

Pause = Callable[[], Awaitable[None]]
#: Whether a message fits, from its octets.
Test = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Found:
    """Messages, ascending.

    Attributes:
        numbers: Sequence numbers.
        uids: UIDs.
    """

    numbers: Sequence[int]
    uids: Sequence[int]


async def search(
    mailbox: Mailbox, view: View, criterion: Criterion, pause: Pause
) -> Found:
    """Find messages.

    Args:
        mailbox: Where.
        view: Whose sequence numbers; messages it was not told of are not found.
        criterion: What is asked.
        pause: Awaited again and again.
    """
    await mailbox.turn()
    columns = Columns(view)
    fits = await _Search(mailbox, columns, pause).fits(criterion, columns.all)
    marks = columns.marks(fits)
    return Found(
        list(compress(columns.numbers, marks)), list(compress(columns.uids, marks))
    )


class _Search:
    """One search."""

    def __init__(self, mailbox: Mailbox, columns: Columns, pause: Pause) -> None:
        self._mailbox = mailbox
        self._columns = columns
        self._pause = pause

    async def fits(self, criterion: Criterion, among: int) -> int:
        """Those of a set of messages that fit."""
        if not among:
            return 0
        match criterion:
            case criteria.And(parts):
                for part in sorted(parts, key=_cost):
                    among = await self.fits(part, among)
                return among
            case criteria.Or(left, right):
                first, second = sorted((left, right), key=_cost)
                found = await self.fits(first, among)
                return found | await self.fits(second, among ^ found)
            case criteria.Not(inner):
                return among ^ await self.fits(inner, among)
        known = self._columns.answer(criterion)
        if known is not None:
            await self._pause()
            return among & known
        return await self._ask(criterion, among)

    async def _ask(self, criterion: Criterion, among: int) -> int:
        """Those of a set that fit by what is in the message."""
        columns = self._columns
        test, key = _test(criterion)
        marks = bytearray(len(columns.uids))
        places = columns.places(among)
        for part in _batches(places, None if key else columns.sizes):
            uids = [columns.uids[place] for place in part]
            if key:
                found = await self._mailbox.fragments(key, uids)
            else:
                found = await self._mailbox.read_many(uids)
            for place, octets in zip(part, found, strict=True):
                if octets is not None and test(octets):
                    marks[place] = 1
                await self._pause()
        return int.from_bytes(marks, "little")


def _cost(criterion: Criterion) -> int:
    """How much work a question is; only the order matters."""
    match criterion:
        case criteria.And(parts):
            return max(map(_cost, parts))
        case criteria.Or(left, right):
            return max(_cost(left), _cost(right))
        case criteria.Not(inner):
            return _cost(inner)
    return _COSTS.get(type(criterion), 0)


_COSTS: Final = {
    criteria.SentBefore: 1,
    criteria.SentOn: 1,
    criteria.SentSince: 1,
    criteria.HeaderContains: 2,
    criteria.BodyContains: 3,
    criteria.TextContains: 4,
}


def _batches(
    places: Sequence[int], sizes: Sequence[int] | None
) -> Iterator[Sequence[int]]:
    """Places divided into what is read at a time.

    Args:
        places: Ascending.
        sizes: Octets by place if the messages are read whole, None for headers.
    """
    if sizes is None:
        for start in range(0, len(places), HEADERS):
            yield places[start : start + HEADERS]
        return
    part: list[int] = []
    octets = 0
    for place in places:
        octets += sizes[place]
        if part and (len(part) >= BODIES or octets > BODY_OCTETS):
            yield part
            part, octets = [], sizes[place]
        part.append(place)
    if part:
        yield part


# -- questions about what is in a message


def _test(criterion: Criterion) -> tuple[Test, bytes]:
    """The test, and the key of the fragment it needs; empty for the whole message."""
    date = fields_key([b"DATE"])
    match criterion:
        case criteria.HeaderContains(name, value):
            return _header_test(name, fold(value)), fields_key([name])
        case criteria.SentBefore(day):
            return (
                lambda it: (on := Searchable(it).sent()) is not None and on < day,
                date,
            )
        case criteria.SentOn(day):
            return lambda octets: Searchable(octets).sent() == day, date
        case criteria.SentSince(day):
            return (
                lambda it: (on := Searchable(it).sent()) is not None and on >= day,
                date,
            )
        case criteria.BodyContains(text):
            wanted = fold(text)
            return lambda octets: wanted in Searchable(octets).body(), b""
        case criteria.TextContains(text):
            return _text_test(fold(text)), b""
    raise TypeError(f"no question about messages: {criterion}")


def _header_test(name: bytes, wanted: str) -> Test:
    """Whether one of the fields has the text in its value."""
    quick = wanted.encode("utf-8", "replace")

    def test(header: bytes) -> bool:
        if header == b"\r\n":
            return False
        plain = header.isascii() and b"=?" not in header
        # Nothing to decode: what is not in the line is not in the value.
        if plain and quick not in header.replace(b"\r\n", b"").lower():
            return False
        return any(wanted in value for value in Searchable(header).header(name))

    return test


def _text_test(wanted: str) -> Test:
    def test(octets: bytes) -> bool:
        message = Searchable(octets)
        return wanted in message.headers() or wanted in message.body()

    return test
