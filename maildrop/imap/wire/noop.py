"""NOOP: do nothing, and hear of news (RFC 3501 section 6.1.2).

In this file:
    Noop    the command
    parse       from octets

Grammar: the word alone.
"""

from dataclasses import dataclass

from maildrop.imap.wire.arguments import Arguments


@dataclass(frozen=True, slots=True)
class Noop:
    """NOOP."""

    tag: bytes


def parse(tag: bytes, arguments: Arguments) -> Noop:
    """Read what follows the command's name: nothing."""
    arguments.end()
    return Noop(tag)
