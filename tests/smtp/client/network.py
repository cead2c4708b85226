"""A network in memory: endpoints that lead to peers, with real TLS."""

import datetime
from collections.abc import Callable, Iterable
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import (
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError as Refused,
)
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IPushProducer,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from maildrop.tls import self_signed
from tests.smtp.client.peer import Peer


def certificate(*names: str) -> tuple[SSL.Context, bytes]:
    """A server's context, and its certificate in PEM form."""
    pem, key = self_signed(names[0], datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate(x509.load_pem_x509_certificate(pem))
    loaded: Any = serialization.load_pem_private_key(key, None)
    context.use_privatekey(loaded)
    return context, pem


class Wire(StringTransport):
    """The client's end of a connection, and behind it the peer.

    Attributes:
        size: Octets that pass at once, in both directions; 0 for all.
        window: Octets after which a producer is paused; 0 for never.
    """

    def __init__(
        self, peer: Peer, clock: Clock, tls: SSL.Context | None, size: int = 0
    ) -> None:
        super().__init__()
        self.peer = peer
        self.size = size
        self.window = 0
        self.paused = False
        self.most = 0
        self._clock = clock
        self._server_tls = tls
        self._server: SSL.Connection | None = None
        self._plain: Any = None
        self._client_tls: TLSMemoryBIOProtocol | None = None
        self._back = b""
        self._up = b""
        self._unsent = b""
        self.gone = False

    def connect(self, protocol: IProtocol, *, implicit: bool) -> None:
        self._plain = protocol
        protocol.makeConnection(self)
        if implicit:
            self._accept()
        self._answer(self.peer.greeting())

    # -- the client's side

    def write(self, data: bytes) -> None:
        if self._client_tls is not None:
            self._client_tls.write(data)
        else:
            self._send(data)

    def _send(self, data: bytes) -> None:
        self._up += data
        self.most = max(self.most, len(self._up))
        if self.window and len(self._up) >= self.window and self.producer:
            self.paused = True
            self.producer.pauseProducing()

    def startTLS(self, creator: IOpenSSLClientConnectionCreator) -> None:
        factory = TLSMemoryBIOFactory(creator, True, Factory(), self._clock)
        self._client_tls = TLSMemoryBIOProtocol(factory, self._plain, False)
        self._client_tls.makeConnection(_Below(self))

    def loseConnection(self) -> None:
        if self._client_tls is not None:
            self._client_tls.loseConnection()
        self.disconnecting = True

    def abortConnection(self) -> None:
        self._clock.callLater(0, self.lose, ConnectionLost())

    def lose(self, reason: Exception) -> None:
        if not self.gone:
            self.gone = True
            receiver = self._client_tls or self._plain
            receiver.connectionLost(Failure(reason))

    # -- the peer's side

    def _accept(self) -> None:
        self.peer.wants_tls = False
        self.peer.secure = True
        if self._server_tls is None:
            return  # it said yes, and speaks no TLS
        self._server = SSL.Connection(self._server_tls, None)
        self._server.set_accept_state()

    def _answer(self, octets: bytes) -> None:
        if self._server is None:
            self._back += octets
            return
        self._unsent += octets
        try:
            if self._unsent:
                self._server.send(self._unsent)
                self._unsent = b""
        except SSL.WantReadError:
            pass  # the handshake is not over
        self._drain()

    def _drain(self) -> None:
        assert self._server
        while True:
            try:
                self._back += self._server.bio_read(65536)
            except SSL.Error:
                return

    def step(self) -> bool:
        """Move some octets; whether there were any."""
        if self.gone:
            return False
        moved = False
        if self._up:
            size = self.size or len(self._up)
            octets, self._up = self._up[:size], self._up[size:]
            self._to_peer(octets)
            moved = True
        if self.paused and len(self._up) < self.window:
            self.paused = False
            if self.producer:
                self.producer.resumeProducing()
        if self._back and not self.gone:
            size = self.size or len(self._back)
            octets, self._back = self._back[:size], self._back[size:]
            (self._client_tls or self._plain).dataReceived(octets)
            moved = True
        if not moved and not self.gone and (self.peer.closed or self.disconnecting):
            self.lose(ConnectionDone())
            moved = True
        return moved

    def _to_peer(self, octets: bytes) -> None:
        if self.peer.secure and self._server is None:
            self._answer(b"500 5.5.2 what?\r\n")
            return
        if self._server is None:
            self._answer(self.peer.receive(octets))
            if self.peer.wants_tls:
                self._accept()
            return
        self._server.bio_write(octets)
        try:
            self._server.do_handshake()
            self._answer(b"")
            while True:
                self._answer(self.peer.receive(self._server.recv(65536)))
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.peer.closed = True
        except SSL.Error:
            self._drain()
            self.peer.closed = True
        self._drain()


class _Below(StringTransport):
    """What TLS writes to."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    def write(self, data: bytes) -> None:
        self._wire._send(data)

    def loseConnection(self) -> None:
        self._wire.disconnecting = True

    def abortConnection(self) -> None:
        self._wire.abortConnection()

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:
        self._wire.producer = producer

    def unregisterProducer(self) -> None:
        self._wire.producer = None


class Network:
    """Addresses, and who is there.

    Attributes:
        peers: What makes a peer, by address; an address without one refuses.
        tls: Contexts of servers, by address.
        tried: Addresses, in order.
        wires: All connections.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.peers: dict[str, Callable[[], Peer]] = {}
        self.tls: dict[str, SSL.Context] = {}
        self.implicit: set[str] = set()
        self.silent: set[str] = set()
        self.tried: list[str] = []
        self.wires: list[Wire] = []
        self.size = 0
        self.window = 0

    def endpoint(
        self, address: str, port: int, seconds: float
    ) -> IStreamClientEndpoint:
        del port, seconds
        return _Endpoint(self, address)

    def connect(self, address: str, factory: IProtocolFactory) -> Deferred[Any]:
        self.tried.append(address)
        if address in self.silent:
            return Deferred()
        if address not in self.peers:
            return fail(Refused())
        wire = Wire(self.peers[address](), self.clock, self.tls.get(address), self.size)
        wire.window = self.window
        self.wires.append(wire)
        protocol = factory.buildProtocol(IPv4Address("TCP", address, 25))
        assert protocol
        wire.connect(protocol, implicit=address in self.implicit)
        return succeed(protocol)

    def run(self) -> None:
        """Until nobody has anything to say."""
        quiet = 0
        while quiet < 3:
            moved = sum(wire.step() for wire in self.wires)
            self.clock.advance(0)
            quiet = 0 if moved else quiet + 1

    @property
    def sessions(self) -> Iterable[Peer]:
        return [wire.peer for wire in self.wires]


@implementer(IStreamClientEndpoint)
class _Endpoint:
    def __init__(self, network: Network, address: str) -> None:
        self._network = network
        self._address = address

    def connect(self, factory: IProtocolFactory) -> Deferred[Any]:
        return self._network.connect(self._address, factory)
