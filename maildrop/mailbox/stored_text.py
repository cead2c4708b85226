"""The folded text of messages, kept by a store so that SEARCH need not read them.

In this file:
    StoredText    it, for one mailbox
    Where         in which part of a message text is looked for
    Found         what a look found

It *covers* messages in the order of their UIDs: all up to one UID, and those after it
when they are added, as searches come to need them.  Calls may wait for the disk and
touch nothing but the text itself, so they may run in a thread beside other calls on the
mailbox, one at a time.

What is found is what ``message.searchable`` would find in the message.
"""

import enum
from array import array
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Protocol


class Where(enum.Enum):
    """In which part of a message text is looked for."""

    HEADER = enum.auto()
    BODY = enum.auto()
    ANYWHERE = enum.auto()


@dataclass(slots=True)
class Found:
    """What a look at some messages found.

    Attributes:
        upto: The UID up to which messages were looked at.
        fits: UIDs of those that fit, ascending.
        absent: UIDs of those that have to be read to know.
    """

    upto: int
    fits: "array[int]" = field(default_factory=lambda: array("I"))
    absent: "array[int]" = field(default_factory=lambda: array("I"))


class StoredText(Protocol):
    """The text of one mailbox's messages."""

    @property
    def begun(self) -> bool:
        """Whether there is any, as far as this process knows; waits for nothing."""

    @property
    def last(self) -> int:
        """Up to which UID messages are covered, likewise."""

    @property
    def octets(self) -> int:
        """How much room it takes, likewise."""

    def covered(self) -> int:
        """Up to which UID messages are covered, by now."""

    def add(
        self, uids: Sequence[int], messages: Sequence[bytes | None], after: int
    ) -> int:
        """Cover the next messages.

        Args:
            uids: Of all messages after ``after`` up to some other, ascending.
            messages: The messages; None for one that could not be read.
            after: Up to where messages are covered; if that is not so any more,
                nothing is done.

        Returns:
            The UID up to which messages are covered now.

        Raises:
            TemporaryError, AccessDenied: Nothing was added.
        """

    def find(self, text: str, uids: "array[int]", after: int, where: Where) -> Found:
        """Look for text in some of the messages that are covered.

        Args:
            text: What to find, folded; not empty.
            uids: The messages in question, ascending.
            after: The UID behind which to begin; a further call goes on at ``upto``
                of what was found, until that is no more than ``after``.
            where: In which part of the messages.
        """

    def untidy(self, uids: Sequence[int]) -> bool:
        """Whether ``tidy`` is worth it; ``uids`` are all there are, ascending."""

    def tidy(self, uids: Sequence[int]) -> Generator[None, None, None]:
        """Forget messages that are gone, in steps between which others may be called.

        Args:
            uids: Of all messages that are there, ascending.

        Raises:
            TemporaryError, AccessDenied: All is as it was.
        """
