"""NAMESPACE: ask where mailboxes are (RFC 2342 section 5).

In this file:
    Namespace    the command
    parse            from octets

Grammar: the word alone.
"""

from dataclasses import dataclass

from maildrop.imap.wire.arguments import Arguments


@dataclass(frozen=True, slots=True)
class Namespace:
    """NAMESPACE."""

    tag: bytes


def parse(tag: bytes, arguments: Arguments) -> Namespace:
    """Read what follows the command's name: nothing."""
    arguments.end()
    return Namespace(tag)
