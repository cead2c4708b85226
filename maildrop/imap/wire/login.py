"""LOGIN: log in by name and password (RFC 3501 section 6.2.3).

In this file:
    Login    the command
    parse    from octets

Grammar: login = "LOGIN" SP userid SP password    ; both are astring

Security: the password is kept out of ``repr``.  Both are UTF-8 beyond ASCII, which
RFC 3501 leaves open; other octets are a ``ProtocolSyntaxError``.
"""

from dataclasses import dataclass, field

from maildrop.errors import ProtocolSyntaxError
from maildrop.imap.wire.arguments import Arguments


@dataclass(frozen=True, slots=True)
class Login:
    """LOGIN."""

    tag: bytes
    name: str
    password: str = field(repr=False)


def parse(tag: bytes, arguments: Arguments) -> Login:
    """Read what follows the command's name."""
    arguments.space()
    name = arguments.astring()
    arguments.space()
    password = arguments.astring()
    arguments.end()
    try:
        return Login(tag, name.decode(), password.decode())
    except UnicodeDecodeError:
        raise ProtocolSyntaxError("a name or password that is not UTF-8") from None
