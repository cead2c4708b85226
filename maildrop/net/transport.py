"""The transport under every connection: what the reactor watches and a protocol writes.

In this file:
    Transport    a TCP or UNIX connection, in clear or under TLS

It stands in for ``twisted.internet.tcp.Server``, with the same face.
What is different:

- What is written is sent at once when nothing is queued, a sequence in one call without
  joining it; Twisted registers for writing and waits for epoll first.
- TLS is OpenSSL on the socket itself (``net.tls_stream``), for connections that begin
  with it and for STARTTLS alike.
- Reads grow from 64 to 256 KiB while a peer fills them.
- A producer is paused above ``behind`` unsent octets.
- A connection closed while the peer still sends is shut for writing and read empty
  first: the reset of a close at once can destroy the last reply on its way.
- The end of input is only that: replies still go out, if the protocol has a method
  ``readConnectionLost`` and closes when it is done.

States under TLS:

    clear octets left -> handshake -> ready -> close_notify sent -> closed

Nothing is read while clear octets are left and nothing written before ``ready``.  The
handshake has a time limit of its own; other limits of time are the protocol's.
"""

import contextlib
import errno
import socket
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from OpenSSL import SSL
from twisted.internet import main
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IHalfCloseableDescriptor,
    IOpenSSLContextFactory,
    IProducer,
    IProtocol,
    IPushProducer,
    IReadWriteDescriptor,
    ITransport,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from maildrop.net.connected_socket import ConnectedSocket
from maildrop.net.tls_stream import Need, TLSFailed, TLSStream

READ: Final = 1 << 16  # octets; glibc maps larger buffers anew for every read
READ_MOST: Final = 1 << 18
SEND_LIMIT: Final = 1 << 20  # octets handed to the kernel in one turn

#: What doRead and doWrite return: why the connection ended, an exception, or None.
Loss = Any


class Port(Protocol):
    """The listening port of a connection."""

    handshake: float

    def ended(self, transport: "Transport") -> None:
        """A connection is over."""


@implementer(
    ITransport,
    IConsumer,
    IPushProducer,
    IReadWriteDescriptor,
    IHalfCloseableDescriptor,
)
class Transport(ConnectedSocket):
    """One connection, as the reactor and a protocol see it.

    Args:
        connection: The connected socket.
        client: The peer's socket address as ``accept`` gave it.
        port: Told when the connection is over.
        reactor: Where the socket is watched, and time.

    Attributes:
        protocol: Who gets the octets.
        admitted: The address that the port counts it under, empty for none.
        behind: Unsent octets above which a producer is paused.
        disconnecting: Whether it closes when everything is sent.
        trouble: What went wrong with its TLS, empty for nothing.
    """

    __slots__ = (
        *("_aborted", "_clear_left", "_ended", "_lingering", "_paused"),
        *("_piece", "_producer"),
        "_queue",
        "_queued",
        "_read_size",
        "_reading",
        "_shaking",
        "_streaming",
        "_tls",
        "admitted",
        "behind",
        "connected",
        "disconnecting",
        "port",
        "protocol",
        "reactor",
        "trouble",
    )

    _log = Logger()

    def __init__(
        self,
        connection: socket.socket,
        client: Any,  # noqa: ANN401 (a socket address: str, or tuple of 2 or 4)
        port: Port,
        reactor: Any,  # noqa: ANN401 (IReactorTime and IReactorFDSet)
    ) -> None:
        super().__init__(connection, client)
        self.port = port
        self.reactor = reactor
        self.protocol: Any = None  # an IProtocol, once it begins
        self.admitted = self.trouble = ""
        self.behind = 1 << 20
        self.connected = True
        self._queue: list[bytes | memoryview] = []
        self._queued = self._clear_left = 0
        self._piece: bytes | memoryview = b""
        self._producer: Any = None
        self._streaming = self._paused = self._reading = False
        self._read_size = READ
        self.disconnecting = self._ended = self._lingering = self._aborted = False
        self._tls: TLSStream | None = None
        self._shaking: IDelayedCall | None = None

    def begin(self, protocol: IProtocol) -> None:
        """Give the octets to ``protocol``, which has no transport yet."""
        self.protocol = protocol
        self.reactor.addReader(self)
        protocol.makeConnection(self)

    def getHandle(self) -> Any:  # noqa: ANN401
        """The socket, or OpenSSL's connection under TLS."""
        return self.socket if self._tls is None else self._tls.connection

    # -- writing

    def write(self, data: bytes) -> None:
        """Send octets now as far as the socket takes them, the rest when it can."""
        if not data or not self.connected or self._aborted:
            return
        if self._queued or (self._tls is not None and not self._tls.ready):
            self._append(data)
            return
        try:
            sent = self._send(data)
        except (OSError, TLSFailed):
            sent = 0  # doWrite meets it again and ends the connection
        if sent < len(data):
            self._append(memoryview(data)[sent:] if sent else data)
            self.reactor.addWriter(self)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send octets, joined only where they have to wait."""
        pieces: list[bytes | memoryview] = list(data)
        if self._queued or self._tls is not None or self._aborted or not self.connected:
            self.write(b"".join(pieces))
            return
        with contextlib.suppress(OSError):  # doWrite meets it again
            self.send_pieces(pieces)
        for piece in pieces:
            self._append(piece)
        if pieces:
            self.reactor.addWriter(self)

    def _append(self, data: bytes | memoryview) -> None:
        self._queue.append(data)
        self._queued += len(data)
        if self._streaming and not self._paused and self._queued > self.behind:
            self._paused = True
            self._producer.pauseProducing()

    def _send(self, data: bytes | memoryview) -> int:
        if len(data) > SEND_LIMIT:
            data = memoryview(data)[:SEND_LIMIT]
        try:
            if self._tls is None:
                return self.socket.send(data)
            if self._clear_left:
                return self._send_clear(data)
            return self._tls.send(data)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ENOBUFS):
                return 0
            raise

    def _send_clear(self, data: bytes | memoryview) -> int:
        sent = self.socket.send(memoryview(data)[: self._clear_left])
        self._clear_left -= sent
        if not self._clear_left:
            self.reactor.addReader(self)
        return sent

    def doWrite(self) -> Loss:
        """The socket can be written to."""
        if self._aborted:
            return None
        if (tls := self._tls) is not None and not self._clear_left:
            if not tls.ready:
                return self._shake()
            if tls.reading_needs is Need.WRITING:
                tls.reading_needs = Need.READING
                loss = self.doRead()
                if loss is not None:
                    return loss
        if self._queued:
            return self._send_queued()
        return self._sent_all()

    def _send_queued(self) -> Loss:
        try:
            self._queued -= self._send_some()
        except (OSError, TLSFailed):
            return main.CONNECTION_LOST
        if not self._queued:
            return self._sent_all()
        if self._tls is not None and self._tls.writing_needs is Need.READING:
            self.reactor.removeWriter(self)  # goes on when something was read
        return None

    def _send_some(self) -> int:
        if self._tls is None:
            return self.send_pieces(self._queue)
        if not self._piece:
            queue, self._queue = self._queue, []
            self._piece = queue[0] if len(queue) == 1 else b"".join(queue)
        sent = self._send(self._piece)
        self._piece = memoryview(self._piece)[sent:] or b""
        return sent

    def _sent_all(self) -> Loss:
        self.reactor.removeWriter(self)
        if self._tls is not None and not self._tls.ready and not self._clear_left:
            return self._shake()
        if self._producer is not None and (self._paused or not self._streaming):
            self._paused = False
            self._producer.resumeProducing()
        elif self.disconnecting:
            return self._finish()
        return None

    # -- producers

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Pause and resume ``producer`` (streaming), or ask it for each piece."""
        if self._producer is not None:
            raise RuntimeError("there is a producer already")
        if not self.connected:
            producer.stopProducing()
            return
        self._producer = producer
        self._streaming = streaming
        if not streaming:
            self._producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """There will be no more from the producer."""
        self._producer = None
        self._streaming = self._paused = False
        if self.connected and self.disconnecting and not self._reading:
            self.reactor.addWriter(self)

    # -- reading

    def doRead(self) -> Loss:
        """There is something to be read."""
        if self._lingering or self._aborted:
            return self._discard()
        try:
            data = self._receive()
        except (OSError, TLSFailed):
            return main.CONNECTION_LOST
        if data is None:
            return None
        if not data:
            return main.CONNECTION_DONE
        self._reading = True
        try:
            self.protocol.dataReceived(data)
        finally:
            self._reading = False
        return self._close() if self._closing else None

    @property
    def _closing(self) -> bool:
        return self.disconnecting and self.connected and not self._aborted

    def _close(self) -> Loss:
        """The protocol, which was reading, wanted it closed."""
        self.reactor.removeReader(self)
        if not self._queued:
            return self._finish()
        self.reactor.addWriter(self)
        return None

    def read_at_most(self, octets: int) -> None:
        """Let each read take no more than that, up to 64 KiB; 0: as many as come."""
        self._read_size = octets or READ

    def _receive(self) -> bytes | None:
        """What came: None for nothing, empty for the end."""
        if self._tls is not None:
            return self._receive_tls(self._tls)
        try:
            data = self.socket.recv(self._read_size)
        except BlockingIOError:
            return None
        if len(data) >= READ:
            self._read_size = READ_MOST if len(data) == self._read_size else READ
        return data

    def _receive_tls(self, tls: TLSStream) -> bytes | None:
        if self._clear_left:
            self.reactor.removeReader(self)  # the handshake waits behind them
            return None
        if not tls.ready:
            if self._shake() is not None:
                raise TLSFailed("handshake")
            return None
        data = tls.receive()
        if tls.writing_needs is Need.READING:
            tls.writing_needs = Need.WRITING
            self.reactor.addWriter(self)
        if data is None and tls.reading_needs is Need.WRITING:
            self.reactor.addWriter(self)
        return data

    def pauseProducing(self) -> None:
        """Read nothing for now."""
        self.reactor.removeReader(self)

    def resumeProducing(self) -> None:
        """Read on, unless there is nothing more."""
        if self.connected and not (self.disconnecting or self._ended or self._aborted):
            self.reactor.addReader(self)

    def stopProducing(self) -> None:
        """Read nothing any more."""
        self.loseConnection()

    # -- TLS

    def startTLS(
        self,
        contextFactory: IOpenSSLContextFactory,
        normal: bool = True,
    ) -> None:
        """Begin TLS as the server; octets written before still go in clear."""
        if self._tls is not None or not normal:
            raise RuntimeError("TLS is on already, or the wrong way round")
        if not self.connected or self._aborted:
            return
        context = contextFactory.getContext()
        self._tls = TLSStream(SSL.Connection(context, self.socket), READ_MOST)
        self._clear_left = self._queued
        self._shaking = self.reactor.callLater(self.port.handshake, self._too_slow)

    def _shake(self) -> Loss:
        """Go on with the handshake."""
        tls = self._tls
        if tls is None:
            return None
        try:
            need = tls.handshake()
        except TLSFailed as error:
            self.trouble = f"TLS handshake failed: {error}"
            self._log.info(
                "{peer}: {trouble}", peer=self.getPeer(), trouble=self.trouble
            )
            return main.CONNECTION_LOST
        if need is Need.WRITING:
            self.reactor.addWriter(self)
            return None
        self.reactor.removeWriter(self)
        if need is None:
            self._stop_shaking()
            if self._queued:
                self.reactor.addWriter(self)
                return self._send_queued()
        return None

    def _too_slow(self) -> None:
        self._shaking = None
        self.trouble = "TLS handshake took too long"
        self._log.info("{peer}: {trouble}", peer=self.getPeer(), trouble=self.trouble)
        self.abortConnection()

    def _stop_shaking(self) -> None:
        if self._shaking is not None:
            self._shaking.cancel()
            self._shaking = None

    # -- the end

    def loseConnection(self) -> None:
        """Send what is queued and close."""
        if not self.connected or self.disconnecting or self._aborted:
            return
        self.disconnecting = True
        if self._tls is not None and not self._tls.ready:
            self.abortConnection()  # nobody could read what is queued
        elif not self._reading:  # else doRead ends it when the protocol returns
            self.reactor.removeReader(self)
            self.reactor.addWriter(self)

    def _finish(self) -> Loss:
        """Everything is sent: close, or first read what the peer still sends."""
        if self._tls is not None and not self._tls.shutdown():
            self.reactor.addWriter(self)
            return None
        if self._ended:
            return main.CONNECTION_DONE
        try:
            if not self.socket.recv(READ):
                return main.CONNECTION_DONE
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            return main.CONNECTION_DONE  # mostly EAGAIN: nothing is on its way
        self._lingering = True
        self.reactor.addReader(self)
        return None

    def _discard(self) -> Loss:
        try:
            unread = bool(self.socket.recv(READ))
        except OSError as error:
            unread = error.errno == errno.EAGAIN
        return None if unread else main.CONNECTION_DONE

    def abortConnection(self) -> None:
        """Close now, with a reset; what is queued is lost."""
        if not self.connected or self._aborted:
            return
        self._aborted = self.disconnecting = True
        self.reactor.removeReader(self)
        self.reactor.removeWriter(self)
        # Not at once: the caller may be the protocol, in the middle of something.
        self.reactor.callLater(0, self.connectionLost, Failure(ConnectionAborted()))

    def readConnectionLost(self, reason: Failure) -> None:
        """The peer sends no more."""
        self._ended = True
        ended = getattr(self.protocol, "readConnectionLost", None)
        if self.disconnecting or ended is None or self._told(ended):
            self.connectionLost(reason)

    def _told(self, ended: Callable[[], None]) -> bool:
        """Tell the protocol of the end; whether that was all."""
        self._reading = True
        try:
            ended()
        finally:
            self._reading = False
        return self._closing and self._close() is not None

    writeConnectionLost = readConnectionLost  # never called

    def connectionLost(self, reason: Failure) -> None:
        """The connection is over, for whatever reason; tells the protocol once."""
        if not self.connected:
            return
        self.connected = False
        self._stop_shaking()
        self.reactor.removeReader(self)
        self.reactor.removeWriter(self)
        self._queue.clear()
        self._piece = b""
        self._queued = 0
        self._tls = None  # it knows a descriptor that is not ours any more
        producer, self._producer = self._producer, None
        protocol, self.protocol = self.protocol, None  # no circle: freed at once
        if self._aborted:
            self.reset_on_close()
        self.socket.close()
        try:
            if producer is not None:
                producer.stopProducing()
            if protocol is not None:
                protocol.connectionLost(reason)
        finally:
            self.port.ended(self)
