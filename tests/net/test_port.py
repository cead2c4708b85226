"""Ports: accepting, refusing, waiting, and what connections begin with."""

import errno
import socket
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from zope.interface.verify import verifyObject

from maildrop.net.port import Admission, Port, PortLimits
from maildrop.net.proxy import Networks
from maildrop.net.transport import Transport
from tests.net.talker import Talker
from tests.net.wire import Wire

CLIENT = ("192.0.2.1", 1234)


class Listening:
    """A listening socket: what it accepts is put there by the test."""

    family = socket.AF_INET

    def __init__(self) -> None:
        self.waiting: list[tuple[Wire, tuple[str, int]] | OSError] = []
        self.options: list[int] = []
        self.closed = False
        self.asked = 0

    def accept(self) -> tuple[Wire, tuple[str, int]]:
        self.asked += 1
        if not self.waiting:
            raise BlockingIOError(errno.EAGAIN, "nobody")
        first = self.waiting.pop(0)
        if isinstance(first, OSError):
            raise first
        return first

    def setblocking(self, value: bool) -> None:
        assert not value

    def setsockopt(self, level: int, name: int, value: int) -> None:
        self.options.append(name)

    def getsockname(self) -> tuple[str, int]:
        return ("192.0.2.2", 143)

    def fileno(self) -> int:
        return -1 if self.closed else 98

    def close(self) -> None:
        self.closed = True


class Talkers(Factory):
    """Makes talkers; keeps them."""

    noisy = False

    def __init__(self, clock: MemoryReactorClock) -> None:
        self.clock = clock
        self.made: list[Talker] = []
        self.refuse = False
        self.fail = False

    def buildProtocol(self, addr: IAddress | None) -> Talker | None:
        if self.fail:
            raise ValueError("cannot")
        if self.refuse:
            return None
        self.made.append(Talker(self.clock))
        return self.made[-1]


class Bench:
    """A port and clients."""

    def __init__(
        self, limits: PortLimits | None = None, proxies: Networks | None = None
    ) -> None:
        self.reactor = MemoryReactorClock()
        self.listening = Listening()
        self.factory = Talkers(self.reactor)
        listening: Any = self.listening
        self.port = Port(
            listening, self.factory, self.reactor, limits=limits, proxies=proxies
        )
        self.port.startListening()

    def connect(self, client: tuple[str, int] = CLIENT) -> Wire:
        wire = Wire()
        self.listening.waiting.append((wire, client))
        self.port.doRead()
        return wire

    @property
    def accepting(self) -> bool:
        return self.port in self.reactor.getReaders()

    def transport(self, wire: Wire) -> Transport:
        readers = self.reactor.getReaders()
        theirs = [one for one in readers if isinstance(one, Transport)]
        sockets: list[Any] = [one.socket for one in theirs]
        return theirs[sockets.index(wire)]

    def receive(self, wire: Wire, octets: bytes) -> None:
        wire.incoming.append(octets)
        transport = self.transport(wire)
        while wire.incoming:
            loss = transport.doRead()
            assert loss is None


def test_it_is_what_twisted_expects() -> None:
    port = Bench().port
    assert verifyObject(IListeningPort, port)
    assert port.getHost() == IPv4Address("TCP", "192.0.2.2", 143)


def test_options_are_set_once_for_all_connections() -> None:
    assert Bench().listening.options == [socket.TCP_NODELAY, socket.SO_KEEPALIVE]


def test_a_client_is_greeted() -> None:
    bench = Bench()
    wire = bench.connect()
    assert wire.sent == b"hello\r\n"
    assert bench.factory.made[0].peer.address == "192.0.2.1"
    assert bench.port.connections == 1


def test_many_that_wait_are_taken_in_growing_turns() -> None:
    bench = Bench()
    bench.listening.waiting = [(Wire(), CLIENT) for _ in range(7)]
    for taken in (1, 3, 7):
        bench.port.doRead()
        assert bench.port.connections == taken
    bench.port.doRead()
    bench.listening.asked = 0
    bench.connect()
    assert bench.listening.asked == 1


def test_a_client_that_is_gone_already_is_passed_over() -> None:
    bench = Bench()
    bench.listening.waiting = [OSError(errno.ECONNABORTED, "gone")]
    bench.port.doRead()
    bench.connect()
    assert bench.port.connections == 1


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_without_descriptors_it_rests_for_a_second(error: int) -> None:
    bench = Bench()
    bench.listening.waiting = [OSError(error, "too many")]
    bench.port.doRead()
    assert not bench.accepting
    bench.reactor.advance(1)
    assert bench.accepting


def test_at_its_limit_it_accepts_nobody_until_one_leaves() -> None:
    bench = Bench(PortLimits(connections=2))
    first = bench.connect()
    bench.connect()
    bench.connect()
    assert bench.port.connections == 2
    assert not bench.accepting
    bench.transport(first).abortConnection()
    bench.reactor.advance(0)
    assert bench.accepting
    bench.port.doRead()
    assert bench.port.connections == 2


def test_an_address_with_too_many_connections_is_refused() -> None:
    bench = Bench(PortLimits(per_address=1))
    bench.connect()
    refused = bench.connect(("192.0.2.1", 1235))
    assert bench.connect(("192.0.2.9", 1)).sent == b"hello\r\n"
    bench.reactor.advance(0)
    assert refused.sent == b""
    assert refused.calls[-1] == "close"
    assert bench.port.connections == 2


def test_a_factory_may_refuse_or_fail() -> None:
    bench = Bench()
    bench.factory.refuse = True
    refused = bench.connect()
    bench.factory.fail = True
    failed = bench.connect()
    bench.reactor.advance(0)
    assert (refused.calls[-1], failed.calls[-1]) == ("close", "close")
    assert bench.port.connections == 0


def test_stopping_leaves_connections() -> None:
    bench = Bench()
    wire = bench.connect()
    done: list[None] = []
    bench.port.stopListening().addCallback(done.append)
    bench.port.stopListening()
    assert done == [None]
    assert bench.listening.closed
    assert not bench.accepting
    bench.receive(wire, b"echo a\r\n")
    assert wire.sent == b"hello\r\na\r\n"


# -- proxies


def test_a_listed_proxy_tells_the_peer_before_the_greeting() -> None:
    bench = Bench(proxies=Networks(["192.0.2.0/24"]))
    wire = bench.connect()
    assert wire.sent == b""
    bench.receive(wire, b"PROXY TCP4 198.51.100.1 198.51.100.2 99 143\r\necho a\r\n")
    assert wire.sent == b"hello\r\na\r\n"
    assert str(bench.factory.made[0].peer) == "198.51.100.1:99"
    assert not bench.factory.made[0].peer.loopback


def test_another_client_is_served_and_its_header_not_believed() -> None:
    bench = Bench(proxies=Networks(["10.0.0.0/8"]))
    wire = bench.connect()
    bench.receive(wire, b"PROXY TCP4 127.0.0.1 127.0.0.1 99 143\r\n")
    talker = bench.factory.made[0]
    assert talker.peer.address == "192.0.2.1"
    assert talker.log == ["PROXY TCP4 127.0.0.1 127.0.0.1 99 143"]


def test_clients_behind_a_proxy_are_counted_by_their_own_address() -> None:
    bench = Bench(PortLimits(per_address=1), Networks(["192.0.2.1"]))
    for last, greeted in ((1, True), (2, True), (1, False)):
        wire = bench.connect()
        header = f"PROXY TCP4 198.51.100.{last} 198.51.100.9 99 143\r\n"
        wire.incoming.append(header.encode())
        transport = bench.transport(wire)
        while wire.incoming:
            transport.doRead()
        assert bool(wire.sent) is greeted


def test_a_proxy_that_says_nothing_is_refused_in_time() -> None:
    bench = Bench(PortLimits(preface=5), Networks(["192.0.2.1"]))
    wire = bench.connect()
    bench.reactor.advance(5)
    bench.reactor.advance(0)
    assert wire.calls[-1] == "close"
    assert bench.reactor.getDelayedCalls() == []


def test_a_proxy_that_leaves_is_forgotten() -> None:
    bench = Bench(proxies=Networks(["192.0.2.1"]))
    wire = bench.connect()
    transport = bench.transport(wire)
    assert isinstance(transport.protocol, Protocol)
    transport.abortConnection()
    bench.reactor.advance(0)
    assert bench.reactor.getDelayedCalls() == []
    assert bench.port.connections == 0


# -- counting


def test_addresses_are_forgotten_when_their_connections_end() -> None:
    admission = Admission(PortLimits(connections=10, per_address=2))
    assert [admission.enter("192.0.2.1") for _ in range(3)] == [True, True, False]
    admission.leave("192.0.2.1")
    admission.leave("192.0.2.1")
    assert admission.connections == 0
    assert admission.enter("192.0.2.1")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "unix"])
def test_this_machine_is_not_counted_by_address(address: str) -> None:
    admission = Admission(PortLimits(connections=10, per_address=1))
    assert all(admission.enter(address) for _ in range(5))
    assert admission.connections == 5
    admission.leave(address)
    assert admission.connections == 4
