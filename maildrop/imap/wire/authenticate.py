"""AUTHENTICATE: log in by SASL (RFC 3501 section 6.2.2, RFC 4959).

In this file:
    Authenticate    the command
    parse           from octets
    challenge       what the server asks next
    response        what the client answers

Grammar:

    authenticate     = "AUTHENTICATE" SP auth-type [SP (base64 / "=")] CRLF
                       *(base64 CRLF)    ; "=" is an initial response of no octets

Security: what a client answers is kept out of ``repr``.
"""

import base64
import binascii
from dataclasses import dataclass, field

from maildrop.errors import ProtocolSyntaxError
from maildrop.imap.wire.arguments import Arguments


@dataclass(frozen=True, slots=True)
class Authenticate:
    """AUTHENTICATE.

    Attributes:
        tag: The command's.
        mechanism: Its name in upper case.
        initial: The initial response, decoded; None when there is none.
    """

    tag: bytes
    mechanism: str
    initial: bytes | None = field(default=None, repr=False)


def parse(tag: bytes, arguments: Arguments) -> Authenticate:
    """Read what follows the command's name."""
    arguments.space()
    mechanism = arguments.atom().upper().decode("ascii", "replace")
    initial = None
    if not arguments.at_end():
        arguments.space()
        text = arguments.rest().rstrip(b" ")
        initial = b"" if text == b"=" else decoded(text)
    return Authenticate(tag, mechanism, initial)


def decoded(text: bytes) -> bytes:
    """Base64 as RFC 4648 section 4 has it, padding and all.

    Raises:
        ProtocolSyntaxError: It is not; what it was is not said.
    """
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ProtocolSyntaxError("not base64") from None


def response(line: bytes) -> bytes | None:
    """A line that answers a challenge: its octets, None for "*".

    Raises:
        ProtocolSyntaxError: It is not base64.
    """
    line = line.rstrip(b" ")
    return None if line == b"*" else decoded(line)


def challenge(octets: bytes) -> bytes:
    """The continuation that carries a challenge."""
    return b"+ %b\r\n" % base64.b64encode(octets)
