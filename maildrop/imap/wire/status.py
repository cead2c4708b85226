"""STATUS: the numbers of a mailbox (RFC 3501 section 6.3.10).

In this file:
    Status      the command
    ITEMS       the numbers there are
    parse       from octets
    response    the untagged response

Grammar: status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from maildrop.imap.wire.arguments import Arguments
from maildrop.imap.wire.syntax import mailbox as written

#: RFC 3501 section 9, "status-att".
ITEMS: Final = frozenset(
    {b"MESSAGES", b"RECENT", b"UIDNEXT", b"UIDVALIDITY", b"UNSEEN"}
)


@dataclass(frozen=True, slots=True)
class Status:
    """STATUS; ``items`` are of ``ITEMS``, each once, in the client's order."""

    tag: bytes
    mailbox: str
    items: tuple[bytes, ...]


def parse(tag: bytes, arguments: Arguments) -> Status:
    """Read what follows the command's name."""
    arguments.space()
    mailbox = arguments.mailbox()
    arguments.space()
    items = status_items(arguments)
    arguments.end()
    return Status(tag, mailbox, items)


def status_items(arguments: Arguments) -> tuple[bytes, ...]:
    """The list of items in parentheses."""
    arguments.expect(b"(")
    items: dict[bytes, None] = {}
    while True:
        item = arguments.word()
        if item not in ITEMS:
            raise arguments.error("expected a status item")
        items[item] = None
        if arguments.take(b")"):
            return tuple(items)
        arguments.space()


def response(mailbox: str, values: Iterable[tuple[bytes, int]]) -> bytes:
    """STATUS: items and their numbers (RFC 3501 section 7.2.4)."""
    pairs = b" ".join(b"%b %d" % pair for pair in values)
    return b"* STATUS %b (%b)\r\n" % (written(mailbox), pairs)
