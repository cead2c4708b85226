"""When an entry is tried again, and when no more.

In this file:
    Schedule    waits between attempts, and the ends of patience

RFC 5321 section 4.5.4.1: at least 30 minutes between attempts once a message has
failed for a while, and four to five days before it is given up; most that can be
delivered can be within the first hour.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

#: Seconds after the first, second ... attempt.
WAITS: Final = (60, 300, 900, 1800, 3600, 7200, 14400)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Waits between attempts, and the ends of patience.

    Attributes:
        waits: Seconds to wait after each attempt; the last goes on.
        give_up: Seconds after which a message is given back.
        warn: Seconds after which the sender is told that it takes long; 0 for never.
    """

    waits: Sequence[float] = WAITS
    give_up: float = 5 * 86400.0
    warn: float = 4 * 3600.0

    def next_try(
        self, key: str, arrived: float, tries: int, now: float
    ) -> float | None:
        """When to try again; None when the message is to be given up.

        Args:
            key: The entry's id.  It makes the wait up to an eighth longer, so that
                entries that came together are not tried together for days.
            arrived: When the message was taken.
            tries: Attempts so far, at least one.
            now: The time.
        """
        end = arrived + self.give_up
        if now >= end:
            return None
        wait = self.waits[min(tries, len(self.waits)) - 1]
        return min(now + wait * (1 + sum(key.encode()) % 64 / 512), end)

    def is_to_warn(self, arrived: float, now: float) -> bool:
        """Whether the sender is to be told."""
        return bool(self.warn) and now - arrived >= self.warn
