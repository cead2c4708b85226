"""Mail outside of our stores: what an import reads.

In this file:
    Outside           a message there
    OutsideNumbers    the numbers of a mailbox there
    SourceMailbox     a mailbox there
    Source            all of it: files of some program, a server

Memory: a source hands over one message after the other.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from maildrop.durable import Content


@dataclass(frozen=True, slots=True)
class Outside:
    """A message outside of our stores.

    Attributes:
        key: Names it within its mailbox, now and the next time one looks.
        content: Its octets, CRLF line ends.
        flags: System flags as bits.
        keywords: Keyword names.
        date: INTERNALDATE, seconds since 1970 UTC; None if nobody knows.
        uid: Its UID, 0 if it has none.
        uidl: Its POP3 unique id, empty if nobody knows.
    """

    key: bytes
    content: Content
    flags: int = 0
    keywords: tuple[str, ...] = ()
    date: int | None = None
    uid: int = 0
    uidl: bytes = b""


@dataclass(frozen=True, slots=True)
class OutsideNumbers:
    """The numbers of a mailbox there (RFC 3501 section 2.3.1.1, RFC 7162)."""

    uid_validity: int
    uid_next: int
    highest_mod_seq: int = 0


class SourceMailbox(Protocol):
    """A mailbox of a source."""

    @property
    def name(self) -> str:
        """Levels joined by "/"."""

    @property
    def special_use(self) -> tuple[str, ...]:
        """RFC 6154 attributes."""

    @property
    def messages(self) -> int:
        """About how many there are; 0 if that is not known before they are read."""

    @property
    def numbers(self) -> OutsideNumbers | None:
        """Its numbers, if its messages have UIDs."""

    def read(self, wanted: Callable[[bytes], bool]) -> Iterator[Outside]:
        """The messages, in their order.

        Args:
            wanted: Told a key, says whether the message is to be read; a source may
                hand over others too.
        """


class Source(Protocol):
    """Mail that is to be imported."""

    @property
    def identity(self) -> str:
        """What it is, the same the next time: a path, a user at a server."""

    @property
    def whole(self) -> bool:
        """Whether it is all that the user has: nothing is missing that is not in it."""

    def mailboxes(self) -> list[SourceMailbox]:
        """Its mailboxes, INBOX first."""

    def subscriptions(self) -> list[str] | None:
        """Subscribed names; None where there is no such thing."""

    def close(self) -> None:
        """Let go."""
