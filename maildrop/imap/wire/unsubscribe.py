"""UNSUBSCRIBE: take a mailbox from the subscriptions (RFC 3501 section 6.3.7).

In this file:
    Unsubscribe    the command
    parse              from octets

Grammar: unsubscribe = "UNSUBSCRIBE" SP mailbox
"""

from dataclasses import dataclass

from maildrop.imap.wire.arguments import Arguments


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """UNSUBSCRIBE: the mailbox is named as the client wrote it, decoded."""

    tag: bytes
    mailbox: str


def parse(tag: bytes, arguments: Arguments) -> Unsubscribe:
    """Read what follows the command's name."""
    arguments.space()
    mailbox = arguments.mailbox()
    arguments.end()
    return Unsubscribe(tag, mailbox)
