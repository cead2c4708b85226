"""ETRN as a client (RFC 1985)."""

from collections.abc import Mapping

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from maildrop.smtp.client.hosts import Unroutable
from maildrop.smtp.client.policy import NextHop
from maildrop.smtp.client.turn import turn
from maildrop.smtp.wire.etrn import Etrn
from maildrop.smtp.wire.opening import TLSPolicy
from maildrop.smtp.wire.verdict import Answer, Broken, Verdict
from tests.smtp.client.conftest import World
from tests.smtp.client.peer import CLOSE, MODERN

HOP = NextHop("mx.example.net", tls=TLSPolicy.NONE)
WANTED = [Etrn("example.org", below=False), Etrn("example.com", below=True)]
OFFERS = (*MODERN, "ETRN")
T, L, N = Answer.TAKEN, Answer.LATER, Answer.NEVER


def asked(world: World, hop: NextHop = HOP) -> list[Verdict]:
    found: list[list[Verdict]] = []
    failures: list[Failure] = []
    work = Deferred.fromCoroutine(turn(world.sessions(), hop, WANTED))
    work.addCallbacks(found.append, failures.append)
    world.network.run()
    for failure in failures:
        failure.raiseException()
    return found[0]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"ETRN": "250 2.0.0 started"}, [T, T]),
        ({"ETRN": "251 nothing", "ETRN @example.com": "459 not you"}, [T, L]),
        ({"ETRN": "253 OK, 7 pending", "ETRN example.org": "501 what"}, [N, T]),
        ({"ETRN": "253 OK, 7 pending", "QUIT": CLOSE}, [T, T]),
    ],
)
def test_a_server_says_of_each_domain_whether_it_begins(
    world: World, answers: Mapping[str, str], expected: list[Answer]
) -> None:
    world.serve(offers=OFFERS, answers=answers)
    assert [each.answer for each in asked(world)] == expected
    (peer,) = world.network.sessions
    assert peer.commands[1:] == ["ETRN example.org", "ETRN @example.com", "QUIT"]
    assert world.network.wires[0].gone


def test_one_that_does_not_offer_it_is_not_asked(world: World) -> None:
    world.serve()
    assert {(each.answer, each.code) for each in asked(world)} == {(N, "5.5.1")}
    (peer,) = world.network.sessions
    assert peer.commands[1:] == ["QUIT"]


def test_the_next_address_is_asked_when_one_does_not_answer(world: World) -> None:
    world.table.a["mx.example.net"] = ["192.0.2.1", "192.0.2.2"]
    world.serve("192.0.2.2", offers=OFFERS, answers={"ETRN": "250 OK"})
    assert [each.answer for each in asked(world)] == [T, T]
    assert world.network.tried == ["192.0.2.1", "192.0.2.2"]


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({"greeting": "421 4.3.2 busy" + CLOSE}, "421 4.3.2 busy"),
        ({"ETRN": CLOSE}, "mx.example.net: it closed the connection in ETRN"),
    ],
)
def test_one_that_goes_away_is_told_of(
    world: World, answers: Mapping[str, str], says: str
) -> None:
    world.serve(offers=OFFERS, answers=answers)
    with pytest.raises(Broken) as caught:
        asked(world)
    assert caught.value.verdict.text == says


def test_a_name_without_address_is_told_of(world: World) -> None:
    with pytest.raises(Unroutable, match=r"none\.example has no address"):
        asked(world, NextHop("none.example"))
