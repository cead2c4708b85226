"""A session: what one client has said so far, and how it is answered.

In this file:
    State       where a session stands
    Session     state of one connection
    Link        what a session needs of its connection
    Appending   a message on its way in
    Counts      what is said of a session when it ends

States (RFC 3501 section 3):

    NOT_AUTHENTICATED --LOGIN, AUTHENTICATE--> AUTHENTICATED
    AUTHENTICATED --SELECT, EXAMINE--> SELECTED --CLOSE, UNSELECT--> AUTHENTICATED
    any --LOGOUT, BYE--> LOGOUT

``server`` feeds it; ``commands`` change it; ``states`` says which command is possible.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.interfaces import IOpenSSLContextFactory
from twisted.logger import Logger

from maildrop.durable import Content
from maildrop.errors import MaildropError
from maildrop.imap import respond
from maildrop.imap.selected import Selected
from maildrop.imap.site import Site
from maildrop.imap.wire.append import Append
from maildrop.imap.wire.reader import CommandReader
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Mail
from maildrop.mailbox.open_mailbox import Mailbox
from maildrop.net.peer import Peer
from maildrop.net.sessions import Session as LiveSession
from maildrop.sasl.exchange import Exchange


class State(enum.Enum):
    """RFC 3501 section 3."""

    NOT_AUTHENTICATED = enum.auto()
    AUTHENTICATED = enum.auto()
    SELECTED = enum.auto()
    LOGOUT = enum.auto()


class Link(Protocol):
    """What a session needs of its connection."""

    octets_in: int
    octets_out: int

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""

    @property
    def full(self) -> bool:
        """Whether the client reads too slowly for anything that can wait."""

    @property
    def trouble(self) -> str:
        """What the connection was lost by."""

    def write(self, octets: bytes) -> None:
        """Send octets."""

    def write_pieces(self, pieces: list[bytes]) -> None:
        """Send octets in pieces."""

    async def drained(self) -> None:
        """Wait while the client reads too slowly."""

    async def breathe(self) -> None:
        """Let others have a turn, if this one has had it for long."""

    def close(self) -> None:
        """Send what was written and close."""

    def kick(self) -> None:
        """The administrator ends it."""

    def start_tls(self, context: IOpenSSLContextFactory) -> None:
        """Begin TLS."""

    def logged_in(self) -> None:
        """The client has logged in: it may stay."""

    def changed(self) -> None:
        """The selected mailbox changed while the client waits in IDLE."""

    async def told(self) -> None:
        """Wait until what ``changed`` began is over."""


@dataclass(slots=True)
class Appending:
    """A message on its way in.

    Attributes:
        command: APPEND.
        mailbox: Where it goes.
        content: What has come of it.
        ends_in_cr: The last octet so far is CR.
    """

    command: Append
    mailbox: Mailbox
    content: Content
    ends_in_cr: bool = False


@dataclass(slots=True)
class Counts:
    """What a session did, for the log."""

    commands: int = 0
    fetched: int = 0
    appended: int = 0
    expunged: int = 0


class Session:
    """State of a connection.

    Attributes:
        link: The connection.
        site: What it shares with others.
        reader: The wire core.
        state: Where it stands.
        account: Who logged in.
        selected: The selected mailbox.
        enabled: Extensions turned on by ENABLE.
        tag: Of the command at work.
        exchange: The SASL exchange at work.
        mechanism: Of the last exchange.
        appending: The message of the APPEND at work.
        end_idle: Ends the IDLE at work.
        failed_logins: How many there were.
        counts: What was done.
        live: The session in the registry.
    """

    _log = Logger()

    def __init__(self, link: Link, site: Site) -> None:
        self.link = link
        self.site = site
        self.reader = CommandReader(site.limits.wire_before_login)
        self.state = State.NOT_AUTHENTICATED
        self.account: Account | None = None
        self.selected: Selected | None = None
        self.enabled: set[bytes] = set()
        self.tag = b"*"
        self.exchange: Exchange | None = None
        self.mechanism = ""
        self.appending: Appending | None = None
        self.end_idle: Callable[[], None] | None = None
        self.failed_logins = 0
        self.counts = Counts()
        self.live = site.sessions.add(LiveSession("imap", link, site.now()))
        self._mail: Mail | None = None
        self._bad = 0

    # -- what commands ask for

    @property
    def mail(self) -> Mail:
        """The mail of the account."""
        if self._mail is None:
            raise respond.NotAuthenticated("no login yet")
        return self._mail

    @property
    def mailbox(self) -> Selected:
        """The selected mailbox."""
        if self.selected is None:
            raise respond.NotSelected("no mailbox is selected")
        return self.selected

    def name(self, written: str) -> str:
        """The name of a mailbox that the client wrote."""
        return self.site.namespace.name(written)

    # -- answering

    def write(self, octets: bytes) -> None:
        """Send octets."""
        self.link.write(octets)

    def write_pieces(self, pieces: list[bytes]) -> None:
        """Send octets of which some are many: they are not copied."""
        self.link.write_pieces(pieces)

    def bye(self, octets: bytes) -> None:
        """Say BYE and close; unless the client asked for it, BYE says why."""
        if self.state is not State.LOGOUT:
            self.state = State.LOGOUT
            if not octets.startswith(respond.LOGOUT) and not self.live.ending:
                self.live.ending = respond.said(octets)
            self.link.write(octets)
        self.link.close()

    def succeeded(self) -> None:
        """A command was good: bad ones are counted anew."""
        self._bad = 0

    def refuse(self, tag: bytes | None, error: MaildropError) -> None:
        """Answer a command that is not followed; after too many bad ones, close."""
        self.link.write(respond.refusal(tag, error))
        if respond.answer(error).bad:
            self._bad += 1
            limits = self.site.limits
            known = self.account is not None
            if self._bad >= (limits.bad if known else limits.bad_before_login):
                self.note("too many bad commands from {peer}", peer=self.link.peer)
                self.bye(respond.TOO_MANY_BAD)

    def note(self, event: str, **fields: object) -> None:
        """Log something that an administrator may want to know."""
        self._log.info("{id}: " + event, id=self.live.trace, **fields)

    def warn(self, event: str, **fields: object) -> None:
        """Log something that went wrong."""
        self._log.warn("{id}: " + event, id=self.live.trace, **fields)

    # -- state

    def enter(self, account: Account, mail: Mail) -> None:
        """The client has logged in."""
        self.account = account
        self._mail = mail
        self.state = State.AUTHENTICATED
        self.reader.limits = self.site.limits.wire
        self.live.user = account.name
        self.link.logged_in()

    def select(self, selected: Selected) -> None:
        """A mailbox was opened."""
        self.selected = selected
        self.state = State.SELECTED
        self.live.mailbox = selected.mailbox.name

    async def deselect(self) -> bool:
        """Leave the selected mailbox.

        Returns:
            Whether there was one.
        """
        selected, self.selected = self.selected, None
        if selected is None:
            return False
        self.live.mailbox = ""
        if self.state is State.SELECTED:
            self.state = State.AUTHENTICATED
        await selected.leave()
        return True

    async def drop_append(self) -> None:
        """Forget the message on its way in."""
        appending, self.appending = self.appending, None
        if appending is not None:
            appending.content.close()
            await appending.mailbox.leave()

    async def closed(self) -> None:
        """The connection is gone: let go of everything."""
        # What it holds would stay until cycles of objects are looked for.
        self.reader = CommandReader(self.site.limits.wire_before_login)
        self.state = State.LOGOUT
        self.exchange = None
        if self.end_idle is not None:
            self.end_idle()
            self.end_idle = None
        self.site.sessions.remove(self.live)
        if self.account is not None:
            self.note(
                "logout of {user} from {peer}: {octets_in} octets in,"
                " {octets_out} octets out, {commands} commands, {fetched} fetched,"
                " {appended} appended, {expunged} expunged",
                user=self.account.name,
                peer=str(self.link.peer),
                octets_in=self.link.octets_in,
                octets_out=self.link.octets_out,
                commands=self.counts.commands,
                fetched=self.counts.fetched,
                appended=self.counts.appended,
                expunged=self.counts.expunged,
            )
        await self.drop_append()
        await self.deselect()
