r"""What state of the directories the table agrees with, and since when.

In this file:
    Known    the modification times last seen, and whether they can be believed

A directory's modification time tells of a change, but not of a second one in the same
tick of the file system's clock: 4 to 10 ms here, a whole second elsewhere.  And when we
change a directory ourselves, somebody else may have done so in the same moment.  So a
time is *settled* only after a scan that began a tick later than the time was first
seen.  Until then one more scan is due: of new/ alone while cur/ is settled, so that a
delivery never has the messages listed that have been read.

That scan is put off, so that it costs little where we change much or there is much to
scan: by some ticks, and by fifty times what such a scan takes, which is guessed from
the number of messages until one was made.  Nothing is put off when a time differs from
what we know.

    the times are                    done at refresh
    as known, settled                nothing
    as known, one is not settled     a scan once it is due
    others                           a scan now

    scanned are
    new/ alone     cur/ has the time known, and is settled or not yet due
    both           else

What is compared are only times of the file system with each other, and times of our own
clock with each other: the two may go differently.
"""

import struct
from typing import Final

from maildrop.storage.index.host import Host

_FORM: Final = struct.Struct("<Bqq??")
_VERSION: Final = 2
_SECOND: Final = 1_000_000_000
#: Ticks of file systems that keep fractions of seconds, and of those that do not.
_TICK: Final = 0.03
_LONG_TICK: Final = 2.1
#: What could hide behind a change of ours is looked for after that many seconds.
_PAUSE: Final = 0.3
#: Times this far back are settled, however wrong a clock may go.
_LONG_AGO: Final = 600.0
_PUT_OFF: Final = 50
#: Seconds that a scan takes for each message, as long as none was measured.
_GUESS: Final = 4e-6
_NEW: Final = 0
_CUR: Final = 1

Times = tuple[int, int]


class Known:
    """The state of new/ and cur/ that the table agrees with.

    Args:
        host: Clocks.
        messages: How many there are.

    Attributes:
        times: Modification times of new/ and cur/, in nanoseconds; zeros at first.
    """

    __slots__ = ("_costs", "_due", "_host", "_seen", "_settled", "times")

    def __init__(self, host: Host, messages: int = 0) -> None:
        self._host = host
        self.times: Times = (0, 0)
        self._settled = [False, False]
        self._seen = [0.0, 0.0]
        self._due = 0.0
        self._costs = [0.0, messages * _GUESS]  # of new/ alone, of both

    @property
    def settled(self) -> bool:
        """No change can hide behind the times."""
        return all(self._settled)

    def current(self, times: Times) -> bool:
        """Whether the table needs no scan."""
        return times == self.times and (
            self.settled or self._host.monotonic() < self._due
        )

    def needs_only_new(self, times: Times) -> bool:
        """Whether it is enough to scan new/, if a scan is needed."""
        if times[_CUR] != self.times[_CUR]:
            return False
        return self._settled[_CUR] or self._host.monotonic() < self._due

    def octets(self) -> bytes:
        """For the ledger, so that other processes know."""
        return _FORM.pack(_VERSION, *self.times, *self._settled)

    def take(self, octets: bytes) -> None:
        """Another process told the state in the ledger."""
        if len(octets) != _FORM.size or octets[0] != _VERSION:
            self.times, self._settled = (0, 0), [False, False]
            return
        _, new, cur, new_settled, cur_settled = _FORM.unpack(octets)
        self._put((new, cur), [new_settled, cur_settled])

    def changed_by_us(self, before: Times, after: Times) -> None:
        """We changed the directories, with the ledger locked.

        Args:
            before: Their times just before.
            after: Their times just after.
        """
        if before == self.times:
            pairs = zip(self._settled, before, after, strict=True)
            self._put(after, [was and t0 == t1 for was, t0, t1 in pairs])

    def _put(self, times: Times, settled: list[bool]) -> None:
        now = self._host.monotonic()
        for which in (_NEW, _CUR):
            if times[which] != self.times[which]:
                self._seen[which] = now
        if self.settled or times == (0, 0) or self._due == 0.0:
            self._due = now + self._pause(times, settled)
        elif self._settled[_CUR] and not settled[_CUR]:
            self._due = max(self._due, now + self._pause(times, settled))
        self.times = times
        self._settled = settled

    def _pause(self, times: Times, settled: list[bool]) -> float:
        cost = self._costs[0 if settled[_CUR] else 1]
        return max(_PAUSE if _is_fine(times) else _LONG_TICK, cost * _PUT_OFF)

    def scanned(
        self, times: Times, began: float, ended: float, *, only_new: bool = False
    ) -> None:
        """A scan was made.

        Args:
            times: Times of the directories just before it.
            began: When, by the monotonic clock.
            ended: When it was done.
            only_new: It was of new/ alone, and cur/ has the time known.
        """
        self._costs[0 if only_new else 1] = ended - began
        tick = _TICK if _is_fine(times) else _LONG_TICK
        for which in (_NEW,) if only_new else (_NEW, _CUR):
            if times[which] != self.times[which]:
                self._seen[which] = began
            age = self._host.clock() - times[which] / _SECOND
            late = began - self._seen[which] >= tick
            self._settled[which] = late or age > _LONG_AGO
        self.times = times
        if self._settled[_CUR] or not only_new:
            self._due = ended + self._pause(times, self._settled)


def _is_fine(times: Times) -> bool:
    """Whether the file system keeps fractions of seconds."""
    return bool(times[_NEW] % _SECOND or times[_CUR] % _SECOND)
