"""A POP3 connection on a Twisted transport.

In this file:
    Pop3Connection    octets to commands, timers, errors
    Pop3Factory       makes connections
"""

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from maildrop.errors import MaildropError
from maildrop.mailbox.account import Account
from maildrop.net.connection import Limits, ServerConnection
from maildrop.net.sessions import Session as Registered
from maildrop.pop3.commands import auth
from maildrop.pop3.commands.table import RULES
from maildrop.pop3.respond import failure
from maildrop.pop3.session import Services, Session
from maildrop.pop3.wire.commands import Command
from maildrop.pop3.wire.reader import (
    Event,
    Fault,
    Reader,
    Response,
    WireLimits,
    Wrong,
)
from maildrop.pop3.wire.replies import Code, err, ok

_WRONG = {
    Wrong.UNKNOWN: b"Unknown command",
    Wrong.ARGUMENTS: b"Bad arguments",
    Wrong.LENGTH: b"Line too long",
}


class Pop3Connection(ServerConnection[Event]):
    """One POP3 connection.

    Args:
        services: What sessions need of the rest of the program.
        limits: What the connection is held to; the times come from the settings.
        wire_limits: What the client's lines are held to.
    """

    _log = Logger()

    def __init__(
        self,
        services: Services,
        limits: Limits | None = None,
        wire_limits: WireLimits | None = None,
    ) -> None:
        limits = Limits() if limits is None else limits
        settings = services.settings
        super().__init__(services.clock, replace(limits, idle=settings.autologout))
        self.allow_silence(settings.before_login)
        self._services = services
        self._reader = Reader(wire_limits)
        self.session = Session(self, services)
        self.live = Registered(settings.name, self, services.clock.seconds())

    # -- what the pump asks for

    def greet(self) -> None:
        """No timestamp in angle brackets: APOP is not offered (RFC 1939 section 7)."""
        self._services.sessions.add(self.live)
        self.write(ok(b"%b POP3 ready" % self._services.settings.hostname.encode()))

    def receive(self, octets: bytes) -> None:
        """Take octets."""
        self._reader.receive_data(octets)

    def next_event(self) -> Event | None:
        """What the client said next."""
        return self._reader.next_event()

    def handle(self, event: Event) -> Coroutine[Any, Any, None] | None:
        """Do it."""
        if isinstance(event, Command):
            return self._command(event)
        if isinstance(event, Response):
            return auth.respond(self.session, event.line)
        if isinstance(event, Fault):
            self.write(err(_WRONG[event.wrong]))
            self.session.went_wrong()
        else:
            self.close()
        return None

    def _command(self, command: Command) -> Coroutine[Any, Any, None] | None:
        rule = RULES[command.keyword]
        session = self.session
        if session.state not in rule.states:
            self.write(err(b"Not in this state"))
            session.went_wrong()
            return None
        try:
            work = rule.run(session, command)
        except MaildropError as error:
            self._answer_failure(command, error)
            return None
        return None if work is None else self._finish(command, work)

    async def _finish(self, command: Command, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except MaildropError as error:
            self._answer_failure(command, error)

    def _answer_failure(self, command: Command, error: MaildropError) -> None:
        self.session.log_failure(command.keyword.decode(), error)
        self.write(failure(error))

    def broken(self) -> None:
        """A bug: the session goes on, for a while."""
        self.write(err(b"Internal error", Code.SYS_TEMP))
        self.session.went_wrong()

    def timed_out(self) -> None:
        """RFC 1939 section 3: nothing is said and nothing removed."""
        self.live.ending = "nothing heard for too long"

    def closed(self) -> None:
        """The connection is gone."""
        self._services.sessions.remove(self.live)
        Deferred.fromCoroutine(self.session.leave()).addErrback(
            lambda reason: self._log.failure("maildrop not left", failure=reason)
        )

    # -- what the session asks for

    @property
    def clear_octets(self) -> bool:
        """Whether octets came that no command was read from yet."""
        return self._reader.holds_octets

    def expect_response(self) -> None:
        """The next line belongs to a SASL exchange."""
        self._reader.expect_response()

    def logged_in(self, account: Account) -> None:
        """The session has an account from now on."""
        self.allow_silence(None)
        self.live.user = account.name
        self.live.mailbox = "INBOX"


class Pop3Factory(Factory):
    """Makes POP3 connections.

    Args:
        services: What sessions need of the rest of the program.
        limits: What a connection is held to.
        wire_limits: What a client's lines are held to.
    """

    noisy = False

    def __init__(
        self,
        services: Services,
        limits: Limits | None = None,
        wire_limits: WireLimits | None = None,
    ) -> None:
        self.services = services
        self.limits = Limits() if limits is None else limits
        self.wire_limits = wire_limits

    def buildProtocol(self, addr: IAddress | None) -> Pop3Connection:
        """A connection."""
        del addr
        connection = Pop3Connection(self.services, self.limits, self.wire_limits)
        connection.factory = self
        return connection
