"""A connection to another server, on Twisted.

In this file:
    Connection    carries out conversations, one after the other
    Settings      how long is waited, and how much is listened to

A conversation (``wire.talk``) is a generator; this class sends what it yields, waits
for replies, and throws in what goes wrong:

    lost, or silent for too long      Broken 4.4.2
    octets that are no reply, or one that nobody asked for    Broken 4.5.0
    the TLS handshake fails           Broken 4.7.5
    an error in the middle of the message    Broken with that reply

The message is a push producer: the next piece is made when the last ones are on their
way, so a large one neither fills memory nor holds the reactor up.

Security: what came before TLS is not an answer to what is said within (RFC 3207 section
6): octets that stand ready when TLS begins end the connection.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IPushProducer,
    IReactorTime,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from maildrop.smtp.client.message import Message
from maildrop.smtp.wire.capabilities import Capabilities
from maildrop.smtp.wire.replies import BadReply, Replies, Reply
from maildrop.smtp.wire.talk import (
    SECONDS,
    Deliver,
    Encrypt,
    Hear,
    Send,
    Talk,
    Work,
)
from maildrop.smtp.wire.verdict import Broken, Phase, Verdict, later, verdict
from maildrop.tls_client import Handshake, Untrusted, reason

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Settings:
    """How long is waited, and how much is listened to.

    Attributes:
        seconds: For each phase.
        line: Octets of a line of a reply.
        lines: Lines of a reply.
        unheard: Octets that come while nobody listens.
    """

    seconds: Mapping[Phase, float] = field(default_factory=lambda: SECONDS)
    line: int = 4096
    lines: int = 200
    unheard: int = 1 << 18


_DEFAULT: Final = Settings()


@implementer(IHandshakeListener, IPushProducer)
class Connection(Protocol):
    """Carries out conversations, one after the other.

    Args:
        clock: Time.
        in_thread: Runs what takes long.
        handshake: TLS, for when it is wanted.
        implicit: It is wanted from the first octet.
        settings: How long is waited, and how much is listened to.

    Attributes:
        capabilities: What the server can do, set by whoever opened the session.
        messages: Transactions so far.
        peer: Its address, for people.
        lost: Nothing more can be done with it.
        encrypted: TLS stands.
        tls_failed: It was lost over the handshake.
        on_lost: Called when it is lost while no conversation is at work.
    """

    def __init__(
        self,
        clock: IReactorTime,
        in_thread: Callable[[Callable[[], Any]], Awaitable[Any]],
        handshake: Handshake | None = None,
        *,
        implicit: bool = False,
        settings: Settings = _DEFAULT,
    ) -> None:
        self.capabilities = Capabilities()
        self.messages = 0
        self.peer = ""
        self.lost = False
        self.encrypted = False
        self.tls_failed = False
        self.on_lost: Callable[[], None] | None = None
        self.handshake = handshake
        self._clock = clock
        self._in_thread = in_thread
        self._implicit = implicit
        self._settings = settings
        self._replies = Replies(settings.line, settings.lines)
        self._talk: Talk[Any] | None = None
        self._done: Deferred[Any] | None = None
        self._phase = Phase.CONNECT
        self._hearing = False
        self._unheard = 0
        self._message: Message | None = None
        self._pieces: Iterator[bytes] | None = None
        self._paused = False
        self._timer: IDelayedCall | None = None
        self._leaving: IDelayedCall | None = None

    # -- conversations

    def run(self, talk: Talk[T], message: Message | None = None) -> Deferred[T]:
        """Carry out a conversation.

        Args:
            talk: The conversation.
            message: What its step ``Deliver`` sends.

        Returns:
            What it returns; fails with ``Broken`` if it lets that through, and then the
            connection is closed.
        """
        done: Deferred[T] = Deferred()
        self._talk, self._done, self._message = talk, done, message
        if self.lost:
            self._throw(later("4.4.2", "the connection is lost"))
        elif self._implicit and not self.encrypted:
            self._encrypt()
        else:
            self._go_on(None)
        return done

    def _go_on(self, reply: Reply | None) -> None:
        """Do what the conversation wants, until something has to be waited for."""
        talk = self._talk
        if talk is None:
            return
        try:
            step = talk.send(reply)  # None starts it
            while self._talk is talk:
                if isinstance(step, Hear):
                    self._phase = step.phase
                    found = self._replies.next_event()
                    if found is None:
                        self._hearing = True
                        self._wait(step.phase)
                        return
                    step = talk.send(found)
                elif isinstance(step, Send):
                    self._check_silent()
                    self._write(step.octets)
                    step = talk.send(None)
                else:
                    self._check_silent()
                    if self._begin(step):
                        return
                    step = talk.send(None)
        except StopIteration as end:
            self._end(end.value)
        except BadReply as error:
            self._throw(later("4.5.0", str(error)))
        except Broken as broken:
            self._break(broken)

    def _begin(self, step: Deliver | Encrypt | Work) -> bool:
        """Begin what takes time; whether it has to be waited for."""
        if isinstance(step, Encrypt):
            self._encrypt()
            return True
        if isinstance(step, Work):
            self._phase = Phase.AUTH
            work = Deferred.fromCoroutine(self._compute(step))
            work.addErrback(self._failed)
            return True
        return self._deliver(step)

    async def _compute(self, step: Work) -> None:
        await self._in_thread(step.compute)
        self._go_on(None)

    def _failed(self, failure: Failure) -> None:
        """Something that nobody expected: whoever waits shall know."""
        done = self._finished()
        self.close()
        if done is not None:
            done.errback(failure)

    def _throw(self, found: Verdict) -> None:
        """Something went wrong: tell the conversation, which may have an end for it."""
        talk, self._talk = self._talk, None
        if talk is None:
            return
        self.close()
        try:
            talk.throw(Broken(found))
        except StopIteration as end:
            self._end(end.value)
        except Broken as broken:
            self._break(broken)
        else:
            self._break(Broken(found))

    def _end(self, value: object) -> None:
        done = self._finished()
        if self._replies.pending:
            self.close()  # it says more than was asked
        if done is not None:
            done.callback(value)

    def _break(self, broken: Broken) -> None:
        done = self._finished()
        self.quit()
        if done is not None:
            done.errback(Failure(broken))

    def _finished(self) -> Deferred[Any] | None:
        done, self._done = self._done, None
        self._talk = self._message = self._pieces = None
        self._hearing = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return done

    # -- time

    def _wait(self, phase: Phase) -> None:
        """From now on, so long is waited."""
        self._phase = phase
        seconds = self._settings.seconds[phase]
        if self._timer is None:
            self._timer = self._clock.callLater(seconds, self._late)
        else:
            self._timer.reset(seconds)

    def _late(self) -> None:
        self._timer = None
        seconds = self._settings.seconds[self._phase]
        waited = f"no answer to {self._phase.value} in {seconds:.0f} seconds"
        if self._phase is Phase.CONTENT:
            waited = f"it took nothing of the message for {seconds:.0f} seconds"
        self.tls_failed = self._phase is Phase.TLS
        self._throw(later("4.4.2", waited))

    # -- octets

    def connectionMade(self) -> None:
        """The server answered; it speaks first."""
        setting = getattr(self._transport(), "setTcpNoDelay", None)
        if setting is not None:
            setting(True)

    def dataReceived(self, data: bytes) -> None:
        """Replies, or what should be."""
        if self.lost:
            if self._leaving is not None:  # QUIT was answered
                self._transport().loseConnection()
            return
        self._replies.receive_data(data)
        if self._talk is None:
            self.close()  # nobody asked; mostly 421, for we were silent too long
            return
        if self._pieces is not None:
            self._interrupted()
            return
        if not self._hearing:
            self._unheard += len(data)
            if self._unheard > self._settings.unheard:
                self._throw(later("4.5.0", "it does not stop to speak"))
            return
        try:
            found = self._replies.next_event()
        except BadReply as error:
            self._throw(later("4.5.0", str(error)))
            return
        if found is not None:
            self._hearing = False
            self._unheard = 0
            self._go_on(found)

    def _interrupted(self) -> None:
        """It answers before it has the whole message: it does not want it."""
        try:
            found = self._replies.next_event()
        except BadReply as error:
            self._throw(later("4.5.0", str(error)))
            return
        if found is None:
            return
        if found.positive:
            self._throw(later("4.5.0", f"it did not wait for the message: {found}"))
        else:
            self._throw(verdict(found, Phase.CONTENT))

    def _check_silent(self) -> None:
        """Nothing may stand ready that would be taken for a later answer."""
        if not self._replies.pending:
            return
        found = self._replies.next_event()
        if found is not None and found.code == 421:
            raise Broken(verdict(found, self._phase))
        raise Broken(later("4.5.0", f"it says what nobody asked for: {found or '...'}"))

    def _transport(self) -> Any:  # noqa: ANN401 (a transport of any kind)
        return self.transport

    def _write(self, octets: bytes) -> None:
        self._transport().write(octets)

    # -- the message

    def _deliver(self, step: Deliver) -> bool:
        """Send the message; whether it has to be waited for."""
        if self._message is None:
            raise TypeError("no message to deliver")
        pieces = self._message.octets(dots=step.dots)
        first = next(pieces, b"")
        second = next(pieces, None)
        if second is None:
            self._write(step.before + first)
            return False
        self._write(step.before + first)
        self._write(second)
        self._pieces = pieces
        self._paused = False
        self._wait(Phase.CONTENT)
        self._transport().registerProducer(self, True)
        self.resumeProducing()
        return True

    def resumeProducing(self) -> None:
        """The transport has room."""
        self._paused = False
        pieces = self._pieces
        if pieces is None:
            return
        self._wait(Phase.CONTENT)
        while not self._paused and self._pieces is pieces:
            piece = next(pieces, None)
            if piece is None:
                self._pieces = None
                self._transport().unregisterProducer()
                self._go_on(None)
                return
            self._write(piece)

    def pauseProducing(self) -> None:
        """The transport has enough for now."""
        self._paused = True

    def stopProducing(self) -> None:
        """The connection goes."""
        self._paused = True

    # -- TLS

    def _encrypt(self) -> None:
        """Begin TLS; ``handshakeCompleted`` goes on."""
        if self.handshake is None:
            self._throw(later("4.7.5", "TLS is not set up"))
            return
        self._wait(Phase.TLS)
        self._transport().startTLS(self.handshake)

    def handshakeCompleted(self) -> None:
        """TLS stands; Twisted calls this."""
        if self._talk is None or self.handshake is None or self.lost:
            return
        try:
            self.handshake.check()
        except Untrusted as error:
            self.tls_failed = True
            self._throw(later("4.7.5", f"TLS: {error}"))
            return
        self.encrypted = True
        self._go_on(None)

    @property
    def tls(self) -> str:
        """What TLS there is, for the log."""
        if not self.encrypted or self.handshake is None:
            return "no TLS"
        return self.handshake.version

    # -- the end

    def abort(self, found: Verdict) -> None:
        """End it at once, for a reason of ours."""
        self._throw(found)
        self.close()

    def quit(self) -> None:
        """Say goodbye, and close when the server has answered or not."""
        if self.lost:
            return
        self.lost = True
        self._write(b"QUIT\r\n")
        seconds = self._settings.seconds[Phase.QUIT]
        self._leaving = self._clock.callLater(seconds, self._abandon)

    def _abandon(self) -> None:
        self._leaving = None
        self._transport().abortConnection()

    def close(self) -> None:
        """Close at once; nothing more can be said."""
        if self.lost:
            return
        self.lost = True
        if self._pieces is not None:
            self._pieces = None
            self._transport().unregisterProducer()
        self._transport().abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self.lost = True
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        if self._talk is None:
            if self.on_lost is not None:
                self.on_lost()
            return
        self._pieces = None
        self._throw(self._loss(reason))

    def _loss(self, failure: Failure) -> Verdict:
        error = failure.value or ConnectionDone()
        during = f"in {self._phase.value}"
        if self._phase is Phase.TLS:
            self.tls_failed = True
            return later("4.7.5", f"the TLS handshake failed: {reason(error)}")
        if failure.check(ConnectionDone):
            return later("4.4.2", f"it closed the connection {during}")
        if failure.check(SSL.Error):
            return later("4.4.2", f"TLS failed {during}: {reason(error)}")
        return later("4.4.2", f"the connection was lost {during}")
