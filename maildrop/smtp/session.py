"""A session: what one client has said so far.

In this file:
    Session         state of a connection
    Transaction     state of one message on its way (RFC 5321 section 3.3)
    Site            what all sessions of a listener share
    Link            what a session needs of its connection
    Routes          says for whom mail is taken: ``delivery.routing``
    Takes           takes messages: ``delivery.agent``
    Authenticator   judges logins: ``auth.authenticator``
    Turns           tries what waits for a domain: ``queue.turns``

``server`` feeds it; ``commands`` change it.
"""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from twisted.internet.interfaces import IOpenSSLContextFactory
from twisted.logger import Logger

from maildrop.decisions.recorder import SILENT, Noting
from maildrop.decisions.trace import TraceIds
from maildrop.delivery.actions import Recipient
from maildrop.delivery.agent import Envelope
from maildrop.delivery.filters import Chain, Chained, Client, Verdict
from maildrop.delivery.outcome import Outcome as Seen
from maildrop.durable import Content
from maildrop.errors import MaildropError
from maildrop.mailbox.account import Account
from maildrop.net.peer import Peer
from maildrop.net.sessions import Session as LiveSession, Sessions
from maildrop.sasl.dialogue import Dialogue
from maildrop.sasl.exchange import Exchange, Outcome
from maildrop.smtp import respond
from maildrop.smtp.service import Service, SMTPLimits
from maildrop.smtp.wire.path import Path
from maildrop.smtp.wire.reader import Reader
from maildrop.smtp.wire.reply import reply
from maildrop.smtp.wire.states import State


class Authenticator(Protocol):
    """Judges logins."""

    def mechanisms(self, secure: bool) -> tuple[str, ...]:
        """The mechanisms to offer on a connection."""

    def exchange(
        self, mechanism: str, initial: bytes | None, *, secure: bool
    ) -> Exchange:
        """Begin an exchange."""

    async def conclude(
        self, outcome: Outcome, *, service: str, source: str, note: Noting = SILENT
    ) -> Account:
        """Judge what it ended in."""


class Routes(Protocol):
    """Says for whom mail is taken: ``delivery.routing``."""

    async def route(
        self, path: Path, *, sender: Path | None = None, outward: bool = False
    ) -> Recipient:
        """What is to be done with mail for an address."""

    async def belongs(self, path: Path, account: Account) -> bool:
        """Whether an address is a user's."""


class Takes(Protocol):
    """Takes messages: ``delivery.agent``."""

    async def admit(self, recipient: Recipient, octets: int) -> None:
        """See whether there is room for a message."""

    async def deliver(
        self,
        envelope: Envelope,
        content: Content,
        recipients: Sequence[Recipient],
        *,
        together: bool,
    ) -> list[Seen]:
        """See to a message for each recipient."""


class Link(Protocol):
    """What a session needs of its connection."""

    octets_in: int
    octets_out: int

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""

    @property
    def trouble(self) -> str:
        """What the connection was lost by."""

    def write(self, octets: bytes) -> None:
        """Send octets."""

    def close(self) -> None:
        """Send what was written and close."""

    def kick(self) -> None:
        """The administrator ends it."""

    def start_tls(self, context: IOpenSSLContextFactory) -> None:
        """Begin TLS."""

    def allow_silence(self, seconds: float | None) -> None:
        """Time the client out after so many seconds without an octet."""


class Turns(Protocol):
    """Tries what waits for a domain."""

    def allows(self, domain: str) -> bool:
        """Whether a domain may be asked for."""

    async def start(self, domain: str, *, below: bool) -> int:
        """Try what waits for it, and below it; the number of entries.

        Raises:
            MaildropError: The queue cannot be looked through.
        """


@dataclass(frozen=True, slots=True)
class Site:
    """What all sessions of a listener share.

    Attributes:
        service: What is served.
        hostname: Our name.
        router: Says for whom mail is taken.
        agent: Stores it.
        trace_ids: Makes the ids of messages.
        now: Seconds since 1970 UTC.
        scratch: Directory for the nameless files of large messages.
        chain: The filters.
        authenticator: Judges logins; None where nobody logs in.
        tls: Gives the context for STARTTLS; None where it is not offered.
        sessions: The registry of live sessions.
        limits: What a session is held to.
        defer_full: Mail for a full mailbox is to be tried again.
        turns: Tries what waits for a domain; None where nobody may ask for that.
    """

    service: Service
    hostname: str
    router: Routes
    agent: Takes
    trace_ids: TraceIds
    now: Callable[[], float]
    scratch: str
    chain: Chain = field(default_factory=Chain)
    authenticator: Authenticator | None = None
    tls: Callable[[], IOpenSSLContextFactory] | None = None
    sessions: Sessions = field(default_factory=Sessions)
    limits: SMTPLimits = field(default_factory=SMTPLimits)
    defer_full: bool = False
    turns: Turns | None = None


@dataclass(slots=True)
class Transaction:
    """One message on its way.

    Attributes:
        id: Its id in log, Received field and reply.
        sender: The reverse path, None for ``<>``.
        size: Octets that were announced (RFC 1870), 0 if none were.
        smtputf8: Addresses and header may be UTF-8 (RFC 6531).
        recipients: Those accepted.
        content: What has come of the message, None before DATA or BDAT.
        failure: Why the message can no longer be taken.
        fields: Header fields that filters want to have added.
        ret: What a report of failure shall hold: FULL, HDRS or nothing (RFC 3461).
        envelope_id: ENVID, empty if none was given.
    """

    id: str
    sender: Path | None
    smtputf8: bool
    recipients: list[Recipient] = field(default_factory=list)
    content: Content | None = None
    failure: MaildropError | None = None
    size: int = 0
    fields: list[tuple[str, str]] = field(default_factory=list)
    ret: str = ""
    envelope_id: str = ""


class Session:
    """State of a connection.

    Attributes:
        reader: The wire core.
        state: Where the session stands.
        client_name: What the client called itself.
        extended: It said EHLO or LHLO.
        account: Who logged in.
        dialogue: The AUTH exchange at work.
        transaction: The message at work.
        ended: What to do when the content at work is complete; the argument says
            whether it was too large.
        examination: The filters' view of the connection, None without filters.
        examined: The filters were asked about the connection.
    """

    _log = Logger()

    def __init__(self, link: Link, site: Site) -> None:
        self.link = link
        self.site = site
        self.reader = Reader(site.limits.wire)
        self.state = State.START
        self.client_name = ""
        self.extended = False
        self.account: Account | None = None
        self.dialogue: Dialogue | None = None
        self.transaction: Transaction | None = None
        self.ended: Callable[[Session, bool], Coroutine[Any, Any, None] | None]
        self.ended = _nothing
        peer = link.peer
        self.examination: Chained | None = site.chain.begin(
            Client(site.service.value, peer.address, peer.port)
        )
        self.examined = False
        self.commands = 0
        self._errors = 0
        self._refused = 0
        self.live = site.sessions.add(LiveSession(site.service.value, link, site.now()))

    @property
    def lmtp(self) -> bool:
        """RFC 2033 rules."""
        return self.site.service is Service.LMTP

    # -- answering

    def reply(self, octets: bytes) -> None:
        """Answer."""
        self.link.write(octets)

    def error(self, octets: bytes) -> None:
        """Answer a command that was wrong; after too many, close."""
        self._errors += 1
        if self._errors > self.site.limits.errors:
            self.end("too many errors", respond.TOO_MANY_ERRORS)
            return
        self.link.write(octets)

    def refuse(self, error: MaildropError, *, what: str) -> None:
        """Answer a command that was right and is not followed.

        Args:
            error: Why.
            what: For the log.
        """
        refusal = self.refusal(error)
        self.note_refusal(what, str(error), answer=str(refusal))
        self.reply(bytes(refusal))

    def refusal(self, error: MaildropError) -> respond.Refusal:
        """The reply for an error."""
        site = self.site
        return respond.refusal(error, defer_full=site.defer_full)

    def note(self, kind: str, /, **facts: object) -> None:
        """Note a decision about the message at work, or about the connection."""
        if self.transaction is None:
            self.live.note(kind, **facts)
        else:
            self.live.note_message(self.transaction.id, kind, **facts)

    def note_refusal(self, what: str, reason: str, **facts: object) -> None:
        """Log that something was refused.

        Args:
            what: For people.
            reason: Why.
            facts: For the record of decisions.
        """
        self.note("not accepted", what=what, why=reason, **facts)
        self.log_refusal(what, reason)

    def log_refusal(self, what: str, reason: str) -> None:
        """The same for what is on record already."""
        self._log.info(
            "{id}: refused {what} from {peer}: {reason}",
            id=self.live.trace if self.transaction is None else self.transaction.id,
            what=what,
            peer=self.link.peer,
            reason=reason,
        )

    def refused_recipient(self, octets: bytes) -> None:
        """Answer a RCPT with no; after too many, close."""
        self._refused += 1
        if self._refused > self.site.limits.refused:
            self.end("too many refused recipients", respond.TOO_MANY_ERRORS)
            return
        self.link.write(octets)

    def refused_by_filter(self, verdict: Verdict, what: str) -> None:
        """Answer what a filter refused."""
        answer = f"{verdict.code} {verdict.enhanced} {verdict.text}"
        self.note_refusal(what, "a filter refused it", answer=answer)
        octets = reply(verdict.code, verdict.text, verdict.enhanced)
        if verdict.code == 421:
            self.close(octets)
        else:
            self.reply(octets)

    def end(self, why: str, octets: bytes) -> None:
        """A limit or an error ends the connection."""
        self.live.ending = why
        self._log.info(
            "{id}: {why} from {peer}",
            id=self.live.trace,
            why=why,
            peer=self.link.peer,
        )
        self.close(octets)

    def close(self, octets: bytes) -> None:
        """Answer and close the connection."""
        self.link.write(octets)
        self.link.close()

    # -- state

    def begin(self, transaction: Transaction) -> None:
        """MAIL was accepted."""
        self.transaction = transaction
        self.state = State.MAIL

    def end_transaction(self, *, taken: bool = False) -> None:
        """Forget the message at work; EHLO stays said.

        Args:
            taken: The filters have seen the content.
        """
        transaction, self.transaction = self.transaction, None
        if transaction is not None:
            if transaction.content is not None:
                transaction.content.close()
            if self.examination is not None and not taken:
                self.examination.abort()
        if self.state is not State.START:
            self.state = State.READY

    def restart(self) -> None:
        """TLS begins: forget everything (RFC 3207 section 4.2)."""
        self.end_transaction()
        self.reader = Reader(self.site.limits.wire)
        self.state = State.START
        self.client_name = ""
        self.extended = False

    def closed(self) -> None:
        """The connection is gone."""
        # What it holds would stay until cycles of objects are looked for.
        self.reader = Reader(self.site.limits.wire)
        self.end_transaction()
        if self.examination is not None:
            self.examination.close()
        self.site.sessions.remove(self.live)


def _nothing(session: Session, exceeded: bool) -> None:
    """No content is expected."""
    del session, exceeded
