"""UNSELECT: leave the mailbox and expunge nothing (RFC 3691 section 2).

In this file:
    Unselect    the command
    parse           from octets

Grammar: the word alone.
"""

from dataclasses import dataclass

from maildrop.imap.wire.arguments import Arguments


@dataclass(frozen=True, slots=True)
class Unselect:
    """UNSELECT."""

    tag: bytes


def parse(tag: bytes, arguments: Arguments) -> Unselect:
    """Read what follows the command's name: nothing."""
    arguments.end()
    return Unselect(tag)
