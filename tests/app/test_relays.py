"""Relays for other servers, as the configuration makes them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock

from maildrop.app.config import parse
from maildrop.app.privileges import rights
from maildrop.app.relays import Relays, open_relays, open_routes, server
from maildrop.errors import ConfigurationError
from maildrop.queue.relay import Attempt
from tests.smtp.client.conftest import job

T = TypeVar("T")


async def at_once(work: Callable[[], T]) -> T:
    return work()


def opened(
    text: str, directory: Path = Path("/etc")
) -> tuple[Relays, MemoryReactorClock]:
    reactor = MemoryReactorClock()
    text = 'hostname = "mail.example.org"\n' + text
    reading = parse(text, f"{directory}/maildrop.toml")
    assert not reading.fatal, reading.problems
    owners = rights(str(os.geteuid()), 1000)
    return open_relays(reading.configuration, owners, reactor, at_once), reactor


ROUTES = """
[relay]
smarthost = "192.0.2.1"
[[route]]
domain = "branch.example"
host = "192.0.2.2"
port = 2525
[[route]]
domain = ".branch.example"
host = "2001:db8::7"
protocol = "lmtp"
[[route]]
domain = "local.example"
host = "/run/lmtp"
protocol = "lmtp"
[[route]]
domain = "direct.example"
tls = "verified"
"""


@pytest.mark.parametrize(
    ("domain", "relay", "destination"),
    [
        ("anywhere.example", "smtp", "smtp:[192.0.2.1]:25"),
        ("elsewhere.example", "smtp", "smtp:[192.0.2.1]:25"),
        ("Branch.Example", "smtp", "smtp:[192.0.2.2]:2525"),
        ("a.b.branch.example", "lmtp", "lmtp:[2001:db8::7]:24"),
        ("local.example", "lmtp", "lmtp:[/run/lmtp]:24"),
        ("direct.example", "smtp", "direct.example"),
        ("b\u00fccher.example", "smtp", "smtp:[192.0.2.1]:25"),
        ("..", "smtp", "smtp:[192.0.2.1]:25"),
        ("\u00fc" * 64, "smtp", "\u00fc" * 64),
    ],
)
def test_where_mail_for_a_domain_goes(
    domain: str, relay: str, destination: str
) -> None:
    relays, _ = opened(ROUTES)
    assert relays.toward(domain) == (relay, destination)
    assert relay in relays.relays


def test_without_a_smarthost_each_domain_is_its_own_destination() -> None:
    relays, _ = opened("")
    assert relays.toward("Example.net.") == ("smtp", "example.net")


@pytest.mark.parametrize(
    ("domain", "host", "port"),
    [
        ("x.example", "192.0.2.1", 25),
        ("branch.example", "192.0.2.2", 2525),
        ("a.branch.example", "2001:db8::7", 24),
    ],
)
def test_connections_go_where_the_route_says(domain: str, host: str, port: int) -> None:
    relays, reactor = opened(ROUTES)
    found: list[Attempt] = []
    attempt = Deferred.fromCoroutine(relays.smtp.relay(job(f"a@{domain}")))
    attempt.addCallback(found.append)
    ((called, to, _, seconds, _),) = reactor.tcpClients
    assert (called, to, seconds) == (host, port, 30.0)


def test_a_socket_is_connected_to() -> None:
    relays, reactor = opened(ROUTES)
    Deferred.fromCoroutine(relays.smtp.relay(job("a@local.example")))
    ((path, *_),) = reactor.unixClients
    assert path == "/run/lmtp"


LOGIN = """
[relay]
smarthost = "192.0.2.1"
user = "ann"
password_file = "secret"
"""


def test_a_login_makes_it_the_submission_port(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("top secret\nmore\n")
    relays, _ = opened(LOGIN, tmp_path)
    assert relays.toward("x.example")[1] == "smtp:[192.0.2.1]:587"


@pytest.mark.parametrize("octets", [None, b"", b"\nsecret\n", b"\xff\n"])
def test_a_password_that_cannot_be_had_is_named(
    tmp_path: Path, octets: bytes | None
) -> None:
    if octets is not None:
        (tmp_path / "secret").write_bytes(octets)
    with pytest.raises(ConfigurationError, match="secret: "):
        opened(LOGIN, tmp_path)


def test_authorities_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("none\n")
    with pytest.raises(ConfigurationError, match=r"ca\.pem: holds no certificates"):
        opened('[relay]\nca = "ca.pem"\n', tmp_path)


def test_nobody_is_asked_before_there_is_mail() -> None:
    _, reactor = opened("")
    assert not reactor.getDelayedCalls()
    assert not reactor.tcpClients


def test_a_server_is_asked_as_mail_goes_to_it() -> None:
    """Port, TLS and login are those of its route; LMTP knows no ETRN."""
    reading = parse(ROUTES, "/etc/maildrop.toml")
    owners = rights(str(os.geteuid()), 1000)
    routes = open_routes(reading.configuration, owners)
    assert server(routes, "192.0.2.1") == routes.default
    assert server(routes, "192.0.2.2").port == 2525
    for host in ("2001:db8::7", "192.0.2.3"):
        found = server(routes, host)
        assert (found.host, found.port, found.lmtp) == (host, 25, False)
