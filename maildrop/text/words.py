"""Encoded words of header fields: RFC 2047, with RFC 2231 section 5 (language).

In this file:
    decode_words    a field value with its encoded words as text

Words of one charset and encoding that follow each other are joined before they are
decoded, since senders cut multi-octet letters apart (against section 5); white space
between encoded words is dropped (section 6.2).  What cannot be decoded stays as it is.
Octets over 127 outside of encoded words are taken as UTF-8 (RFC 6532) or windows-1252.

Security: one pass; nothing decoded is looked at for encoded words again.
"""

import base64
import binascii
import re
from typing import Final

from maildrop.text.charsets import decode

_WORD: Final = re.compile(
    rb"=\?([^? \t\r\n]{1,128})\?([BbQq])\?([^?\r\n]*+)\?="
    # Some senders leave spaces or question marks inside; up to the first "?=".
)
_BETWEEN: Final = re.compile(rb"[ \t\r\n]*+").fullmatch
_HEX: Final = re.compile(rb"=([0-9A-Fa-f]{2})")
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/]")


def decode_words(value: bytes) -> str:
    """A header field value as text."""
    if b"=?" not in value:
        return decode(value)
    pieces: list[str] = []
    joined: list[bytes] = []
    charset = b""
    pos = 0
    for found in _WORD.finditer(value):
        between = value[pos : found.start()]
        octets = _octets(found[2], found[3])
        name = found[1].partition(b"*")[0].lower()
        if joined and (name != charset or not _BETWEEN(between)):
            pieces.append(decode(b"".join(joined), charset.decode("ascii", "replace")))
            joined = []
            if not _BETWEEN(between):
                pieces.append(decode(between))
        elif not joined and between:
            pieces.append(decode(between))
        charset = name
        joined.append(octets)
        pos = found.end()
    if joined:
        pieces.append(decode(b"".join(joined), charset.decode("ascii", "replace")))
    pieces.append(decode(value[pos:]))
    return "".join(pieces)


def _octets(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"Qq":
        return _HEX.sub(
            lambda found: bytes([int(found[1], 16)]), text.replace(b"_", b" ")
        )
    letters = _NOT_BASE64.sub(b"", text)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    try:
        return base64.b64decode(letters + b"=" * (-len(letters) % 4))
    except binascii.Error:
        return text
