"""Status lines of POP3.

In this file:
    Code         response codes (RFC 2449 section 8)
    ok, err      status lines
    challenge    a line of a SASL exchange

Grammar, RFC 2449 section 4 (255 octets in all, CRLF included):

    status = ( "+OK" / "-ERR" ) [ SP [ "[" code "]" SP ] text ] CRLF
"""

import enum


class Code(enum.Enum):
    """Response codes."""

    IN_USE = b"IN-USE"  # RFC 2449 section 8.1.2
    LOGIN_DELAY = b"LOGIN-DELAY"  # RFC 2449 section 8.1.1
    SYS_TEMP = b"SYS/TEMP"  # RFC 3206 section 4
    SYS_PERM = b"SYS/PERM"
    AUTH = b"AUTH"  # RFC 3206 section 5


def ok(text: bytes) -> bytes:
    """A positive status line."""
    return b"+OK %b\r\n" % text


def err(text: bytes, code: Code | None = None) -> bytes:
    """A negative status line."""
    if code is None:
        return b"-ERR %b\r\n" % text
    return b"-ERR [%b] %b\r\n" % (code.value, text)


def challenge(encoded: bytes) -> bytes:
    """A challenge of a SASL exchange, in base64 (RFC 5034 section 4)."""
    return b"+ %b\r\n" % encoded
