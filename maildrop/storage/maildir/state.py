r"""What state of the directories the table agrees with, and since when.

In this file:
    Known    the modification times last seen, and whether they can be believed

A directory's modification time tells of a change, but not of a second one in the same
tick of the file system's clock: 4 to 10 ms here, a whole second elsewhere.  And when we
change a directory ourselves, somebody else may have done so in the same moment.  So a
time is *settled* only after a scan that began a tick later than the time was first
seen.  Until then one more scan is due.

That scan is put off, so that it costs little where we change much or there is much to
scan: by some ticks, and by fifty times what the last scan took.  Nothing is put off
when a time differs from what we know.

    the times are              done at refresh
    as known, settled          nothing
    as known, not settled      a scan once it is due
    others                     a scan now

What is compared are only times of the file system with each other, and times of our own
clock with each other: the two may go differently.
"""

import struct
from typing import Final

from maildrop.storage.index.host import Host

_FORM: Final = struct.Struct("<Bqq?")
_VERSION: Final = 1
_SECOND: Final = 1_000_000_000
#: Ticks of file systems that keep fractions of seconds, and of those that do not.
_TICK: Final = 0.03
_LONG_TICK: Final = 2.1
#: What could hide behind a change of ours is looked for after that many seconds.
_PAUSE: Final = 0.3
#: Times this far back are settled, however wrong a clock may go.
_LONG_AGO: Final = 600.0
_PUT_OFF: Final = 50

Times = tuple[int, int]


class Known:
    """The state of new/ and cur/ that the table agrees with.

    Attributes:
        times: Modification times of new/ and cur/, in nanoseconds; zeros at first.
        settled: No change can hide behind them.
    """

    __slots__ = ("_cost", "_due", "_host", "_seen", "settled", "times")

    def __init__(self, host: Host) -> None:
        self._host = host
        self.times: Times = (0, 0)
        self.settled = False
        self._seen = 0.0
        self._due = 0.0
        self._cost = 0.0

    def current(self, times: Times) -> bool:
        """Whether the table needs no scan."""
        return times == self.times and (
            self.settled or self._host.monotonic() < self._due
        )

    def octets(self) -> bytes:
        """For the ledger, so that other processes know."""
        return _FORM.pack(_VERSION, *self.times, self.settled)

    def take(self, octets: bytes) -> None:
        """Another process told the state in the ledger."""
        if len(octets) != _FORM.size or octets[0] != _VERSION:
            self.times, self.settled = (0, 0), False
            return
        _, new, cur, settled = _FORM.unpack(octets)
        self._put((new, cur), settled=settled)

    def changed_by_us(self, before: Times, after: Times) -> None:
        """We changed the directories, with the ledger locked.

        Args:
            before: Their times just before.
            after: Their times just after.
        """
        if before == self.times:
            self._put(after, settled=False)

    def _put(self, times: Times, *, settled: bool) -> None:
        now = self._host.monotonic()
        if times != self.times:
            self._seen = now
        if self.settled or times == (0, 0) or self._due == 0.0:
            self._due = now + self._pause(times)
        self.times = times
        self.settled = settled

    def _pause(self, times: Times) -> float:
        fine = times[0] % _SECOND or times[1] % _SECOND
        return max(_PAUSE if fine else _LONG_TICK, self._cost * _PUT_OFF)

    def scanned(self, times: Times, began: float, ended: float) -> None:
        """A scan was made.

        Args:
            times: Times of the directories just before it.
            began: When, by the monotonic clock.
            ended: When it was done.
        """
        self._cost = ended - began
        tick = _TICK if times[0] % _SECOND or times[1] % _SECOND else _LONG_TICK
        seen = self._seen if times == self.times else began
        age = self._host.clock() - max(times) / _SECOND
        self.settled = began - seen >= tick or age > _LONG_AGO
        self.times = times
        self._seen = seen
        self._due = ended + self._pause(times)
