"""RENAME: give a mailbox another name (RFC 3501 section 6.3.5).

In this file:
    Rename    the command
    parse     from octets

Grammar: rename = "RENAME" SP mailbox SP mailbox
"""

from dataclasses import dataclass

from maildrop.imap.wire.arguments import Arguments


@dataclass(frozen=True, slots=True)
class Rename:
    """RENAME."""

    tag: bytes
    mailbox: str
    new_mailbox: str


def parse(tag: bytes, arguments: Arguments) -> Rename:
    """Read what follows the command's name."""
    arguments.space()
    mailbox = arguments.mailbox()
    arguments.space()
    new_mailbox = arguments.mailbox()
    arguments.end()
    return Rename(tag, mailbox, new_mailbox)
