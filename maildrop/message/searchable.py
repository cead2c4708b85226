"""A message as SEARCH sees it: decoded text without case.

In this file:
    Searchable    header fields, body text and date of one message

What counts: RFC 3501 section 6.4.4.  Fields are decoded by RFC 2047, bodies by their
transfer encoding and charset, all of it is folded (``text.folding``).  The body is
every text part (HTML as it stands, tags and all), every message/* part, and the header
of every message inside; attachments of other types are not searched, but their header
fields (file names) are part of ``headers``.

Limits: ``Limits.text_octets`` characters of body; what comes behind is not found.
"""

import datetime as dt

from maildrop.message.dates import date
from maildrop.message.header import Field, cleaned, header_end, scan, unfolded
from maildrop.message.limits import DEFAULT, Limits, Octets
from maildrop.message.parameters import encoding, parameter
from maildrop.message.structure import Kind, Part, structure
from maildrop.message.transfer import decode_transfer
from maildrop.text.charsets import decode
from maildrop.text.folding import fold
from maildrop.text.words import decode_words

#: Octets in front of a character of text, at most: "=C3=BC" is one.
_OCTETS_PER_CHARACTER = 12


class Searchable:
    """One message; each part of it is decoded when first asked for.

    Args:
        octets: A message with CRLF line ends.
        limits: How far to look.
    """

    __slots__ = (
        "_body",
        "_fields",
        "_headers",
        "_limits",
        "_octets",
        "_root",
        "_scanned",
    )

    def __init__(self, octets: Octets, limits: Limits = DEFAULT) -> None:
        self._octets = octets
        self._limits = limits
        self._root: Part | None = None
        self._scanned: list[Field] | None = None
        self._fields: dict[bytes, list[bytes]] | None = None
        self._headers: str | None = None
        self._body: str | None = None

    def header(self, name: bytes) -> list[str]:
        """The values of all fields of that name (in any case), decoded and folded."""
        return [
            fold(decode_words(unfolded(value)))
            for value in self._values().get(name.lower(), ())
        ]

    def headers(self) -> str:
        """All fields of the message, and of its parts: ``name: value`` lines."""
        if self._headers is None:
            shown = [_lines(self._scan())]
            shown.extend(
                self._header_text(part)
                for part in _inside(self._structure())
                if part.fields
            )
            self._headers = fold("\n".join(shown))
        return self._headers

    @property
    def cut(self) -> bool:
        """Whether the header goes on behind what was looked at."""
        fields = self._scan()
        _, body = header_end(self._octets, 0, len(self._octets))
        limits = self._limits
        return body > limits.header_octets or len(fields) >= limits.fields

    def body(self) -> str:
        """The text of the body."""
        if self._body is None:
            room = self._limits.text_octets
            shown: list[str] = []
            for part in self._text_parts():
                if room <= 0:
                    break
                text = part[:room] if isinstance(part, str) else self._text(part, room)
                shown.append(text)
                room -= len(text)
            self._body = fold("\n".join(shown))
        return self._body

    def sent(self) -> dt.date | None:
        """The day in the Date field, as the sender's clock had it."""
        values = self._values().get(b"date")
        if not values:
            return None
        return date(unfolded(values[-1]))

    def _values(self) -> dict[bytes, list[bytes]]:
        if self._fields is None:
            self._fields = {}
            for line, name, _ in self._scan():
                self._fields.setdefault(name.lower(), []).append(cleaned(line))
        return self._fields

    def _structure(self) -> Part:
        if self._root is None:
            self._root = structure(self._octets, self._limits, self._scan())
        return self._root

    def _scan(self) -> list[Field]:
        """The fields of the message's own header."""
        if self._scanned is None:
            _, body = header_end(self._octets, 0, len(self._octets))
            self._scanned = scan(self._octets, 0, body, self._limits)
        return self._scanned

    def _header_text(self, part: Part) -> str:
        return _lines(scan(self._octets, part.start, part.body, self._limits))

    def _text_parts(self) -> list[Part | str]:
        """Text parts, and the header of inner messages as text."""
        root = self._structure()
        found: list[Part | str] = []
        for part in (root, *_inside(root)):
            if part.kind is Kind.MESSAGE:
                found.append(self._header_text(part.children[0]))
            elif part.is_text or (
                part.kind is Kind.LEAF
                and part.media_type is not None
                and part.media_type[0].lower() == b"message"
            ):
                found.append(part)
        return found

    def _text(self, part: Part, room: int) -> str:
        end = min(part.end, part.body + room * _OCTETS_PER_CHARACTER)
        octets = decode_transfer(self._octets[part.body : end], _encoding(part))
        said = part.media_type
        charset = parameter(said[2], b"charset") if said else None
        name = "" if charset is None else charset.decode("ascii", "replace")
        return decode(octets, name)[:room]


def _lines(fields: list[Field]) -> str:
    """Fields as text, one a line."""
    return "\n".join(
        [f"{name.decode()}: {_text_of(line, value)}" for line, name, value in fields]
    )


def _text_of(line: bytes, value: bytes) -> str:
    """The value of a field as text; nine in ten need no more than to be unfolded."""
    if value.isascii() and b"=?" not in value and value[:1] != b"\r":
        text = value[:-1].replace(b"\r\n", b"")
        if value.endswith(b"\r") and b"\r" not in text and b"\n" not in text:
            return text.decode()
    return decode_words(unfolded(cleaned(line)))


def _inside(part: Part) -> list[Part]:
    """Every part below, in the order of the message."""
    found: list[Part] = []
    waiting = part.children[::-1]
    while waiting:
        part = waiting.pop()
        found.append(part)
        waiting.extend(reversed(part.children))
    return found


def _encoding(part: Part) -> bytes | None:
    for value in part.fields.get(b"content-transfer-encoding", ()):
        token = encoding(value)
        if token is not None:
            return token
    return None
