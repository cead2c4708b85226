"""Messages on their way into an mbox.

In this file:
    Staged       some of them, ready to be appended
    octets_of    the whole of a new message
    compose      the form it takes in the file
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from maildrop.mailbox.flags import ALL_SYSTEM
from maildrop.mailbox.interfaces import NewMessage
from maildrop.storage.mbox.format import from_line, status_fields, stored_form
from maildrop.storage.mbox.scan import digest

_RETURN_PATH: Final = re.compile(rb"(?:\A|\n)Return-Path: *<([^>\r\n]*)>")


@dataclass(slots=True)
class Staged:
    """Messages ready to be appended.

    Attributes:
        messages: As they were given.
        raw: What goes into the file for each.
        sizes: Octets of each.
        digests: Of the content of each.
        restoring: Keys of those that come back (``intent``).
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
        for message in messages:
            octets = octets_of(message)
            date = now if message.date is None else message.date
            asctime = time.asctime(time.gmtime(date)).encode()
            staged.raw.append(compose(octets, message, asctime))
            staged.sizes.append(len(octets))
            staged.digests.append(digest(octets))
        return staged


def octets_of(message: NewMessage) -> bytes:
    """Head and content, CRLF line ends."""
    return message.head + bytes(message.content.octets())


def compose(octets: bytes, message: NewMessage, asctime: bytes) -> bytes:
    """From_ line, content and blank line.

    Args:
        octets: What ``octets_of`` gives.
        message: Its flags and keywords, and who sent it.
        asctime: The date for the From_ line, in UTC.
    """
    sender = _RETURN_PATH.search(message.head)
    fields = status_fields(
        message.flags & ALL_SYSTEM,
        message.keywords,
        old=False,
        unterminated=not octets.endswith(b"\r\n"),
    )
    line = from_line(sender[1] if sender else b"", asctime)
    return line + stored_form(octets, fields) + b"\n"
