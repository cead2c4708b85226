"""TLS as a client: to whom, and whether the server is who it says.

In this file:
    Trust        authorities, and the OpenSSL contexts made with them
    Handshake    TLS of one connection
    Untrusted    the server is not who it should be
    reason       what OpenSSL says, for people

A context is made when it is first needed and used for all connections: reading the
system's authorities takes longer than a handshake.  Names are checked as RFC 6125 wants
by service-identity; IP addresses too, where a server has no name.

Errors: ``ConfigurationError`` for a file of authorities that cannot be used.
"""

import ipaddress
from typing import Any, Final

from OpenSSL import SSL
from service_identity import CertificateError, VerificationError
from service_identity.pyopenssl import verify_hostname, verify_ip_address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from zope.interface import implementer

from maildrop.errors import ConfigurationError, TemporaryError
from maildrop.tls import PARTIAL_WRITE

#: Letters of a reason that are kept.
_REASON_MAX: Final = 200


class Untrusted(TemporaryError):
    """The server is not who it should be."""


def reason(error: BaseException) -> str:
    """What OpenSSL, or the check of the name, says."""
    first = error.args[0] if error.args else None
    if isinstance(first, list) and first and isinstance(first[0], tuple):
        return str(first[0][-1])
    if isinstance(error, SSL.SysCallError):
        return str(error.args[-1])
    return str(error)[:_REASON_MAX]


class Trust:
    """Authorities, and the OpenSSL contexts made with them.

    Args:
        authorities: PEM file; empty for those of the system.
    """

    def __init__(self, authorities: str = "") -> None:
        self._authorities = authorities
        self._contexts: dict[bool, SSL.Context] = {}

    def context(self, *, verified: bool) -> SSL.Context:
        """The context for servers that have to be right, or for any.

        Raises:
            ConfigurationError: The authorities cannot be used.
        """
        found = self._contexts.get(verified)
        if found is None:
            found = self._contexts[verified] = self._made(verified=verified)
        return found

    def handshake(self, host: str, *, verified: bool) -> "Handshake":
        """TLS for a connection to a host: its name or address."""
        return Handshake(self.context(verified=verified), host, verified=verified)

    def _made(self, *, verified: bool) -> SSL.Context:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.clear_mode(PARTIAL_WRITE)
        if not verified:
            return context
        context.set_verify(SSL.VERIFY_PEER)
        if not self._authorities:
            context.set_default_verify_paths()
            return context
        try:
            context.load_verify_locations(self._authorities)
        except SSL.Error as error:
            raise ConfigurationError(
                f"{self._authorities}: holds no certificates in PEM form,"
                f" or cannot be read: {reason(error)}"
            ) from error
        return context


@implementer(IOpenSSLClientConnectionCreator)
class Handshake:
    """TLS of one connection.

    Args:
        context: With the authorities.
        host: The server's name or address.
        verified: It has to be right.
    """

    def __init__(self, context: SSL.Context, host: str, *, verified: bool) -> None:
        self._context = context
        self._host = host.rstrip(".")
        self._verified = verified
        self._connection: SSL.Connection | None = None

    def clientConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        """Make OpenSSL's side of it; Twisted calls this."""
        del tlsProtocol
        connection = self._connection = SSL.Connection(self._context, None)
        if self._address() is None:
            # RFC 6066 section 3: names only, in A-labels.
            connection.set_tlsext_host_name(self._name())
        return connection

    def check(self) -> None:
        """See that the server is who it should be, when the handshake is over.

        Raises:
            Untrusted: It is not.
        """
        connection: Any = self._connection
        if not self._verified:
            return
        try:
            if self._address() is None:
                verify_hostname(connection, self._name().decode())
            else:
                verify_ip_address(connection, self._host)
        except VerificationError as error:
            raise Untrusted(f"its certificate is not for {self._host}") from error
        except CertificateError as error:
            raise Untrusted(f"its certificate names nobody: {error}") from error

    @property
    def version(self) -> str:
        """Protocol and cipher, for the log."""
        if self._connection is None:
            return "no TLS"
        cipher = self._connection.get_cipher_name()
        return f"{self._connection.get_protocol_version_name()} {cipher}"

    def _name(self) -> bytes:
        try:
            return self._host.encode("idna")
        except UnicodeError:
            return self._host.encode("ascii", "replace")

    def _address(self) -> object:
        try:
            return ipaddress.ip_address(self._host)
        except ValueError:
            return None
