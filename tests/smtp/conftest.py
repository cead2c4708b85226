"""A server of each service on a string transport, with mail in memory."""

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

from maildrop.auth.users import User
from maildrop.decisions.recorder import SILENT, Noting
from maildrop.decisions.trace import TraceIds
from maildrop.delivery.agent import Agent
from maildrop.delivery.filters import Chain, Filter
from maildrop.delivery.routing import Router
from maildrop.errors import AuthenticationFailed, TemporaryError
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Post
from maildrop.sasl import mechanisms
from maildrop.sasl.exchange import Credentials, Exchange, Outcome
from maildrop.smtp.server import SMTPServer
from maildrop.smtp.service import Service, SMTPLimits
from maildrop.smtp.session import Site
from maildrop.storage.memory.store import MemoryStores
from tests.delivery.outboxes import PLACING, Kept

T = TypeVar("T")
NOW = 1_790_000_000.0


class People:
    """Users by address; a name in ``broken`` cannot be looked up now."""

    def __init__(self, *names: str) -> None:
        self.users = {
            name: User(Account(name, f"/home/{name}", "memory:")) for name in names
        }
        self.broken = False

    def address(self, local: str, domain: str) -> User | None:
        if self.broken:
            raise TemporaryError("the file cannot be read")
        user = self.users.get(f"{local.lower()}@{domain}")
        return user or self.users.get(local.lower())


class Judge:
    """Takes every user with the password "secret"."""

    def __init__(self, people: People) -> None:
        self.people = people

    def mechanisms(self, secure: bool) -> tuple[str, ...]:
        return ("PLAIN", "LOGIN") if secure else ()

    def exchange(
        self, mechanism: str, initial: bytes | None, *, secure: bool
    ) -> Exchange:
        assert secure
        return mechanisms.start(mechanism, initial)

    async def conclude(
        self, outcome: Outcome, *, service: str, source: str, note: Noting = SILENT
    ) -> Account:
        del note
        assert service == "submission"
        assert source
        assert isinstance(outcome, Credentials)
        user = self.people.users.get(outcome.authentication)
        if user is None or outcome.password != "secret":
            raise AuthenticationFailed("no")
        return user.account


class Watches:
    """Nothing changes by other hands."""

    def watch(
        self, paths: Sequence[str], changed: Callable[[], None]
    ) -> Callable[[], None]:
        del paths, changed
        return lambda: None


def at_once(job: Callable[[], T]) -> Deferred[T]:
    return succeed(job())


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


class Served:
    """A site, and one connection to it at a time."""

    def __init__(self, service: Service, scratch: str) -> None:
        self.clock = Clock()
        self.people = People("alice", "bob", "carol")
        self.stores = MemoryStores(lambda: NOW)
        self.post = Post(self.stores, at_once, lambda _: nullcontext(), Watches())
        self.outbox = Kept()
        self.site = Site(
            service=service,
            hostname="mail.example.org",
            router=Router(self.people, ["example.org"], "mail.example.org"),
            agent=Agent(self.post, self.outbox, PLACING),
            trace_ids=TraceIds(lambda: NOW, bytes),
            now=lambda: NOW,
            scratch=scratch,
            authenticator=Judge(self.people) if service is Service.SUBMISSION else None,
            tls=Context,
        )
        self.transport = Transport()
        self.server: SMTPServer | None = None

    def limit(self, limits: SMTPLimits) -> None:
        self.site = replace(self.site, limits=limits)

    def filters(self, *filters: Filter) -> None:
        self.site = replace(self.site, chain=Chain(filters))

    def connect(self, address: str = "192.0.2.7") -> bytes:
        """A client connects; the greeting."""
        self.transport = Transport(peerAddress=IPv4Address("TCP", address, 4321))
        self.server = SMTPServer(self.site, self.clock)
        self.server.makeConnection(self.transport)
        return self._answer()

    def say(self, octets: bytes) -> bytes:
        """The client sends octets; what the server answers."""
        assert self.server is not None
        self.server.dataReceived(octets)
        return self._answer()

    def lines(self, *lines: bytes) -> bytes:
        """The client sends lines in one packet."""
        return self.say(b"".join(line + b"\r\n" for line in lines))

    def codes(self, *lines: bytes) -> list[int]:
        """The codes of the replies, one for each line of the last kind."""
        return [
            int(line[:3])
            for line in self.lines(*lines).splitlines()
            if line[3:4] == b" "
        ]

    def silence(self, seconds: float) -> bytes:
        """Nothing happens for a while."""
        self.clock.advance(seconds)
        return self._answer()

    def lose(self) -> None:
        """The connection breaks."""
        assert self.server is not None
        self.server.connectionLost()

    @property
    def closed(self) -> bool:
        return bool(self.transport.disconnecting or self.transport.disconnected)

    def mail(self, user: str = "alice", folder: str = "INBOX") -> list[bytes]:
        """What lies in a mailbox."""
        store = self.stores(self.people.users[user].account)
        mailbox = store.open(folder)
        return [mailbox.read(uid) for uid in mailbox.table.uids]

    def _answer(self) -> bytes:
        octets: bytes = self.transport.value()
        self.transport.clear()
        return octets


@pytest.fixture
def smtp(tmp_path: object) -> Served:
    served = Served(Service.SMTP, str(tmp_path))
    served.connect()
    served.lines(b"EHLO client.example")
    return served


@pytest.fixture
def lmtp(tmp_path: object) -> Served:
    served = Served(Service.LMTP, str(tmp_path))
    served.connect()
    served.lines(b"LHLO client.example")
    return served


@pytest.fixture
def submission(tmp_path: object) -> Served:
    served = Served(Service.SUBMISSION, str(tmp_path))
    served.connect("127.0.0.1")
    served.lines(b"EHLO client.example")
    return served
