r"""Ready-to-send pieces of a message, by the keys under which they are cached.

In this file:
    fragment          one piece
    prepare           what is cached when a message is delivered, in one pass
    fields_key        the key of a set of header fields
    compile_fields    a function that answers such a key from HEADER.POPULAR
    from_popular      the same for one call
    POPULAR           the fields that clients ask for

Keys: ``ENVELOPE``, ``BODY``, ``BODYSTRUCTURE`` (values in IMAP syntax), ``HEADER``,
``HEADER.FIELDS (CC DATE FROM)``, ``HEADER.FIELDS.NOT (...)`` (names in upper case,
sorted, each once; values are header octets with the empty line) and ``HEADER.POPULAR``.

HEADER.POPULAR holds the lines of the fields in ``POPULAR``, in the message's order:

    popular = version *tag *(NUL line) NUL CRLF   ; a tag and a line for each field
    version = %x32                         ; changes whenever POPULAR does
    tag     = OCTET                        ; %x40 and its index in POPULAR

It is empty for a message with NUL in one of these lines, or with a header over the
limits; the message itself is asked then.
"""

import functools
import re
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Final

from maildrop.message.bodystructure import structures
from maildrop.message.envelope import envelope
from maildrop.message.header import Field, collect, header_end, scan, select
from maildrop.message.limits import DEFAULT, Limits, Octets
from maildrop.message.structure import ENVELOPE_FIELDS, structure

ENVELOPE: Final = b"ENVELOPE"
BODY: Final = b"BODY"
BODYSTRUCTURE: Final = b"BODYSTRUCTURE"
HEADER: Final = b"HEADER"
HEADER_POPULAR: Final = b"HEADER.POPULAR"

#: What Thunderbird, mutt, Apple Mail, K-9, Roundcube and others ask for in lists.
POPULAR: Final = (
    b"BCC",
    b"CC",
    b"CONTENT-TYPE",
    b"DATE",
    b"FROM",
    b"IN-REPLY-TO",
    b"LIST-ID",
    b"LIST-POST",
    b"LIST-UNSUBSCRIBE",
    b"MESSAGE-ID",
    b"NEWSGROUPS",
    b"PRIORITY",
    b"REFERENCES",
    b"REPLY-TO",
    b"SENDER",
    b"SUBJECT",
    b"TO",
    b"X-PRIORITY",
    b"CONTENT-DESCRIPTION",
    b"CONTENT-TRANSFER-ENCODING",
    b"DELIVERED-TO",
    b"DISPOSITION-NOTIFICATION-TO",
    b"IMPORTANCE",
    b"LINES",
    b"LIST-SUBSCRIBE",
    b"MAIL-FOLLOWUP-TO",
    b"MIME-VERSION",
    b"X-LABEL",
    b"X-MAILING-LIST",
    b"X-ORIGINAL-TO",
    b"X-REF",
    b"X-SPAM-FLAG",
)

_VERSION: Final = b"2"
_TAGS: Final = {name: bytes([0x40 + tag]) for tag, name in enumerate(POPULAR)}
_KEY: Final = re.compile(rb"HEADER\.FIELDS(\.NOT)? \((.*)\)", re.DOTALL).fullmatch

#: Different sets and orders of fields that a compiled function remembers.
_SEEN_MAX: Final = 1024


def fields_key(names: Iterable[bytes], *, without: bool = False) -> bytes:
    """The key for BODY[HEADER.FIELDS (...)], or with ``without`` for FIELDS.NOT."""
    # No field has a space in its name (RFC 5322 section 2.2).
    listed = b" ".join(sorted({name.upper() for name in names if b" " not in name}))
    return b"HEADER.FIELDS%b (%b)" % (b".NOT" if without else b"", listed)


def _names(key: bytes) -> tuple[frozenset[bytes], bool]:
    """The names in a key, and whether they are those to leave out.

    Raises:
        KeyError: It is no key for header fields.
    """
    found = _KEY(key)
    if found is None:
        raise KeyError(key)
    return frozenset(found[2].split()), found[1] is not None


def fragment(octets: Octets, key: bytes, limits: Limits = DEFAULT) -> bytes:
    """One piece of a message.

    Args:
        octets: A message with CRLF line ends.
        key: Which piece.
        limits: How far to look.

    Raises:
        KeyError: There is no such kind of piece.
    """
    if key == ENVELOPE:
        _, body = header_end(octets, 0, len(octets))
        return envelope(collect(scan(octets, 0, body, limits), ENVELOPE_FIELDS), limits)
    if key in {BODY, BODYSTRUCTURE}:
        root = structure(octets, limits)
        return structures(octets, root, limits)[key == BODYSTRUCTURE]
    _, body = header_end(octets, 0, len(octets))
    if key == HEADER:
        return octets[:body]
    if key == HEADER_POPULAR:
        return _popular(scan(octets, 0, body, limits), body, limits)
    names, without = _names(key)
    return select(octets[:body], names, without=without)


def prepare(octets: Octets, limits: Limits = DEFAULT) -> dict[bytes, bytes]:
    """What is worth caching at delivery: the header is gone through once."""
    _, body = header_end(octets, 0, len(octets))
    fields = scan(octets, 0, body, limits)
    root = structure(octets, limits, fields)
    basic, extended = structures(octets, root, limits)
    return {
        ENVELOPE: envelope(root.fields, limits),
        BODYSTRUCTURE: extended,
        BODY: basic,
        HEADER_POPULAR: _popular(fields, body, limits),
    }


def _popular(fields: list[Field], size: int, limits: Limits) -> bytes:
    if size > limits.header_octets or len(fields) >= limits.fields:
        return b""
    tag_of = _TAGS.get
    found = [(tag, line) for line, name, _ in fields if (tag := tag_of(name.upper()))]
    if not found:
        return _VERSION + b"\0\r\n"
    tags, lines = zip(*found, strict=True)
    joined = b"\n\0".join(lines)
    if joined.count(b"\0") >= len(lines):
        return b""
    return b"%b%b\0%b%b\0\r\n" % (
        _VERSION,
        b"".join(tags),
        joined,
        b"\n" if joined.endswith(b"\r") else b"\r\n",
    )


def compile_fields(key: bytes) -> Callable[[bytes], bytes | None]:
    """A function from HEADER.POPULAR to the fields of ``key``.

    Worth keeping for as many messages as ask for the same key: it remembers which
    lines to take for each sequence of fields it met.

    Returns:
        The function.  It answers None when HEADER.POPULAR does not know: a name that is
        not popular, a value that an older release wrote, a line with NUL.
    """
    names, without = _names(key)
    tags = [_TAGS.get(name) for name in names]
    if without or None in tags:
        return _unknown
    return _Selection(frozenset(tag[0] for tag in tags if tag is not None)).lines


def _unknown(_popular: bytes) -> None:
    return None


class _Selection:
    """Picks the lines with some tags."""

    __slots__ = ("_getters", "_wanted")

    def __init__(self, wanted: frozenset[int]) -> None:
        self._wanted = wanted
        self._getters: dict[bytes, Callable[[list[bytes]], Sequence[bytes]]] = {}

    def lines(self, popular: bytes) -> bytes | None:
        pieces = popular.split(b"\0")
        getter = self._getters.get(pieces[0])
        if getter is None:
            if not popular.startswith(_VERSION):
                return None
            getter = self._remember(pieces[0])
        return b"".join(getter(pieces))

    def _remember(
        self, version_and_tags: bytes
    ) -> Callable[[list[bytes]], Sequence[bytes]]:
        """How to pick from the pieces of a header with these tags."""
        chosen = [
            index
            for index, tag in enumerate(version_and_tags)
            if index and tag in self._wanted
        ]
        getter: Callable[[list[bytes]], Sequence[bytes]] = (
            itemgetter(*chosen, -1) if chosen else itemgetter(slice(-1, None))
        )
        if len(self._getters) >= _SEEN_MAX:
            self._getters.clear()
        self._getters[version_and_tags] = getter
        return getter


@functools.lru_cache(maxsize=32)
def _compiled(key: bytes) -> Callable[[bytes], bytes | None]:
    return compile_fields(key)


def from_popular(popular: bytes, key: bytes) -> bytes | None:
    """The answer to ``key`` from HEADER.POPULAR, None when it does not know."""
    return _compiled(key)(popular)
