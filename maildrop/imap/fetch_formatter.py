r"""FETCH responses for many messages at once, by writers compiled from their items.

In this file:
    Chunk         messages to be written: their rows and what was read of them
    Formatter     writes a chunk; made once for a list of items
    Formatters    remembers the formatters of lists asked for

A formatter is a ``%`` format and one column for each of its places.  No Python object
stands for a message: columns are slices of the table's arrays or lists of octets, and
one comprehension does the work.  Octets of messages are put between such formats as
they are, so that they are copied once.

Grammar: RFC 3501 section 7.4.2.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, compress, repeat
from typing import Final

from maildrop.imap.wire import fetch
from maildrop.imap.wire.dates import InternalDates
from maildrop.imap.wire.fetch import Attribute, FetchItem, Section
from maildrop.imap.wire.syntax import RECENT, SYSTEM_FLAG_LISTS
from maildrop.mailbox.table import MessageTable
from maildrop.message.flags import ALL_SYSTEM
from maildrop.message.fragments import fields_key

#: By flag octet, whatever bits the storage format has above the system flags.
_LISTS: Final = tuple(SYSTEM_FLAG_LISTS[bits & ALL_SYSTEM] for bits in range(256))
_RECENT_LISTS: Final = tuple(
    SYSTEM_FLAG_LISTS[bits & ALL_SYSTEM | RECENT] for bits in range(256)
)
_FRAGMENTS: Final = frozenset({fetch.ENVELOPE, fetch.BODY, fetch.BODYSTRUCTURE})
_FIELDS: Final = frozenset({b"HEADER.FIELDS", b"HEADER.FIELDS.NOT"})


@dataclass(slots=True)
class Chunk:
    r"""Messages to be written.

    Attributes:
        table: The columns.
        rows: The messages' rows; a range when they are neighbours.
        numbers: Their sequence numbers.
        uids: Their UIDs.
        first_recent: Messages of this UID or more are ``\Recent``.
        fragments: For each of ``Formatter.keys`` the octets of each message.
        sections: For each of ``Formatter.sections`` the octets of each message, None
            for those that have no such part.
    """

    table: MessageTable
    rows: Sequence[int]
    numbers: Sequence[int]
    uids: Sequence[int]
    first_recent: int
    fragments: dict[bytes, list[bytes]] = field(default_factory=dict)
    sections: list[list[bytes | None]] = field(default_factory=list)

    def of(self, column: Sequence[int]) -> Sequence[int]:
        """A column of the table, for these messages."""
        rows = self.rows
        if isinstance(rows, range):
            return column[rows.start : rows.stop]
        return [column[row] for row in rows]

    def keep(self, kept: Sequence[bool]) -> None:
        """Leave out the messages that are not there any more."""
        self.rows = list(compress(self.rows, kept))
        self.numbers = list(compress(self.numbers, kept))
        self.uids = list(compress(self.uids, kept))
        for key, octets in self.fragments.items():
            self.fragments[key] = list(compress(octets, kept))
        self.sections = [list(compress(octets, kept)) for octets in self.sections]


Column = Callable[[Chunk], Iterable[object]]
Strand = Callable[[Chunk], Iterable[bytes]]


class Formatter:
    r"""Writes the FETCH responses for one list of items.

    Attributes:
        items: The list.
        keys: Keys of the fragments it wants in a chunk.
        sections: Sections that are cut out of the message.
        sets_seen: Some item sets ``\Seen``.
        whole: The only section is the whole message, and it is not set ``\Seen``.
        plain: For UID and the whole message and nothing else, what stands before its
            octets; to be formatted with number, UID and length.  Else empty.
        shows_flags: FLAGS is among the items.
    """

    def __init__(self, items: tuple[FetchItem, ...], dates: InternalDates) -> None:
        self.items = items
        sections = [item for item in items if isinstance(item, Section)]
        self.sets_seen = any(not item.peek for item in sections)
        self.shows_flags = fetch.FLAGS in items
        whole = [item for item in sections if _key(item) is None]
        # A message that is read anyway gives its header too.
        self.sections = tuple(sections if whole else ())
        self._dates = dates
        keys: dict[bytes, None] = {}
        self._strands: list[Strand] = []
        form = b"* %d FETCH ("
        columns: list[Column] = [_numbers]
        for index, item in enumerate(items):
            form += b" " if index else b""
            if isinstance(item, Section) and self.sections:
                form += _escaped(item.name) + b" %b"
                place = self.sections.index(item)
                columns.append(_announcements(place))
                self._strands += [_formatted(form, columns), _octets(place)]
                form, columns = b"", []
                continue
            key = _key(item)
            if key is not None:
                keys[key] = None
            piece, more = self._piece(item, key)
            form += piece
            columns += more
        self._strands.append(_formatted(form + b")\r\n", columns))
        # What takes the whole message gives the envelope too, so it comes first.
        self.keys = tuple(sorted(keys, key=lambda key: not key.startswith(b"BODY")))
        self.whole = not (keys or self.sets_seen) and [
            (section.path, section.kind, section.partial) for section in self.sections
        ] == [((), b"", None)]
        self.plain = b""
        if self.whole and len(items) == 2 and items[0] == fetch.UID:
            self.plain = b"* %d FETCH (UID %d " + self.sections[0].name + b" {%d}\r\n"

    def _piece(
        self, item: FetchItem, key: bytes | None
    ) -> tuple[bytes, tuple[Column, ...]]:
        """The format of an item and its columns."""
        if isinstance(item, Section):
            lengths, octets = _fragment_columns(key or b"", item.partial)
            return _escaped(item.name) + b" {%d}\r\n%b", (lengths, octets)
        if key is not None:
            return item.name + b" %b", (_fragment_columns(key, None)[1],)
        return self._columns(item)

    def _columns(self, item: Attribute) -> tuple[bytes, tuple[Column, ...]]:
        if item == fetch.UID:
            return b"UID %d", (_uids,)
        if item == fetch.FLAGS:
            return b"FLAGS (%b)", (flag_lists,)
        if item == fetch.SIZE:
            return b"RFC822.SIZE %d", (_sizes,)
        dates = self._dates
        return (
            b"INTERNALDATE %b",
            (lambda chunk: map(dates, chunk.of(chunk.table.dates)),),
        )

    def write(self, chunk: Chunk) -> list[bytes]:
        """The responses for a chunk; octets of messages are pieces of their own."""
        strands = self._strands
        if len(strands) == 1:
            return [b"".join(strands[0](chunk))]
        woven = zip(*[strand(chunk) for strand in strands], strict=False)
        return list(chain.from_iterable(woven))


class Formatters:
    """Formatters by their items.

    Args:
        remembered: How many are kept.
    """

    def __init__(self, remembered: int = 256) -> None:
        self._remembered = remembered
        self._dates = InternalDates()
        self._known: dict[tuple[FetchItem, ...], Formatter] = {}

    def of(self, items: tuple[FetchItem, ...]) -> Formatter:
        """The formatter for a list of items."""
        known = self._known.get(items)
        if known is None:
            known = Formatter(items, self._dates)
            if len(self._known) >= self._remembered:
                self._known.clear()
            self._known[items] = known
        return known


def _key(item: FetchItem) -> bytes | None:
    """The key of the fragment that answers an item, None when there is none."""
    if isinstance(item, Attribute):
        return item.name if item in _FRAGMENTS else None
    if item.path:
        return None
    if item.kind == b"HEADER":
        return b"HEADER"
    if item.kind in _FIELDS:
        return fields_key(item.fields, without=item.kind.endswith(b"NOT"))
    return None


def _escaped(name: bytes) -> bytes:
    """The name of a section in a ``%`` format; header fields may hold a "%"."""
    return name.replace(b"%", b"%%")


def _formatted(form: bytes, columns: Sequence[Column]) -> Strand:
    if not columns:
        return lambda _: repeat(form.replace(b"%%", b"%"))
    if len(columns) == 1:
        only = columns[0]
        return lambda chunk: [form % (value,) for value in only(chunk)]

    def strand(chunk: Chunk) -> list[bytes]:
        places = zip(*[column(chunk) for column in columns], strict=False)
        return [form % values for values in places]

    return strand


def _numbers(chunk: Chunk) -> Sequence[int]:
    return chunk.numbers


def _uids(chunk: Chunk) -> Sequence[int]:
    return chunk.uids


def _sizes(chunk: Chunk) -> Sequence[int]:
    return chunk.of(chunk.table.sizes)


def flag_lists(chunk: Chunk) -> Iterable[bytes]:
    """The flags of each message as they are written, without parentheses."""
    flags = chunk.of(chunk.table.flags)
    keywords = chunk.of(chunk.table.keywords)
    old = bisect_left(chunk.uids, chunk.first_recent)
    if any(keywords):
        return _with_keywords(chunk, flags, keywords, old)
    if old == len(chunk.uids):
        return map(_LISTS.__getitem__, flags)
    return chain(
        map(_LISTS.__getitem__, flags[:old]),
        map(_RECENT_LISTS.__getitem__, flags[old:]),
    )


def _with_keywords(
    chunk: Chunk, flags: Sequence[int], keywords: Sequence[int], old: int
) -> Iterable[bytes]:
    known: dict[tuple[int, int, bool], bytes] = {}
    for at, (bits, keyword_bits) in enumerate(zip(flags, keywords, strict=True)):
        kind = bits, keyword_bits, at >= old
        written = known.get(kind)
        if written is None:
            names = chunk.table.keywords_of(keyword_bits)
            system = (_RECENT_LISTS if at >= old else _LISTS)[bits]
            both = [name.encode("ascii", "replace") for name in names]
            written = b" ".join([system, *both] if system else both)
            known[kind] = written
        yield written


def _fragment_columns(
    key: bytes, partial: tuple[int, int] | None
) -> tuple[Column, Column]:
    """Lengths and octets of a fragment."""
    if partial is None:
        return (
            lambda chunk: map(len, chunk.fragments[key]),
            lambda chunk: chunk.fragments[key],
        )
    first, last = partial[0], partial[0] + partial[1]

    def octets(chunk: Chunk) -> list[bytes]:
        return [fragment[first:last] for fragment in chunk.fragments[key]]

    return lambda chunk: map(len, octets(chunk)), octets


def _announcements(place: int) -> Column:
    return lambda chunk: [
        b"NIL" if octets is None else b"{%d}\r\n" % len(octets)
        for octets in chunk.sections[place]
    ]


def _octets(place: int) -> Strand:
    return lambda chunk: [octets or b"" for octets in chunk.sections[place]]
