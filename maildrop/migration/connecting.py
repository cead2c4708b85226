"""Connections to the servers that mail comes from, or is compared with.

In this file:
    Security        when TLS begins
    Endpoint        a server: where, and how it is talked to
    Login           who one is there
    endpoint        an Endpoint from ``HOST:PORT``
    imap, pop3      a connection that is logged in
    failing         turns what imaplib and poplib raise into our errors

Errors: ``ServerFailed`` when the server cannot be reached, breaks off or answers what
cannot be understood; ``AuthenticationFailed`` when it takes no such login.

Security: a password is sent in clear only to a loopback address or where that was asked
for by name; certificates are verified unless that was turned off by name, or the server
is on loopback.  No password stands in an error.

Limits: ``SECONDS`` of silence of a server.
"""

import contextlib
import enum
import imaplib
import ipaddress
import poplib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from maildrop.errors import (
    AuthenticationFailed,
    ConfigurationError,
    ProtocolSyntaxError,
    TemporaryError,
)

#: Longest silence of a server: a large mailbox may take long to be opened.
SECONDS: Final = 300.0

_IMPLICIT: Final = frozenset({993, 995})


class ServerFailed(TemporaryError):
    """Another server cannot be reached, or does not do what it has to."""


class Security(enum.Enum):
    """When TLS begins."""

    AUTO = "auto"  # at once on 993 and 995, else by STARTTLS; not needed on loopback
    NONE = "none"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server.

    Attributes:
        host: Its name or address.
        port: Its port.
        security: When TLS begins.
        verify: Its certificate has to be right.
    """

    host: str
    port: int
    security: Security = Security.AUTO
    verify: bool = True

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether nobody can listen on the way."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def implicit(self) -> bool:
        """Whether TLS begins with the first octet."""
        if self.security is Security.AUTO:
            return self.port in _IMPLICIT
        return self.security is Security.IMPLICIT

    def context(self) -> ssl.SSLContext:
        """How TLS is spoken."""
        context = ssl.create_default_context()
        if not self.verify or self.loopback:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def wants_starttls(self, *, refused: bool) -> bool:
        """Whether to begin TLS now.

        Args:
            refused: The server says that it takes no password before.
        """
        if self.security is Security.AUTO:
            return refused or not self.loopback
        return self.security is Security.STARTTLS


@dataclass(frozen=True, slots=True)
class Login:
    """Who one is at a server."""

    name: str
    password: str = field(repr=False)


def endpoint(
    text: str,
    default_port: int,
    security: Security = Security.AUTO,
    *,
    verify: bool = True,
) -> Endpoint:
    """A server from ``HOST``, ``HOST:PORT`` or ``[ADDRESS]:PORT``.

    Raises:
        ConfigurationError: It is none of them.
    """
    host, bracket, rest = text.rpartition("]")
    if bracket:
        host, port = host.removeprefix("["), rest.removeprefix(":")
    elif text.count(":") > 1:
        host, port = text, ""
    else:
        host, _, port = text.partition(":")
    if not host or (port and not (port.isdigit() and 0 < int(port) < 65536)):
        raise ConfigurationError(f'"{text}" is no server: expected HOST:PORT')
    return Endpoint(host, int(port or default_port), security, verify)


@contextlib.contextmanager
def failing(server: Endpoint) -> Iterator[None]:
    """Turn what goes wrong with a server into our errors."""
    try:
        yield
    except (ssl.SSLError, ssl.CertificateError) as error:
        raise ServerFailed(f"{server}: TLS: {error}") from error
    except (OSError, EOFError) as error:
        raise ServerFailed(f"{server}: {error}") from error
    except (imaplib.IMAP4.error, poplib.error_proto) as error:
        raise ServerFailed(f"{server}: {_said(error)}") from error
    except ProtocolSyntaxError as error:
        raise ServerFailed(f"{server}: {error}") from error


def _said(error: Exception) -> str:
    """What a server said, from an exception of imaplib or poplib."""
    said = error.args[0] if error.args else ""
    if isinstance(said, bytes):
        return said.decode("utf-8", "replace")
    return str(said)


def imap(server: Endpoint, login: Login, seconds: float = SECONDS) -> imaplib.IMAP4:
    """An IMAP connection that is logged in.

    Raises:
        ServerFailed, AuthenticationFailed: as they say.
    """
    with failing(server):
        connection = _imap(server, seconds)
        try:
            if not server.implicit:
                refused = "LOGINDISABLED" in connection.capabilities
                if server.wants_starttls(refused=refused):
                    connection.starttls(server.context())
            _log_in(connection, server, login)
        except BaseException:
            connection.shutdown()
            raise
    return connection


def _imap(server: Endpoint, seconds: float) -> imaplib.IMAP4:
    if server.implicit:
        return imaplib.IMAP4_SSL(
            server.host, server.port, ssl_context=server.context(), timeout=seconds
        )
    return imaplib.IMAP4(server.host, server.port, timeout=seconds)


def _log_in(connection: imaplib.IMAP4, server: Endpoint, login: Login) -> None:
    """LOGIN cannot say every name and password; AUTHENTICATE PLAIN can (RFC 4616)."""
    plain = f"\0{login.name}\0{login.password}".encode()
    try:
        if "AUTH=PLAIN" in connection.capabilities:
            connection.authenticate("PLAIN", lambda _: plain)
        else:
            _plain_login(connection, login)
    except imaplib.IMAP4.abort:
        raise
    except UnicodeEncodeError:
        raise AuthenticationFailed(
            f"{server} has no AUTH=PLAIN, and LOGIN takes ASCII alone"
        ) from None
    except imaplib.IMAP4.error as error:
        raise AuthenticationFailed(
            f"{server} lets {login.name} not in: {_said(error)}"
        ) from None
    _, found = connection.capability()
    told = found[0] if found and isinstance(found[0], bytes) else b""
    connection.capabilities = tuple(told.decode("ascii", "replace").upper().split())


def _plain_login(connection: imaplib.IMAP4, login: Login) -> None:
    """LOGIN, with both arguments quoted: imaplib quotes but the password."""
    quoted = []
    for text in (login.name, login.password):
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        quoted.append(f'"{escaped}"')
    kind, said = connection.xatom("LOGIN", *quoted)
    if kind != "OK":
        raise imaplib.IMAP4.error(*said)
    connection.state = "AUTH"


def pop3(server: Endpoint, login: Login, seconds: float = SECONDS) -> poplib.POP3:
    """A POP3 connection that is logged in.

    Raises:
        ServerFailed, AuthenticationFailed: as they say.
    """
    with failing(server):
        connection: poplib.POP3
        if server.implicit:
            connection = poplib.POP3_SSL(
                server.host, server.port, timeout=seconds, context=server.context()
            )
        else:
            connection = poplib.POP3(server.host, server.port, timeout=seconds)
        try:
            if not server.implicit:
                refused = "USER" not in _capa(connection)
                if server.wants_starttls(refused=refused):
                    connection.stls(server.context())
            _pass(connection, server, login)
        except BaseException:
            connection.close()
            raise
    return connection


def _capa(connection: poplib.POP3) -> dict[str, list[str]]:
    """What a server can do; one without CAPA takes USER (RFC 2449 section 5)."""
    try:
        return connection.capa()
    except poplib.error_proto:
        return {"USER": []}


def _pass(connection: poplib.POP3, server: Endpoint, login: Login) -> None:
    try:
        connection.user(login.name)
        connection.pass_(login.password)
    except poplib.error_proto as error:
        raise AuthenticationFailed(
            f"{server} lets {login.name} not in: {_said(error)}"
        ) from None
