"""Sessions that are kept open for a short while."""

import pytest

from maildrop.queue.entry import Kind
from maildrop.smtp.client.pool import Keeping
from tests.smtp.client.conftest import World, job
from tests.smtp.client.peer import CLOSE


def test_the_next_message_uses_the_same_session_after_rset(world: World) -> None:
    world.serve()
    relay = world.relay()
    for _ in range(3):
        attempt = world.attempt(relay, job())
        assert attempt.results[0].kind is Kind.PASSED_ON
    (peer,) = world.network.sessions
    assert len(peer.taken) == 3
    verbs = [each.split()[0] for each in peer.commands]
    assert verbs[:8] == ["EHLO", "MAIL", "RCPT", "DATA", "RSET", "MAIL", "RCPT", "DATA"]
    assert world.table.asked == ["MX example.net", "A mx.example.net"]


def test_an_unused_session_says_quit_after_a_while(world: World) -> None:
    world.serve()
    world.attempt(world.relay(keeping=Keeping(seconds=5)), job())
    (peer,) = world.network.sessions
    world.clock.advance(4.9)
    world.network.run()
    assert not peer.closed
    world.clock.advance(0.2)
    world.network.run()
    assert peer.closed
    assert peer.commands[-1] == "QUIT"
    assert not world.clock.getDelayedCalls()


def test_a_session_ends_after_so_many_messages(world: World) -> None:
    world.serve()
    relay = world.relay(keeping=Keeping(messages=2))
    for _ in range(5):
        world.attempt(relay, job())
    assert [len(peer.taken) for peer in world.network.sessions] == [2, 2, 1]


def test_no_session_is_kept_where_none_shall_be(world: World) -> None:
    world.serve()
    world.attempt(world.relay(keeping=Keeping(seconds=0)), job())
    (peer,) = world.network.sessions
    assert peer.closed


def test_a_session_that_the_server_closed_is_forgotten(world: World) -> None:
    world.serve()
    relay = world.relay()
    world.attempt(relay, job())
    (peer,) = world.network.sessions
    peer.closed = True
    world.network.run()
    attempt = world.attempt(relay, job())
    assert attempt.results[0].kind is Kind.PASSED_ON
    assert len(world.network.wires) == 2


@pytest.mark.parametrize("answer", ["421 4.4.2 too long" + CLOSE, CLOSE])
def test_a_session_closed_while_it_is_taken_is_no_failure(
    world: World, answer: str
) -> None:
    world.serve(answers={"RSET": answer})
    relay = world.relay()
    for _ in range(3):
        assert world.attempt(relay, job()).results[0].kind is Kind.PASSED_ON
    assert len(world.network.wires) == 3


def test_a_server_that_speaks_unasked_is_left(world: World) -> None:
    world.serve()
    relay = world.relay()
    world.attempt(relay, job())
    world.network.wires[0]._back = b"421 4.4.2 idle too long\r\n"
    world.network.run()
    assert world.network.wires[0].gone
    assert world.attempt(relay, job()).results[0].kind is Kind.PASSED_ON


def test_a_session_that_failed_a_message_is_good_for_the_next(world: World) -> None:
    world.serve(answers={"RCPT TO:<no@example.net>": "550 5.1.1 no"})
    relay = world.relay()
    failed = world.attempt(relay, job("no@example.net"))
    assert failed.results[0].kind is Kind.FAILED
    assert world.attempt(relay, job()).results[0].kind is Kind.PASSED_ON
    (peer,) = world.network.sessions
    assert len(peer.taken) == 1


def test_all_sessions_end_when_the_relay_is_closed(world: World) -> None:
    world.serve()
    relay = world.relay()
    world.attempt(relay, job())
    relay.close()
    world.network.run()
    (peer,) = world.network.sessions
    assert peer.commands[-1] == "QUIT"
    assert not world.clock.getDelayedCalls()


def test_a_server_that_does_not_answer_quit_is_not_waited_for(world: World) -> None:
    world.serve(answers={"QUIT": ""})
    relay = world.relay()
    world.attempt(relay, job())
    (wire,) = world.network.wires
    wire.step = lambda: False  # type: ignore[method-assign]
    relay.close()
    assert not wire.gone
    world.clock.advance(5.1)
    assert wire.gone
