"""Content-Transfer-Encoding: what the octets of a body stand for.

In this file:
    decode_transfer    base64 and quoted-printable undone

Grammar: RFC 2045 section 6.  Octets that base64 does not know are passed over, as
section 6.8 says, and a cut end is read as far as it goes; padding ends it.  An encoding
that nobody knows leaves the octets as they are.
"""

import binascii
import re
from typing import Final

_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/]++")


def decode_transfer(octets: bytes, encoding: bytes | None) -> bytes:
    """The body behind an encoding; never fails.

    Args:
        octets: As they are in the message.
        encoding: The token of the field, in any case; None when there is none.
    """
    name = b"" if encoding is None else encoding.lower()
    if name == b"base64":
        return _base64(octets)
    if name == b"quoted-printable":
        return binascii.a2b_qp(octets)
    return octets


def _base64(octets: bytes) -> bytes:
    letters = _NOT_BASE64.sub(b"", octets.partition(b"=")[0])
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
