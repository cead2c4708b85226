"""Messages on their way into an mbox.

In this file:
    Staged       some of them, ready to be appended
    octets_of    the whole of a new message
    compose      the form it takes in the file
    asctime      the date of a From_ line
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from maildrop.mailbox.flags import ALL_SYSTEM
from maildrop.mailbox.interfaces import NewMessage
from maildrop.storage.index.keyed import KEY
from maildrop.storage.mbox.format import from_line, status_fields, stored_form
from maildrop.storage.mbox.scan import digest

#: The years 1 to 9999, in seconds since 1970 UTC.
_FIRST: Final = -62135596800
_LAST: Final = 253402300799
_RETURN_PATH: Final = re.compile(rb"(?:\A|\n)Return-Path: *<([^>\r\n]*)>")


@dataclass(slots=True)
class Staged:
    """Messages ready to be appended.

    Attributes:
        messages: As they were given.
        raw: What goes into the file for each.
        sizes: Octets of each.
        digests: Of the content of each.
        restoring: Keys of those that have one, or come back (``intent``).
    """

    messages: Sequence[NewMessage]
    raw: list[bytes]
    sizes: list[int]
    digests: list[bytes]
    restoring: Sequence[bytes] = ()

    @classmethod
    def of(cls, messages: Sequence[NewMessage], now: float) -> "Staged":
        """Put messages into the form of the file.

        Args:
            messages: The messages.
            now: The date of those that have none.
        """
        staged = cls(messages, [], [], [])
        staged.restoring = [KEY + message.key for message in messages if message.key]
        for message in messages:
            octets = octets_of(message)
            date = now if message.date is None else message.date
            staged.raw.append(compose(octets, message, asctime(date)))
            staged.sizes.append(len(octets))
            staged.digests.append(digest(octets))
        return staged


def octets_of(message: NewMessage) -> bytes:
    """Head and content, CRLF line ends."""
    return message.head + bytes(message.content.octets())


def asctime(date: float) -> bytes:
    """A date for a From_ line, in UTC; beyond the years 1 to 9999 the nearest of them.

    The year has four digits in any case: without them it would begin no message.
    """
    at = time.gmtime(min(max(date, _FIRST), _LAST))
    text = time.asctime(at).rpartition(" ")[0]
    return f"{text} {at.tm_year:04}".encode()


def compose(octets: bytes, message: NewMessage, date: bytes) -> bytes:
    """From_ line, content and blank line.

    Args:
        octets: What ``octets_of`` gives.
        message: Its flags and keywords, and who sent it.
        date: What ``asctime`` gives.
    """
    sender = _RETURN_PATH.search(message.head)
    fields = status_fields(
        message.flags & ALL_SYSTEM,
        message.keywords,
        old=False,
        unterminated=not octets.endswith(b"\r\n"),
    )
    line = from_line(sender[1] if sender else b"", date)
    return line + stored_form(octets, fields) + b"\n"
