"""Listening ports: accept, count, refuse, hand to a protocol.

In this file:
    Port          a listening socket on the reactor
    PortLimits    what its connections are held to, taken together
    Admission     who may connect, how often at once

A port that may take no more connections, or finds no free file descriptor, stops
accepting; clients wait in the kernel's queue meanwhile.  TCP_NODELAY and SO_KEEPALIVE
are set on the listening socket: Linux hands them down to every connection.
"""

import contextlib
import errno
import os
import socket
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IOpenSSLContextFactory,
    IProtocolFactory,
    IReadDescriptor,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from maildrop.decisions.recorder import Recorder
from maildrop.net.connected_socket import address_of
from maildrop.net.peer import Origin, plain_address
from maildrop.net.proxy import Networks, Preface
from maildrop.net.transport import Transport

ACCEPTS: Final = 64  # connections taken in one turn
REST: Final = 1.0  # seconds without accepting when descriptors run out
SILENCE: Final = 60.0  # seconds between log lines about that

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


@dataclass(frozen=True, slots=True)
class PortLimits:
    """What the connections of one port are held to.

    Attributes:
        connections: At once.
        per_address: At once from one address; this machine's own are not counted.
        handshake: Seconds for a TLS handshake.
        preface: Seconds for a PROXY header.
    """

    connections: int = 20_000
    per_address: int = 1_000
    handshake: float = 30.0
    preface: float = 5.0


class Admission:
    """Counts connections, in all and per address.

    Args:
        limits: How many there may be.
    """

    def __init__(self, limits: PortLimits) -> None:
        self._limits = limits
        self._addresses: Counter[str] = Counter()
        self.connections = 0

    @property
    def full(self) -> bool:
        """Whether there may be no more connections."""
        return self.connections >= self._limits.connections

    def enter(self, address: str) -> bool:
        """A client connects; False when its address has too many connections."""
        if self._counted(address):
            if self._addresses[address] >= self._limits.per_address:
                return False
            self._addresses[address] += 1
        self.connections += 1
        return True

    def leave(self, address: str) -> None:
        """A connection that was let in is over."""
        self.connections -= 1
        if self._counted(address):
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]

    @staticmethod
    def _counted(address: str) -> bool:
        return address not in {"unix", "::1"} and not address.startswith("127.")


@implementer(IListeningPort, IReadDescriptor)
class Port:
    """A listening socket.

    Args:
        listening: Bound and listening.
        factory: Makes a protocol per connection.
        reactor: Where it is watched.
        tls: Gives the contexts of connections that begin with TLS.
        proxies: From whom a PROXY header is expected.
        limits: What its connections are held to.
        path: Of a UNIX socket that is to be removed at the end.
        recorder: Is told who was not let in.
    """

    _log = Logger()

    def __init__(
        self,
        listening: socket.socket,
        factory: IProtocolFactory,
        reactor: Any,  # noqa: ANN401 (IReactorTime and IReactorFDSet)
        *,
        tls: IOpenSSLContextFactory | None = None,
        proxies: Networks | None = None,
        limits: PortLimits | None = None,
        path: str | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        limits = limits or PortLimits()
        self._recorder = recorder or Recorder()
        self.socket = listening
        self.factory = factory
        self.handshake = limits.handshake
        self._reactor = reactor
        self._tls = tls
        self._proxies = proxies
        self._limits = limits
        self._path = path
        self._admission = Admission(limits)
        self._accepts = 1
        self._waiting = False
        self._silent_until = 0.0
        self.listening = False

    @property
    def connections(self) -> int:
        """How many there are now."""
        return self._admission.connections

    # -- Twisted's side

    def startListening(self) -> None:
        """Begin to accept."""
        self.socket.setblocking(False)
        if self.socket.family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.factory.doStart()
        self.listening = True
        self._reactor.addReader(self)

    def stopListening(self) -> Deferred[None]:
        """Accept no more; connections stay."""
        if self.listening:
            self.listening = False
            self._reactor.removeReader(self)
            self.socket.close()
            if self._path is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._path)
            self.factory.doStop()
        return succeed(None)

    def connectionLost(self, reason: Failure) -> None:
        """The reactor is ending, or the socket broke."""
        self.stopListening()

    def getHost(self) -> IAddress:
        """Where it listens."""
        return address_of(self.socket.getsockname())

    def fileno(self) -> int:
        """The descriptor, -1 after the end."""
        return self.socket.fileno()

    def logPrefix(self) -> str:
        """What Twisted's log calls it."""
        return "port"

    def doRead(self) -> None:
        """Clients are waiting."""
        accepted = 0
        for _ in range(self._accepts):
            if self._admission.full:
                self._wait(f"{self._admission.connections} connections at once")
                break
            try:
                connection, client = self.socket.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._wait(os.strerror(error.errno))
                    self._reactor.callLater(REST, self._go_on)
                    break
                continue  # this client is gone already
            accepted += 1
            self._accepted(connection, client)
        # As many next time as came now: mostly saves the call that finds nobody.
        full = accepted == self._accepts
        self._accepts = min(ACCEPTS, self._accepts * 2) if full else max(1, accepted)

    # -- connections

    def _accepted(self, connection: socket.socket, client: Any) -> None:  # noqa: ANN401
        transport = Transport(connection, client, self, self._reactor)
        try:
            if self._proxies is not None and _address(transport) in self._proxies:
                preface = Preface(self._begin, self._reactor, self._limits.preface)
                transport.begin(preface)
            else:
                self._begin(transport, None)
        except Exception:
            self._log.failure("a connection could not begin")
            transport.abortConnection()

    def _begin(self, transport: Transport, origin: Origin | None) -> None:
        transport.origin = origin
        address = _address(transport)
        if not self._admission.enter(address):
            trace = self._recorder.new_id()
            why = f"{self._limits.per_address} connections from one address"
            self._log.info(
                "{id}: connection from {address} refused: {why}",
                id=trace,
                address=address,
                why=why,
            )
            self._recorder.note(
                trace, "refused", client=address, port=str(self.getHost()), why=why
            )
            transport.abortConnection()
            return
        transport.admitted = address
        protocol = self.factory.buildProtocol(transport.getPeer())
        if protocol is None:
            transport.abortConnection()
            return
        if self._tls is not None:
            transport.startTLS(self._tls)
        transport.begin(protocol)

    def ended(self, transport: Transport) -> None:
        """A connection is over; room for another."""
        if transport.admitted:
            self._admission.leave(transport.admitted)
            if self._waiting:
                self._go_on()

    def _wait(self, reason: str) -> None:
        self._waiting = True
        self._reactor.removeReader(self)
        now = self._reactor.seconds()
        if now >= self._silent_until:
            self._silent_until = now + SILENCE
            self._log.warn(
                "{port} accepts nobody for now: {reason}",
                port=self.getHost(),
                reason=reason,
            )

    def _go_on(self) -> None:
        if self.listening and self._waiting:
            self._waiting = False
            self._reactor.addReader(self)


def _address(transport: Transport) -> str:
    if transport.origin is not None:
        return transport.origin.address
    client = transport.client
    return plain_address(client[0]) if isinstance(client, tuple) else "unix"
