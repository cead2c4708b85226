"""Content-Type, Content-Disposition and other MIME fields with their parameters.

In this file:
    media_type      type, subtype and parameters of a Content-Type value
    disposition     type and parameters of a Content-Disposition value
    encoding        the token of a Content-Transfer-Encoding value
    languages       the tags of a Content-Language value
    parameter       one parameter by name
    decoded         a parameter's text: RFC 2231 and RFC 2047 decoded

Grammar: RFC 2045 section 5.1, RFC 2183 section 2, RFC 3282 section 2.  Pieces of RFC
2231 section 3 (``name*0``, ``name*1*``) are joined; values stay encoded (section 6).
Pieces with a gap stay as they came.

Broken parameters are passed over up to the next semicolon.

Limits: ``Limits.parameters``.
"""

import re
from typing import Final

from maildrop.message.limits import DEFAULT, Limits
from maildrop.message.strings import REPLACEMENT
from maildrop.message.tokens import BROKEN, END, MORE, Reader
from maildrop.text.charsets import decode
from maildrop.text.words import decode_words

#: Name and value pairs, in the order in which BODYSTRUCTURE shows them.
Parameters = list[tuple[bytes, bytes]]

_UNENDED: Final = re.compile(rb"[^; \t\r\n]*+").match
_PIECE: Final = re.compile(rb"([^*]*+)\*([0-9]*+)(\*?)").fullmatch
_PERCENT: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
#: What nearly all Content-Type values are.
_SIMPLE_TYPE: Final = re.compile(
    rb"([A-Za-z0-9-]++)/([A-Za-z0-9.+-]++)"
    rb'(?:;[ \t\n]*+([A-Za-z0-9-]++)=(?:"([^"\\\r\n\0]*+)"|([A-Za-z0-9_.+-]++)))?+;?+'
).fullmatch
_SIMPLE_TOKEN: Final = re.compile(rb"[A-Za-z0-9_-]++").fullmatch

#: One piece: number, whether percent-encoded, value.
_Piece = tuple[int, bool, bytes]


def media_type(
    value: bytes, limits: Limits = DEFAULT
) -> tuple[bytes, bytes, Parameters] | None:
    """Type, subtype and parameters of a Content-Type value, None when it is broken."""
    simple = _SIMPLE_TYPE(value)
    if simple:
        kind, subtype, name, quoted, token = simple.groups()
        if name is None:
            return kind, subtype, []
        return kind, subtype, [(name, token if quoted is None else quoted)]
    reader = Reader(value)
    reader.skip()
    ahead, kind = reader.token()
    if ahead is not MORE or not kind or not reader.at(b"/"):
        return None
    reader.pos += 1
    reader.skip()
    ahead, subtype = reader.token()
    if ahead is BROKEN or not subtype:
        return None
    if reader.pos < reader.end and not reader.at(b";"):
        return None
    return kind, subtype, _parameters(reader, limits.parameters)


def disposition(
    value: bytes, limits: Limits = DEFAULT
) -> tuple[bytes, Parameters] | None:
    """Type and parameters of a Content-Disposition value, None when it is broken."""
    if _SIMPLE_TOKEN(value):
        return value, []
    reader = Reader(value)
    reader.skip()
    ahead, kind = reader.token()
    if ahead is BROKEN:
        return None
    return kind, _parameters(reader, limits.parameters)


def encoding(value: bytes) -> bytes | None:
    """The token of a Content-Transfer-Encoding value, None when it is no token."""
    if _SIMPLE_TOKEN(value):
        return value
    reader = Reader(value)
    reader.skip()
    ahead, token = reader.token()
    return token if token and ahead is END else None


def languages(value: bytes, limits: Limits = DEFAULT) -> list[bytes]:
    """The tags of a Content-Language value."""
    reader = Reader(value)
    reader.skip()
    tags: list[bytes] = []
    while len(tags) < limits.parameters:
        ahead, tag = reader.atom()
        if not tag or ahead is BROKEN:
            break
        tags.append(tag)
        if not reader.at(b","):
            break
        reader.pos += 1
        reader.skip()
    return tags


def parameter(parameters: Parameters, name: bytes) -> bytes | None:
    """The value of the first parameter called ``name`` (lower case), undecoded."""
    for key, value in parameters:
        if key.lower() == name:
            return value
    return None


def decoded(parameters: Parameters, name: bytes) -> str | None:
    """The text of a parameter, whichever way it was written; None when not there.

    RFC 2231 section 4 first; then a plain value, whose encoded words (not allowed,
    often seen) are decoded.
    """
    extended = parameter(parameters, name + b"*")
    if extended is not None:
        charset, _language, text = (
            extended.split(b"'", 2)
            if extended.count(b"'") >= 2
            else (b"", b"", extended)
        )
        octets = _PERCENT.sub(lambda found: bytes([int(found[1], 16)]), text)
        return decode(octets, charset.decode("ascii", "replace") or "utf-8")
    value = parameter(parameters, name)
    return None if value is None else decode_words(value)


def _parameters(reader: Reader, limit: int) -> Parameters:
    """``*(";" parameter)``: RFC 2045 section 5.1."""
    found: Parameters = []
    pieces: dict[bytes, list[_Piece]] = {}
    count = 0
    while reader.pos < reader.end and count < limit:
        pair = _pair(reader)
        if pair is None:
            reader.pos += 1
            semicolon = reader.data.find(b";", reader.pos)
            reader.pos = reader.end if semicolon < 0 else semicolon
            continue
        count += 1
        name, value = pair
        piece = _PIECE(name) if b"*" in name else None
        if piece is None:
            found.append(pair)
        else:
            encoded = bool(piece[3]) or not piece[2]
            number = int(piece[2][:9] or b"0")
            pieces.setdefault(piece[1], []).append((number, encoded, value))
    for name in sorted(pieces):
        found.extend(_joined(name, sorted(pieces[name], key=lambda piece: piece[0])))
    return found


def _pair(reader: Reader) -> tuple[bytes, bytes] | None:
    if not reader.at(b";"):
        return None
    reader.pos += 1
    if reader.skip() is not MORE:
        return None
    ahead, name = reader.token()
    if ahead is not MORE or not reader.at(b"="):
        return None
    reader.pos += 1
    ahead = reader.skip()
    value = b""
    if ahead is MORE:
        if reader.at(b'"'):
            ahead, value = reader.quoted_string()
        elif reader.at(b"="):
            # Quirk: name==?utf-8?b?...?= of programs that forgot the quotes.
            found = _UNENDED(reader.data, reader.pos)
            if found:
                value = found[0].replace(b"\0", REPLACEMENT)
                reader.pos = found.end()
        else:
            ahead, value = reader.token()
    return None if ahead is BROKEN else (name, value)


def _joined(name: bytes, pieces: list[_Piece]) -> Parameters:
    """The pieces of one parameter as one: RFC 2231 sections 3 and 4.1."""
    if [piece[0] for piece in pieces] != list(range(len(pieces))):
        return [
            (b"%b*%d%b" % (name, number, b"*" if encoded else b""), value)
            for number, encoded, value in pieces
        ]
    if not any(encoded for _, encoded, _ in pieces):
        return [(name, b"".join(value for _, _, value in pieces))]
    start = b"" if pieces[0][1] else b"''"
    return [
        (
            name + b"*",
            start
            + b"".join(
                value if encoded else value.replace(b"%", b"%25")
                for _, encoded, value in pieces
            ),
        )
    ]
