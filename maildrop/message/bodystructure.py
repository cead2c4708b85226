"""BODY and BODYSTRUCTURE: what a message consists of.

In this file:
    structures    a part -> both as IMAP octets
    lines         how many lines a body has

Response syntax: RFC 3501 section 7.4.2 and section 9, "body".  What a part does not
say is told as its default: text/plain in us-ascii, 7bit.  A plain message that says
the defaults aloud is shown as if it had said nothing.  A multipart without parts, which
the grammar does not know, is shown with an empty text.
"""

from typing import Final

from maildrop.message.envelope import envelope
from maildrop.message.header import unfolded
from maildrop.message.limits import DEFAULT, Limits, Octets
from maildrop.message.parameters import (
    Parameters,
    disposition,
    encoding,
    languages,
    parameter,
)
from maildrop.message.strings import NIL, nstring
from maildrop.message.structure import Kind, Part, Values

#: What a part without parts is shown with.
_EMPTY: Final = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0)'
_EMPTY_EXTENDED: Final = _EMPTY[:-1] + b" NIL NIL NIL NIL)"

_CHARSET: Final = b'"charset" "us-ascii"'
_CHUNK: Final = 1 << 20  # octets of a mapped file copied at a time


def structures(
    octets: Octets, part: Part, limits: Limits = DEFAULT
) -> tuple[bytes, bytes]:
    """The parenthesized BODY of a part, and its BODYSTRUCTURE."""
    return _Writer(octets, limits).body(part)


def lines(octets: Octets, start: int, end: int) -> int:
    """Line ends between two offsets."""
    if isinstance(octets, bytes):
        return octets.count(b"\n", start, end)
    return sum(
        octets[at : min(at + _CHUNK, end)].count(b"\n")
        for at in range(start, end, _CHUNK)
    )


class _Writer:
    __slots__ = ("_limits", "_octets")

    def __init__(self, octets: Octets, limits: Limits) -> None:
        self._octets = octets
        self._limits = limits

    def body(self, part: Part) -> tuple[bytes, bytes]:
        if part.kind is Kind.MULTIPART:
            return self._multipart(part)
        return self._single_part(part)

    def _multipart(self, part: Part) -> tuple[bytes, bytes]:
        """``body-type-mpart``."""
        basic, extended = _EMPTY, _EMPTY_EXTENDED
        if part.children:
            children = [self.body(child) for child in part.children]
            basic = b"".join([child[0] for child in children])
            extended = b"".join([child[1] for child in children])
        said = part.media_type
        subtype = nstring(said[1]) if said else b'"mixed"'
        return b"(%b %b)" % (basic, subtype), b"(%b %b %b%b)" % (
            extended,
            subtype,
            _parameters(said[2] if said else []),
            self._extension(part.fields),
        )

    def _single_part(self, part: Part) -> tuple[bytes, bytes]:
        """``body-type-basic``, ``body-type-text``, ``body-type-msg``."""
        values = part.fields
        is_text = part.is_text
        said = part.media_type
        if part.kind is Kind.MESSAGE:
            kind = b'"message" "rfc822"'
        elif part.cut:
            kind = b'"application" "octet-stream"'
        elif said is None:
            kind = b'"text" "plain"'
        else:
            kind = b"%b %b" % (nstring(said[0]), nstring(said[1]))
        start = b"(%b %b %b %b %b %d" % (
            kind,
            _parameters(said[2] if said else [], is_text=is_text),
            _first(values, b"content-id"),
            _first(values, b"content-description"),
            _encoding(values),
            part.end - part.body,
        )
        basic = extended = b""
        if is_text:
            basic = extended = b" %d" % lines(self._octets, part.body, part.end)
        elif part.kind is Kind.MESSAGE:
            basic, extended = self._message(part)
        return b"%b%b)" % (start, basic), b"%b%b %b%b)" % (
            start,
            extended,
            _first(values, b"content-md5"),
            self._extension(values),
        )

    def _message(self, part: Part) -> tuple[bytes, bytes]:
        inner = part.children[0]
        shown = envelope(inner.fields, self._limits)
        basic, extended = self.body(inner)
        count = lines(self._octets, part.body, part.end)
        return (
            b" %b %b %d" % (shown, basic, count),
            b" %b %b %d" % (shown, extended, count),
        )

    def _extension(self, values: Values) -> bytes:
        """The end that ``body-ext-1part`` and ``body-ext-mpart`` share."""
        return b" %b %b %b" % (
            self._disposition(values),
            self._languages(values),
            _first(values, b"content-location"),
        )

    def _disposition(self, values: Values) -> bytes:
        """``body-fld-dsp``: the first one with parameters, else the last one."""
        shown = NIL
        for value in values.get(b"content-disposition", ()):
            found = disposition(value, self._limits)
            if found is None:
                continue
            shown = b"(%b %b)" % (nstring(found[0]), _parameters(found[1]))
            if found[1]:
                break
        return shown

    def _languages(self, values: Values) -> bytes:
        """``body-fld-lang``: those of the first field that has some."""
        for value in values.get(b"content-language", ()):
            tags = languages(value, self._limits)
            if tags:
                return b"(%b)" % b" ".join(map(nstring, tags))
        return NIL


def _parameters(parameters: Parameters, *, is_text: bool = False) -> bytes:
    """``body-fld-param``; a text without charset is in us-ascii."""
    if not parameters:
        return b"(%b)" % _CHARSET if is_text else NIL
    shown = [b"%b %b" % (nstring(name), nstring(value)) for name, value in parameters]
    if is_text and not (
        parameter(parameters, b"charset") or parameter(parameters, b"charset*")
    ):
        shown.append(_CHARSET)
    return b"(%b)" % b" ".join(shown)


def _first(values: Values, name: bytes) -> bytes:
    found = values.get(name)
    return NIL if found is None else nstring(unfolded(found[0]))


def _encoding(values: Values) -> bytes:
    """``body-fld-enc``: the first that is one."""
    for value in values.get(b"content-transfer-encoding", ()):
        token = encoding(value)
        if token is not None:
            return nstring(token)
    return b'"7bit"'
