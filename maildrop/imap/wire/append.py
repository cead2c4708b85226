r"""APPEND: put a message into a mailbox (RFC 3501 section 6.3.11).

In this file:
    Append           the command, up to where its message begins
    AppendMessage    what it says of the message
    parse            from octets

Grammar:

    append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP literal

The message is not here: it comes in pieces after the session has accepted it (see
``reader``), so that a large one is never in memory.
"""

from dataclasses import dataclass

from maildrop.imap.wire import dates
from maildrop.imap.wire.arguments import Arguments


@dataclass(frozen=True, slots=True)
class AppendMessage:
    """What APPEND says of a message.

    Attributes:
        size: Octets of it.
        synchronizing: The client waits for "+" before it sends them.
        flags: System flags as bits.
        keywords: Keyword names.
        date: Seconds since 1970 UTC, None when not given.
    """

    size: int
    synchronizing: bool
    flags: int = 0
    keywords: tuple[str, ...] = ()
    date: int | None = None


@dataclass(frozen=True, slots=True)
class Append:
    """APPEND: call ``CommandReader.accept_literal`` or ``refuse_literal`` next.

    When accepted, write "+" first if ``message.synchronizing``; then ``LiteralChunk``
    events follow, then ``AppendEnd`` or ``BadCommand``.
    """

    tag: bytes
    mailbox: str
    message: AppendMessage


def parse(tag: bytes, arguments: Arguments) -> Append:
    """Read what follows the command's name, to the announcement of the literal."""
    arguments.space()
    mailbox = arguments.mailbox()
    arguments.space()
    return Append(tag, mailbox, _message(arguments))


def _message(arguments: Arguments) -> AppendMessage:
    flags = 0
    keywords: tuple[str, ...] = ()
    date = None
    if arguments.next_is(b"("):
        flags, keywords = arguments.flag_list()
        arguments.space()
    if arguments.next_is(b'"'):
        start = arguments.at
        date = dates.seconds(arguments.string(), start)
        arguments.space()
    size, synchronizing = arguments.announcement()
    return AppendMessage(size, synchronizing, flags, keywords, date)
