"""The pump: one loop that serves every protocol's connections.

In this file:
    ServerConnection    a connection; a protocol subclasses it
    Limits              what every connection is held to

The way of octets: ``dataReceived`` hands them to the protocol's wire core
(``receive``), then asks for events one by one (``next_event``) and has each handled
(``handle``).  While a command runs no further event is asked for, so commands of a
connection never overlap; pipelined commands are a loop, not a recursion; replies of one
read leave in one write; and a peer that sends faster than it is served is paused, and
read from again when all that it sent ahead is done.

A handler that finishes at once returns None.  One that may have to wait is a coroutine;
if it finishes without suspending it costs no Deferred.
"""

from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableProtocol,
    IOpenSSLContextFactory,
    IPushProducer,
    IReactorTime,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from maildrop.net.peer import Peer, peer_of
from maildrop.net.transport import Transport

Event = TypeVar("Event")

#: What a peer sent ahead is done in turns of so many seconds; others come between.
TURN: Final = 0.01
#: Events between two looks at the clock.
_EVENTS: Final = 16
#: Octets of replies that are joined; more are left to the transport in pieces.
_JOINED: Final = 1 << 15


@dataclass(frozen=True, slots=True)
class Limits:
    """What a connection is held to.

    Attributes:
        idle: Seconds without an octet from the peer before ``timed_out``.
        ahead: Octets a peer may send while a command runs before it is paused.
        behind: Octets of replies that may wait for a slow reader before ``drained``
            makes a command wait.
        close: Seconds a closing connection may take to flush before it is cut.
    """

    idle: float = 1800.0
    ahead: int = 1 << 17
    behind: int = 1 << 20
    close: float = 30.0


@implementer(IHalfCloseableProtocol, IPushProducer)
class ServerConnection(Protocol, Generic[Event]):
    """One connection of a server, fed by Twisted, driven by the pump.

    A protocol gives ``greet``, ``receive``, ``next_event``, ``handle``, ``broken``,
    ``timed_out`` and ``closed``; the other methods are offered to it.

    Args:
        clock: Time.
        limits: What the connection is held to.
    """

    _log = Logger()
    transport: Any  # what Twisted, or net.transport, gives: more than ITransport

    def __init__(self, clock: IReactorTime, limits: Limits) -> None:
        self.clock = clock
        self.limits = limits
        self.octets_in = 0
        self.octets_out = 0
        self._peer: Peer | None = None
        self._replies: list[bytes] = []
        self._busy = False
        self._closing = False
        self._no_more = False
        self._lost = False
        self._ahead = 0
        self._paused = False
        self._full = False
        self._running: Deferred[None] | None = None
        self._drained: Deferred[None] | None = None
        self._heard = 0.0
        self._silence = limits.idle
        self._timer: IDelayedCall | None = None
        self._cutter: IDelayedCall | None = None
        self._turn: IDelayedCall | None = None

    # -- what a protocol gives

    def greet(self) -> None:
        """The connection is there: send the greeting."""
        raise NotImplementedError

    def receive(self, octets: bytes) -> None:
        """Hand octets to the wire core; must not raise."""
        raise NotImplementedError

    def next_event(self) -> Event | None:
        """The next thing the peer said, None until more octets come; must not raise."""
        raise NotImplementedError

    def handle(self, event: Event) -> Coroutine[Any, Any, None] | None:
        """Do it: at once, or in the coroutine returned."""
        raise NotImplementedError

    def broken(self) -> None:
        """A handler raised what it should not: answer for it; it is logged already."""
        raise NotImplementedError

    def timed_out(self) -> None:
        """The peer was silent for ``limits.idle``: say so; the connection is closed."""
        raise NotImplementedError

    def closed(self) -> None:
        """The connection is gone: let go of everything.  Called exactly once."""
        raise NotImplementedError

    # -- what is offered

    def write(self, octets: bytes) -> None:
        """Send octets: joined with the other replies of this read."""
        self._replies.append(octets)
        if not self._busy:
            self._flush()

    async def drained(self) -> None:
        """Send what was written and wait while the peer reads too slowly.

        Between the pieces of a large answer; it returns at once while the peer keeps
        up.  When the connection is lost meanwhile the waiting command is cancelled.
        """
        self._flush()
        if self._full and not self._lost:
            self._drained = Deferred()
            await self._drained

    async def write_all(self, pieces: AsyncIterator[bytes]) -> None:
        """Send a large answer piece by piece, at the peer's speed."""
        async for piece in pieces:
            self.write(piece)
            await self.drained()

    def close(self) -> None:
        """Send what was written and close; further input is ignored."""
        if self._closing:
            return
        self._closing = True
        self._flush()
        if self.transport is not None and not self._lost:
            # With a producer Twisted's transports would wait for its last word.
            self.transport.unregisterProducer()
            self.transport.loseConnection()
            self._cut_later()

    def start_tls(self, context: IOpenSSLContextFactory) -> None:
        """Send what was written in clear and begin TLS.

        The caller has made sure that its wire core holds no octets received in clear:
        if it does, it must ``close`` instead (RFC 3207 section 4.2 and kin).
        """
        self._flush()
        self._peer = None
        self.transport.startTLS(context)

    @property
    def peer(self) -> Peer:
        """Who is at the other end, and what TLS settled with it."""
        if self._peer is not None:
            return self._peer
        peer = peer_of(self.transport)
        if peer.encryption is None or peer.encryption.version:
            self._peer = peer  # else the handshake goes on: there is more to learn
        return peer

    @property
    def trouble(self) -> str:
        """What the connection was lost by, empty if the peer just went."""
        transport = self.transport
        return transport.trouble if isinstance(transport, Transport) else ""

    def kick(self) -> None:
        """The administrator ends the connection; a protocol may say so first."""
        self.close()

    def allow_silence(self, seconds: float | None) -> None:
        """Time the peer out after so many seconds without an octet.

        Args:
            seconds: From now on; None for ``limits.idle`` again.
        """
        self._silence = self.limits.idle if seconds is None else seconds
        if self._timer is not None and self._silence < self.limits.idle:
            self._timer.reset(self._silence)  # a timer that is too early looks again

    @property
    def idle_seconds(self) -> float:
        """Seconds since the peer sent anything, read on or had to wait for us."""
        return self.clock.seconds() - self._heard

    # -- Twisted's side

    def connectionMade(self) -> None:
        """A peer connected."""
        self._heard = self.clock.seconds()
        self._timer = self.clock.callLater(self._silence, self._check_idle)
        if isinstance(self.transport, Transport):
            self.transport.behind = self.limits.behind
        # Tells us when the peer reads too slowly: pauseProducing, resumeProducing.
        self.transport.registerProducer(self, True)
        self._busy = True
        try:
            self.greet()
        except Exception:
            self._log.failure("greeting failed")
            self.close()
        self._busy = False
        self._flush()

    def dataReceived(self, data: bytes) -> None:
        """Octets came."""
        self._heard = self.clock.seconds()
        if self._closing:
            return
        self.octets_in += len(data)
        self.receive(data)
        if not self._busy:
            self._run()
        else:
            self._ahead += len(data)
            if self._ahead > self.limits.ahead and not self._paused:
                self._paused = True
                self.transport.pauseProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self._lost = self._closing = True
        self._replies.clear()
        for call in (self._timer, self._cutter, self._turn):
            if call is not None and call.active():
                call.cancel()
        self._timer = self._cutter = self._turn = None
        if self._running is not None and self._drained is None:
            return  # the command at work ends first; see _ended
        if self._drained is not None:
            waiting, self._drained = self._drained, None
            waiting.cancel()
            return
        self._let_go()

    def readConnectionLost(self) -> None:
        """The peer sends no more, and may still read: answer what it asked."""
        self._no_more = True
        if self._busy:
            self._cut_later()
        else:
            self.close()

    def writeConnectionLost(self) -> None:
        """Never happens: this end is not closed by halves."""

    def pauseProducing(self) -> None:
        """The transport holds enough unsent octets."""
        self._full = True

    def resumeProducing(self) -> None:
        """The transport has room again."""
        self._full = False
        self._heard = self.clock.seconds()
        if self._drained is not None:
            waiting, self._drained = self._drained, None
            waiting.callback(None)

    def stopProducing(self) -> None:
        """The transport is closing."""

    # -- the loop

    def _run(self) -> None:
        self._busy = True
        began, left = self.clock.seconds(), _EVENTS
        while not self._closing:
            event = self.next_event()
            if event is None:
                break
            if not self._step(event):
                self._flush()
                return
            left -= 1
            if not left:
                left = _EVENTS
                if self.clock.seconds() - began >= TURN:
                    self._flush()
                    self._turn = self.clock.callLater(0, self._run)
                    return
        self._busy = False
        self._take_more()
        if self._no_more:
            self.close()
        self._flush()

    def _take_more(self) -> None:
        """All that was sent ahead is done: the peer may send again."""
        self._ahead = 0
        if self._paused and not self._closing:
            self._paused = False
            self.transport.resumeProducing()

    def _step(self, event: Event) -> bool:
        """Handle one event; False when it goes on later (``_ended``)."""
        try:
            work = self.handle(event)
            if work is None:
                return True
            try:
                first = work.send(None)
            except StopIteration:
                return True
        except Exception:
            self._fail()
            return True
        self._running = Deferred.fromCoroutine(_resumed(work, first))
        self._running.addErrback(self._failed)
        if self._running.called:
            self._running = None
            return True
        self._running.addCallback(self._ended)
        return False

    def _failed(self, failure: Failure) -> None:
        if not (self._lost and failure.check(CancelledError)):
            self._log.failure("command failed", failure=failure)
            self._answer_broken()

    def _fail(self) -> None:
        self._log.failure("command failed")
        self._answer_broken()

    def _answer_broken(self) -> None:
        try:
            self.broken()
        except Exception:
            self._log.failure("error reply failed")
            self.close()

    def _ended(self, _: None) -> None:
        self._running = None
        self._heard = self.clock.seconds()
        if self._lost:
            self._let_go()
            return
        self._run()

    def _let_go(self) -> None:
        try:
            self.closed()
        except Exception:
            self._log.failure("closing failed")

    def _flush(self) -> None:
        if not self._replies or self.transport is None:
            return
        replies, self._replies = self._replies, []
        length = len(replies[0]) if len(replies) == 1 else sum(map(len, replies))
        self.octets_out += length
        if length > _JOINED and len(replies) > 1:
            self.transport.writeSequence(replies)
        else:
            self.transport.write(replies[0] if len(replies) == 1 else b"".join(replies))

    # -- time

    def _check_idle(self) -> None:
        rest = self._heard + self._silence - self.clock.seconds()
        if rest > 0 or (self._busy and self._drained is None):
            self._timer = self.clock.callLater(max(rest, 1.0), self._check_idle)
            return
        self._timer = None
        if self._drained is not None:  # it would not read what we have to say either
            self._cut()
            return
        self.timed_out()
        self.close()

    def _cut_later(self) -> None:
        if self._cutter is None:
            self._cutter = self.clock.callLater(self.limits.close, self._cut)

    def _cut(self) -> None:
        self._cutter = None
        if self.transport is not None:
            self.transport.abortConnection()


async def _resumed(work: Coroutine[Any, Any, None], first: object) -> None:
    """Go on with a coroutine that was started by hand and awaits ``first``."""
    waiting: Any = first
    while True:
        try:
            result = await waiting
        except GeneratorExit:
            work.close()
            raise
        except BaseException as error:
            step = _thrower(work, error)
        else:
            del result
            step = work.send
        try:
            waiting = step(None)
        except StopIteration:
            return


def _thrower(work: Coroutine[Any, Any, None], error: BaseException) -> Any:  # noqa: ANN401
    return lambda _: work.throw(error)
