"""Strings as IMAP writes them: NIL, quoted, or a literal.

In this file:
    nstring      RFC 3501 section 9 ``nstring``
    human        the same for a text that people read, white space put in order
    NIL          no value

An octet over 127, CR or LF needs a literal; so do more than four characters that would
need a backslash.  NUL is allowed in neither form (``CHAR8``); U+FFFD stands for it.
"""

import re
from typing import Final

NIL: Final = b"NIL"

#: U+FFFD REPLACEMENT CHARACTER in UTF-8.
REPLACEMENT: Final = b"\xef\xbf\xbd"

_ESCAPES_MAX: Final = 4
_PLAIN: Final = re.compile(rb'[^\0\r\n"\\\x80-\xff]*+').fullmatch
_TIDY: Final = re.compile(
    rb'[^\0\r\n\t "\\\x80-\xff]*+(?: [^\0\r\n\t "\\\x80-\xff]++)*+'
).fullmatch
_NEEDS_LITERAL: Final = re.compile(rb"[\r\n\x80-\xff]").search
_SPACES: Final = re.compile(rb"[ \t\r\n]++")
_QUOTED_SPECIALS: Final = re.compile(rb'["\\]')


def literal(value: bytes) -> bytes:
    """``literal``: the length in braces, CRLF, the octets."""
    return b"{%d}\r\n%b" % (len(value), value)


def nstring(value: bytes | None) -> bytes:
    """``nstring`` of some octets, NIL of None."""
    if value is None:
        return NIL
    if _PLAIN(value):
        return b'"%b"' % value
    value = value.replace(b"\0", REPLACEMENT)
    if _NEEDS_LITERAL(value):
        return literal(value)
    escaped, count = _QUOTED_SPECIALS.subn(rb"\\\g<0>", value)
    return literal(value) if count > _ESCAPES_MAX else b'"%b"' % escaped


def human(value: bytes | None) -> bytes:
    """``nstring`` of a subject or display name, runs of white space as one space."""
    if value is None:
        return NIL
    if _TIDY(value) and not value.startswith(b" "):
        return b'"%b"' % value
    value = _SPACES.sub(b" ", value.replace(b"\0", REPLACEMENT)).strip(b" ")
    return literal(value) if value else b'""'
