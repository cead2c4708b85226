"""A POP3 server on a string transport, with mail in memory."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TypeVar

import pytest
from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IOpenSSLContextFactory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from zope.interface import implementer

from maildrop.auth.authenticator import Authenticator
from maildrop.auth.throttle import Throttle
from maildrop.auth.users import User
from maildrop.auth.verified import Verified
from maildrop.durable import Content
from maildrop.errors import TemporaryError
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Post
from maildrop.mailbox.interfaces import NewMessage
from maildrop.net.connection import Limits
from maildrop.pop3.server import Pop3Connection, Pop3Factory
from maildrop.pop3.session import Services, Settings
from maildrop.pop3.wire.reader import WireLimits
from maildrop.storage.memory.mailbox import MemoryMailbox
from maildrop.storage.memory.store import MemoryStores

T = TypeVar("T")
KEY = b"k" * 32
ALICE = Account("alice", "/home/alice", "memory:")
MESSAGES = (
    b"Subject: one\r\n\r\nfirst\r\n.dot\r\nlast\r\n",
    b"Subject: two\r\n\r\n" + b"x" * 100 + b"\r\n",
    b"Subject: three\r\n\r\n.\r\n",
)


class People:
    """Users by name."""

    def __init__(self) -> None:
        carol = Account("carol", "/home/carol", "memory:")
        self.users = {
            "alice": User(ALICE, "{PLAIN}secret"),
            "carol": User(carol, "{PLAIN}secret", disabled=True),
        }
        self.broken = False

    def lookup(self, name: str) -> User | None:
        if self.broken:
            raise TemporaryError("the file cannot be read")
        return self.users.get(name)

    def sample(self, number: int) -> str:
        del number
        return "{PLAIN}other"


class Watches:
    """Nothing changes by other hands."""

    def watch(
        self, paths: Sequence[str], changed: Callable[[], None]
    ) -> Callable[[], None]:
        del paths, changed
        return lambda: None


class Threads:
    """Jobs run at once, or when told to."""

    def __init__(self) -> None:
        self.slow = False
        self.waiting: list[Callable[[], None]] = []

    def __call__(self, job: Callable[[], T]) -> Deferred[T]:
        if not self.slow:
            return succeed(job())
        done: Deferred[T] = Deferred()

        def run() -> None:
            done.callback(job())

        self.waiting.append(run)
        return done

    def finish(self) -> None:
        self.waiting.pop(0)()


@implementer(IOpenSSLContextFactory)
class Context:
    """TLS that is never spoken."""

    def getContext(self) -> SSL.Context:
        return SSL.Context(SSL.TLS_METHOD)


class Transport(StringTransport):
    """A string transport that can be told to begin TLS."""

    encrypted = False
    aborted = False

    def startTLS(self, context: IOpenSSLContextFactory) -> None:
        assert isinstance(context, Context)
        self.encrypted = True

    def getHandle(self) -> object:
        return SSL.Connection(Context().getContext()) if self.encrypted else None

    def abortConnection(self) -> None:
        self.aborted = True


class Client:
    """One connection, seen from the client."""

    def __init__(self, factory: Pop3Factory, address: str) -> None:
        self.transport = Transport(peerAddress=IPv4Address("TCP", address, 40000))
        self.connection: Pop3Connection = factory.buildProtocol(None)
        self.connection.makeConnection(self.transport)
        self.greeting = self.read()

    def read(self) -> bytes:
        """What the server said since the last time."""
        octets: bytes = self.transport.value()
        self.transport.clear()
        return octets

    def send(self, octets: bytes) -> bytes:
        """Send octets; gives what the server said to them."""
        self.connection.dataReceived(octets)
        return self.read()

    def lines(self, *lines: bytes) -> bytes:
        """Send lines, at once."""
        return self.send(b"".join(line + b"\r\n" for line in lines))

    def login(self) -> "Client":
        said = self.lines(b"USER alice", b"PASS secret")
        assert said.startswith(b"+OK Password?\r\n+OK "), said
        return self

    def lose(self) -> None:
        """The connection breaks."""
        self.connection.connectionLost()

    @property
    def closed(self) -> bool:
        return self.transport.disconnecting


class Served:
    """A server, and the mail of alice."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.people = People()
        self.threads = Threads()
        self.stores = MemoryStores(lambda: 1_790_000_000.0)
        post = Post(self.stores, self.threads, lambda _: nullcontext(), Watches())
        judge = Authenticator(
            self.people,
            Throttle(KEY),
            Verified(KEY),
            self.clock,
            in_thread=self.threads,
            key=KEY,
        )
        settings = Settings(hostname="mail.example.org")
        self.services = Services(judge, post, self.clock, Context, settings=settings)
        self.limits = Limits()
        self.wire_limits = WireLimits()
        self.add(*MESSAGES)

    def set(self, **changes: float) -> None:
        """Change settings."""
        changed = replace(self.services.settings, **changes)  # type: ignore[arg-type]
        self.services = replace(self.services, settings=changed)

    @property
    def inbox(self) -> MemoryMailbox:
        """The INBOX of alice, behind the server's back."""
        return self.stores(ALICE).open("INBOX")

    def add(self, *messages: bytes) -> None:
        """Messages arrive."""
        new = [NewMessage(Content.of(octets)) for octets in messages]
        self.inbox.publish(self.inbox.stage(new), None)

    def connect(self, address: str = "127.0.0.1") -> Client:
        """A client connects."""
        factory = Pop3Factory(self.services, self.limits, self.wire_limits)
        return Client(factory, address)

    def login(self) -> Client:
        """Alice connects and logs in."""
        return self.connect().login()


@pytest.fixture
def pop3() -> Served:
    return Served()
