"""A relay on a network in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import TypedDict, TypeVar, Unpack

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from maildrop.durable import Content
from maildrop.queue.entry import Entry, Options, Result, Waiting
from maildrop.queue.relay import Attempt, Job
from maildrop.smtp.client.hosts import Exchanger, NoAnswer, NoSuchName
from maildrop.smtp.client.message import InThread
from maildrop.smtp.client.policy import NextHop, Routes
from maildrop.smtp.client.pool import Keeping
from maildrop.smtp.client.relay import Limits, SMTPRelay
from maildrop.smtp.client.sessions import Outside, Sessions
from maildrop.smtp.wire.opening import TLSPolicy
from tests.queue.settled import Settled
from tests.smtp.client.network import Network
from tests.smtp.client.peer import MODERN, Peer

T = TypeVar("T")

MESSAGE = b"Subject: hello\r\n\r\nbody\r\n.dotted\r\n"


class Table:
    """A DNS in memory: None for a name does not answer; a missing name is none."""

    def __init__(self) -> None:
        self.mx: dict[str, list[tuple[int, str]] | None] = {}
        self.a: dict[str, list[str] | None] = {}
        self.asked: list[str] = []

    async def exchangers(self, domain: str) -> Sequence[Exchanger]:
        self.asked.append(f"MX {domain}")
        if domain not in self.mx and domain in self.a:
            return []
        return [Exchanger(*each) for each in _found(self.mx, domain)]

    async def addresses(self, host: str) -> Sequence[str]:
        self.asked.append(f"A {host}")
        return _found(self.a, host)


def _found(table: dict[str, list[T] | None], name: str) -> list[T]:
    if name not in table:
        raise NoSuchName(f"there is no {name}")
    found = table[name]
    if found is None:
        raise NoAnswer("the DNS does not answer")
    return found


async def at_once(work: Callable[[], T]) -> T:
    return work()


class Shuffler(Random):
    """Chance that comes out the same each time."""


class Mail(TypedDict, total=False):
    """What a job may say."""

    sender: str
    message: bytes
    notify: tuple[str, ...]
    original: str
    via: str
    options: Options


def job(
    *addresses: str,
    sender: str = "sender@example.org",
    message: bytes = MESSAGE,
    notify: tuple[str, ...] = (),
    original: str = "",
    via: str = "",
    options: Options | None = None,
) -> Job:
    waiting = [
        Waiting(number, address, "smtp", "", original, notify, via=via)
        for number, address in enumerate(addresses or ("a@example.net",))
    ]
    entry = Entry("ID1", sender, 1000.0, len(message), waiting, options or Options())
    return Job(entry, waiting, lambda: Content.of(message), Settled())


@dataclass
class World:
    """A relay, and the world around it."""

    clock: Clock = field(default_factory=Clock)
    table: Table = field(default_factory=Table)
    default: NextHop = field(
        default_factory=lambda: NextHop("", by_mx=True, tls=TLSPolicy.NONE)
    )
    hops: dict[str, NextHop] = field(default_factory=dict)
    in_thread: InThread = at_once
    network: Network = field(init=False)

    def __post_init__(self) -> None:
        self.network = Network(self.clock)

    def serve(
        self,
        address: str = "192.0.2.1",
        *,
        offers: tuple[str, ...] = MODERN,
        answers: Mapping[str, str] | None = None,
        lmtp: bool = False,
        name: str = "mx.example.net",
    ) -> None:
        """Let a server stand at an address."""
        self.network.peers[address] = lambda: Peer(
            offers, answers or {}, lmtp=lmtp, name=name
        )

    def relay(
        self, limits: Limits | None = None, keeping: Keeping | None = None
    ) -> SMTPRelay:
        return SMTPRelay(
            "mail.example.org",
            Routes(self.default, self.hops),
            self.outside(),
            limits=limits,
            keeping=keeping,
        )

    def sessions(self) -> Sessions:
        return Sessions("mail.example.org", self.outside())

    def outside(self) -> Outside:
        return Outside(
            self.clock,
            Shuffler(1),
            self.in_thread,
            self.network.endpoint,
            self.table,
            lambda: b"client-nonce",
        )

    def attempt(self, relay: SMTPRelay, work: Job, seconds: float = 0.0) -> Attempt:
        """What an attempt comes to, after so many seconds of silence."""
        found: list[Attempt] = []
        attempt = Deferred.fromCoroutine(relay.relay(work))
        attempt.addCallback(found.append)
        self.network.run()
        if seconds:
            self.clock.advance(seconds)
            self.network.run()
        failures: list[Failure] = []
        attempt.addErrback(failures.append)
        for failure in failures:
            failure.raiseException()
        return found[0]

    def send(self, *addresses: str, **mail: Unpack[Mail]) -> dict[str, Result]:
        """Send with a relay of its own: results by address."""
        settled = Settled()
        work = replace(job(*addresses, **mail), settled=settled)
        attempt = self.attempt(self.relay(), work)
        results = (*settled.results, *attempt.results)
        return {work.recipients[each.number].address: each for each in results}


@pytest.fixture
def world() -> World:
    """One MX, mx.example.net at 192.0.2.1, for example.net."""
    found = World()
    found.table.mx["example.net"] = [(10, "mx.example.net")]
    found.table.a["mx.example.net"] = ["192.0.2.1"]
    return found
