"""The state of one POP3 session.

In this file:
    State         where it is
    Session       what the commands work on
    Services      what it needs of the rest of the program
    Settings      what it is held to
    Connection    what it needs of its connection

States, RFC 1939 section 3:

    AUTHORIZATION --- PASS, AUTH ---> TRANSACTION --- QUIT ---> (UPDATE) closed
          |                                |
          +---------- QUIT, break ---------+--- break, timeout: nothing is deleted

Between login and end the maildrop is locked against other POP3 sessions; IMAP sessions
and other programs are not kept out, so a message may be gone when it is asked for.
"""

import enum
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLContextFactory, IReactorTime
from twisted.logger import Logger

from maildrop.decisions.recorder import SILENT, Noting
from maildrop.errors import MaildropError, MessageExpunged, PermanentError
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Mail
from maildrop.mailbox.flags import SEEN, FlagChange, Operation
from maildrop.mailbox.open_mailbox import Mailbox
from maildrop.mailbox.reading_ahead import ReadingAhead
from maildrop.net.peer import Peer
from maildrop.net.sessions import Session as LiveSession, Sessions
from maildrop.pop3.login_delay import LoginDelay
from maildrop.pop3.snapshot import NoSuchMessage, Snapshot
from maildrop.pop3.wire.replies import err
from maildrop.sasl.dialogue import Dialogue
from maildrop.sasl.exchange import Exchange, Outcome


class State(enum.Enum):
    """RFC 1939 section 3; UPDATE is not left to the client and has no entry."""

    AUTHORIZATION = enum.auto()
    TRANSACTION = enum.auto()


class Judge(Protocol):
    """Who judges logins; see ``auth.authenticator.Authenticator``."""

    def allows_cleartext(self, secure: bool) -> bool:
        """Whether USER and PASS may be used."""

    def mechanisms(self, secure: bool) -> tuple[str, ...]:
        """The SASL mechanisms to offer."""

    def exchange(
        self, mechanism: str, initial: bytes | None, *, secure: bool
    ) -> Exchange:
        """Begin a SASL exchange."""

    def conclude(
        self, outcome: Outcome, *, service: str, source: str, note: Noting = SILENT
    ) -> Awaitable[Account]:
        """Judge what an exchange, or USER and PASS, ended in."""


class Post(Protocol):
    """Where mail is; see ``mailbox.bridge.Post``."""

    def mail(self, account: Account) -> Awaitable[Mail]:
        """The mail of an account."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What sessions are held to, and what they say of the server.

    Attributes:
        name: The service, as ``allow`` in the users file and ``who`` name it.
        hostname: In the greeting.
        implementation: In CAPA (RFC 2449 section 6.9).
        before_login: Seconds of silence before login.
        autologout: The same after it; RFC 1939 section 3 wants 600 or more.
        wrong: Lines that are no good command before the connection is closed.
        refused: Logins refused before it is.
        piece: Messages listed before others get a turn.
        unsent: Octets written before the peer's speed is looked at.
    """

    name: str = "pop3"
    hostname: str = "localhost"
    implementation: str = "maildrop"
    before_login: float = 60.0
    autologout: float = 600.0
    wrong: int = 20
    refused: int = 5
    piece: int = 10_000
    unsent: int = 1 << 18


@dataclass(frozen=True, slots=True)
class Services:
    """What sessions need of the rest of the program; shared by all.

    Attributes:
        judge: Judges logins.
        post: Where mail is.
        clock: Time.
        tls: Gives the context for STLS; None where it is not offered.
        sessions: The registry of live sessions.
        settings: What sessions are held to.
        delay: How often a user may log in.
    """

    judge: Judge
    post: Post
    clock: IReactorTime
    tls: Callable[[], IOpenSSLContextFactory] | None = None
    sessions: Sessions = field(default_factory=Sessions)
    settings: Settings = field(default_factory=Settings)
    delay: LoginDelay = field(default_factory=LoginDelay)


class Connection(Protocol):
    """What a session needs of its connection."""

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""

    @property
    def live(self) -> LiveSession:
        """Its place in the registry."""

    @property
    def clear_octets(self) -> bool:
        """Whether octets came that no command was read from yet."""

    def write(self, octets: bytes) -> None:
        """Send octets."""

    def drained(self) -> Awaitable[None]:
        """Wait while the peer reads too slowly."""

    def close(self) -> None:
        """Send what was written and close."""

    def start_tls(self, context: IOpenSSLContextFactory) -> None:
        """Begin TLS."""

    def expect_response(self) -> None:
        """The next line belongs to a SASL exchange."""

    def logged_in(self, account: Account) -> None:
        """The session has an account from now on."""


class TooSoon(PermanentError):
    """The user has logged in a short while ago (LOGIN-DELAY)."""


class Session:
    """One session.

    Attributes:
        state: Where it is.
        connection: Its connection.
        services: What it needs of the rest.
        user: The name that USER gave, None without.
        dialogue: The SASL exchange under way.
        utf8: UTF8 was said (RFC 6856 section 2).
        wrong: Lines that were no good command.
        refused: Logins refused.
        account_name: Whose session it is; empty before login.
    """

    _log = Logger()

    def __init__(self, connection: Connection, services: Services) -> None:
        self.connection = connection
        self.services = services
        self.settings = services.settings
        self.state = State.AUTHORIZATION
        self.user: bytes | None = None
        self.dialogue: Dialogue | None = None
        self.utf8 = False
        self.wrong = 0
        self.refused = 0
        self.account_name = ""
        self._mailbox: Mailbox | None = None
        self._reading: ReadingAhead | None = None
        self._snapshot: Snapshot | None = None
        self._unlock: Callable[[], None] | None = None
        self._read: set[int] = set()
        self._unsent = 0
        self._uidls: Sequence[bytes] | None = None

    # -- what commands use

    @property
    def mailbox(self) -> Mailbox:
        """The open mailbox; only in TRANSACTION."""
        if self._mailbox is None:
            raise RuntimeError("no mailbox before login")
        return self._mailbox

    @property
    def snapshot(self) -> Snapshot:
        """The maildrop as of login; only in TRANSACTION."""
        if self._snapshot is None:
            raise RuntimeError("no snapshot before login")
        return self._snapshot

    @property
    def secure(self) -> bool:
        """Whether nobody on the way can read."""
        return self.connection.peer.secure

    def write(self, octets: bytes) -> None:
        """Send octets."""
        self._unsent += len(octets)
        self.connection.write(octets)

    def read_at_once(self, uid: int) -> bytes | None:
        """A whole message, if it was read ahead."""
        return None if self._reading is None else self._reading.take(uid)

    async def read(self, uid: int) -> bytes:
        """A whole message.

        Raises:
            MessageExpunged: It is gone.
        """
        octets = None if self._reading is None else await self._reading.read(uid)
        if octets is None:
            raise MessageExpunged(f"message with UID {uid} is gone")
        return octets

    @property
    def behind(self) -> bool:
        """Whether so much is unsent that the peer's speed has to be looked at."""
        return self._unsent > self.settings.unsent

    async def drained(self) -> None:
        """After a large reply: wait while much is unsent and the peer is slow."""
        if self.behind:
            self._unsent = 0
            await self.connection.drained()

    async def write_listing(self, pieces: Iterable[bytes]) -> None:
        """Send a listing; between its pieces other connections have a turn."""
        first = True
        for piece in pieces:
            if not first:
                await self.turn()
            first = False
            self.write(piece)

    async def turn(self) -> None:
        """Let other connections have a turn, then wait for a slow peer."""
        others: Deferred[None] = Deferred()
        self.services.clock.callLater(0, others.callback, None)
        await others
        await self.connection.drained()

    async def uidls(self) -> Sequence[bytes]:
        """The unique-id of each message; empty for one that is gone since login."""
        if self._uidls is None:
            found = await self.mailbox.uidls()
            snapshot = self.snapshot
            now = self.mailbox.table.uids
            if now is snapshot.uids:
                self._uidls = found[: snapshot.count]
            else:
                known = dict(zip(now, found, strict=True))
                uids = snapshot.uids[: snapshot.count]
                self._uidls = [known.get(uid, b"") for uid in uids]
        return self._uidls

    def end(self, why: str) -> None:
        """A limit ends the connection."""
        self.connection.live.ending = why
        self.connection.close()

    def went_wrong(self) -> None:
        """A line was no good command; too many end the connection."""
        self.wrong += 1
        if self.wrong >= self.settings.wrong:
            self.write(err(b"Too many bad commands"))
            self.end("too many bad commands")

    # -- what is logged

    def log_failure(self, doing: str, error: MaildropError) -> None:
        """A command failed; what the client did wrong itself is not worth a line."""
        if isinstance(error, NoSuchMessage):
            return
        self._log.info(
            "{id}: pop3 {doing} failed for {user} from {peer}: {kind}: {error}",
            id=self.connection.live.trace,
            doing=doing,
            user=self.account_name,
            peer=self.connection.peer.address,
            kind=type(error).__name__,
            error=error,
        )

    def log_stuffing(self) -> None:
        """Octets stood behind STLS."""
        self._log.warn(
            "{id}: pop3 connection from {peer} closed: octets in clear behind STLS",
            id=self.connection.live.trace,
            peer=self.connection.peer.address,
        )

    # -- from state to state

    async def login(self, outcome: Outcome, mechanism: str) -> int:
        """Go to TRANSACTION: judge, lock, look.

        Args:
            outcome: What USER and PASS, or a SASL exchange, ended in.
            mechanism: Which of these.

        Returns:
            The number of messages.

        Raises:
            AuthenticationFailed, TemporaryError: Not logged in.
            TooSoon: LOGIN-DELAY.
            MailboxInUse: Another POP3 session has the maildrop.
            MaildropError: The mailbox cannot be opened.
        """
        services = self.services
        account = await services.judge.conclude(
            outcome,
            service=self.settings.name,
            source=self.connection.peer.address,
            note=self.connection.live.noting(mechanism),
        )
        if services.delay.too_soon(account.name, services.clock.seconds()):
            raise TooSoon("logged in a short while ago")
        mail = await services.post.mail(account)
        self._mailbox = await mail.open("INBOX")
        try:
            self._unlock = await self._mailbox.lock_maildrop()
            # Another session may have removed messages just before it unlocked.
            await self._mailbox.follow()
            self._snapshot = Snapshot(self._mailbox.table)
            self._reading = ReadingAhead(self._mailbox)
        except BaseException:
            await self.leave()
            raise
        self.state = State.TRANSACTION
        self.account_name = account.name
        self.connection.logged_in(account)
        return self._snapshot.count

    def was_read(self, uid: int) -> None:
        r"""A message was sent whole: it becomes ``\Seen`` at QUIT."""
        self._read.add(uid)

    async def update(self) -> None:
        """UPDATE (RFC 1939 section 6): remove what is marked as deleted.

        Raises:
            MaildropError: Some messages are still there.
        """
        deleted = self.snapshot.deleted_uids()
        try:
            if deleted:
                await self.mailbox.expunge(deleted, None)
        finally:
            self._read.difference_update(deleted)
            await self._mark_read()
            await self.leave()

    async def _mark_read(self) -> None:
        table = self.mailbox.table
        rows = table.rows(sorted(self._read))
        uids = [table.uids[row] for row in rows if not table.flags[row] & SEEN]
        if not uids or self.mailbox.read_only:
            return
        try:
            await self.mailbox.change_flags(uids, FlagChange(Operation.ADD, SEEN), None)
        except MaildropError as error:
            self._log.info(
                "{id}: read messages not marked: {error}",
                id=self.connection.live.trace,
                error=error,
            )

    async def leave(self) -> None:
        """Let go of the maildrop, changing nothing; done before, it does nothing."""
        mailbox, self._mailbox = self._mailbox, None
        self._reading = None
        unlock, self._unlock = self._unlock, None
        try:
            if unlock is not None:
                unlock()
        finally:
            if mailbox is not None:
                await mailbox.leave()
