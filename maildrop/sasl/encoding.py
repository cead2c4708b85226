"""Base64 as SASL lines carry it, taken strictly.

In this file:
    decode    octets of one base64 string
    encode    a base64 string of octets

Grammar: RFC 4648 section 4 with padding; no line ends, no blanks, no other alphabet.

Security: what two decoders read differently is refused (bits set beyond the last octet,
padding in the middle), as RFC 4648 section 3.5 advises.
"""

import binascii
from typing import Final

from maildrop.errors import LimitExceeded, ProtocolSyntaxError

#: RFC 4954 section 4 wants at least this much room for a line of base64.
OCTETS_MAX: Final = 12288


def decode(encoded: bytes, octets: int = OCTETS_MAX) -> bytes:
    """The octets that ``encoded`` stands for.

    Args:
        encoded: A base64 string; empty for no octets.
        octets: Longest string taken.

    Raises:
        LimitExceeded: It is longer than that.
        ProtocolSyntaxError: It is not base64.
    """
    if len(encoded) > octets:
        raise LimitExceeded(f"base64 over {octets} octets")
    try:
        decoded = binascii.a2b_base64(encoded, strict_mode=True)
    except binascii.Error:
        raise ProtocolSyntaxError("not base64") from None
    if binascii.b2a_base64(decoded, newline=False) != encoded:
        raise ProtocolSyntaxError("base64 with stray bits or padding")
    return decoded


def encode(octets: bytes) -> bytes:
    """``octets`` in base64, on one line without an end."""
    return binascii.b2a_base64(octets, newline=False)
