"""Messages on their way into an mbox.

In this file:
    octets_of    the whole of a new message
    compose      the form it takes in the file
"""

import re
from typing import Final

from maildrop.mailbox.flags import ALL_SYSTEM
from maildrop.mailbox.interfaces import NewMessage
from maildrop.storage.mbox.format import from_line, status_fields, stored_form

_RETURN_PATH: Final = re.compile(rb"(?:\A|\n)Return-Path: *<([^>\r\n]*)>")


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
