"""LSUB: which subscribed mailboxes there are (RFC 3501 section 6.3.9).

In this file:
    Lsub        the command
    parse       from octets
    response    the untagged response

Grammar: lsub = "LSUB" SP mailbox SP list-mailbox
"""

from collections.abc import Iterable
from dataclasses import dataclass

from maildrop.imap.wire import list_
from maildrop.imap.wire.arguments import Arguments


@dataclass(frozen=True, slots=True)
class Lsub:
    """LSUB: a reference, and a pattern with "%" and "*"."""

    tag: bytes
    reference: str
    pattern: str


def parse(tag: bytes, arguments: Arguments) -> Lsub:
    """Read what follows the command's name."""
    arguments.space()
    reference = arguments.mailbox()
    arguments.space()
    pattern = arguments.list_mailbox()
    arguments.end()
    return Lsub(tag, reference, pattern)


def response(
    name: str, separator: str | None, attributes: Iterable[bytes] = ()
) -> bytes:
    """LSUB: one subscribed mailbox (section 7.2.3)."""
    return list_.response(name, separator, attributes, command=b"LSUB")
