"""CLOSE: expunge in silence and leave the mailbox (RFC 3501 section 6.4.2).

In this file:
    Close    the command
    parse        from octets

Grammar: the word alone.
"""

from dataclasses import dataclass

from maildrop.imap.wire.arguments import Arguments


@dataclass(frozen=True, slots=True)
class Close:
    """CLOSE."""

    tag: bytes


def parse(tag: bytes, arguments: Arguments) -> Close:
    """Read what follows the command's name: nothing."""
    arguments.end()
    return Close(tag)
