"""SEARCH: which messages of a mailbox fit (RFC 3501 section 6.4.4).

In this file:
    search    the UIDs that fit, as the session sees them

How it is done: every criterion is answered for all messages at once, as a ``bytes`` of
ones and zeros, one for each message of the view; And, Or and Not are operations on
such masks.  What columns can answer costs next to nothing; so inside And the cheap ones
go first, and text is looked for only in messages that are still in question.  Reading
goes in batches.  There is a pause for others after each batch, body and question.
Text is looked for in what the store keeps of it (``texts``); what that does not cover
is read.

What is compared: text is decoded and folded on both sides (``text.folding``); a part of
a word is enough.  INTERNALDATE counts as the day in UTC.  A message that vanishes
meanwhile does not fit.
"""

import datetime
from array import array
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import compress
from typing import Final

from maildrop.mailbox.open_mailbox import Mailbox
from maildrop.mailbox.stored_text import Where
from maildrop.mailbox.view import View
from maildrop.message import criteria
from maildrop.message.criteria import Criterion
from maildrop.message.fragments import fields_key
from maildrop.message.searchable import Searchable
from maildrop.text.folding import fold

#: Messages whose columns are looked at between two pauses: a few milliseconds' work.
_ROWS: Final = 20_000
#: Messages whose header fields are looked at between two pauses: some must be read.
_HEADERS: Final = 200
#: Header fields of fewer messages are at hand sooner than kept text.
_MANY: Final = 200
#: Messages read whole at a time, and their octets.
_BODIES: Final = 50
_BODY_OCTETS: Final = 1 << 20
#: A message above this size is decoded in a thread.
_LARGE: Final = 1 << 18
_DAY: Final = 86_400
_EPOCH: Final = datetime.date(1970, 1, 1).toordinal()

Mask = bytes


async def search(
    mailbox: Mailbox,
    view: View,
    criterion: Criterion,
    breathe: Callable[[], Awaitable[None]],
) -> list[int]:
    """The UIDs of the messages that fit, ascending.

    Args:
        mailbox: Where to look; it was refreshed just now.
        view: The messages that the session knows, and what is recent in it.
        criterion: What is asked.
        breathe: Lets others have their turn; awaited between batches.
    """
    asked = _Search(mailbox, view, breathe)
    mask = await asked.mask(criterion, b"\1" * view.count)
    return list(compress(asked.uids, mask))


def cost(criterion: Criterion) -> int:
    """0: columns answer it; 1: header fields are needed; 2: whole messages are."""
    match criterion:
        case criteria.And(criteria=parts):
            return max(map(cost, parts))
        case criteria.Or(left=left, right=right):
            return max(cost(left), cost(right))
        case criteria.Not(criterion=inner):
            return cost(inner)
        case criteria.BodyContains() | criteria.TextContains():
            return 2
        case (
            criteria.HeaderContains()
            | criteria.SentBefore()
            | criteria.SentOn()
            | criteria.SentSince()
        ):
            return 1
    return 0


class _Search:
    """One search over one view."""

    def __init__(
        self, mailbox: Mailbox, view: View, breathe: Callable[[], Awaitable[None]]
    ) -> None:
        self._mailbox = mailbox
        self._view = view
        self._breathe = breathe
        self.uids = view.uids[: view.count]

    async def mask(self, criterion: Criterion, among: Mask) -> Mask:
        """The messages among those given that fit."""
        match criterion:
            case criteria.And(criteria=parts):
                for part in sorted(parts, key=cost):
                    among = await self.mask(part, among)
                return among
            case criteria.Or(left=left, right=right):
                first, second = sorted((left, right), key=cost)
                fits = await self.mask(first, among)
                rest = await self.mask(second, _without(among, fits))
                return _either(fits, rest)
            case criteria.Not(criterion=inner):
                return _without(among, await self.mask(inner, among))
        if cost(criterion):
            return await self._read(criterion, among)
        await self._breathe()  # a thousand questions to many messages take seconds
        await self._mailbox.turn()
        named = self._of_messages(criterion)
        if named is None:
            named = await self._of_columns(criterion)
        return _both(among, named)

    # -- what columns say

    async def _of_columns(self, criterion: Criterion) -> Mask:
        """A mask over the messages of the view, a part of the columns at a time."""
        parts = [b""]
        for start in range(0, self._view.count, _ROWS):
            if start:
                await self._breathe()
                await self._mailbox.turn()
            end = min(start + _ROWS, self._view.count)
            if self._view.current:
                parts.append(self._of_rows(criterion, start, end))
            else:
                parts.append(self._of_moved(criterion, start, end))
        return b"".join(parts)

    def _of_moved(self, criterion: Criterion, start: int, end: int) -> Mask:
        """The same for some messages, whose rows are others than their numbers say."""
        rows = list(map(self._mailbox.table.row, self.uids[start:end]))
        there = [row for row in rows if row is not None]
        if not there:
            return bytes(end - start)
        first = there[0]
        column = self._of_rows(criterion, first, there[-1] + 1)
        return bytes([0 if row is None else column[row - first] for row in rows])

    def _of_rows(self, criterion: Criterion, start: int, end: int) -> Mask:
        """A mask over some rows of the table."""
        table = self._mailbox.table
        fits: Iterable[object]
        match criterion:
            case criteria.HasFlag(bits=bits):
                masked = bytes(map(bits.__and__, range(256)))
                fits = table.flags[start:end].translate(masked)
            case criteria.HasKeyword(name=name):
                bits = table.keyword_bits([name])
                fits = map(bits.__and__, table.keywords[start:end])
            case criteria.Larger(octets=octets):
                fits = map(octets.__lt__, table.sizes[start:end])
            case criteria.Smaller(octets=octets):
                fits = map(octets.__gt__, table.sizes[start:end])
            case criteria.InternalBefore(date=date):
                fits = map(_start(date).__gt__, table.dates[start:end])
            case criteria.InternalSince(date=date):
                fits = map(_start(date).__le__, table.dates[start:end])
            case criteria.InternalOn(date=date):
                days = range(_start(date), _start(date) + _DAY)
                fits = map(days.__contains__, table.dates[start:end])
            case _:
                raise TypeError(f"{criterion} is not about a column")
        return bytes(map(bool, fits))

    def _of_messages(self, criterion: Criterion) -> Mask | None:
        """A mask over the messages of the view; None for what columns have to say."""
        view, count = self._view, self._view.count
        match criterion:
            case criteria.All():
                return b"\1" * count
            case criteria.Recent():
                return bytes(count - view.recent()) + b"\1" * view.recent()
            case criteria.Numbers(messages=numbers):
                spans = numbers.spans(count)
                return self._ones(view.uids_of_numbers(*span) for span in spans)
            case criteria.Uids(messages=numbers):
                spans = numbers.spans(self.uids[-1] if count else 0)
                return self._ones(view.uids_between(*span) for span in spans)
        return None

    def _ones(self, runs: Iterable[Sequence[int]]) -> Mask:
        """Ones for runs of neighbouring messages, ascending."""
        mask = bytearray(self._view.count)
        for uids in runs:
            if uids:
                first = bisect_left(self.uids, uids[0])
                mask[first : first + len(uids)] = b"\1" * len(uids)
        return bytes(mask)

    # -- what has to be read

    async def _read(self, criterion: Criterion, among: Mask) -> Mask:
        uids = array("I", compress(self.uids, among))
        if cost(criterion) == 1:
            found = await self._by_header(criterion, uids)
        else:
            found = await self._by_text(criterion, uids)
        return await self._marks(found)

    async def _marks(self, found: Sequence[int]) -> Mask:
        mask = bytearray(self._view.count)
        for start in range(0, len(found), _ROWS):
            for uid in found[start : start + _ROWS]:
                mask[bisect_left(self.uids, uid)] = 1
            await self._breathe()
        return bytes(mask)

    async def _by_header(self, criterion: Criterion, uids: "array[int]") -> list[int]:
        uids = await self._possible(criterion, uids)
        key = fields_key([_field(criterion)])
        fits = _header_test(criterion)
        found = []
        for start in range(0, len(uids), _HEADERS):
            batch = uids[start : start + _HEADERS]
            pieces = await self._mailbox.fragments(key, batch)
            found += [
                uid
                for uid, piece in zip(batch, pieces, strict=True)
                if piece and fits(piece)
            ]
            await self._breathe()
        return found

    async def _possible(self, criterion: Criterion, uids: "array[int]") -> "array[int]":
        """Those that do not lack the text in all of their header, if that is kept."""
        if not isinstance(criterion, criteria.HeaderContains) or len(uids) < _MANY:
            return uids
        text = fold(criterion.value)
        if not text:
            return uids
        fits, unknown = await self._mailbox.texts.find(
            text, uids, Where.HEADER, self._breathe
        )
        return array("I", sorted(fits + unknown))

    async def _by_text(self, criterion: Criterion, uids: "array[int]") -> list[int]:
        text, where = _wanted(criterion)
        if not text:
            return await self._there(uids)
        texts = self._mailbox.texts
        await texts.cover(uids, self._breathe)
        fits, unknown = await texts.find(text, uids, where, self._breathe)
        found = await self._there(fits)
        return [*found, *await self._by_body(criterion, unknown)]

    async def _there(self, uids: Sequence[int]) -> list[int]:
        """Those that have not vanished."""
        there: list[int] = []
        for start in range(0, len(uids), _ROWS):
            await self._mailbox.turn()
            some, table = uids[start : start + _ROWS], self._mailbox.table
            if self._view.current:
                there += some
            else:
                there += [uid for uid in some if table.row(uid) is not None]
            await self._breathe()
        return there

    async def _by_body(self, criterion: Criterion, uids: "array[int]") -> list[int]:
        fits = _body_test(criterion)
        found = []
        for batch in self._batches(uids):
            messages = await self._mailbox.read_many(batch)
            for uid, octets in zip(batch, messages, strict=True):
                if octets is None:
                    continue
                if len(octets) <= _LARGE:
                    fit = fits(octets)
                else:
                    fit = await self._mailbox.in_thread(partial(fits, octets))
                if fit:
                    found.append(uid)
                await self._breathe()  # decoding one can take as long as many
        return found

    def _batches(self, uids: "array[int]") -> Iterator["array[int]"]:
        """UIDs in runs of few messages and few octets."""
        start = 0
        while start < len(uids):
            end, octets = start, 0
            while end < len(uids) and end - start < _BODIES and octets < _BODY_OCTETS:
                row = self._mailbox.table.row(uids[end])
                octets += 0 if row is None else self._mailbox.table.sizes[row]
                end += 1
            yield uids[start:end]
            start = end


def _start(date: datetime.date) -> int:
    """Seconds since 1970 UTC at which a day begins."""
    return (date.toordinal() - _EPOCH) * _DAY


def _field(criterion: Criterion) -> bytes:
    """The header field that a criterion is about."""
    return criterion.name if isinstance(criterion, criteria.HeaderContains) else b"DATE"


def _header_test(criterion: Criterion) -> Callable[[bytes], bool]:
    """Whether the lines of one header field fit."""
    match criterion:
        case criteria.HeaderContains(name=name, value=value):
            text = fold(value)
            plain = text.encode("ascii", "ignore") if text.isascii() else b""

            def contains(piece: bytes) -> bool:
                if len(piece) <= 2:
                    return False  # the empty line alone: no such field
                if plain and _is_plain(piece) and plain not in piece.lower():
                    return False
                return any(text in found for found in Searchable(piece).header(name))

            return contains
        case criteria.SentBefore(date=date):
            return _sent(date.__gt__)
        case criteria.SentSince(date=date):
            return _sent(date.__le__)
        case criteria.SentOn(date=date):
            return _sent(date.__eq__)
    raise TypeError(f"{criterion} is not about one header field")


def _sent(fits: Callable[[datetime.date], bool]) -> Callable[[bytes], bool]:
    def test(piece: bytes) -> bool:
        sent = Searchable(piece).sent()
        return sent is not None and fits(sent)

    return test


def _wanted(criterion: Criterion) -> tuple[str, Where]:
    """The text that a criterion is about, folded, and where it has to be."""
    match criterion:
        case criteria.BodyContains(text=text):
            return fold(text), Where.BODY
        case criteria.TextContains(text=text):
            return fold(text), Where.ANYWHERE
    raise TypeError(f"{criterion} is not about text")


def _body_test(criterion: Criterion) -> Callable[[bytes], bool]:
    """Whether a whole message fits."""
    match criterion:
        case criteria.BodyContains(text=value):
            text = fold(value)
            return lambda octets: text in Searchable(octets).body()
        case criteria.TextContains(text=value):
            text = fold(value)

            def contains(octets: bytes) -> bool:
                message = Searchable(octets)
                return text in message.headers() or text in message.body()

            return contains
    raise TypeError(f"{criterion} is not about text")


def _is_plain(lines: bytes) -> bool:
    """Whether field lines are as they read: one line each, ASCII, nothing encoded."""
    encoded = b"=?" in lines or not lines.isascii()
    return not encoded and b"\r\n " not in lines and b"\r\n\t" not in lines


def _both(left: Mask, right: Mask) -> Mask:
    return _number(_integer(left) & _integer(right), len(left))


def _either(left: Mask, right: Mask) -> Mask:
    return _number(_integer(left) | _integer(right), len(left))


def _without(left: Mask, right: Mask) -> Mask:
    return _number(_integer(left) & ~_integer(right), len(left))


def _integer(mask: Mask) -> int:
    return int.from_bytes(mask, "little")


def _number(integer: int, length: int) -> Mask:
    return integer.to_bytes(length, "little")
