"""The object graph: what is built from a configuration."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.testing import MemoryReactorClock, StringTransport

from maildrop.app.config import Reading, parse
from maildrop.app.privileges import OwnRights
from maildrop.app.wiring import Wiring, control_listener, limits, listeners, wire
from maildrop.net.listeners import Listener, parse as parse_endpoint

TEXT = """
hostname = "mail.example.org"
state = "state"
[mail]
location = "memory:"
[[listen]]
protocol = "imap"
endpoint = "tcp:143"
[[listen]]
protocol = "lmtp"
endpoint = "tcp:24:interface=127.0.0.1"
proxies = ["unix"]
[limits]
connections = 100
connections_per_source = 7
connections_per_user = 3
"""


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    (tmp_path / "passwd").touch()
    found = parse(TEXT, str(tmp_path / "maildrop.toml"))
    assert found.problems == []
    return found


@pytest.fixture
def wiring(reading: Reading) -> Iterator[Wiring]:
    made = wire(reading.configuration, MemoryReactorClock(), OwnRights(500))
    yield made
    made.watcher.close()


@pytest.mark.parametrize(
    ("protocol", "greeting"),
    [
        ("imap", b"* OK"),
        ("pop3", b"+OK"),
        ("smtp", b"220 mail.example.org ESMTP"),
        ("submission", b"220 mail.example.org ESMTP"),
        ("lmtp", b"220 mail.example.org LMTP"),
    ],
)
def test_every_protocol_is_served(
    wiring: Wiring, protocol: str, greeting: bytes
) -> None:
    factory = wiring.factory(Listener(protocol, "tcp:0", "starttls"))
    connection = factory.buildProtocol(None)  # type: ignore[arg-type]
    transport = StringTransport()
    assert connection is not None
    connection.makeConnection(transport)
    assert transport.value().startswith(greeting)
    assert wiring.sessions.counts() == {protocol: 1}


def test_what_is_listened_on_names_its_setting(reading: Reading) -> None:
    imap, lmtp = listeners(reading)
    assert (imap.protocol, imap.endpoint, imap.tls) == ("imap", "tcp:143", "starttls")
    assert imap.setting == f"listen[1], {reading.file}:6"
    assert lmtp.tls == "none"
    assert lmtp.proxies == ("unix",)


def test_the_control_socket_is_for_its_owner_alone(tmp_path: Path) -> None:
    text = f'state = "{tmp_path}/odd:name"'
    listener = control_listener(parse(text, "/x/maildrop.toml").configuration)
    values = parse_endpoint(listener.endpoint).values
    assert values == {"address": f"{tmp_path}/odd:name/control.sock", "mode": "600"}


def test_the_limits_of_a_port_are_those_configured(reading: Reading) -> None:
    found = limits(reading.configuration)
    assert (found.connections, found.per_address) == (100, 7)


def test_without_a_limit_per_source_one_may_have_all() -> None:
    found = limits(parse("", "/x/maildrop.toml").configuration)
    assert found.per_address == found.connections


def test_the_state_directory_and_a_certificate_are_made(
    wiring: Wiring, tmp_path: Path
) -> None:
    assert wiring.certificates.getContext() is not None
    assert (tmp_path / "state/certs/server.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o711
    assert (tmp_path / "state/scratch").stat().st_mode & 0o777 == 0o700
