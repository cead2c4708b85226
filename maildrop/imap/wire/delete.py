"""DELETE: remove a mailbox (RFC 3501 section 6.3.4).

In this file:
    Delete    the command
    parse         from octets

Grammar: delete = "DELETE" SP mailbox
"""

from dataclasses import dataclass

from maildrop.imap.wire.arguments import Arguments


@dataclass(frozen=True, slots=True)
class Delete:
    """DELETE: the mailbox is named as the client wrote it, decoded."""

    tag: bytes
    mailbox: str


def parse(tag: bytes, arguments: Arguments) -> Delete:
    """Read what follows the command's name."""
    arguments.space()
    mailbox = arguments.mailbox()
    arguments.end()
    return Delete(tag, mailbox)
