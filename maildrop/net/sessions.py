"""Live sessions of this process: what ``who`` shows and ``kick`` ends.

In this file:
    Sessions    all of them, by number
    Session     one: service, user, peer, mailbox, octets
    Live        what a session needs of its connection

A protocol adds its session when the connection is made, sets ``user`` and ``mailbox``
as they become known, ``ending`` when it ends the connection, and removes the session in
``closed``.  A session costs one dict entry and one small object; octets and peer are
asked of the connection when somebody looks.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from twisted.internet.defer import Deferred

from maildrop.decisions.recorder import SILENT, Noting, Recorder
from maildrop.net.peer import Peer


class Live(Protocol):
    """A connection, as the registry sees it; ``ServerConnection`` is one."""

    octets_in: int
    octets_out: int

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""

    @property
    def trouble(self) -> str:
        """What the connection was lost by, empty if the peer just went."""

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
        trace: Its id in the log and among decisions.
        ending: Why we ended it; empty if the client did.
    """

    __slots__ = (
        *("_note", "connection", "ending", "id", "mailbox", "service", "since"),
        *("trace", "user"),
    )

    def __init__(self, service: str, connection: Live, since: float) -> None:
        self.id = 0
        self.service = service
        self.connection = connection
        self.since = since
        self.user = ""
        self.mailbox = ""
        self.trace = "-"
        self.ending = ""
        self._note = SILENT

    def note(self, kind: str, /, **facts: object) -> None:
        """Note a decision about the connection."""
        self._note(kind, **facts)

    def note_message(self, message: str, kind: str, /, **facts: object) -> None:
        """Note a decision about a message that came by this connection.

        Args:
            message: Its id.
            kind: See ``decisions.telling``.
            facts: What it was and why.
        """
        self._note.recorder.note(message, kind, session=self.trace, **facts)

    def noting(self, mechanism: str) -> Noting:
        """What notes a login.

        Args:
            mechanism: By which the client logs in.
        """
        tls = self.peer.encryption
        return self._note.further(
            service=self.service,
            mechanism=mechanism,
            tls="" if tls is None else tls.version,
        )

    def begin(self, recorder: Recorder) -> None:
        """The registry has it."""
        self.trace = recorder.new_id()
        self._note = Noting(recorder, self.trace)

    def end(self) -> None:
        """The connection is gone."""
        self.note(
            "closed",
            service=self.service,
            user=self.user,
            client=self.connection.peer.address,
            since=round(self.since, 3),
            octets_in=self.octets_in,
            octets_out=self.octets_out,
            why=self.ending or self.connection.trouble,
        )

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
        """The administrator ends it."""
        self.ending = "ended by the administrator, or as the server stops"
        self.connection.kick()


class Sessions:
    """The sessions of this process.

    Args:
        recorder: Is told how they ended.

    Attributes:
        begun: How many there have been, per service.
    """

    def __init__(self, recorder: Recorder | None = None) -> None:
        self._recorder = recorder or Recorder()
        self._live: dict[int, Session] = {}
        self._last = 0
        self.begun: Counter[str] = Counter()
        self._emptied: list[Deferred[None]] = []

    def add(self, session: Session) -> Session:
        """A connection was made; gives the session its number."""
        self._last += 1
        session.id = self._last
        session.begin(self._recorder)
        self._live[session.id] = session
        self.begun[session.service] += 1
        return session

    def remove(self, session: Session) -> None:
        """The connection is gone; nothing happens if it was removed before."""
        if self._live.pop(session.id, None) is not None:
            session.end()
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
