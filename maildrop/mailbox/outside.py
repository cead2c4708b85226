"""Mail outside of our stores: what an import reads and an export writes.

In this file:
    Outside                  a message there
    OutsideNumbers           the numbers of a mailbox there
    Source, SourceMailbox    what is imported: files of some program, a server
    Target, TargetMailbox    what is exported: files
    TargetInUse              something is there already

Memory: a source hands over one message after the other, a target takes some at a time.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from maildrop.durable import Content
from maildrop.errors import PermanentError


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

    @property
    def passed_over(self) -> Sequence[str]:
        """What looks like a mailbox and has a name that none may have."""

    def mailboxes(self) -> list[SourceMailbox]:
        """Its mailboxes, INBOX first."""

    def subscriptions(self) -> list[str] | None:
        """Subscribed names; None where there is no such thing."""

    def close(self) -> None:
        """Let go."""


class TargetInUse(PermanentError):
    """Something is where an export is to be written; the text says what to do."""


class TargetMailbox(Protocol):
    """A mailbox that an export writes."""

    def add(self, messages: Sequence[Outside]) -> str:
        """Add messages, on disk when this returns.

        Returns:
            How far it is: what ``Target.open`` takes to go on.
        """

    def close(self) -> None:
        """Let go."""


class Target(Protocol):
    """Where an export is written."""

    @property
    def identity(self) -> str:
        """What it is, the same the next time."""

    def check(self, name: str, so_far: str | None) -> None:
        """See whether a mailbox may be written; changes nothing.

        Args:
            name: Levels joined by "/".
            so_far: What ``add`` said last; None if nothing was written yet.

        Raises:
            TargetInUse: Something is there that no export wrote, or that was changed
                since.
        """

    def open(
        self, name: str, so_far: str | None, keywords: Sequence[str]
    ) -> TargetMailbox:
        """A mailbox to be written, made if it is new.

        What an interrupted export left behind ``so_far`` is taken back, or found again
        when it is written again.

        Args:
            name: Levels joined by "/".
            so_far: As for ``check``.
            keywords: All keywords that messages of it may have.
        """

    def subscribe(self, names: Sequence[str]) -> None:
        """Keep the subscribed names, if there is a place for them."""
