"""Which hosts take the mail of a domain (RFC 5321 section 5.1)."""

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from maildrop.smtp.client.hosts import (
    Host,
    Unroutable,
    addresses,
    exchangers,
    is_own,
    literal,
)
from maildrop.smtp.wire.verdict import Answer
from tests.smtp.client.conftest import Shuffler, Table

OWN = ("mail.example.org",)


def found(table: Table, domain: str = "example.net", seed: int = 1) -> list[Host]:
    result: list[list[Host]] = []
    search = exchangers(table, domain, Shuffler(seed), OWN)
    work = Deferred.fromCoroutine(search)
    work.addCallback(result.append)
    failures: list[Failure] = []
    work.addErrback(failures.append)
    for failure in failures:
        failure.raiseException()
    return result[0]


def why(table: Table, domain: str = "example.net") -> tuple[Answer, str]:
    caught: list[Failure] = []
    work = Deferred.fromCoroutine(exchangers(table, domain, Shuffler(1), OWN))
    work.addErrback(caught.append)
    return answer(caught)


def answer(caught: list[Failure]) -> tuple[Answer, str]:
    (failure,) = caught
    assert isinstance(failure.value, Unroutable)
    return failure.value.verdict.answer, failure.value.verdict.code


@pytest.fixture
def table() -> Table:
    made = Table()
    for at in range(1, 5):
        made.a[f"mx{at}.example.net"] = [f"2001:db8::{at}", f"192.0.2.{at}"]
    return made


def names(hosts: list[Host]) -> list[str]:
    return [host.name.partition(".")[0] for host in hosts[::2]]


def test_the_lowest_preference_comes_first(table: Table) -> None:
    table.mx["example.net"] = [
        (30, "mx3.example.net"),
        (10, "mx1.example.net"),
        (20, "mx2.example.net"),
    ]
    hosts = found(table)
    assert names(hosts) == ["mx1", "mx2", "mx3"]
    assert hosts[0] == Host("mx1.example.net", "2001:db8::1")
    assert hosts[1] == Host("mx1.example.net", "192.0.2.1")


def test_kinds_of_addresses_take_turns(table: Table) -> None:
    """Who has no way to IPv6 comes to IPv4 before all tries of an attempt are spent."""
    table.mx["example.net"] = [(10, "mx1.example.net")]
    six = [f"2001:db8::{at}" for at in range(1, 5)]
    table.a["mx1.example.net"] = [*six, "192.0.2.1", "192.0.2.2"]
    tried = [host.address for host in found(table)]
    assert tried == [six[0], "192.0.2.1", six[1], "192.0.2.2", *six[2:]]


def test_of_too_many_exchangers_the_best_are_tried(table: Table) -> None:
    table.mx["example.net"] = [
        (at, f"mx{1 + at % 4}.example.net") for at in range(99, 0, -1)
    ]
    assert names(found(table)) == [f"mx{1 + at % 4}" for at in range(1, 21)]


def test_equals_are_tried_in_any_order(table: Table) -> None:
    table.mx["example.net"] = [(10, f"mx{at}.example.net") for at in range(1, 5)]
    orders = {tuple(names(found(table, seed=seed))) for seed in range(200)}
    assert len(orders) == 24


def test_without_mx_the_domain_itself_is_the_host(table: Table) -> None:
    table.a["example.net"] = ["192.0.2.9"]
    assert found(table) == [Host("example.net", "192.0.2.9")]


def test_an_exchanger_without_an_address_is_left_out(table: Table) -> None:
    table.mx["example.net"] = [(1, "gone.example.net"), (2, "mx2.example.net")]
    assert names(found(table)) == ["mx2"]


def test_an_exchanger_whose_address_is_not_told_is_left_out(table: Table) -> None:
    table.mx["example.net"] = [(1, "dark.example.net"), (2, "mx2.example.net")]
    table.a["dark.example.net"] = None
    assert names(found(table)) == ["mx2"]


@pytest.mark.parametrize("own", ["mail.example.org", "loop.example.net"])
def test_only_better_exchangers_than_ourselves_are_tried(
    table: Table, own: str
) -> None:
    table.mx["example.net"] = [
        (10, "mx1.example.net"),
        (20, own),
        (20, "mx2.example.net"),
        (30, "mx3.example.net"),
    ]
    table.a["loop.example.net"] = ["127.0.0.1"]
    assert names(found(table)) == ["mx1"]


@pytest.mark.parametrize(
    ("mx", "expected"),
    [
        ([(0, "")], (Answer.NEVER, "5.1.10")),
        ([(0, ".")], (Answer.NEVER, "5.1.10")),
        ([(5, "MAIL.example.org.")], (Answer.NEVER, "5.4.6")),
        ([(5, "none.example.net")], (Answer.NEVER, "5.4.4")),
        ([(5, "dark.example.net"), (6, "none.example.net")], (Answer.LATER, "4.4.3")),
        (None, (Answer.LATER, "4.4.3")),
        ([], (Answer.NEVER, "5.1.2")),
    ],
)
def test_why_there_is_no_host(
    table: Table, mx: list[tuple[int, str]] | None, expected: tuple[Answer, str]
) -> None:
    """RFC 7505 for the null MX."""
    table.mx["example.net"] = mx
    table.a["dark.example.net"] = None
    assert why(table) == expected


def test_a_domain_that_does_not_exist_is_told_so(table: Table) -> None:
    assert why(table, "nowhere.example") == (Answer.NEVER, "5.1.2")


def test_a_null_mx_among_others_counts_for_nothing(table: Table) -> None:
    table.mx["example.net"] = [(0, "."), (10, "mx1.example.net")]
    assert names(found(table)) == ["mx1"]


def test_an_international_domain_is_asked_for_in_a_labels(table: Table) -> None:
    table.mx["xn--bcher-kva.example"] = [(1, "mx1.example.net")]
    assert names(found(table, "bücher.example")) == ["mx1"]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("[192.0.2.1]", "192.0.2.1"),
        ("[IPv6:2001:DB8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[example.net]", ""),
        ("example.net", ""),
        ("", ""),
    ],
)
def test_an_address_literal_needs_no_dns(table: Table, text: str, address: str) -> None:
    assert literal(text) == address
    if address and text.startswith("["):
        assert found(table, text) == [Host(text, address)]
        assert table.asked == []


@pytest.mark.parametrize(
    "text", ["[127.0.0.1]", "[IPv6:::1]", "[0.0.0.0]", "[IPv6:::ffff:127.0.0.1]"]
)
def test_a_literal_of_our_own_is_a_loop(table: Table, text: str) -> None:
    assert why(table, text) == (Answer.NEVER, "5.4.6")
    assert is_own(literal(text))


def test_hosts_that_were_configured_are_asked_for_as_they_are(table: Table) -> None:
    table.a["relay.example.org"] = ["127.0.0.1", "192.0.2.1"]
    cases = {
        "relay.example.org": [
            Host("relay.example.org", "127.0.0.1"),
            Host("relay.example.org", "192.0.2.1"),
        ],
        "192.0.2.9": [Host("192.0.2.9", "192.0.2.9")],
        "/run/lmtp.sock": [Host("localhost", "/run/lmtp.sock")],
    }
    for name, hosts in cases.items():
        result: list[list[Host]] = []
        work = Deferred.fromCoroutine(addresses(table, name))
        work.addCallback(result.append)
        assert result == [hosts]


@pytest.mark.parametrize(
    ("known", "code"), [(None, "4.4.3"), ([], "4.4.4"), ("absent", "4.4.4")]
)
def test_a_configured_host_without_address_makes_the_mail_wait(
    table: Table, known: list[str] | str | None, code: str
) -> None:
    if known != "absent":
        table.a["relay.example.org"] = known  # type: ignore[assignment]
    caught: list[Failure] = []
    work = Deferred.fromCoroutine(addresses(table, "relay.example.org"))
    work.addErrback(caught.append)
    assert answer(caught) == (Answer.LATER, code)
