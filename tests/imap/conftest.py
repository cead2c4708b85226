"""An IMAP server on string transports, with mail in memory."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TypeVar

import pytest
from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IOpenSSLContextFactory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from maildrop.decisions.recorder import SILENT, Noting
from maildrop.errors import AuthenticationFailed
from maildrop.imap.limits import IMAPLimits
from maildrop.imap.server import IMAPConnection
from maildrop.imap.site import Site
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Post
from maildrop.net.connection import Limits
from maildrop.sasl import mechanisms
from maildrop.sasl.exchange import Credentials, Exchange, Outcome
from maildrop.storage.memory.mailbox import MemoryMailbox
from maildrop.storage.memory.store import MemoryStores

T = TypeVar("T")
NOW = 1_790_000_000.0
ALICE = Account("alice", "/home/alice", "memory:")
MESSAGE = b"From: a@example.org\r\nSubject: one\r\n\r\nhello\r\n"


class Judge:
    """Takes everybody with the password "secret"."""

    def allows_cleartext(self, secure: bool) -> bool:
        return secure

    def mechanisms(self, secure: bool) -> tuple[str, ...]:
        return ("PLAIN", "LOGIN") if secure else ()

    def exchange(
        self, mechanism: str, initial: bytes | None, *, secure: bool
    ) -> Exchange:
        if mechanism not in self.mechanisms(secure):
            raise mechanisms.UnknownMechanism(mechanism)
        return mechanisms.start(mechanism, initial)

    async def conclude(
        self, outcome: Outcome, *, service: str, source: str, note: Noting = SILENT
    ) -> Account:
        assert isinstance(outcome, Credentials)
        return await self.authenticate(
            outcome.authentication,
            outcome.password,
            service=service,
            source=source,
            note=note,
        )

    async def authenticate(
        self,
        name: str,
        password: str,
        *,
        service: str,
        source: str,
        note: Noting = SILENT,
    ) -> Account:
        del note
        assert service == "imap"
        assert source
        if password != "secret":
            raise AuthenticationFailed("no")
        return Account(name, f"/home/{name}", "memory:")


class Watches:
    """Nothing changes by other hands."""

    def watch(
        self, paths: Sequence[str], changed: Callable[[], None]
    ) -> Callable[[], None]:
        del paths, changed
        return lambda: None


class Threads:
    """Jobs run at once, or wait until ``finish`` when ``slow``."""

    def __init__(self) -> None:
        self.slow = False
        self.waiting: list[Callable[[], None]] = []

    def __call__(self, job: Callable[[], T]) -> Deferred[T]:
        if not self.slow:
            return succeed(job())
        done: Deferred[T] = Deferred()

        def run() -> None:
            try:
                result = job()
            except Exception:
                done.errback(Failure())
            else:
                done.callback(result)

        self.waiting.append(run)
        return done

    def finish(self) -> None:
        """All jobs that wait end."""
        while self.waiting:
            self.waiting.pop(0)()


@implementer(IOpenSSLContextFactory)
class Context:
    """TLS that is never spoken."""

    def getContext(self) -> SSL.Context:
        return SSL.Context(SSL.TLS_METHOD)


class Transport(StringTransport):
    """A string transport that can be told to begin TLS."""

    encrypted = False

    def startTLS(self, context: IOpenSSLContextFactory) -> None:
        assert isinstance(context, Context)
        self.encrypted = True

    def getHandle(self) -> object:
        return SSL.Connection(Context().getContext()) if self.encrypted else None

    def abortConnection(self) -> None:
        self.disconnected = True


class Client:
    """One connection."""

    def __init__(
        self, site: Site, clock: Clock, address: str, limits: Limits | None = None
    ) -> None:
        self.transport = Transport(peerAddress=IPv4Address("TCP", address, 4321))
        self.server = IMAPConnection(site, clock, limits)
        self.server.makeConnection(self.transport)
        self.greeting = self.heard()

    def send(self, octets: bytes) -> bytes:
        """Send octets; what the server answers."""
        self.server.dataReceived(octets)
        return self.heard()

    def say(self, *lines: bytes) -> list[bytes]:
        """Send lines in one packet; the lines of the answer."""
        return self.send(b"".join(line + b"\r\n" for line in lines)).splitlines()

    def heard(self) -> bytes:
        """What the server said since."""
        octets: bytes = self.transport.value()
        self.transport.clear()
        return octets

    def news(self) -> list[bytes]:
        """The same in lines."""
        return self.heard().splitlines()

    def lose(self) -> None:
        """The connection breaks."""
        self.server.connectionLost()

    @property
    def closed(self) -> bool:
        return bool(self.transport.disconnecting or self.transport.disconnected)


class Served:
    """A site and its mail."""

    def __init__(self, scratch: str) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.threads = Threads()
        self.stores = MemoryStores(lambda: NOW)
        self.post = Post(self.stores, self.threads, self.owner, Watches())
        self.site = Site(
            hostname="mail.example.org",
            post=self.post,
            authenticator=Judge(),
            now=lambda: NOW,
            scratch=scratch,
            tls=Context,
        )
        self.clients: list[Client] = []

    def owner(self, account: Account) -> AbstractContextManager[object]:
        del account
        return nullcontext()

    def limit(self, limits: IMAPLimits) -> None:
        self.site = replace(self.site, limits=limits)

    def connect(
        self, address: str = "127.0.0.1", limits: Limits | None = None
    ) -> Client:
        """A client connects."""
        client = Client(self.site, self.clock, address, limits)
        self.clients.append(client)
        return client

    def login(self, user: bytes = b"alice") -> Client:
        """A client that has logged in."""
        client = self.connect()
        answer = client.say(b"l LOGIN %b secret" % user)
        assert answer[-1].startswith(b"l OK "), answer
        return client

    def selected(
        self, mailbox: bytes = b"INBOX", *, command: bytes = b"SELECT"
    ) -> Client:
        """A client that has opened a mailbox."""
        client = self.login()
        answer = client.say(b"s %b %b" % (command, mailbox))
        assert answer[-1].startswith(b"s OK "), answer
        return client

    def mailbox(self, name: str = "INBOX") -> MemoryMailbox:
        """The store's side of alice's mailbox."""
        return self.stores(ALICE).open(name)

    def fill(self, *messages: bytes, mailbox: bytes = b"INBOX") -> None:
        """Put messages into alice's mailbox."""
        client = self.login()
        for message in messages:
            head = b"a APPEND %b {%d+}\r\n" % (mailbox, len(message))
            answer = client.send(head + message + b"\r\n")
            assert answer.startswith(b"a OK"), answer
        client.say(b"o LOGOUT")
        client.lose()


@pytest.fixture
def imap(tmp_path: object) -> Served:
    return Served(str(tmp_path))
