"""Reading one message after the other, as clients do that fetch all of them.

In this file:
    ReadingAhead    reads several at a time once a client asks for neighbours in turn

Going to a store costs more than a further message there: rights are taken on, a thread
is begun, or a file is opened and locked.  Messages do not change, so what was read
ahead stays right; one that is removed meanwhile is just read a little earlier.

Limits: ``messages`` and ``octets`` read ahead; they are held until they are asked for,
or ``forget``.
"""

from collections.abc import Sequence

from maildrop.mailbox.open_mailbox import Mailbox

#: How many times more are read with each step, up to the limit.
_GROWTH = 4


class ReadingAhead:
    """Messages of a mailbox for one session.

    Args:
        mailbox: Where they are.
        messages: Most messages read at once.
        octets: Most octets of those that were not asked for yet.
    """

    __slots__ = ("_count", "_held", "_last", "_mailbox", "_messages", "_octets")

    def __init__(
        self, mailbox: Mailbox, messages: int = 16, octets: int = 1 << 17
    ) -> None:
        self._mailbox = mailbox
        self._messages = messages
        self._octets = octets
        self._held: dict[int, bytes] = {}
        self._last = 0
        self._count = 1

    @property
    def holds(self) -> bool:
        """Whether something was read ahead."""
        return bool(self._held)

    async def read(self, uid: int) -> bytes | None:
        """A whole message; None when it is gone."""
        octets = self._held.pop(uid, None)
        if octets is None:
            uids = self._foreseen(uid)
            found = await self._mailbox.read_many(uids)
            self._held = {
                u: o for u, o in zip(uids, found, strict=True) if o is not None
            }
            octets = self._held.pop(uid, None)
        self._last = uid
        return octets

    def take(self, uid: int) -> bytes | None:
        """A message that was read ahead; None when it was not."""
        octets = self._held.pop(uid, None)
        if octets is not None:
            self._last = uid
        return octets

    def _foreseen(self, uid: int) -> Sequence[int]:
        """The message and those that will be asked for next."""
        table = self._mailbox.table
        row, before = table.row(uid), table.row(self._last)
        if row is None or before is None or abs(row - before) != 1:
            self._count = 1
            return (uid,)
        self._count = min(self._count * _GROWTH, self._messages)
        step = row - before
        room = self._octets
        end = row + step
        while abs(end - row) < self._count and 0 <= end < len(table):
            room -= table.sizes[end]
            if room < 0:
                break
            end += step
        return table.uids[row:end] if step > 0 else table.uids[end + 1 : row + 1]

    def forget(self) -> None:
        """Let go of what was read ahead."""
        self._held.clear()
        self._count = 1
