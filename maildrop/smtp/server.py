"""The server: a connection of SMTP, submission or LMTP on a Twisted transport.

In this file:
    SMTPServer     one connection; the pump of ``net.connection`` drives it
    SMTPFactory    makes them for a listener

``wire.states`` has the order of commands, ``commands.table`` the functions.

Errors: what a handler does not expect is logged whole and answered 451 4.3.0; in the
middle of a message the rest is swallowed first.

Limits: ``service.SMTPLimits`` and ``net.connection.Limits``.
"""

from collections.abc import Coroutine
from typing import Any, Final

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from maildrop.errors import TemporaryError
from maildrop.net.connection import Limits, ServerConnection
from maildrop.smtp import content, respond
from maildrop.smtp.commands.auth import response
from maildrop.smtp.commands.table import COMMANDS
from maildrop.smtp.service import Service
from maildrop.smtp.session import Session, Site
from maildrop.smtp.wire.events import (
    Command,
    Ended,
    Event,
    Fault,
    Piece,
    Response,
    Unreadable,
)
from maildrop.smtp.wire.reply import reply
from maildrop.smtp.wire.states import ALLOWED, HTTP, State

#: RFC 5321 section 4.5.3.2.7: at least five minutes for the next command.
IDLE: Final = 300.0

_OUT_OF_ORDER: Final[dict[State, bytes]] = {
    State.START: respond.HELLO_FIRST,
    State.MAIL: respond.NO_RECIPIENT,
}
_FAULTS: Final[dict[Fault, bytes]] = {
    Fault.TOO_LONG: respond.TOO_LONG,
    Fault.LINE_END: respond.BAD_LINE_END,
}


class SMTPServer(ServerConnection[Event]):
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
        super().__init__(clock, limits or Limits(idle=IDLE))
        self.site = site
        self._commands = COMMANDS[site.service]

    def greet(self) -> None:
        """Greet: RFC 5321 section 4.2, with the protocol's name after the host's."""
        self.session = Session(self, self.site)
        name = "LMTP" if self.site.service is Service.LMTP else "ESMTP"
        self.write(reply(220, f"{self.site.hostname} {name} maildrop"))

    def receive(self, octets: bytes) -> None:
        """Octets came."""
        self.session.reader.receive_data(octets)

    def next_event(self) -> Event | None:
        """What the client said next."""
        return self.session.reader.next_event()

    def handle(self, event: Event) -> Coroutine[Any, Any, None] | None:
        """Do what the client said."""
        session = self.session
        if isinstance(event, Piece):
            content.piece(session, event.octets)
            return None
        if isinstance(event, Command):
            return self._command(event.verb, event.argument)
        if isinstance(event, Ended):
            return session.ended(session, event.exceeded)
        if isinstance(event, Response):
            return response(session, event.line)
        self._unreadable(event)
        return None

    def _command(
        self, verb: bytes, argument: bytes
    ) -> Coroutine[Any, Any, None] | None:
        session = self.session
        session.commands += 1
        if session.commands > self.site.limits.commands:
            session.end("too many commands", respond.TOO_MANY_COMMANDS)
            return None
        if verb in ALLOWED[session.state]:
            command = self._commands.get(verb)
            if command is not None:
                return command(session, argument)
        if verb in HTTP:
            session.end("HTTP", respond.NOT_SMTP)
        else:
            session.error(self._why_not(verb))
        return None

    def _why_not(self, verb: bytes) -> bytes:
        """The reply to a verb that cannot be followed now."""
        if verb not in self._commands:
            return respond.NOT_KNOWN
        state = self.session.state
        if state is State.READY:
            return respond.NO_SENDER
        return _OUT_OF_ORDER.get(state, respond.NOT_NOW)

    def _unreadable(self, event: Unreadable) -> None:
        session = self.session
        session.dialogue = None
        if event.fault is Fault.ENDLESS:
            session.end("a line or message far over every limit", respond.TOO_MUCH)
        else:
            session.error(_FAULTS[event.fault])

    def broken(self) -> None:
        """A handler failed: say so, or remember it until the message has ended."""
        session = self.session
        if session.reader.in_content and session.transaction is not None:
            session.transaction.failure = TemporaryError("server bug, see the log")
        else:
            self.write(respond.BUG)

    def timed_out(self) -> None:
        """RFC 5321 section 4.5.3.2."""
        self.session.live.ending = "nothing heard for too long"
        self.write(respond.IDLE)

    def kick(self) -> None:
        """RFC 5321 section 3.8: 421 may come at any time."""
        self.write(respond.GOING)
        self.close()

    def closed(self) -> None:
        """The connection is gone."""
        self.session.closed()


class SMTPFactory(Factory):
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

    def buildProtocol(self, addr: IAddress | None) -> SMTPServer:
        """A client connects."""
        del addr
        return SMTPServer(self._site, self._clock, self._limits)
