"""LOGOUT: end the session (RFC 3501 section 6.1.3).

In this file:
    Logout    the command
    parse         from octets

Grammar: the word alone.
"""

from dataclasses import dataclass

from maildrop.imap.wire.arguments import Arguments


@dataclass(frozen=True, slots=True)
class Logout:
    """LOGOUT."""

    tag: bytes


def parse(tag: bytes, arguments: Arguments) -> Logout:
    """Read what follows the command's name: nothing."""
    arguments.end()
    return Logout(tag)
