r"""The way of messages to the client, chunk by chunk.

In this file:
    send      writes the FETCH responses of many messages
    response  that of a message that is sent whole
    cut       the octets of a section
    joined    places in a view as ranges

A chunk is read (fragments from the cache, or whole messages), then written in one go
between two awaits, so that rows and columns fit together.  Between chunks the client
may slow us down and others have their turn.

Limits: ``MESSAGES`` in a chunk; ``BODIES`` and ``BODY_OCTETS`` of those read whole.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final, cast

from maildrop.errors import MailboxVanished, MaildropError
from maildrop.imap.fetch_formatter import Chunk, Formatter
from maildrop.imap.selected import Selected
from maildrop.imap.session import Session
from maildrop.imap.wire import fetch
from maildrop.imap.wire.fetch import FetchItem, Section
from maildrop.message.flags import SEEN, FlagChange, Operation
from maildrop.message.header import header_end
from maildrop.message.section import section

#: Messages in a chunk.
MESSAGES: Final = 500
#: Messages in a chunk when they are read whole,
BODIES: Final = 50
#: and their octets, unless it is a single one.
BODY_OCTETS: Final = 1 << 18

_SET_SEEN: Final = FlagChange(Operation.ADD, SEEN)

Found = list[bytes | None]


async def send(
    session: Session,
    selected: Selected,
    spans: Sequence[range],
    items: tuple[FetchItem, ...],
) -> int:
    """Write the FETCH responses of messages.

    Args:
        session: Whose.
        selected: Where the messages are.
        spans: Their places in the view.
        items: What to tell of them.

    Returns:
        How many of them no longer exist.
    """
    formatter = session.site.formatters.of(items)
    if formatter.whole and len(spans) == 1 and len(spans[0]) == 1:
        return await _send_one(session, selected, spans[0].start, formatter)
    sender = _Sender(session, selected, formatter)
    missing = 0
    begun = False
    for part in sender.parts(spans):
        if begun:  # what is written last leaves with the tagged answer
            await session.link.drained()
            await session.link.breathe()
        begun = True
        missing += await sender.send(part)
    return missing


async def _send_one(
    session: Session, selected: Selected, place: int, formatter: Formatter
) -> int:
    """The way of a single message that is sent whole and changes no flag."""
    view, table = selected.view, selected.mailbox.table
    uid = view.uids[place]
    octets = await selected.reading.read(uid)
    session.counts.fetched += 1
    row = place if view.current else table.row(uid)
    if octets is None or row is None:
        return 1
    session.write_pieces(response(selected, formatter, place, row, octets))
    return 0


def response(
    selected: Selected, formatter: Formatter, place: int, row: int, octets: bytes
) -> list[bytes]:
    """The FETCH response of a message that is sent whole, in pieces."""
    view = selected.view
    uids = (view.uids[place],)
    if formatter.plain:
        head = formatter.plain % (place + 1, uids[0], len(octets))
        return [head, octets, b")\r\n"]
    rows = range(row, row + 1)
    numbers = (place + 1,)
    return formatter.write(
        Chunk(view.table, rows, numbers, uids, view.first_recent, {}, [[octets]])
    )


def cut(octets: bytes, item: Section) -> bytes | None:
    """The octets of a section without regard to ``partial``; None for no such part."""
    if item.path:
        return section(octets, item.path, item.kind, item.fields)
    if not item.kind:
        return octets
    _, body = header_end(octets, 0, len(octets))
    if item.kind == b"TEXT":
        return octets[body:]
    if item.kind == b"HEADER":
        return octets[:body]
    return section(octets[:body], (), item.kind, item.fields)


class _Sender:
    """Writes messages of one FETCH."""

    def __init__(
        self, session: Session, selected: Selected, formatter: Formatter
    ) -> None:
        self._session = session
        self._selected = selected
        self._mailbox = selected.mailbox
        self._formatter = formatter
        self._sets_seen = formatter.sets_seen and not selected.read_only

    # -- division

    def parts(self, spans: Sequence[range]) -> Iterator[list[range]]:
        """Spans divided into chunks."""
        if not self._formatter.sections:
            yield from _divided(spans, MESSAGES)
            return
        for part in _divided(spans, BODIES):
            yield from self._by_octets(part)

    def _by_octets(self, spans: list[range]) -> Iterator[list[range]]:
        """A chunk divided further where its messages have too many octets."""
        rows = self._selected.rows(spans, self._selected.uids(spans))
        sizes = self._mailbox.table.sizes.numbers()
        places = list(chain.from_iterable(spans))
        start = octets = 0
        ends = []
        for count, row in enumerate(rows):
            octets += sizes[row]
            if octets > BODY_OCTETS and count > start:
                ends.append(count)
                start, octets = count, sizes[row]
        start = 0
        for end in (*ends, len(places)):
            yield joined(places[start:end])
            start = end

    # -- one chunk

    async def send(self, spans: list[range]) -> int:
        """Read and write a chunk; returns how many messages are gone."""
        selected, mailbox, formatter = self._selected, self._mailbox, self._formatter
        uids = selected.uids(spans)
        fragments: dict[bytes, Found] = {}
        for key in formatter.keys:
            fragments[key] = await mailbox.fragments(key, uids)
        read: list[Found] = []
        if formatter.sections:
            read = await self._sections(uids)
            self._session.counts.fetched += len(uids)
        elif not fragments:
            await mailbox.turn()
        chunk = self._chunk(spans, uids, fragments, read)
        if self._sets_seen and await self._set_seen(chunk):
            chunk = self._chunk(spans, uids, fragments, read)
            if not formatter.shows_flags:
                items = (*formatter.items, fetch.FLAGS)
                formatter = self._session.site.formatters.of(items)
        self._session.write_pieces(formatter.write(chunk))
        return len(uids) - len(chunk.uids)

    def _chunk(
        self,
        spans: list[range],
        uids: Sequence[int],
        fragments: dict[bytes, Found],
        read: list[Found],
    ) -> Chunk:
        """What is to be written, without the messages that are gone."""
        selected, table = self._selected, self._mailbox.table
        rows = selected.rows(spans, uids)
        if len(spans) == 1:
            numbers: Sequence[int] = range(spans[0].start + 1, spans[0].stop + 1)
        else:
            numbers = [place + 1 for place in chain.from_iterable(spans)]
        whole = len(rows) == len(uids)
        if not whole:
            found = (table.row(uid) for uid in uids)
            rows = [-1 if row is None else row for row in found]
        columns = [*fragments.values(), *read[-1:]]
        if columns:
            whole = whole and not any(None in column for column in columns)
        chunk = Chunk(
            table,
            rows,
            numbers,
            uids,
            selected.view.first_recent,
            cast("dict[bytes, list[bytes]]", dict(fragments)),
            read[:-1],
        )
        if not whole:
            chunk.keep(
                [
                    row >= 0 and None not in values
                    for row, *values in zip(rows, *columns, strict=True)
                ]
            )
        return chunk

    async def _set_seen(self, chunk: Chunk) -> bool:
        r"""Set ``\Seen`` where it is not; whether anything changed."""
        flags = chunk.of(chunk.table.flags)
        unseen = [
            uid for uid, bits in zip(chunk.uids, flags, strict=True) if not bits & SEEN
        ]
        if not unseen:
            return False
        try:
            await self._mailbox.change_flags(unseen, _SET_SEEN, self._selected.view)
        except MailboxVanished:
            raise
        except MaildropError as error:
            # Reading is possible on a full disk too.
            self._session.warn(
                "messages read by {user} are not marked as seen: {error}",
                user=self._session.live.user,
                error=str(error),
            )
            return False
        return True

    # -- sections

    async def _sections(self, uids: Sequence[int]) -> list[Found]:
        """The octets for each section, and last a column with None for what is gone."""
        sections = self._formatter.sections
        if len(uids) == len(sections) == 1 and sections[0].partial is not None:
            return await self._piece(uids[0], sections[0], sections[0].partial)
        if len(uids) == 1:
            messages = [await self._selected.reading.read(uids[0])]
        else:
            messages = await self._mailbox.read_many(uids)
        columns: list[Found] = []
        for item in sections:
            column = [None if it is None else cut(it, item) for it in messages]
            if item.partial is not None:
                first, count = item.partial
                last = first + count
                column = [None if it is None else it[first:last] for it in column]
            columns.append(column)
        return [*columns, messages]

    async def _piece(
        self, uid: int, item: Section, partial: tuple[int, int]
    ) -> list[Found]:
        """One piece of a section that is likely to be fetched piece by piece."""
        selected = self._selected
        what = uid, item.path, item.kind, item.fields
        octets: bytes | None
        if selected.kept is not None and selected.kept[0] == what:
            octets = selected.kept[1]
        else:
            (message,) = await self._mailbox.read_many([uid])
            if message is None:
                return [[None], [None]]
            octets = cut(message, item)
            if octets is None:
                return [[None], [b""]]
            if len(octets) <= self._session.site.limits.kept:
                selected.kept = what, octets
        first, count = partial
        return [[octets[first : first + count]], [b""]]


def _divided(spans: Sequence[range], most: int) -> Iterator[list[range]]:
    """Spans cut and gathered to so many places each."""
    part: list[range] = []
    room = most
    for span in spans:
        rest = span
        while rest:
            taken = rest[:room]
            part.append(taken)
            rest = rest[len(taken) :]
            room -= len(taken)
            if not room:
                yield part
                part, room = [], most
    if part:
        yield part


def joined(places: Sequence[int]) -> list[range]:
    """Ascending places as ranges."""
    spans: list[range] = []
    for place in places:
        if spans and spans[-1].stop == place:
            spans[-1] = range(spans[-1].start, place + 1)
        else:
            spans.append(range(place, place + 1))
    return spans
