"""STARTTLS: begin TLS (RFC 3501 section 6.2.1).

In this file:
    Starttls    the command
    parse           from octets

Grammar: the word alone.
"""

from dataclasses import dataclass

from maildrop.imap.wire.arguments import Arguments


@dataclass(frozen=True, slots=True)
class Starttls:
    """STARTTLS."""

    tag: bytes


def parse(tag: bytes, arguments: Arguments) -> Starttls:
    """Read what follows the command's name: nothing."""
    arguments.end()
    return Starttls(tag)
