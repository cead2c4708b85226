"""What a store keeps of messages that were expunged, so that they can come back.

In this file:
    Keeping         for how long, and how much
    Kept            one expunged message that is still there
    Restored        where it is again
    Freed           what was given up
    KeepingStore    the calls, a part of ``interfaces.Store``

A message is kept when it is expunged on behalf of a user (EXPUNGE, CLOSE, QUIT of POP3,
expiry) or goes with a mailbox that is deleted; not when it goes because it was moved,
or because a delivery is taken back.  What is kept is in no mailbox: no client sees it,
no quota counts it.  What other programs remove nobody keeps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Keeping:
    """How expunged messages are kept.

    Attributes:
        seconds: For how long; 0 keeps none.
        octets: How much of one account, the oldest given up first; 0 is no limit.
    """

    seconds: float = 0.0
    octets: int = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """One expunged message that is still there.

    Attributes:
        mailbox: The mailbox it was in.
        uid_validity: Of that mailbox, then.
        uid: In that mailbox.
        expunged: When it went, in seconds since 1970 UTC.
        date: INTERNALDATE, in seconds since 1970 UTC.
        size: Octets with CRLF line ends.
        flags: System flags as bits.
        keywords: Keyword names.
        place: Where the store has it; means nothing to others.
    """

    mailbox: str
    uid_validity: int
    uid: int
    expunged: float
    date: int
    size: int
    flags: int
    keywords: tuple[str, ...]
    place: str


@dataclass(frozen=True, slots=True)
class Restored:
    """A message that was brought back.

    Attributes:
        kept: What it was.
        mailbox: Where it is.
        uid: Its new UID there.
    """

    kept: Kept
    mailbox: str
    uid: int


@dataclass(frozen=True, slots=True)
class Freed:
    """What was given up.

    Attributes:
        messages: How many.
        octets: On disk.
    """

    messages: int = 0
    octets: int = 0

    def __add__(self, other: "Freed") -> "Freed":
        return Freed(self.messages + other.messages, self.octets + other.octets)


class KeepingStore(Protocol):
    """What a store does with messages that were expunged."""

    def keep(self, keeping: Keeping) -> None:
        """From now on keep what is expunged so; new stores keep nothing."""

    def kept(self) -> list[Kept]:
        """All that can be brought back, the oldest first."""

    def read_kept(self, kept: Kept) -> bytes | None:
        """The whole message, CRLF line ends; None when it is no more."""

    def restore(self, kept: Sequence[Kept]) -> list[Restored]:
        """Bring messages back with flags, keywords and date, under new UIDs.

        Each goes to the mailbox it was in, made again if it is gone, and is durable
        when this returns.  Whatever stops it, a message is either kept still or back:
        to call it again brings back what is left, and nothing twice.

        Returns:
            Those that are back; a message that is no more is left out.
        """

    def give_up(self, before: float, octets: int = 0) -> Freed:
        """Remove for good what is kept.

        Args:
            before: What was expunged before that moment, seconds since 1970 UTC.
            octets: And the oldest beyond so many octets; 0 is no limit.
        """
