"""CAPABILITY: ask what the server can do (RFC 3501 section 6.1.1).

In this file:
    Capability    the command
    parse             from octets

Grammar: the word alone.
"""

from dataclasses import dataclass

from maildrop.imap.wire.arguments import Arguments


@dataclass(frozen=True, slots=True)
class Capability:
    """CAPABILITY."""

    tag: bytes


def parse(tag: bytes, arguments: Arguments) -> Capability:
    """Read what follows the command's name: nothing."""
    arguments.end()
    return Capability(tag)
