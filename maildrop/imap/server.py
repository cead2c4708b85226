"""The server: a connection of IMAP on a Twisted transport.

In this file:
    IMAPConnection    one connection; the pump of ``net.connection`` drives it
    IMAPFactory       makes them for a listener

``commands.table`` has the commands and ``states`` what they are held to.  The answer to
a command goes: its own untagged responses, the news of the selected mailbox, the tagged
response.

Errors: ``respond`` says what is answered; what a command does not expect is logged
whole and answered NO [SERVERBUG], and the session goes on.  A selected mailbox that
vanished ends the connection with BYE.

Limits: ``limits.IMAPLimits`` and ``net.connection.Limits``; ``TURN`` seconds for one
client before others have their turn.
"""

from collections.abc import Coroutine
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from maildrop.errors import MailboxVanished, MaildropError
from maildrop.imap import respond
from maildrop.imap.capabilities import capabilities
from maildrop.imap.commands import append, authenticate, idle
from maildrop.imap.commands.table import COMMANDS
from maildrop.imap.session import Session, State
from maildrop.imap.site import Site
from maildrop.imap.states import Answer, News, Rule, may_expunge
from maildrop.imap.updates import tell
from maildrop.imap.wire import responses
from maildrop.imap.wire.append import Append
from maildrop.imap.wire.commands import Command
from maildrop.imap.wire.events import (
    AppendEnd,
    BadCommand,
    Done,
    LiteralChunk,
    NeedContinuation,
    SaslResponse,
)
from maildrop.imap.wire.reader import Event
from maildrop.net.connection import Limits, ServerConnection

#: Seconds after which a long answer lets others have their turn.
TURN: Final = 0.01
#: Seconds for which one look at what other programs did is enough for commands that are
#: answered at once.
LOOK: Final = 0.02


class IMAPConnection(ServerConnection[Event]):
    """One connection.

    Args:
        site: What the connections of the listener share.
        clock: Time.
        limits: What the connection is held to.
    """

    _log = Logger()
    session: Session

    def __init__(
        self, site: Site, clock: IReactorTime, limits: Limits | None = None
    ) -> None:
        super().__init__(clock, limits or Limits())
        self.site = site
        self._began = 0.0
        self._look_at = 0.0
        self._held = 0  # octets written since the client was last waited for
        self._login_timer: IDelayedCall | None = None
        self._telling = False
        self._more_news = False
        self._told: list[Deferred[None]] = []

    # -- for the pump

    def greet(self) -> None:
        """Greet: RFC 3501 section 7.1.1, with the capabilities."""
        self.session = Session(self, self.site)
        self._login_timer = self.clock.callLater(
            self.site.limits.login, self._nobody_logged_in
        )
        text = self.site.hostname.encode("ascii", "replace") + b" IMAP server ready"
        code = responses.capability(capabilities(self.session))
        self.write(responses.ok(responses.UNTAGGED, text, code))

    def receive(self, octets: bytes) -> None:
        """Octets came: a turn begins."""
        self._began = self.clock.seconds()
        self.session.reader.receive_data(octets)

    def next_event(self) -> Event | None:
        """What the client said next."""
        return self.session.reader.next_event()

    def handle(self, event: Event) -> Coroutine[Any, Any, None] | None:
        """Do what the client said."""
        if isinstance(event, LiteralChunk):
            error = append.piece(self.session, event.octets)
            return None if error is None else self._append_failed(error)
        rule = COMMANDS.get(type(event))
        if rule is None:
            return self._other(event)
        if rule.at_once is not None and self._at_once(event, rule):  # type: ignore[arg-type]
            return None
        return self._command(event, rule)  # type: ignore[arg-type]

    def _other(self, event: Event) -> Coroutine[Any, Any, None] | None:
        """What is no command."""
        session = self.session
        if isinstance(event, NeedContinuation):
            session.reader.accept_literal()
            self.write(responses.continuation(b"OK"))
            return None
        if isinstance(event, AppendEnd):
            return self._answer(append.end(session), News.AWAITED)
        if isinstance(event, SaslResponse):
            return self._answer(authenticate.response(session, event))
        if isinstance(event, Done):
            return self._answer(idle.done(session), News.FRESH)
        if isinstance(event, BadCommand):
            return self._bad(event)
        return None

    def broken(self) -> None:
        """A command has a bug: say so; the session goes on."""
        session = self.session
        session.exchange = None
        if session.appending is not None:
            session.reader.refuse_literal()
            self._let_run(session.drop_append())
        self.write(respond.broken(session.tag))

    def timed_out(self) -> None:
        """RFC 3501 section 5.4."""
        self.session.bye(respond.IDLE)

    def kick(self) -> None:
        """RFC 3501 section 7.1.5: BYE may come at any time."""
        self.session.bye(respond.KICKED)

    def closed(self) -> None:
        """The connection is gone."""
        self._let_run(self.session.closed())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone, a command may still be at work."""
        self.logged_in()
        super().connectionLost(reason)

    def resumeProducing(self) -> None:
        """The client reads again."""
        super().resumeProducing()
        if self.session.end_idle is not None:
            self.changed()

    # -- commands

    def _at_once(self, command: Command, rule: Rule) -> bool:
        """Answer a command that waits for nothing and nobody; whether it was one."""
        session = self.session
        if (
            rule.at_once is None
            or session.state not in rule.states
            or self._held > self.limits.behind
            or self.clock.seconds() - self._began >= TURN
        ):
            return False
        look = self._began >= self._look_at and not session.reader.pending
        try:
            pieces = rule.at_once(session, command, look)
        except MaildropError:
            return False  # it is met again
        if pieces is None:
            return False
        if look:
            self._look_at = self._began + LOOK
        session.tag = command.tag
        session.counts.commands += 1
        self.write_pieces(pieces)
        session.succeeded()
        return True

    async def _command(self, command: Command, rule: Rule) -> None:
        session = self.session
        if self._held > self.limits.behind:
            await self.drained()
        if self.clock.seconds() - self._began >= TURN:
            await self.breathe()  # between commands sent ahead
        session.tag = command.tag
        session.counts.commands += 1
        if session.state not in rule.states:
            if isinstance(command, Append):
                session.reader.refuse_literal()
            session.refuse(command.tag, _wrong_state(session.state, rule))
            return
        await self._answer(
            rule.run(session, command), rule.news, expunges=may_expunge(command)
        )

    async def _answer(
        self, work: Answer, news: News = News.NONE, *, expunges: bool = True
    ) -> None:
        """Do it, tell the news, answer."""
        session = self.session
        answer: bytes | None = None
        refused: MaildropError | None = None
        try:
            answer = await work
        except MaildropError as error:
            refused = error
        if answer is None and refused is None:
            return
        gone = False
        if session.selected is not None and (refused or news is not News.NONE):
            fresh = news is News.FRESH or (
                news is News.AWAITED and not session.reader.pending
            )
            try:
                await tell(session, expunges=expunges, refresh=fresh)
            except MailboxVanished:
                gone = True
        if refused is not None:
            session.refuse(session.tag, refused)
        elif answer is not None:
            self.write(answer)
            session.succeeded()
        if gone:
            session.bye(respond.GONE)

    async def _bad(self, event: BadCommand) -> None:
        """Something that is no command; it may have ended one that was at work."""
        session = self.session
        session.exchange = None
        await session.drop_append()
        await idle.end(session)
        session.refuse(event.tag, event.error)

    async def _append_failed(self, error: MaildropError) -> None:
        await self.session.drop_append()
        self.session.refuse(self.session.tag, error)

    # -- for the session

    @property
    def full(self) -> bool:
        """Whether the client reads too slowly for anything that can wait."""
        return self._full

    def write(self, octets: bytes) -> None:
        """Send octets: news of IDLE in one piece, and nothing after BYE."""
        if self._closing:
            return
        self._held += len(octets)
        self._replies.append(octets)
        if not self._busy and not self._telling:
            self._flush()

    def write_pieces(self, pieces: list[bytes]) -> None:
        """Send octets of which some are many: they are not copied."""
        if self._closing:
            return
        self._held += sum(map(len, pieces))
        self._replies += pieces
        if not self._busy and not self._telling:
            self._flush()

    async def drained(self) -> None:
        """Wait while the client reads too slowly."""
        if not self._telling:
            self._held = 0
            await super().drained()

    async def breathe(self) -> None:
        """Let others have a turn, if this one has had it for long.

        Raises:
            CancelledError: The connection is gone, so nobody waits for the answer.
        """
        if self._lost:
            raise CancelledError
        if self.clock.seconds() - self._began < TURN:
            return
        turn: Deferred[None] = Deferred()
        self.clock.callLater(0, turn.callback, None)
        await turn
        self._began = self.clock.seconds()
        if self._lost:
            raise CancelledError

    def logged_in(self) -> None:
        """The client has logged in, or is gone."""
        if self._login_timer is not None and self._login_timer.active():
            self._login_timer.cancel()
        self._login_timer = None

    def _nobody_logged_in(self) -> None:
        self._login_timer = None
        self.session.bye(respond.NO_LOGIN)

    # -- news during IDLE

    def changed(self) -> None:
        """The selected mailbox changed while the client waits in IDLE."""
        self._more_news = True
        if not self._telling and not self._full:
            self._let_run(self._tell())

    async def _tell(self) -> None:
        self._telling = True
        self._began = self.clock.seconds()
        try:
            while self._more_news and self.session.end_idle is not None:
                self._more_news = False
                await tell(self.session, expunges=True, refresh=False)
        except MailboxVanished:
            self.session.bye(respond.GONE)
        finally:
            self._telling = False
            if not self._busy:
                self._flush()
            waiting, self._told = self._told, []
            for told in waiting:
                told.callback(None)

    async def told(self) -> None:
        """Wait until what ``changed`` began is over."""
        if self._telling:
            told: Deferred[None] = Deferred()
            self._told.append(told)
            await told

    def _let_run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that no command waits for."""
        Deferred.fromCoroutine(work).addErrback(self._let_down)

    def _let_down(self, failure: Failure) -> None:
        if not (self._lost and failure.check(CancelledError)):
            self._log.failure("a session's own work failed", failure=failure)
            self.session.bye(respond.BROKEN)


def _wrong_state(state: State, rule: Rule) -> respond.WrongState:
    if state is State.NOT_AUTHENTICATED:
        return respond.NotAuthenticated("no login yet")
    if State.AUTHENTICATED not in rule.states and State.SELECTED in rule.states:
        return respond.NotSelected("no mailbox is selected")
    return respond.WrongState("not possible in this state")


class IMAPFactory(Factory):
    """Makes the connections of a listener.

    Args:
        site: What they share.
        clock: Time.
        limits: What each is held to.
    """

    noisy = False

    def __init__(
        self, site: Site, clock: IReactorTime, limits: Limits | None = None
    ) -> None:
        self._site = site
        self._clock = clock
        self._limits = limits

    def buildProtocol(self, addr: IAddress | None) -> IMAPConnection:
        """A client connects."""
        del addr
        return IMAPConnection(self._site, self._clock, self._limits)
