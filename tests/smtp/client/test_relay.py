"""The way out: hosts in turn, and what becomes of each recipient."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from twisted.internet.defer import Deferred

from maildrop.queue.entry import Kind, Result, Status
from maildrop.queue.relay import Attempt
from maildrop.smtp.client.policy import NextHop
from maildrop.smtp.client.relay import Limits
from maildrop.smtp.wire.opening import TLSPolicy
from tests.smtp.client.conftest import MESSAGE, World, job
from tests.smtp.client.peer import CLOSE, MODERN, Peer


def second_exchanger(world: World) -> None:
    world.table.mx["example.net"] = [(20, "mx2.example.net"), (10, "mx.example.net")]
    world.table.a["mx2.example.net"] = ["192.0.2.2"]


def test_a_message_goes_to_the_mail_exchanger(world: World) -> None:
    world.serve()
    results = world.send("a@example.net", "b@example.net")
    assert {each.kind for each in results.values()} == {Kind.PASSED_ON}
    (peer,) = world.network.sessions
    (taken,) = peer.taken
    assert taken.content == MESSAGE
    assert taken.mail == f"MAIL FROM:<sender@example.org> SIZE={len(MESSAGE)}"
    assert taken.rcpts == ("RCPT TO:<a@example.net>", "RCPT TO:<b@example.net>")


@pytest.mark.parametrize("offers", [MODERN, ("SIZE",)])
def test_mail_that_was_sent_on_says_from_which_address(
    world: World, offers: tuple[str, ...]
) -> None:
    """RFC 9228: when it comes back to that address it goes in a circle."""
    world.serve(offers=offers)
    world.send(via="list@example.org")
    (peer,) = world.network.sessions
    (taken,) = peer.taken
    assert taken.content == b"Delivered-To: list@example.org\r\n" + MESSAGE
    assert taken.mail.endswith(f" SIZE={len(taken.content)}")


EIGHT_BIT = "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nö\r\n".encode()


def test_octets_above_127_are_rewritten_for_who_takes_none(world: World) -> None:
    """RFC 6152 section 3; only for that one."""
    second_exchanger(world)
    world.serve(
        "192.0.2.1", offers=("PIPELINING", "SIZE"), answers={"end": "451 later"}
    )
    world.serve("192.0.2.2")
    assert world.send(message=EIGHT_BIT)["a@example.net"].kind is Kind.PASSED_ON
    first, second = world.network.sessions
    assert (first.taken, second.taken[0].content) == ([], EIGHT_BIT)
    assert "BODY" not in first.commands[1]

    world.serve("192.0.2.1", offers=("PIPELINING", "SIZE"))
    world.send(message=EIGHT_BIT, via="list@example.org")
    *_, third = world.network.sessions
    (taken,) = third.taken
    assert taken.content == (
        b"Delivered-To: list@example.org\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=B6\r\n"
    )
    assert taken.mail.endswith(f" SIZE={len(taken.content)}")


def test_what_cannot_be_rewritten_goes_back(world: World) -> None:
    """RFC 6152 section 3, RFC 1847 section 2.1."""
    world.serve(offers=("PIPELINING",))
    signed = EIGHT_BIT.replace(b"text/plain", b"multipart/signed; boundary=b")
    result = world.send(message=signed)["a@example.net"]
    assert (result.kind, result.status.code) == (Kind.FAILED, "5.6.3")


def test_a_host_that_promises_no_report_is_told_apart(world: World) -> None:
    """RFC 3461 section 5.2.2."""
    world.serve(offers=("PIPELINING",))
    assert world.send()["a@example.net"].kind is Kind.RELAYED


def test_recipients_of_several_domains_go_their_ways(world: World) -> None:
    world.serve()
    world.table.mx["example.com"] = [(1, "mx.example.com")]
    world.table.a["mx.example.com"] = ["192.0.2.9"]
    results = world.send("a@example.net", "b@example.com", "c@none.example")
    assert results["a@example.net"].kind is Kind.PASSED_ON
    assert results["b@example.com"].kind is Kind.WAITING
    assert results["c@none.example"].status.code == "5.1.2"


def test_the_next_exchanger_is_tried_when_one_refuses_the_connection(
    world: World,
) -> None:
    """RFC 5321 section 5.1."""
    second_exchanger(world)
    world.serve("192.0.2.2")
    assert world.send()["a@example.net"].kind is Kind.PASSED_ON
    assert world.network.tried == ["192.0.2.1", "192.0.2.2"]


@pytest.mark.parametrize(
    "answers",
    [
        {"greeting": "421 4.3.2 busy" + CLOSE},
        {"greeting": "554 5.7.1 not you"},
        {"greeting": CLOSE},
        {"EHLO": "451 4.3.0 later", "HELO": "451 4.3.0 later"},
        {"EHLO": "250 OK" + CLOSE},
        {"MAIL": "451 4.3.0 later"},
        {"RCPT": "450 4.2.0 greylisted"},
        {"MAIL": CLOSE},
        {"DATA": "451 4.3.0 later"},
        {"end": "452 4.3.1 no room"},
    ],
)
def test_the_next_exchanger_is_tried_when_one_does_not_take_it(
    world: World, answers: dict[str, str]
) -> None:
    second_exchanger(world)
    world.serve("192.0.2.1", answers=answers)
    world.serve("192.0.2.2")
    assert world.send()["a@example.net"].kind is Kind.PASSED_ON
    assert world.network.tried == ["192.0.2.1", "192.0.2.2"]


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({"MAIL": "550 5.7.1 not you"}, "5.7.1"),
        ({"RCPT": "550 no such user"}, "5.1.1"),
        ({"DATA": "554 5.7.0 no"}, "5.7.0"),
        ({"end": "554 5.6.0 bad"}, "5.6.0"),
    ],
)
def test_what_a_host_refuses_for_good_is_not_tried_elsewhere(
    world: World, answers: dict[str, str], code: str
) -> None:
    second_exchanger(world)
    world.serve("192.0.2.1", answers=answers)
    world.serve("192.0.2.2")
    result = world.send()["a@example.net"]
    assert (result.kind, result.status.code) == (Kind.FAILED, code)
    assert result.status.remote == "mx.example.net"
    assert world.network.tried == ["192.0.2.1"]


def test_a_message_that_may_have_arrived_is_not_sent_elsewhere_at_once(
    world: World,
) -> None:
    """RFC 5321 section 4.5.4.2, and RFC 1047: better late than twice."""
    second_exchanger(world)
    world.serve("192.0.2.1", answers={"end": CLOSE})
    world.serve("192.0.2.2")
    result = world.send()["a@example.net"]
    assert result.kind is Kind.WAITING
    assert result.status == Status(
        "4.4.2", "mx.example.net: it closed the connection in the end of the message"
    )
    assert world.network.tried == ["192.0.2.1"]


def test_only_those_put_off_are_sent_to_the_next_host(world: World) -> None:
    second_exchanger(world)
    world.serve("192.0.2.1", answers={"RCPT TO:<b@example.net>": "450 4.2.1 later"})
    world.serve("192.0.2.2")
    results = world.send("a@example.net", "b@example.net")
    assert {each.kind for each in results.values()} == {Kind.PASSED_ON}
    first, second = world.network.sessions
    assert first.taken[0].rcpts == ("RCPT TO:<a@example.net>",)
    assert second.taken[0].rcpts == ("RCPT TO:<b@example.net>",)


@dataclass
class Watched:
    """What the hosts had taken, and how many were tried, when some were settled."""

    world: World
    seen: list[tuple[list[int], list[int], int]] = field(default_factory=list)

    async def __call__(self, results: Sequence[Result]) -> None:
        numbers = [each.number for each in results]
        peers = self.world.network.sessions
        taken = [len(each.rcpts) for peer in peers for each in peer.taken]
        self.seen.append((numbers, taken, len(self.world.network.tried)))


def test_what_one_host_took_is_settled_before_the_next_is_tried(world: World) -> None:
    """Which may take as long as it likes: a crash meanwhile sends nothing twice."""
    second_exchanger(world)
    world.serve("192.0.2.1", answers={"RCPT TO:<b@example.net>": "450 4.2.1 later"})
    world.serve("192.0.2.2")
    watched = Watched(world)
    work = replace(job("a@example.net", "b@example.net"), settled=watched)
    attempt = world.attempt(world.relay(), work)
    assert watched.seen == [([0], [1], 1)]
    assert [each.number for each in attempt.results] == [1]


def test_what_one_transaction_came_to_is_settled_before_the_next(world: World) -> None:
    world.serve()
    watched = Watched(world)
    work = replace(job(*(f"u{at}@example.net" for at in range(250))), settled=watched)
    attempt = world.attempt(world.relay(), work)
    assert watched.seen == [
        (list(range(100)), [100], 1),
        (list(range(100, 200)), [100, 100], 1),
    ]
    assert [each.number for each in attempt.results] == list(range(200, 250))


def test_two_sessions_are_enough_for_an_attempt(world: World) -> None:
    world.table.a["mx.example.net"] = [f"192.0.2.{at}" for at in range(1, 6)]
    for at in range(1, 6):
        world.serve(f"192.0.2.{at}", answers={"RCPT": "450 4.2.0 greylisted"})
    result = world.send()["a@example.net"]
    assert (result.kind, result.status.code) == (Kind.WAITING, "4.2.0")
    assert len(world.network.tried) == 2


def test_five_addresses_are_enough_for_an_attempt(world: World) -> None:
    world.table.a["mx.example.net"] = [f"192.0.2.{at}" for at in range(1, 20)]
    attempt = world.attempt(world.relay(limits=Limits(hosts=5)), job())
    assert len(world.network.tried) == 5
    assert "192.0.2.5" in attempt.unreachable
    assert attempt.results[0].status.code == "4.4.1"


def test_hosts_that_all_refuse_us_give_the_mail_back(world: World) -> None:
    second_exchanger(world)
    for address in ("192.0.2.1", "192.0.2.2"):
        world.serve(address, answers={"greeting": "554 5.7.1 not you"})
    result = world.send()["a@example.net"]
    assert result.kind is Kind.FAILED
    assert result.status == Status("5.7.1", "554 5.7.1 not you", "mx2.example.net")


def test_one_host_that_could_not_makes_the_mail_wait(world: World) -> None:
    second_exchanger(world)
    world.serve("192.0.2.2", answers={"greeting": "554 5.7.1 not you"})
    result = world.send()["a@example.net"]
    assert (result.kind, result.status.code) == (Kind.WAITING, "4.7.1")


def test_a_configured_host_that_refuses_us_makes_the_mail_wait(world: World) -> None:
    """It speaks another protocol, perhaps: nobody's mail is given back for that."""
    world.hops["example.net"] = NextHop("192.0.2.1", lmtp=True, tls=TLSPolicy.NONE)
    world.serve()
    result = world.send()["a@example.net"]
    assert (result.kind, result.status.code) == (Kind.WAITING, "4.5.1")
    assert result.status.remote == "192.0.2.1"


def test_a_server_of_our_own_name_is_a_loop(world: World) -> None:
    world.serve(name="MAIL.example.org")
    result = world.send()["a@example.net"]
    assert (result.kind, result.status.code) == (Kind.FAILED, "5.4.6")


def test_a_server_without_ehlo_hears_helo(world: World) -> None:
    """RFC 5321 section 3.2."""
    world.serve(answers={"EHLO": "500 what?"}, name="old.example.net")
    assert world.send()["a@example.net"].kind is Kind.RELAYED
    (peer,) = world.network.sessions
    assert peer.commands[:3] == [
        "EHLO mail.example.org",
        "HELO mail.example.org",
        "MAIL FROM:<sender@example.org>",
    ]


def test_many_recipients_go_in_transactions_of_a_hundred(world: World) -> None:
    """RFC 5321 section 4.5.3.1.8."""
    world.serve()
    results = world.send(*(f"u{at}@example.net" for at in range(250)))
    assert {each.kind for each in results.values()} == {Kind.PASSED_ON}
    (peer,) = world.network.sessions
    assert [len(each.rcpts) for each in peer.taken] == [100, 100, 50]


def test_recipients_too_many_for_a_server_follow_at_once(world: World) -> None:
    """RFC 5321 section 4.5.3.1.10; 552 is taken for 452."""

    class Narrow(Peer):
        def _said(self, key: str, usual: str) -> bytes:
            if key.startswith("RCPT") and len(self._rcpts) >= 3:
                usual = "552 too many" if "u7" in key else "452 4.5.3 too many"
            return super()._said(key, usual)

    world.network.peers["192.0.2.1"] = Narrow
    results = world.send(*(f"u{at}@example.net" for at in range(10)))
    assert {each.kind for each in results.values()} == {Kind.PASSED_ON}
    (peer,) = world.network.sessions
    assert [len(each.rcpts) for each in peer.taken] == [3, 3, 3, 1]


def test_a_full_mailbox_among_others_is_not_too_many(world: World) -> None:
    world.serve(answers={"RCPT TO:<b@example.net>": "552 5.2.2 full"})
    results = world.send("a@example.net", "b@example.net")
    assert results["b@example.net"].status.code == "5.2.2"
    assert results["b@example.net"].kind is Kind.FAILED


def test_lmtp_has_an_answer_for_each_recipient(world: World) -> None:
    """RFC 2033 section 4.2."""
    world.hops["example.net"] = NextHop("/run/lmtp.sock", lmtp=True)
    world.serve(
        "/run/lmtp.sock",
        lmtp=True,
        offers=("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"),
        answers={"end b@example.net": "452 4.2.2 full", "end c@example.net": "550 no"},
    )
    results = world.send("a@example.net", "b@example.net", "c@example.net")
    kinds = [each.kind for each in results.values()]
    assert kinds == [Kind.DELIVERED, Kind.WAITING, Kind.FAILED]
    (peer,) = world.network.sessions
    assert peer.commands[0] == "LHLO mail.example.org"


def test_a_destination_that_cannot_be_had_is_said_to_be_so(world: World) -> None:
    attempt = world.attempt(world.relay(), job())
    assert "mx.example.net" in attempt.unreachable
    assert attempt.results[0].kind is Kind.WAITING


def test_a_dns_that_does_not_answer_makes_the_mail_wait(world: World) -> None:
    world.table.mx["example.net"] = None
    attempt = world.attempt(world.relay(), job())
    assert attempt.results[0].status.code == "4.4.3"
    assert attempt.unreachable


def test_a_single_refused_recipient_does_not_make_a_host_unreachable(
    world: World,
) -> None:
    world.serve(answers={"RCPT": "450 4.2.0 later"})
    assert not world.attempt(world.relay(), job()).unreachable


def test_a_server_that_stops_leaves_its_mail_waiting(world: World) -> None:
    world.serve(answers={"MAIL": ""}, offers=())
    relay = world.relay()
    found: list[Attempt] = []
    Deferred.fromCoroutine(relay.relay(job())).addCallback(found.append)
    world.network.run()
    assert not found
    relay.abort()
    world.network.run()
    assert found[0].results[0].status == Status(
        "4.3.2", "mx.example.net: this server stops"
    )


def test_a_connection_that_is_not_there_yet_is_not_waited_for_either(
    world: World,
) -> None:
    world.table.a["mx.example.net"] = ["192.0.2.1", "192.0.2.2"]
    world.network.silent.add("192.0.2.1")
    world.serve("192.0.2.2")
    relay = world.relay()
    found: list[Attempt] = []
    Deferred.fromCoroutine(relay.relay(job())).addCallback(found.append)
    world.network.run()
    assert not found
    relay.abort()
    world.network.run()
    assert found[0].results[0].status.code == "4.3.2"
    assert world.network.tried == ["192.0.2.1"]


def test_nothing_but_mail_is_sent_to_a_modern_server(world: World) -> None:
    world.serve(offers=MODERN)
    world.send()
    (peer,) = world.network.sessions
    assert [each.split()[0] for each in peer.commands] == [
        "EHLO",
        "MAIL",
        "RCPT",
        "DATA",
    ]
