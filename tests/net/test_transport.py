"""The transport, on a socket of which the test decides what it takes and gives."""

import errno
import gc
import socket
import weakref
from typing import Any

import pytest
from twisted.internet import main
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableDescriptor,
    IPushProducer,
    IReadWriteDescriptor,
    ITransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from maildrop.net.transport import READ, READ_MOST, SEND_LIMIT, Transport
from tests.net.talker import Talker
from tests.net.wire import Wire


class Listening:
    """A port that remembers what ended."""

    handshake = 30.0

    def __init__(self) -> None:
        self.over: list[object] = []

    def ended(self, transport: Transport) -> None:
        self.over.append(transport.client)


@implementer(IPushProducer)
class Sink(Protocol):
    """Keeps what it gets; closes when it reads ``quit``."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.lost: list[str] = []
        self.states: list[str] = []

    def dataReceived(self, data: bytes) -> None:
        self.got.append(data)
        assert self.transport is not None
        if data == b"quit":
            self.transport.write(b"bye")
            self.transport.loseConnection()
        if data == b"abort":
            self.transport.abortConnection()  # type: ignore[attr-defined] # ours has

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.append(type(reason.value).__name__)

    def pauseProducing(self) -> None:
        self.states.append("paused")

    def resumeProducing(self) -> None:
        self.states.append("resumed")

    def stopProducing(self) -> None:
        self.states.append("stopped")


class Bench:
    """A transport with all that surrounds it."""

    def __init__(self, protocol: Sink | None = None) -> None:
        self.wire = Wire()
        self.reactor = MemoryReactorClock()
        self.port = Listening()
        self.sink = protocol or Sink()
        wire: Any = self.wire
        self.transport = Transport(wire, ("192.0.2.1", 1234), self.port, self.reactor)
        self.transport.begin(self.sink)

    @property
    def reading(self) -> bool:
        return self.transport in self.reactor.getReaders()

    @property
    def writing(self) -> bool:
        return self.transport in self.reactor.getWriters()

    def turn(self, *, read: bool = False) -> None:
        """What the reactor does when the socket is ready."""
        loss = self.transport.doRead() if read else self.transport.doWrite()
        if loss is None:
            return
        if read and loss is main.CONNECTION_DONE:
            self.reactor.removeReader(self.transport)
            self.transport.readConnectionLost(Failure(loss))
        else:
            self.transport.connectionLost(Failure(loss))

    def receive(self, octets: bytes | OSError) -> None:
        self.wire.incoming.append(octets)
        self.turn(read=True)


def test_it_is_what_twisted_expects() -> None:
    bench = Bench()
    for interface in (
        ITransport,
        IConsumer,
        IPushProducer,
        IReadWriteDescriptor,
        IHalfCloseableDescriptor,
    ):
        assert verifyObject(interface, bench.transport)


def test_its_addresses_and_options_are_those_of_the_socket() -> None:
    transport = Bench().transport
    assert str(transport.getPeer().host) == "192.0.2.1"  # type: ignore[attr-defined] # an IPv4Address
    assert str(transport.getHost().host) == "192.0.2.2"  # type: ignore[attr-defined] # an IPv4Address
    assert transport.getTcpNoDelay()
    assert transport.getTcpKeepAlive()


# -- writing


def test_octets_leave_at_once_and_nothing_is_watched() -> None:
    bench = Bench()
    bench.transport.write(b"hello")
    assert bench.wire.sent == b"hello"
    assert not bench.writing


def test_a_sequence_leaves_in_one_call() -> None:
    bench = Bench()
    bench.transport.writeSequence([b"a", b"b"])
    assert bench.wire.calls == ["send 2"]


@pytest.mark.parametrize("room", range(8))
def test_what_the_socket_does_not_take_of_a_sequence_follows(room: int) -> None:
    bench = Bench()
    bench.wire.room = room
    bench.transport.writeSequence([b"ab", b"", b"cde", b"f"])
    bench.transport.writeSequence([b"g", b"h"])
    assert bench.writing is (room < 8)
    bench.wire.room = 100
    bench.turn()
    assert bench.wire.sent == b"abcdefgh"
    assert not bench.writing


def test_pieces_that_wait_are_sent_when_there_is_room() -> None:
    bench = Bench()
    bench.wire.room = 0
    large = b"x" * (READ + 1)
    bench.transport.writeSequence([large, b"a", b"b"])
    bench.wire.room = len(large)
    bench.turn()
    assert bench.wire.calls == [f"send {len(large)}"]
    bench.wire.room = 2
    bench.turn()
    assert bench.wire.calls[1:] == ["send 2"]
    assert not bench.writing


def test_more_pieces_than_the_kernel_takes_at_once_are_sent() -> None:
    bench = Bench()
    bench.transport.writeSequence([b"%04d" % number for number in range(2000)])
    while bench.writing:
        bench.turn()
    assert bench.wire.sent == b"".join(b"%04d" % n for n in range(2000))


def test_a_sequence_meets_a_broken_connection_when_it_is_written() -> None:
    bench = Bench()
    bench.wire.room = BrokenPipeError()
    bench.transport.writeSequence([b"a", b"b"])
    assert bench.sink.lost == []
    bench.turn()
    assert bench.sink.lost == ["ConnectionLost"]


def test_what_the_socket_does_not_take_follows_in_order() -> None:
    bench = Bench()
    bench.wire.room = 3
    bench.transport.write(b"hello")
    bench.transport.write(b" wor")
    bench.transport.write(b"ld")
    assert bench.writing
    for _ in range(5):
        bench.wire.room = 2
        bench.turn()
    assert bench.wire.sent == b"hello world"
    assert not bench.writing


def test_one_turn_sends_no_more_than_the_limit() -> None:
    bench = Bench()
    bench.transport.write(b"x" * (SEND_LIMIT + 1))
    assert bench.wire.calls == [f"send {SEND_LIMIT}"]
    bench.turn()
    assert bench.wire.calls[1:] == ["send 1"]


@pytest.mark.parametrize("error", [errno.EPIPE, errno.ECONNRESET, errno.ETIMEDOUT])
def test_a_write_that_fails_ends_the_connection_later(error: int) -> None:
    bench = Bench()
    bench.wire.room = OSError(error, "gone")
    bench.transport.write(b"hello")
    assert bench.sink.lost == []
    bench.turn()
    assert bench.sink.lost == ["ConnectionLost"]


def test_no_buffers_in_the_kernel_is_only_a_wait() -> None:
    bench = Bench()
    bench.wire.room = OSError(errno.ENOBUFS, "full")
    bench.transport.write(b"hello")
    bench.turn()
    assert bench.sink.lost == []
    bench.wire.room = 100
    bench.turn()
    assert bench.wire.sent == b"hello"


def test_writing_after_the_end_is_nothing() -> None:
    bench = Bench()
    bench.receive(b"")
    bench.transport.write(b"hello")
    assert bench.wire.sent == b""


# -- producers


def test_a_producer_is_paused_when_much_waits_and_resumed_when_nothing_does() -> None:
    bench = Bench()
    bench.transport.behind = 10
    bench.transport.registerProducer(bench.sink, True)
    bench.wire.room = 0
    bench.transport.write(b"x" * 10)
    assert bench.sink.states == []
    bench.transport.write(b"x")
    bench.transport.write(b"x")
    assert bench.sink.states == ["paused"]
    bench.wire.room = 11
    bench.turn()
    assert bench.sink.states == ["paused"]
    bench.wire.room = 11
    bench.turn()
    assert bench.sink.states == ["paused", "resumed"]


def test_a_pull_producer_is_asked_for_each_piece() -> None:
    bench = Bench()
    bench.transport.registerProducer(bench.sink, False)
    assert bench.sink.states == ["resumed"]
    bench.wire.room = 0
    bench.transport.write(b"piece")
    bench.wire.room = 5
    bench.turn()
    assert bench.sink.states == ["resumed", "resumed"]


def test_a_producer_is_stopped_at_the_end() -> None:
    bench = Bench()
    bench.transport.registerProducer(bench.sink, True)
    with pytest.raises(RuntimeError):
        bench.transport.registerProducer(bench.sink, True)
    bench.receive(OSError(errno.ECONNRESET, "reset"))
    bench.transport.registerProducer(bench.sink, True)
    assert bench.sink.states == ["stopped", "stopped"]


# -- reading


def test_octets_are_handed_on() -> None:
    bench = Bench()
    bench.receive(b"one")
    bench.receive(b"two")
    bench.turn(read=True)
    assert bench.sink.got == [b"one", b"two"]


def test_reads_grow_while_they_are_full() -> None:
    bench = Bench()
    for _ in range(3):
        bench.receive(b"x" * bench.transport._read_size)
    bench.receive(b"x" * READ)
    bench.receive(b"x")
    assert bench.wire.sizes == [READ, READ_MOST, READ_MOST, READ_MOST, READ]


def test_a_protocol_may_read_less() -> None:
    bench = Bench()
    bench.transport.read_at_most(2)
    bench.receive(b"hello")
    assert bench.sink.got == [b"he"]


def test_reading_stops_and_goes_on() -> None:
    bench = Bench()
    bench.transport.pauseProducing()
    assert not bench.reading
    bench.transport.resumeProducing()
    assert bench.reading


# -- the end


def test_a_reset_is_told_once() -> None:
    bench = Bench()
    bench.receive(OSError(errno.ECONNRESET, "reset"))
    bench.transport.connectionLost(Failure(main.CONNECTION_LOST))
    assert len(bench.sink.lost) == 1
    assert bench.port.over == [("192.0.2.1", 1234)]
    assert bench.wire.calls == ["close"]
    assert not bench.reading


def test_nothing_refers_to_a_connection_that_is_gone() -> None:
    wire: Any = Wire()
    reactor = MemoryReactorClock()
    talker = Talker(reactor)
    transport = Transport(wire, ("192.0.2.1", 1234), Listening(), reactor)
    transport.begin(talker)
    wire.incoming.append(b"echo a\r\n")
    transport.doRead()
    transport.connectionLost(Failure(main.CONNECTION_LOST))
    alive = weakref.ref(talker)
    gc.disable()
    try:
        del talker, transport
        assert alive() is None, "freed without a collection"
    finally:
        gc.enable()
    assert reactor.getDelayedCalls() == []


def test_an_end_of_input_ends_a_protocol_that_cannot_half_close() -> None:
    bench = Bench()
    bench.receive(b"")
    assert bench.sink.lost == ["ConnectionDone"]


class Patient(Sink):
    """Answers after the end of input."""

    def readConnectionLost(self) -> None:
        assert self.transport is not None
        self.transport.write(b"last words")
        self.transport.loseConnection()


@pytest.mark.parametrize("room", [100, 4])
def test_an_end_of_input_leaves_time_for_the_answer(room: int) -> None:
    bench = Bench(Patient())
    bench.wire.room = room
    bench.receive(b"")
    bench.transport.resumeProducing()
    assert not bench.reading
    if bench.writing:
        bench.wire.room = 100
        bench.turn()
    assert bench.wire.sent == b"last words"
    assert len(bench.sink.lost) == 1


def test_closing_while_reading_needs_no_further_turn() -> None:
    bench = Bench()
    bench.receive(b"quit")
    assert bench.wire.sent == b"bye"
    assert bench.sink.lost == ["ConnectionDone"]


def test_closing_sends_what_waits_first() -> None:
    bench = Bench()
    bench.wire.room = 1
    bench.receive(b"quit")
    assert bench.sink.lost == []
    assert not bench.reading
    bench.wire.room = 10
    bench.turn()
    assert bench.wire.sent == b"bye"
    assert len(bench.sink.lost) == 1


def test_closing_at_leisure() -> None:
    bench = Bench()
    bench.transport.loseConnection()
    bench.transport.loseConnection()
    assert bench.sink.lost == []
    bench.turn()
    assert len(bench.sink.lost) == 1


def test_a_peer_that_still_sends_is_read_empty_before_the_end() -> None:
    bench = Bench()
    bench.wire.incoming = [b"quit", b"x" * 10]
    bench.turn(read=True)
    assert bench.wire.calls == ["send 3", f"shutdown {socket.SHUT_WR}"]
    assert bench.reading
    bench.turn(read=True)
    bench.receive(b"more")
    assert bench.sink.lost == []
    bench.receive(b"")
    assert bench.sink.got == [b"quit"]
    assert len(bench.sink.lost) == 1


def test_an_abort_resets_and_tells_afterwards() -> None:
    bench = Bench()
    bench.receive(b"abort")
    assert bench.sink.lost == []
    assert not bench.reading
    bench.transport.write(b"unheard")
    bench.reactor.advance(0)
    assert bench.sink.lost == ["ConnectionAborted"]
    assert bench.wire.calls == [f"option {socket.SO_LINGER}", "close"]
    assert bench.wire.sent == b""


def test_closing_waits_for_a_paused_producer() -> None:
    bench = Bench()
    bench.transport.behind = 1
    bench.transport.registerProducer(bench.sink, True)
    bench.wire.room = 0
    bench.transport.write(b"xx")
    bench.transport.loseConnection()
    bench.wire.room = 2
    bench.turn()
    assert bench.sink.lost == []
    bench.transport.unregisterProducer()
    bench.turn()
    assert len(bench.sink.lost) == 1
