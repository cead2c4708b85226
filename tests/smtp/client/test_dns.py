"""The DNS through twisted.names, on answers that come without a network."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pytest
from twisted.internet.defer import Deferred, TimeoutError as Late, fail, succeed
from twisted.internet.interfaces import IResolver
from twisted.names import dns
from twisted.names.common import ResolverBase
from twisted.names.error import (
    AuthoritativeDomainError,
    DNSNameError,
    DNSQueryTimeoutError,
    DNSServerError,
    ResolverError,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from maildrop.smtp.client.dns import DNS
from maildrop.smtp.client.hosts import Exchanger, NoAnswer, NoSuchName

T = TypeVar("T")
Answers = list[dns.RRHeader] | Exception


@implementer(IResolver)
class Zone(ResolverBase):
    """Answers by name and type; what is not there has no records."""

    def __init__(self, answers: dict[tuple[str, int], Answers]) -> None:
        super().__init__()
        self._table = answers

    def _lookup(
        self, name: bytes, cls: int, kind: int, timeout: Sequence[int] | None
    ) -> Deferred[tuple[list[dns.RRHeader], list[object], list[object]]]:
        del cls, timeout
        found = self._table.get((name.decode(), kind), [])
        if isinstance(found, Exception):
            return fail(found)
        return succeed((found, [], []))


def record(name: str, payload: dns.IEncodableRecord) -> dns.RRHeader:
    kind: int = payload.TYPE
    return dns.RRHeader(name.encode(), kind, dns.IN, 60, payload)


def asked(work: Callable[[], Awaitable[T]]) -> T | BaseException:
    found: list[T | BaseException] = []

    async def run() -> None:
        try:
            found.append(await work())
        except (NoAnswer, NoSuchName) as error:
            found.append(error)

    failures: list[Failure] = []
    Deferred.fromCoroutine(run()).addErrback(failures.append)
    for failure in failures:
        failure.raiseException()
    return found[0]


def mx(answers: Answers, name: str = "example.net") -> object:
    zone = DNS(lambda: Zone({(name, dns.MX): answers}))
    return asked(lambda: zone.exchangers(name))


def test_mx_records_are_told() -> None:
    answers = [
        record("example.net", dns.Record_MX(20, b"mx2.example.net")),
        record("example.net", dns.Record_MX(10, b"mx1.example.net")),
    ]
    assert mx(answers) == [
        Exchanger(20, "mx2.example.net"),
        Exchanger(10, "mx1.example.net"),
    ]


def test_a_null_mx_has_no_name() -> None:
    """RFC 7505 section 3."""
    assert mx([record("example.net", dns.Record_MX(0, b""))]) == [Exchanger(0, "")]


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        (DNSNameError("no"), NoSuchName),
        (DNSServerError("no"), NoAnswer),
        (DNSQueryTimeoutError(1), NoAnswer),
        (Late(), NoAnswer),
        (ResolverError("no"), NoAnswer),
        (OSError("no servers"), NoAnswer),
    ],
)
def test_what_goes_wrong_is_told_apart(
    answers: Exception, kind: type[Exception]
) -> None:
    assert isinstance(mx(answers), kind)


def test_no_records_are_no_exchangers() -> None:
    assert mx([]) == []
    assert mx(AuthoritativeDomainError("no")) == []


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64, ".".join(["abc"] * 70)])
def test_what_is_no_name_does_not_exist(name: str) -> None:
    assert isinstance(mx([], name), NoSuchName)


def test_an_alias_is_followed() -> None:
    """RFC 5321 section 5.1."""
    zone = DNS(
        lambda: Zone(
            {
                ("alias.example", dns.MX): [
                    record("alias.example", dns.Record_CNAME(b"real.example"))
                ],
                ("real.example", dns.MX): [
                    record("real.example", dns.Record_MX(5, b"mx.example"))
                ],
            }
        )
    )
    assert asked(lambda: zone.exchangers("alias.example")) == [
        Exchanger(5, "mx.example")
    ]


def test_aliases_in_a_circle_are_no_answer() -> None:
    zone = DNS(
        lambda: Zone(
            {
                ("a.example", dns.MX): [
                    record("a.example", dns.Record_CNAME(b"a.example"))
                ]
            }
        )
    )
    assert isinstance(asked(lambda: zone.exchangers("a.example")), NoAnswer)


HOST: dict[tuple[str, int], Answers] = {
    ("h.example", dns.A): [record("h.example", dns.Record_A("192.0.2.1"))],
    ("h.example", dns.AAAA): [record("h.example", dns.Record_AAAA("2001:db8::1"))],
    ("old.example", dns.A): [record("old.example", dns.Record_A("192.0.2.2"))],
    ("old.example", dns.AAAA): DNSServerError("no"),
    ("gone.example", dns.A): DNSNameError("no"),
    ("gone.example", dns.AAAA): DNSNameError("no"),
    ("dark.example", dns.AAAA): DNSServerError("no"),
}


@pytest.mark.parametrize(
    ("name", "families", "expected"),
    [
        ("h.example", ("ipv6", "ipv4"), ["2001:db8::1", "192.0.2.1"]),
        ("h.example", ("ipv4", "ipv6"), ["192.0.2.1", "2001:db8::1"]),
        ("h.example", ("ipv4",), ["192.0.2.1"]),
        ("old.example", ("ipv6", "ipv4"), ["192.0.2.2"]),
        ("empty.example", ("ipv6", "ipv4"), []),
        ("gone.example", ("ipv6", "ipv4"), NoSuchName),
        ("dark.example", ("ipv6", "ipv4"), NoAnswer),
    ],
)
def test_addresses_of_a_host(
    name: str, families: tuple[str, ...], expected: list[str] | type[Exception]
) -> None:
    zone = DNS(lambda: Zone(dict(HOST)), families)
    found = asked(lambda: zone.addresses(name))
    if isinstance(expected, list):
        assert found == expected
    else:
        assert isinstance(found, expected)


def test_of_a_name_in_the_hosts_file_the_dns_is_not_asked() -> None:
    """As getaddrinfo(3) has it: one family there is enough."""
    here = Zone({("h.example", dns.A): HOST["h.example", dns.A]})
    asked_for: list[str] = []

    def opened() -> Zone:
        asked_for.append("the DNS")
        return Zone(dict(HOST))

    zone = DNS(opened, hosts=here)
    assert asked(lambda: zone.addresses("h.example")) == ["192.0.2.1"]
    assert asked_for == []
    assert asked(lambda: zone.addresses("old.example")) == ["192.0.2.2"]
    assert asked_for == ["the DNS"]


def test_both_families_are_asked_for_at_once() -> None:
    waiting: list[Deferred[tuple[list[dns.RRHeader], list[object], list[object]]]] = []

    class Slow(Zone):
        def _lookup(
            self, name: bytes, cls: int, kind: int, timeout: Sequence[int] | None
        ) -> Deferred[tuple[list[dns.RRHeader], list[object], list[object]]]:
            waiting.append(Deferred())
            return waiting[-1]

    zone = DNS(lambda: Slow({}))
    found: list[Sequence[str]] = []
    work = Deferred.fromCoroutine(zone.addresses("h.example"))
    work.addCallback(found.append)
    ipv6, ipv4 = waiting
    ipv4.callback(([record("h.example", dns.Record_A("192.0.2.1"))], [], []))
    ipv6.callback(([record("h.example", dns.Record_AAAA("2001:db8::1"))], [], []))
    assert found == [["2001:db8::1", "192.0.2.1"]]


def test_what_names_are_written_with_is_found_before_rights_are_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The interpreter may lie where only root may read."""
    asked: list[str] = []
    monkeypatch.setattr("codecs.lookup", asked.append)
    DNS(lambda: Zone({}))
    assert asked == ["idna"]
