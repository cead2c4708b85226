"""The way out as the configuration says: relays of the queue for other servers.

In this file:
    Relays           what was made
    open_relays      makes it
    open_routes      where mail for other domains goes
    open_sessions    opens sessions with servers, for other ends than to send mail
    server           how a session with a server has to be
"""

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import SystemRandom
from typing import Any, Final

from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
)
from twisted.internet.interfaces import IResolver, IStreamClientEndpoint
from twisted.names.client import Resolver
from twisted.names.hosts import Resolver as HostsFile

from maildrop.app.privileges import Rights
from maildrop.app.schema import Configuration
from maildrop.app.schema_relay import Relay as RelaySection, Route
from maildrop.errors import ConfigurationError
from maildrop.queue.relay import Relay
from maildrop.sasl.client import Login
from maildrop.smtp.client.connection import Settings
from maildrop.smtp.client.dns import DNS
from maildrop.smtp.client.policy import SUBMISSIONS, NextHop, Routes
from maildrop.smtp.client.pool import Keeping
from maildrop.smtp.client.relay import Limits, SMTPRelay
from maildrop.smtp.client.sessions import Outside, Sessions
from maildrop.smtp.wire.opening import TLSPolicy
from maildrop.smtp.wire.talk import SECONDS
from maildrop.smtp.wire.verdict import Phase
from maildrop.tls_client import Trust

_SMTP_PORT: Final = 25
_SUBMISSION_PORT: Final = 587
_LMTP_PORT: Final = 24
#: The word for TLS from the first octet, with a certificate that is right.
_IMPLICIT: Final = "implicit"
#: Octets of a nonce before they become letters.
_NONCE_OCTETS: Final = 18


@dataclass(frozen=True, slots=True)
class Relays:
    """What was made.

    Attributes:
        relays: The relays of the queue for other servers, by name.
        toward: The relay and the destination of mail for a domain.
        smtp: The one that stands behind all names.
    """

    relays: Mapping[str, Relay]
    toward: Callable[[str], tuple[str, str]]
    smtp: SMTPRelay

    def stop(self) -> None:
        """End all sessions; what was under way waits in the queue."""
        self.smtp.abort()


def open_relays(
    configuration: Configuration,
    rights: Rights,
    reactor: Any,  # noqa: ANN401
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]],
) -> Relays:
    """The relays of a configuration; nothing is connected and nobody asked yet.

    Args:
        configuration: Says all.
        rights: To read passwords and authorities with.
        reactor: Time and connections.
        in_thread: Runs what takes long.

    Raises:
        ConfigurationError: A password or the authorities cannot be read.
    """
    relay = configuration.relay
    routes = open_routes(configuration, rights)
    smtp = SMTPRelay(
        configuration.hostname,
        routes,
        _outside(configuration, reactor, in_thread),
        limits=Limits(recipients=relay.recipients),
        keeping=Keeping(seconds=relay.keep, messages=relay.messages),
        settings=_settings(configuration),
    )
    return Relays({"smtp": smtp, "lmtp": smtp}, routes.toward, smtp)


def open_sessions(
    configuration: Configuration,
    reactor: Any,  # noqa: ANN401
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]],
) -> Sessions:
    """What opens sessions with servers; nothing is connected yet.

    Args:
        configuration: Says how we are called, and how long is waited.
        reactor: Time and connections.
        in_thread: Runs what takes long.
    """
    outside = _outside(configuration, reactor, in_thread)
    return Sessions(configuration.hostname, outside, _settings(configuration))


def _outside(
    configuration: Configuration,
    reactor: Any,  # noqa: ANN401
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]],
) -> Outside:
    return Outside(
        reactor,
        SystemRandom(),
        in_thread,
        _endpoints(reactor),
        DNS(_resolver(reactor), configuration.relay.families, HostsFile()),
        _nonce,
    )


def _settings(configuration: Configuration) -> Settings:
    return Settings({**SECONDS, Phase.CONNECT: configuration.relay.connect})


def _nonce() -> bytes:
    return os.urandom(_NONCE_OCTETS).hex().encode()


def open_routes(configuration: Configuration, rights: Rights) -> Routes:
    """Where mail for other domains goes, as a configuration says.

    Args:
        configuration: Says all.
        rights: To read passwords and authorities with.

    Raises:
        ConfigurationError: A password or the authorities cannot be read.
    """
    with rights.as_root():
        return _routes(configuration)


def server(routes: Routes, host: str) -> NextHop:
    """How a session with a server has to be: as mail goes to it, if any does."""
    for hop in (routes.default, *routes.table.values()):
        if hop.host == host and not hop.lmtp:
            return hop
    return NextHop(host)


def _routes(configuration: Configuration) -> Routes:
    relay = configuration.relay
    trusts: dict[str, Trust] = {}

    def trust(path: str) -> Trust:
        found = trusts.get(path)
        if found is None:
            found = trusts[path] = Trust(path)
            if path:
                found.context(verified=True)  # while it can be read, and told
        return found

    default = _hop(relay, relay.smarthost, trust(relay.ca))
    table = {
        route.domain: _hop(route, route.host, trust(route.ca or relay.ca))
        for route in configuration.route
    }
    return Routes(default, table)


def _hop(section: RelaySection | Route, host: str, trust: Trust) -> NextHop:
    lmtp = isinstance(section, Route) and section.protocol == "lmtp"
    usual = _SUBMISSION_PORT if section.user else _SMTP_PORT
    port = section.port or (_LMTP_PORT if lmtp else usual)
    policy = section.tls or ("verified" if section.user else "opportunistic")
    login = None
    if section.user:
        login = Login(section.user, _password(section.password_file))
    return NextHop(
        host,
        port if host else _SMTP_PORT,
        by_mx=not host,
        lmtp=lmtp,
        tls=TLSPolicy.VERIFIED if policy == _IMPLICIT else TLSPolicy(policy),
        implicit=policy == _IMPLICIT or port == SUBMISSIONS,
        trust=trust,
        login=login,
    )


def _password(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            password = file.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from error
    if not password:
        raise ConfigurationError(f"{path}: its first line is empty, not a password")
    return password


def _endpoints(reactor: Any) -> Callable[[str, int, float], IStreamClientEndpoint]:  # noqa: ANN401
    def endpoint(address: str, port: int, seconds: float) -> IStreamClientEndpoint:
        if address.startswith("/"):
            return UNIXClientEndpoint(reactor, address, timeout=seconds)
        kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
        return kind(reactor, address, port, timeout=seconds)

    return endpoint


def _resolver(reactor: Any) -> Callable[[], IResolver]:  # noqa: ANN401
    """Opens the system's resolver: the servers that resolv.conf names."""

    def opened() -> IResolver:
        return Resolver("/etc/resolv.conf", reactor=reactor)

    return opened
