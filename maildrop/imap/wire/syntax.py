r"""How values are written: strings, mailbox names, lists of flags.

In this file:
    quoted, literal        a string, one way or the other
    string, nstring        whichever fits
    astring                an atom where it may be one
    mailbox                a mailbox's name
    SYSTEM_FLAG_LISTS      system flags of every combination, without parentheses

Grammar: RFC 3501 section 9.
"""

import re
from typing import Final

from maildrop.imap.wire import mailbox_name
from maildrop.message.flags import SYSTEM_FLAGS

#: The bit of ``\Recent`` in the index of ``SYSTEM_FLAG_LISTS``.
RECENT: Final = 32

#: ``SYSTEM_FLAG_LISTS[bits | RECENT]`` is ``b"\\Seen \\Recent"`` for SEEN.
SYSTEM_FLAG_LISTS: Final[tuple[bytes, ...]] = tuple(
    " ".join(
        name
        for name, bit in (*SYSTEM_FLAGS.items(), ("\\Recent", RECENT))
        if bits & bit
    ).encode("ascii")
    for bits in range(64)
)

_ATOM: Final = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\]+').fullmatch
_QUOTABLE: Final = re.compile(rb"[^\x00\r\n\x80-\xff]*").fullmatch


def quoted(octets: bytes) -> bytes:
    """A quoted string; the octets are 7-bit and without NUL, CR and LF."""
    if b"\\" in octets or b'"' in octets:
        octets = octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"%b"' % octets


def literal(octets: bytes) -> bytes:
    """A literal, which may hold anything but NUL."""
    return b"{%d}\r\n%b" % (len(octets), octets)


def string(octets: bytes) -> bytes:
    """A quoted string if it can be one and is not long, else a literal."""
    if len(octets) <= 1024 and _QUOTABLE(octets):
        return quoted(octets)
    return literal(octets)


def nstring(octets: bytes | None) -> bytes:
    """A string, or NIL for None."""
    return b"NIL" if octets is None else string(octets)


def astring(octets: bytes) -> bytes:
    """An atom if it can be one, else a string.

    ``NIL`` is quoted: clients take the bare word for nothing.
    """
    if _ATOM(octets) and octets.upper() != b"NIL":
        return octets
    return string(octets)


def mailbox(name: str) -> bytes:
    """A mailbox's name in modified UTF-7."""
    return astring(mailbox_name.encode(name))
