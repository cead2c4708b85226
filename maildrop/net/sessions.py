"""Live sessions of this process: what ``who`` shows and ``kick`` ends.

In this file:
    Sessions    all of them, by number
    Session     one: service, user, peer, mailbox, octets
    Live        what a session needs of its connection

A protocol adds its session when the connection is made, sets ``user`` and ``mailbox``
as they become known and removes it in ``closed``.  A session costs one dict entry and
one small object; octets and peer are asked of the connection when somebody looks.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from twisted.internet.defer import Deferred

from maildrop.net.peer import Peer


class Live(Protocol):
    """A connection, as the registry sees it; ``ServerConnection`` is one."""

    octets_in: int
    octets_out: int

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""

    def kick(self) -> None:
        """End the connection because the administrator wants it."""


class Session:
    """One connection of a client.

    Args:
        service: The protocol's name: ``imap``, ``pop3`` ...
        connection: The connection.
        since: When it began, seconds since 1970 UTC.

    Attributes:
        id: Its number, unique in this process and never used again; 0 until added.
        user: Who logged in, empty before.
        mailbox: The selected mailbox, empty without one.
    """

    __slots__ = ("connection", "id", "mailbox", "service", "since", "user")

    def __init__(self, service: str, connection: Live, since: float) -> None:
        self.id = 0
        self.service = service
        self.connection = connection
        self.since = since
        self.user = ""
        self.mailbox = ""

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""
        return self.connection.peer

    @property
    def octets_in(self) -> int:
        """Octets received."""
        return self.connection.octets_in

    @property
    def octets_out(self) -> int:
        """Octets sent."""
        return self.connection.octets_out

    def kick(self) -> None:
        """End it."""
        self.connection.kick()


class Sessions:
    """The sessions of this process.

    Attributes:
        begun: How many there have been, per service.
    """

    def __init__(self) -> None:
        self._live: dict[int, Session] = {}
        self._last = 0
        self.begun: Counter[str] = Counter()
        self._emptied: list[Deferred[None]] = []

    def add(self, session: Session) -> Session:
        """A connection was made; gives the session its number."""
        self._last += 1
        session.id = self._last
        self._live[session.id] = session
        self.begun[session.service] += 1
        return session

    def remove(self, session: Session) -> None:
        """The connection is gone; nothing happens if it was removed before."""
        self._live.pop(session.id, None)
        if self._emptied and not self._live:
            waiting, self._emptied = self._emptied, []
            for one in waiting:
                one.callback(None)

    def when_empty(self) -> Deferred[None]:
        """Fires when there is no session, at once or after the last."""
        waiting: Deferred[None] = Deferred()
        if self._live:
            self._emptied.append(waiting)
        else:
            waiting.callback(None)
        return waiting

    def get(self, number: int) -> Session | None:
        """The session with a number."""
        return self._live.get(number)

    def counts(self) -> dict[str, int]:
        """How many sessions each service has now."""
        return dict(Counter(session.service for session in self._live.values()))

    def matching(
        self, *, number: int | None = None, user: str = "", address: str = ""
    ) -> list[Session]:
        """The sessions that fit everything that is given."""
        return [
            session
            for session in self
            if (number is None or session.id == number)
            and (not user or session.user == user)
            and (not address or session.peer.address == address)
        ]

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._live.values()))

    def __len__(self) -> int:
        return len(self._live)
