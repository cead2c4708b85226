"""How quick the disk was lately.

In this file:
    Pace    tells whether short work on files may be done where others wait for it

To make a file, rename it or write some octets takes microseconds, as long as the system
does it in memory: then it is cheaper on the reactor thread than to change threads.  A
disk that is overloaded makes such calls wait, too.  One that took long makes all of
them go to threads for a while.
"""

from typing import Final

#: Seconds that such work takes only if the disk is at work,
_SLOW: Final = 0.02
#: and for which it is then done in threads.
_WHILE: Final = 1.0


class Pace:
    """The pace of one process's disk."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until = 0.0

    def took(self, began: float, ended: float) -> None:
        """Some work was done; times are of the monotonic clock."""
        if ended - began > _SLOW:
            self._until = ended + _WHILE

    def slow(self, now: float) -> bool:
        """Whether work should rather be done in a thread."""
        return now < self._until
