"""How much mail an account may have, and how much it has.

In this file:
    Quota           the limits
    Usage           what is there
    Counted         how a message that is added is held against them
    Reached         a warning that is due
    LimitedStore    the calls, a part of ``interfaces.Store``
    level           which warning a usage has reached

RFC 9208 section 5: STORAGE is here the sum of RFC822.SIZE, in octets, and MESSAGE the
number of messages, over all mailboxes of the account.  What other programs deliver
counts as soon as it was seen; expunged messages that are kept do not count.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from maildrop.errors import OverQuota


class Counted(enum.Enum):
    """How a message that is added is held against the quota."""

    LIMITED = "within the limits"
    DELIVERED = "the last one may go beyond them by the grace"
    MOVED = "whatever they say: it was there before"


@dataclass(frozen=True, slots=True)
class Usage:
    """What is there.

    Attributes:
        octets: Of all messages.
        messages: How many.
    """

    octets: int = 0
    messages: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.octets + other.octets, self.messages + other.messages)


@dataclass(frozen=True, slots=True)
class Quota:
    """The limits of one account.

    Attributes:
        octets: Of all messages; 0 is no limit.
        messages: How many; 0 is no limit.
        grace: Octets by which the last message delivered may go beyond.
        warnings: Percentages at which a warning is due, ascending.
    """

    octets: int = 0
    messages: int = 0
    grace: int = 0
    warnings: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.octets or self.messages)

    def check(self, used: Usage, more: Usage, counted: Counted) -> None:
        """Whether more may be added.

        Args:
            used: What is there.
            more: What is to be added.
            counted: How it is held against the limits.

        Raises:
            OverQuota: There is no room for it.
        """
        if counted is Counted.MOVED:
            return
        octets, messages = used.octets + more.octets, used.messages + more.messages
        most = self.octets
        if counted is Counted.DELIVERED and used.octets < self.octets:
            most += self.grace
        if self.octets and octets > most:
            raise OverQuota(
                f"{used.octets} of {self.octets} octets are used, and {more.octets}"
                " more are too many"
            )
        if self.messages and messages > self.messages:
            raise OverQuota(
                f"{used.messages} of {self.messages} messages are there, and"
                f" {more.messages} more are too many"
            )

    def percent(self, used: Usage) -> int:
        """How much of the limits is used, of the one that is nearer."""
        parts = ((used.octets, self.octets), (used.messages, self.messages))
        return max((100 * part // whole for part, whole in parts if whole), default=0)


@dataclass(frozen=True, slots=True)
class Reached:
    """A warning that is due.

    Attributes:
        percent: What was reached: one of ``Quota.warnings``.
        used: What is there now.
        quota: The limits.
    """

    percent: int
    used: Usage
    quota: Quota


def level(quota: Quota, used: Usage) -> int:
    """The highest warning that a usage has reached; 0 for none."""
    percent = quota.percent(used)
    return max((at for at in quota.warnings if at <= percent), default=0)


class LimitedStore(Protocol):
    """What a store does about the quota."""

    def limit(
        self, quota: Quota | None, reached: Callable[[Reached], None] | None = None
    ) -> None:
        """From now on refuse what goes beyond the limits.

        Two processes that add to different mailboxes of an account at the same moment
        may together go beyond them by what one of them adds.

        Args:
            quota: The limits; None for none.
            reached: Called once each time that a warning is due, by whichever process
                finds it so first, on any thread; it must not wait.
        """

    def usage(self, *, recount: bool = False) -> Usage:
        """What is there.

        Args:
            recount: Take nothing on trust that was counted before, and look for what
                other programs did.
        """
