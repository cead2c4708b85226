"""Sessions with other servers: found, opened, and ended when this server stops.

In this file:
    Sessions    opens them
    Outside     what it needs of the world
    named       a verdict with the name of the host

With opportunistic TLS a handshake that fails is followed by one try without TLS.
"""

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from maildrop.smtp.client.connection import Connection, Settings
from maildrop.smtp.client.hosts import Host, Resolver, addresses, exchangers
from maildrop.smtp.client.policy import NextHop
from maildrop.smtp.wire.opening import TLSPolicy, Wanted, opening
from maildrop.smtp.wire.verdict import Broken, Phase, Verdict, later

#: Makes an endpoint of an address (or the path of a UNIX socket), a port, and the
#: seconds to wait for a connection.
Endpoints = Callable[[str, int, float], IStreamClientEndpoint]

UNASKED: Final = later("4.5.0", "it says what nobody asked for")
_STOPPED: Final = later("4.3.2", "this server stops")


@dataclass(frozen=True, slots=True)
class Outside:
    """What it needs of the world.

    Attributes:
        clock: Time.
        random: Orders exchangers of the same preference.
        in_thread: Runs what takes long.
        endpoints: Makes endpoints.
        resolver: Asks the DNS.
        nonce: Makes one for SCRAM.
    """

    clock: IReactorTime
    random: Random
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]
    endpoints: Endpoints
    resolver: Resolver
    nonce: Callable[[], bytes]


class Sessions:
    """Opens them.

    Args:
        hostname: How we call ourselves.
        outside: The world.
        settings: How long is waited for answers.
    """

    _log = Logger()

    def __init__(
        self, hostname: str, outside: Outside, settings: Settings | None = None
    ) -> None:
        self._hostname = hostname
        self._outside = outside
        self._settings = settings or Settings()
        self._used: set[Connection] = set()
        self._connecting: set[Deferred[Any]] = set()
        self._stopped = False

    def abort(self) -> None:
        """End all that are used or being opened; none is opened any more."""
        self._stopped = True
        for connecting in list(self._connecting):
            connecting.cancel()
        for connection in list(self._used):
            connection.abort(_STOPPED)

    @contextlib.contextmanager
    def using(self, connection: Connection) -> Iterator[None]:
        """A session is used; ``abort`` ends it."""
        self._used.add(connection)
        try:
            yield
        finally:
            self._used.discard(connection)

    async def hosts(self, hop: NextHop) -> list[Host]:
        """Where to connect to, best first.

        Raises:
            Unroutable: Nowhere.
        """
        resolver = self._outside.resolver
        if not hop.by_mx:
            return await addresses(resolver, hop.host)
        own = (self._hostname,)
        return await exchangers(resolver, hop.host, self._outside.random, own)

    async def open(self, hop: NextHop, host: Host) -> Connection:
        """Connect, and begin a session.

        Raises:
            Broken: It cannot be had.
            ConfigurationError: The authorities cannot be used.
        """
        connection = self._connection(hop, host)
        try:
            return await self._opened(connection, hop, host, hop.tls)
        except Broken as broken:
            may_go_without = hop.tls is TLSPolicy.OPPORTUNISTIC and not hop.implicit
            if not (connection.tls_failed and may_go_without):
                raise
            reason = broken.verdict.text
            self._log.info("{reason}: once more without TLS", reason=reason)
        connection = self._connection(hop, host)
        return await self._opened(connection, hop, host, TLSPolicy.NONE)

    def _connection(self, hop: NextHop, host: Host) -> Connection:
        """A connection that is not connected yet.

        Raises:
            ConfigurationError: The authorities cannot be used.
        """
        verified = hop.tls is TLSPolicy.VERIFIED
        handshake = None
        if hop.tls is not TLSPolicy.NONE or hop.implicit:
            # The name that is verified is the one that was configured, or that of the
            # exchanger; RFC 7672 section 1.3 tells what the latter is worth.
            handshake = hop.trust.handshake(host.name, verified=verified)
        connection = Connection(
            self._outside.clock,
            self._outside.in_thread,
            handshake,
            implicit=hop.implicit,
            settings=self._settings,
        )
        connection.peer = host.name
        return connection

    async def _opened(
        self, connection: Connection, hop: NextHop, host: Host, tls: TLSPolicy
    ) -> Connection:
        try:
            await self._connect(connection, hop, host)
            wanted = Wanted(
                self._hostname,
                lmtp=hop.lmtp,
                tls=tls,
                encrypted=hop.implicit,
                private=hop.private,
                login=hop.login,
                nonce=self._outside.nonce,
                looks_back=hop.by_mx,
            )
            with self.using(connection):
                connection.capabilities = await connection.run(opening(wanted))
            if connection.lost:
                raise Broken(UNASKED)
        except Broken as broken:
            raise Broken(named(broken.verdict, host.name)) from None
        self._log.info(
            "session with {host} at {address}: {tls}",
            host=host.name,
            address=host.address,
            tls=connection.tls,
        )
        return connection

    async def _connect(self, connection: Connection, hop: NextHop, host: Host) -> None:
        """Connect.

        Raises:
            Broken: There is no connection.
        """
        seconds = self._settings.seconds[Phase.CONNECT]
        endpoint = self._outside.endpoints(host.address, hop.port, seconds)
        if self._stopped:
            raise Broken(_STOPPED)
        connecting = endpoint.connect(Factory.forProtocol(lambda: connection))
        self._connecting.add(connecting)
        try:
            await connecting
        except (ConnectError, OSError) as error:
            what = f"no connection to {host.address}: {_reason(error)}"
            raise Broken(later("4.4.1", what)) from None
        except (CancelledError, ConnectingCancelledError):
            raise Broken(_STOPPED) from None
        finally:
            self._connecting.discard(connecting)


def named(verdict: Verdict, host: str) -> Verdict:
    """With the name of the host in the text, where it did not say so itself."""
    if verdict.said:
        return verdict
    return replace(verdict, text=f"{host}: {verdict.text}")


def _reason(error: BaseException) -> str:
    """What a failed connection says, in one line without its number."""
    if isinstance(error, ConnectError) and type(error) is not ConnectError:
        return (type(error).__doc__ or "").strip().rstrip(".").lower()
    return str(error)
