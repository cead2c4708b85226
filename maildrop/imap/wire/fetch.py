r"""FETCH and UID FETCH: read messages (RFC 3501 section 6.4.5).

In this file:
    Fetch        either command
    Attribute    an item of one word: FLAGS, ENVELOPE ...
    Section      an item that is octets of the message: BODY[...], RFC822 ...
    parse        FETCH from octets
    uid          UID FETCH from octets
    response     the untagged response

Grammar:

    fetch     = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" /
                fetch-att / "(" fetch-att *(SP fetch-att) ")")
    fetch-att = "ENVELOPE" / "FLAGS" / "INTERNALDATE" / "UID" / "RFC822.SIZE" /
                "RFC822" [".HEADER" / ".TEXT"] / "BODY" ["STRUCTURE"] /
                ("BODY" / "BODY.PEEK") "[" [spec] "]" ["<" number "." nz-number ">"]
    spec      = msgtext / (part *("." part) ["." (msgtext / "MIME")])
    msgtext   = "HEADER" / "TEXT" /
                "HEADER.FIELDS" [".NOT"] SP "(" astring *(SP astring) ")"

Limits: ``Limits.items`` items, and header fields in an item; ``DEPTH`` part numbers.
"""

import functools
import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from maildrop.errors import LimitExceeded
from maildrop.imap.wire import syntax
from maildrop.imap.wire.arguments import Arguments
from maildrop.message.sequence_set import SequenceSet

#: Part numbers in a section: no message that is parsed is nested deeper.
DEPTH: Final = 100


@dataclass(frozen=True, slots=True)
class Attribute:
    """An item of one word.

    Attributes:
        name: In upper case, as the response names it; one of ``ATTRIBUTES``.
    """

    name: bytes

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True, slots=True)
class Section:
    r"""An item that is octets of the message.

    Attributes:
        name: As the response names it: ``BODY[1.MIME]``, ``RFC822.TEXT``, and with its
            origin ``BODY[TEXT]<512>``.
        path: Part numbers, empty for the whole message.
        kind: Empty for all of it, else HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT
            or MIME.
        fields: Header field names in upper case, for the two kinds that have them.
        peek: The item does not set ``\Seen``.
        partial: First octet and number of octets wanted.
    """

    name: bytes
    path: tuple[int, ...] = ()
    kind: bytes = b""
    fields: tuple[bytes, ...] = ()
    peek: bool = False
    partial: tuple[int, int] | None = None

    def __hash__(self) -> int:
        return hash(self.name)


FetchItem: TypeAlias = Attribute | Section

UID: Final = Attribute(b"UID")
FLAGS: Final = Attribute(b"FLAGS")
INTERNALDATE: Final = Attribute(b"INTERNALDATE")
SIZE: Final = Attribute(b"RFC822.SIZE")
ENVELOPE: Final = Attribute(b"ENVELOPE")
BODY: Final = Attribute(b"BODY")
BODYSTRUCTURE: Final = Attribute(b"BODYSTRUCTURE")

#: Every ``Attribute`` there is.
ATTRIBUTES: Final = (UID, FLAGS, INTERNALDATE, SIZE, ENVELOPE, BODY, BODYSTRUCTURE)

#: Items whose name says all.  RFC822.HEADER peeks, RFC822.TEXT does not.
_WORDS: Final[dict[bytes, FetchItem]] = {
    **{item.name: item for item in ATTRIBUTES},
    b"RFC822": Section(b"RFC822"),
    b"RFC822.HEADER": Section(b"RFC822.HEADER", kind=b"HEADER", peek=True),
    b"RFC822.TEXT": Section(b"RFC822.TEXT", kind=b"TEXT"),
}
#: And the sections that are asked for most.
_SHORT: Final[dict[bytes, FetchItem]] = {
    **_WORDS,
    b"BODY[]": Section(b"BODY[]"),
    b"BODY.PEEK[]": Section(b"BODY[]", peek=True),
    b"BODY.PEEK[HEADER]": Section(b"BODY[HEADER]", kind=b"HEADER", peek=True),
    b"BODY.PEEK[TEXT]": Section(b"BODY[TEXT]", kind=b"TEXT", peek=True),
}
_MACROS: Final[dict[bytes, tuple[FetchItem, ...]]] = {
    b"FAST": (FLAGS, INTERNALDATE, SIZE),
    b"ALL": (FLAGS, INTERNALDATE, SIZE, ENVELOPE),
    b"FULL": (FLAGS, INTERNALDATE, SIZE, ENVELOPE, BODY),
}
_FIELDS: Final = frozenset({b"HEADER.FIELDS", b"HEADER.FIELDS.NOT"})
_MESSAGE_KINDS: Final = frozenset({b"", b"HEADER", b"TEXT", *_FIELDS})

#: A command that has only such items.
_SIMPLE: Final = re.compile(rb" ([\d:,*]+) \(([A-Za-z0-9.\[\] ]{1,200})\)")
_PLAIN_FIELDS: Final = re.compile(rb"[A-Za-z0-9-]++(?: [A-Za-z0-9-]++)*+\)")
_PLAIN_NAMES: Final = re.compile(rb"[A-Z0-9-]++(?: [A-Z0-9-]++)*+").fullmatch
_PATH: Final = re.compile(rb"[1-9]\d{0,8}(?:\.[1-9]\d{0,8})*+(?!\d)")


@dataclass(frozen=True, slots=True)
class Fetch:
    """FETCH; with ``uid`` the messages are named by UID.

    Attributes:
        tag: The command's.
        messages: Which.
        items: What of them, each once; UID is among them if ``uid``.
        uid: The command was UID FETCH.
    """

    tag: bytes
    messages: SequenceSet
    items: tuple[FetchItem, ...]
    uid: bool = False


def parse(tag: bytes, arguments: Arguments) -> Fetch:
    """Read what follows FETCH."""
    messages, items = _fetch(arguments)
    return Fetch(tag, messages, items)


def uid(tag: bytes, arguments: Arguments) -> Fetch:
    """Read what follows UID FETCH."""
    messages, items = _fetch(arguments)
    if items[0] is not UID and UID not in items:
        items = (UID, *items)
    return Fetch(tag, messages, items, uid=True)


def _fetch(arguments: Arguments) -> tuple[SequenceSet, tuple[FetchItem, ...]]:
    simple = arguments.rest_as(_SIMPLE)
    if simple is not None and (items := _known(simple[2])):
        return arguments.simple_set(simple), items
    arguments.space()
    messages = arguments.sequence_set()
    arguments.space()
    if arguments.take(b"("):
        items = _list(arguments)
    else:
        word = arguments.word()
        items = _MACROS.get(word) or (_item(word, arguments),)
    arguments.end()
    return messages, items


@functools.lru_cache(maxsize=256)
def _known(names: bytes) -> tuple[FetchItem, ...]:
    """Items by name; none if there is one that is not so simple."""
    separate = names.upper().split(b" ")
    items = tuple([_SHORT[name] for name in separate if name in _SHORT])
    return items if len(items) == len(separate) == len(set(separate)) else ()


def _list(arguments: Arguments) -> tuple[FetchItem, ...]:
    items: dict[FetchItem, None] = {}
    while True:
        items[_item(arguments.word(), arguments)] = None
        if arguments.take(b")"):
            return tuple(items)
        arguments.space()
        arguments.check_items(len(items))


def _item(word: bytes, arguments: Arguments) -> FetchItem:
    if arguments.next_is(b"["):
        if word == b"BODY":
            return _section(arguments, peek=False)
        if word == b"BODY.PEEK":
            return _section(arguments, peek=True)
    item = _WORDS.get(word)
    if item is None:
        raise arguments.error("expected a FETCH item")
    return item


def _section(arguments: Arguments, *, peek: bool) -> Section:
    arguments.expect(b"[")
    path = _path(arguments)
    kind = b""
    if path:
        if arguments.take(b"."):
            kind = _kind(arguments, _MESSAGE_KINDS - {b""} | {b"MIME"})
    elif not arguments.next_is(b"]"):
        kind = _kind(arguments, _MESSAGE_KINDS - {b""})
    fields: tuple[bytes, ...] = ()
    if kind in _FIELDS:
        arguments.expect(b" (")
        fields = _field_names(arguments)
    arguments.expect(b"]")
    partial = _partial(arguments)
    name = _name(path, kind, fields, partial)
    return Section(name, path, kind, fields, peek, partial)


def _path(arguments: Arguments) -> tuple[int, ...]:
    text = arguments.match(_PATH)
    if text is None:
        return ()
    if text.count(b".") >= DEPTH:
        raise LimitExceeded(f"more than {DEPTH} part numbers")
    return tuple(map(int, text.split(b".")))


def _kind(arguments: Arguments, known: frozenset[bytes]) -> bytes:
    kind = arguments.word()
    if kind not in known:
        raise arguments.error("expected HEADER, TEXT or MIME")
    return kind


def _field_names(arguments: Arguments) -> tuple[bytes, ...]:
    """``astring *(SP astring) ")"``."""
    plain = arguments.match(_PLAIN_FIELDS)
    if plain is not None:
        fields = plain[:-1].upper().split(b" ")
        arguments.check_items(len(fields))
        return tuple(fields)
    fields = []
    while True:
        fields.append(arguments.astring().upper())
        arguments.check_items(len(fields))
        if arguments.take(b")"):
            return tuple(fields)
        arguments.space()


def _partial(arguments: Arguments) -> tuple[int, int] | None:
    if not arguments.take(b"<"):
        return None
    first = arguments.number()
    arguments.expect(b".")
    count = arguments.nz_number()
    arguments.expect(b">")
    return first, count


def _name(
    path: tuple[int, ...],
    kind: bytes,
    fields: tuple[bytes, ...],
    partial: tuple[int, int] | None,
) -> bytes:
    spec = b".".join([*(b"%d" % part for part in path), *([kind] if kind else ())])
    if fields:
        names = b" ".join(fields)
        if not _PLAIN_NAMES(names) or names.count(b" ") != len(fields) - 1:
            names = b" ".join(map(syntax.astring, fields))
        spec += b" (%b)" % names
    origin = b"" if partial is None else b"<%d>" % partial[0]
    return b"BODY[%b]%b" % (spec, origin)


def response(number: int, *values: bytes) -> bytes:
    r"""FETCH: what was asked of one message (section 7.4.2).

    Args:
        number: Its sequence number.
        values: Each a name and its value, such as ``b"FLAGS (\\Seen)"``.
    """
    return b"* %d FETCH (%b)\r\n" % (number, b" ".join(values))
