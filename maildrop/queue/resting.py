"""Destinations that could not be reached, and are left alone for a while.

In this file:
    Resting    which, for how long, and why

The second time in a row a destination is left alone for twice as long, and so on: of
one that is down for days little is asked, and one that is back is soon found out.  Who
has an entry tried before its time (ETRN, ``maildrop queue flush``) knows more than we
do: that one is tried whatever rests.

Limits: ``LONGEST`` times the first wait; ``MOST`` destinations are remembered when
their wait is over.
"""

from dataclasses import dataclass
from typing import Final

from maildrop.queue.sharing import Place

#: Times the first wait.
LONGEST: Final = 16
#: Destinations that are remembered.
MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class _Rest:
    """One destination's."""

    until: float
    seconds: float
    why: str


class Resting:
    """Which destinations are left alone.

    Args:
        seconds: For how long, the first time.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._rests: dict[Place, _Rest] = {}
        self._asked: set[str] = set()

    def ask(self, entry_id: str) -> None:
        """Somebody wants an entry to be tried."""
        self._asked.add(entry_id)

    def done(self, entry_id: str) -> None:
        """It was."""
        self._asked.discard(entry_id)

    def why(self, place: Place, now: float, entry_id: str = "") -> str:
        """Why a destination is left alone; empty if it is to be tried.

        Args:
            place: The destination.
            now: Seconds since 1970 UTC.
            entry_id: For which entry.
        """
        rest = self._rests.get(place)
        if rest is None or now >= rest.until or entry_id in self._asked:
            return ""
        return rest.why

    def failed(self, place: Place, why: str, now: float) -> None:
        """A destination could not be reached; several may find so at the same time."""
        last = self._rests.get(place)
        if last is not None and now < last.until:
            return
        seconds = self._seconds
        if last is not None:
            seconds = min(2 * last.seconds, LONGEST * seconds)
        if len(self._rests) >= MOST:
            self._rests = {p: r for p, r in self._rests.items() if now < r.until}
        self._rests[place] = _Rest(now + seconds, seconds, why)

    def reached(self, place: Place) -> None:
        """It is back."""
        self._rests.pop(place, None)
