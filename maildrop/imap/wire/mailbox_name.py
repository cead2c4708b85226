r"""Mailbox names on the wire: modified UTF-7 (RFC 3501 section 5.1.3).

In this file:
    decode    octets of a client to the name
    level     one level of a name, as a store keeps it
    encode    a name to octets

Format: printable ASCII stands for itself, but "&" is "&-"; everything else is UTF-16
in base64 with "," for "/" and no padding, between "&" and "-".  There is one way only
to write a name, and ``decode`` takes no other, or two names would be one mailbox.

Tolerated: octets above 127 that are UTF-8.  Such clients write "&" as it is, so an
"&" that begins nothing valid is then itself.

INBOX in any case is INBOX (section 5.1).  Levels stay joined as the client joined them:
which separator it was told of is for the session to know.

Errors: ``ProtocolSyntaxError`` with the offset in the name.

Security: control characters and NUL decode; which names a mailbox may have is for the
layer that makes mailboxes to say.
"""

import base64
import binascii
import codecs
import re
from typing import Final

from maildrop.errors import ProtocolSyntaxError

_SHIFTED: Final = re.compile(rb"&([A-Za-z0-9+,]*)(-?)")
_FOREIGN: Final = re.compile(r"[^\x20-\x7e]+")
_AMPERSAND: Final = 38
#: Loaded now: once names are read with the rights of a user, Python's own files may be
#: out of reach.
_UTF_16: Final = codecs.lookup("utf-16-be").name


def decode(octets: bytes) -> str:
    """The name that a client wrote.

    Raises:
        ProtocolSyntaxError: It is neither modified UTF-7 nor UTF-8.
    """
    name = level(octets)
    return "INBOX" if len(name) == 5 and name.upper() == "INBOX" else name


def level(octets: bytes) -> str:
    """The same for one level of a name: "Inbox" is itself.

    Raises:
        ProtocolSyntaxError: It is neither modified UTF-7 nor UTF-8.
    """
    try:
        name = octets.decode()
    except UnicodeDecodeError as error:
        raise ProtocolSyntaxError("a mailbox name in no charset", error.start) from None
    return _unshifted(octets) if "&" in name and name.isascii() else name


def _unshifted(octets: bytes) -> str:
    pieces = []
    at = 0
    while (start := octets.find(b"&", at)) >= 0:
        pieces.append(octets[at:start].decode("ascii"))
        match = _SHIFTED.match(octets, start)
        if match is None or not match[2]:
            raise ProtocolSyntaxError('"&" without its "-"', start)
        pieces.append(_foreign(match[1], start) if match[1] else "&")
        at = match.end()
        if match[1] and octets[at : at + 1] == b"&" and octets[at + 1 : at + 2] != b"-":
            raise ProtocolSyntaxError("base64 shifted in twice", at)
    pieces.append(octets[at:].decode("ascii"))
    return "".join(pieces)


def _foreign(text: bytes, offset: int) -> str:
    """What stands between "&" and "-"; only the canonical form is taken."""
    padding = b"=" * (-len(text) % 4)
    try:
        utf16 = base64.b64decode(text.replace(b",", b"/") + padding, validate=True)
        name = utf16.decode(_UTF_16)
    except (binascii.Error, UnicodeDecodeError):
        raise ProtocolSyntaxError("bad modified UTF-7", offset) from None
    if _shifted(name) != text or any(" " <= char <= "~" for char in name):
        raise ProtocolSyntaxError("modified UTF-7 that is not canonical", offset)
    return name


def _shifted(text: str) -> bytes:
    coded = base64.b64encode(text.encode(_UTF_16))
    return coded.rstrip(b"=").replace(b"/", b",")


def encode(name: str) -> bytes:
    """The octets of a name, all printable ASCII; quoting is the caller's business.

    A lone surrogate, which no octets from ``decode`` yield, becomes U+FFFD.
    """
    if "&" not in name and name.isascii() and name.isprintable():
        return name.encode("ascii")
    name = name.encode(_UTF_16, "surrogatepass").decode(_UTF_16, "replace")
    coded = _FOREIGN.sub(
        lambda match: f"\0{_shifted(match[0]).decode('ascii')}-",
        name.replace("&", "&-"),
    )
    return coded.replace("\0", "&").encode("ascii")
