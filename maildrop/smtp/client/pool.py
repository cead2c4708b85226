"""Sessions that are kept open for a short while.

In this file:
    Pool      sessions that nobody uses, by where they lead
    Keeping   how long, how often, how many

A session costs more than a message: name, connection, TLS, login.  Whoever used one
gives it back; the next message for the same place takes it, if that is soon.
"""

from dataclasses import dataclass

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from maildrop.smtp.client.connection import Connection
from maildrop.smtp.client.policy import NextHop


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long, how often, how many.

    Attributes:
        seconds: For which a session waits for the next message.
        messages: Of a session, then it ends.
        sessions: That wait, for one place.
    """

    seconds: float = 5.0
    messages: int = 100
    sessions: int = 10


@dataclass(slots=True)
class _Kept:
    connection: Connection
    timer: IDelayedCall


class Pool:
    """Sessions that nobody uses, by where they lead.

    Args:
        clock: Time.
        keeping: How long, how often, how many.
    """

    def __init__(self, clock: IReactorTime, keeping: Keeping | None = None) -> None:
        self._clock = clock
        self._keeping = keeping or Keeping()
        self._kept: dict[NextHop, list[_Kept]] = {}

    def take(self, hop: NextHop) -> Connection | None:
        """A session with that place, the one used last; None if there is none."""
        kept = self._kept.get(hop)
        if not kept:
            return None
        found = kept.pop()
        if not kept:
            del self._kept[hop]
        found.timer.cancel()
        found.connection.on_lost = None
        return found.connection

    def give(self, hop: NextHop, connection: Connection) -> None:
        """A session is not used any more."""
        keeping = self._keeping
        kept = self._kept.get(hop, [])
        if (
            connection.lost
            or connection.messages >= keeping.messages
            or len(kept) >= keeping.sessions
            or not keeping.seconds
        ):
            connection.quit()
            return
        entry = _Kept(
            connection,
            self._clock.callLater(keeping.seconds, lambda: self._over(hop, entry)),
        )
        connection.on_lost = lambda: self._lost(hop, entry)
        self._kept.setdefault(hop, []).append(entry)

    def close(self) -> None:
        """End all of them."""
        everything, self._kept = self._kept, {}
        for kept in everything.values():
            for each in kept:
                each.timer.cancel()
                each.connection.on_lost = None
                each.connection.quit()

    def _over(self, hop: NextHop, entry: _Kept) -> None:
        """Nobody wanted it."""
        self._forget(hop, entry)
        entry.connection.on_lost = None
        entry.connection.quit()

    def _lost(self, hop: NextHop, entry: _Kept) -> None:
        """The server closed it."""
        entry.timer.cancel()
        self._forget(hop, entry)

    def _forget(self, hop: NextHop, entry: _Kept) -> None:
        kept = self._kept[hop]
        kept.remove(entry)
        if not kept:
            del self._kept[hop]
