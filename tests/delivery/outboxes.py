"""Outboxes for tests.

In this file:
    Kept       keeps what is put into it
    PLACING    every domain but example.org is somebody else's
"""

from dataclasses import dataclass, field

from maildrop.delivery.placing import Placing
from maildrop.durable import Content
from maildrop.errors import MaildropError
from maildrop.queue.entry import Entry

PLACING = Placing(lambda domain: domain in {"", "example.org"})


@dataclass
class Kept:
    """Keeps what is put into it, or fails."""

    entries: list[Entry] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    error: MaildropError | None = None

    async def put(self, entry: Entry, content: Content, before: bytes) -> None:
        if self.error is not None:
            raise self.error
        self.entries.append(entry)
        self.messages.append(before + bytes(content.octets()))
