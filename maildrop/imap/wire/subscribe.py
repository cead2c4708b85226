"""SUBSCRIBE: add a mailbox to the subscriptions (RFC 3501 section 6.3.6).

In this file:
    Subscribe    the command
    parse            from octets

Grammar: subscribe = "SUBSCRIBE" SP mailbox
"""

from dataclasses import dataclass

from maildrop.imap.wire.arguments import Arguments


@dataclass(frozen=True, slots=True)
class Subscribe:
    """SUBSCRIBE: the mailbox is named as the client wrote it, decoded."""

    tag: bytes
    mailbox: str


def parse(tag: bytes, arguments: Arguments) -> Subscribe:
    """Read what follows the command's name."""
    arguments.space()
    mailbox = arguments.mailbox()
    arguments.end()
    return Subscribe(tag, mailbox)
