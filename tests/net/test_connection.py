"""The pump: order, joining, back-pressure, waiting, time, and every way to end."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import ILogObserver, LogLevel, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import provider

from maildrop.net.connection import Limits
from tests.net.talker import Talker

GONE = Failure(ConnectionDone())
CONVERSATION = b"echo a\r\nnow b\r\nwait c\r\nfail d\r\necho e\r\nquit\r\n"


class CountingTransport(StringTransport):
    """Remembers each write by itself."""

    aborted = False

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        super().write(data)

    def abortConnection(self) -> None:
        self.aborted = True
        super().abortConnection()


def connected(
    limits: Limits | None = None,
) -> tuple[Talker, CountingTransport, Clock]:
    clock = Clock()
    talker = Talker(clock, limits)
    transport = CountingTransport()
    talker.makeConnection(transport)
    transport.writes.clear()
    transport.clear()
    return talker, transport, clock


@pytest.fixture
def failures() -> Iterator[list[str]]:
    """What was logged as critical."""
    seen: list[str] = []

    @provider(ILogObserver)
    def observe(event: dict[str, Any]) -> None:
        if event.get("log_level") is LogLevel.critical:
            seen.append(str(event["log_failure"]))

    globalLogPublisher.addObserver(observe)
    yield seen
    globalLogPublisher.removeObserver(observe)


# -- order


def test_the_greeting_is_sent_at_connection() -> None:
    talker = Talker(Clock())
    transport = StringTransport()
    talker.makeConnection(transport)
    assert transport.value() == b"hello\r\n"


def test_replies_of_one_read_leave_in_one_write() -> None:
    talker, transport, _ = connected()
    talker.dataReceived(b"echo a\r\necho b\r\nnow c\r\n")
    assert transport.writes == [b"a\r\nb\r\nc\r\n"]


def test_commands_do_not_overlap() -> None:
    talker, transport, _ = connected()
    talker.dataReceived(b"wait a\r\necho b\r\n")
    talker.dataReceived(b"echo c\r\n")
    assert (transport.writes, talker.log) == ([], ["wait a"])
    talker.waits.pop().callback(None)
    talker.waits.pop().callback(None)
    assert transport.value() == b"a\r\nb\r\nc\r\n"


def test_ten_thousand_pipelined_commands_do_not_recurse() -> None:
    talker, transport, _ = connected()
    talker.dataReceived(b"now x\r\n" * 10_000)
    assert transport.writes == [b"x\r\n" * 10_000]


def test_ten_thousand_commands_behind_a_wait_do_not_recurse() -> None:
    talker, transport, _ = connected()
    talker.dataReceived(b"wait a\r\n" + b"now x\r\n" * 10_000)
    talker.waits.pop().callback(None)
    talker.waits.pop().callback(None)
    assert transport.writes == [b"a\r\n" + b"x\r\n" * 10_000]


@pytest.mark.parametrize("cut", range(len(CONVERSATION)))
def test_cut_anywhere_the_replies_are_the_same(cut: int, failures: list[str]) -> None:
    talker, transport, _ = connected()
    for piece in (CONVERSATION[:cut], CONVERSATION[cut:]):
        talker.dataReceived(piece)
        while talker.waits:
            talker.waits.pop().callback(None)
    assert transport.value() == b"a\r\nb\r\nc\r\nbroken\r\ne\r\nbye\r\n"
    assert transport.disconnecting
    assert len(failures) == 1


def test_octets_are_counted() -> None:
    talker, _, _ = connected()
    before = talker.octets_out
    talker.dataReceived(b"echo abc\r\n")
    assert (talker.octets_in, talker.octets_out - before) == (10, 5)


def test_a_command_gets_what_it_waited_for() -> None:
    talker, _, _ = connected()
    talker.dataReceived(b"wait a\r\n")
    talker.waits.pop().callback(1)
    talker.waits.pop().callback("two")
    assert talker.values == [1, "two"]


def test_writing_while_no_command_runs_sends_at_once() -> None:
    talker, transport, _ = connected()
    talker.write(b"* 1 EXISTS\r\n")
    assert transport.writes == [b"* 1 EXISTS\r\n"]


# -- too fast, too slow


def test_a_peer_far_ahead_is_paused_until_the_command_ends() -> None:
    talker, transport, _ = connected(Limits(ahead=100))
    talker.dataReceived(b"wait a\r\n")
    talker.dataReceived(b"echo b\r\n" * 12)
    assert transport.producerState == "producing"
    talker.dataReceived(b"echo b\r\n")
    assert transport.producerState == "paused"
    talker.waits.pop().callback(None)
    talker.waits.pop().callback(None)
    assert transport.producerState == "producing"


def test_a_peer_far_ahead_is_read_from_only_when_all_it_sent_is_done() -> None:
    talker, transport, _ = connected(Limits(ahead=100))
    talker.dataReceived(b"wait a\r\nwait b\r\n" + b"echo c\r\n" * 3)
    talker.dataReceived(b"echo b\r\n" * 13)
    for _ in range(3):
        talker.waits.pop().callback(None)
        assert transport.producerState == "paused"
    talker.waits.pop().callback(None)
    assert transport.producerState == "producing"


def test_a_peer_far_ahead_that_said_goodbye_is_read_from_no_more() -> None:
    talker, transport, _ = connected(Limits(ahead=100))
    talker.dataReceived(b"wait a\r\nquit\r\n" + b"echo c\r\n" * 13)
    talker.dataReceived(b"echo d\r\n" * 13)
    talker.waits.pop().callback(None)
    talker.waits.pop().callback(None)
    assert transport.value().endswith(b"a\r\nbye\r\n")
    assert transport.disconnecting
    assert transport.producerState == "paused"


def test_commands_sent_ahead_are_done_in_turns() -> None:
    talker, transport, clock = connected()
    talker.dataReceived(b"long 0.001\r\n" * 100)
    assert 0 < transport.value().count(b"done") < 100
    clock.advance(0)
    assert transport.value().count(b"done") == 100
    assert len(transport.writes) >= 5  # one a turn
    talker.dataReceived(b"echo a\r\n")
    assert transport.value().endswith(b"a\r\n")


def test_a_loss_between_turns_ends_the_work() -> None:
    talker, transport, clock = connected()
    talker.dataReceived(b"long 0.01\r\n" * 100)
    talker.connectionLost(GONE)
    assert clock.getDelayedCalls() == []
    assert transport.value().count(b"done") < 100
    assert talker.log[-1] == "closed"


def test_a_large_answer_waits_for_a_slow_reader() -> None:
    talker, transport, _ = connected()
    talker.pauseProducing()
    talker.dataReceived(b"big 3\r\necho b\r\n")
    assert transport.value() == b"x" * 1000
    talker.resumeProducing()
    assert transport.value() == b"x" * 3000 + b"b\r\n"


def test_a_large_answer_to_a_quick_reader_never_waits() -> None:
    talker, transport, _ = connected()
    talker.dataReceived(b"big 3\r\n")
    assert transport.writes == [b"x" * 1000] * 3


def test_it_is_a_push_producer_of_its_transport() -> None:
    talker, transport, _ = connected()
    assert transport.producer is talker
    assert transport.streaming
    assert IPushProducer.providedBy(talker)


# -- errors


def test_a_handler_that_raises_is_answered_and_logged(failures: list[str]) -> None:
    talker, transport, _ = connected()
    talker.dataReceived(b"fail no\r\necho b\r\n")
    assert transport.value() == b"broken\r\nb\r\n"
    assert "no" in failures[0]


def test_a_coroutine_that_raises_later_is_too(failures: list[str]) -> None:
    talker, transport, _ = connected()
    talker.dataReceived(b"waitfail\r\necho b\r\n")
    talker.waits.pop().callback(None)
    assert transport.value() == b"broken\r\nb\r\n"
    assert len(failures) == 1


def test_a_wait_that_fails_reaches_the_command(failures: list[str]) -> None:
    talker, transport, _ = connected()
    talker.dataReceived(b"wait a\r\necho b\r\n")
    talker.waits.pop().errback(ValueError("disk"))
    assert transport.value() == b"broken\r\nb\r\n"
    assert "disk" in failures[0]


def test_a_greeting_that_raises_closes(failures: list[str]) -> None:
    talker = Talker(Clock())
    talker.greeting = b""
    transport = StringTransport()
    talker.makeConnection(transport)
    assert transport.disconnecting
    assert len(failures) == 1


class Hopeless(Talker):
    """Cannot even answer for an error."""

    def broken(self) -> None:
        raise ValueError("again")

    def closed(self) -> None:
        super().closed()
        raise ValueError("at the end")


def test_an_error_reply_that_raises_closes(failures: list[str]) -> None:
    talker = Hopeless(Clock())
    transport = StringTransport()
    talker.makeConnection(transport)
    talker.dataReceived(b"fail\r\necho b\r\n")
    assert transport.disconnecting
    assert talker.log == ["fail"]
    talker.connectionLost(GONE)
    assert len(failures) == 3


# -- closing


def test_after_close_nothing_is_handled() -> None:
    talker, transport, _ = connected()
    talker.dataReceived(b"quit\r\necho b\r\n")
    talker.dataReceived(b"echo c\r\n")
    assert transport.value() == b"bye\r\n"
    assert transport.disconnecting
    assert talker.log == ["quit"]


def test_close_leaves_no_producer_to_wait_for() -> None:
    talker, transport, _ = connected()
    talker.close()
    talker.close()
    assert transport.producer is None


def test_a_connection_that_does_not_flush_is_cut() -> None:
    talker, transport, clock = connected(Limits(close=30))
    talker.close()
    clock.advance(29)
    assert not transport.aborted
    clock.advance(1)
    assert transport.aborted


def test_kick_closes() -> None:
    talker, transport, _ = connected()
    talker.kick()
    assert transport.disconnecting


def test_closed_is_called_once_and_no_timer_stays() -> None:
    talker, _, clock = connected()
    talker.close()
    talker.connectionLost(GONE)
    assert talker.log == ["closed"]
    assert clock.getDelayedCalls() == []


def test_a_waiting_command_ends_before_closed_is_called() -> None:
    talker, transport, clock = connected()
    talker.dataReceived(b"wait a\r\necho b\r\n")
    talker.connectionLost(GONE)
    assert talker.log == ["wait a"]
    talker.waits.pop().callback(None)
    talker.waits.pop().callback(None)
    assert talker.log == ["wait a", "waited", "closed"]
    assert transport.writes == []
    assert clock.getDelayedCalls() == []


def test_a_command_that_fails_after_the_loss_is_logged(failures: list[str]) -> None:
    talker, _, _ = connected()
    talker.dataReceived(b"waitfail\r\n")
    talker.connectionLost(GONE)
    talker.waits.pop().callback(None)
    assert talker.log == ["waitfail", "closed"]
    assert len(failures) == 1


def test_a_loss_cancels_the_wait_for_a_slow_reader(failures: list[str]) -> None:
    talker, _, _ = connected()
    talker.pauseProducing()
    talker.dataReceived(b"big 3\r\n")
    talker.connectionLost(GONE)
    assert talker.log == ["big 3", "big ended", "closed"]
    assert failures == []


def test_nothing_refers_to_a_connection_that_is_gone() -> None:
    talker, transport, clock = connected()
    talker.dataReceived(b"echo a\r\nwait b\r\n")
    talker.waits.pop().callback(None)
    talker.waits.pop().callback(None)
    talker.connectionLost(GONE)
    transport.producer = None
    alive = weakref.ref(talker)
    gc.disable()
    try:
        del talker
        assert alive() is None, "freed without a collection"
    finally:
        gc.enable()
    assert clock.getDelayedCalls() == []


# -- the peer closes its sending side


def test_an_end_of_input_closes_when_nothing_runs() -> None:
    talker, transport, _ = connected()
    talker.dataReceived(b"echo a\r\n")
    talker.readConnectionLost()
    assert transport.value() == b"a\r\n"
    assert transport.disconnecting


def test_an_end_of_input_lets_the_commands_finish() -> None:
    talker, transport, _ = connected()
    talker.dataReceived(b"wait a\r\necho b\r\n")
    talker.readConnectionLost()
    assert not transport.disconnecting
    talker.waits.pop().callback(None)
    talker.waits.pop().callback(None)
    assert transport.value() == b"a\r\nb\r\n"
    assert transport.disconnecting


def test_after_an_end_of_input_a_command_has_limited_time() -> None:
    talker, transport, clock = connected(Limits(close=30))
    talker.dataReceived(b"wait a\r\n")
    talker.readConnectionLost()
    clock.advance(30)
    assert transport.aborted


# -- idle


def test_a_silent_peer_is_told_and_closed() -> None:
    _, transport, clock = connected(Limits(idle=100))
    clock.advance(99)
    assert not transport.disconnecting
    clock.advance(1)
    assert transport.value() == b"too slow\r\n"
    assert transport.disconnecting


def test_every_octet_starts_the_time_anew_without_a_new_timer() -> None:
    talker, transport, clock = connected(Limits(idle=100))
    clock.advance(60)
    talker.dataReceived(b"e")
    assert [call.getTime() for call in clock.getDelayedCalls()] == [100]
    clock.advance(99)
    assert not transport.disconnecting
    clock.advance(1)
    assert transport.disconnecting


def test_a_running_command_is_not_idle() -> None:
    talker, transport, clock = connected(Limits(idle=100))
    talker.dataReceived(b"wait a\r\n")
    for _ in range(300):
        clock.advance(1)
    assert not transport.disconnecting


def test_a_peer_that_had_to_wait_has_its_whole_time_again() -> None:
    talker, transport, clock = connected(Limits(idle=100))
    talker.dataReceived(b"wait a\r\n")
    clock.advance(150)
    talker.waits.pop().callback(None)
    talker.waits.pop().callback(None)
    clock.advance(99)
    assert not transport.disconnecting
    clock.advance(1)
    assert transport.disconnecting


def test_a_peer_that_reads_nothing_of_a_long_answer_is_cut_off() -> None:
    talker, transport, clock = connected(Limits(idle=100))
    talker.pauseProducing()
    talker.dataReceived(b"big 3\r\n")
    clock.advance(99)
    assert not transport.aborted
    clock.advance(1)
    assert transport.aborted


def test_a_peer_that_reads_slowly_is_waited_for() -> None:
    talker, transport, clock = connected(Limits(idle=100))
    for _ in range(3):
        talker.pauseProducing()
        talker.dataReceived(b"big 3\r\n")
        clock.advance(60)
        talker.resumeProducing()
    assert not transport.aborted


def test_idle_seconds_count_from_the_last_octet() -> None:
    talker, _, clock = connected()
    clock.advance(5)
    assert talker.idle_seconds == 5
    talker.dataReceived(b"e")
    assert talker.idle_seconds == 0


# -- the peer


def test_the_peer_is_known() -> None:
    talker, _, _ = connected()
    assert talker.peer.address == "192.168.1.1"
    assert talker.peer is talker.peer
    assert not talker.peer.secure
