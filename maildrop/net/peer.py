"""Who is at the other end: addresses and TLS facts, as a value.

In this file:
    Peer       addresses, and what TLS found out
    Encryption version, cipher and client certificate of a TLS connection
    Origin     addresses that a proxy in front told (``net.proxy``)
    peer_of    the peer of a Twisted transport

Security: addresses come from the kernel, or from a PROXY header that ``net.proxy``
took from a listed network.  ``Peer.secure`` decides whether passwords may be asked for.
"""

import ipaddress
from dataclasses import dataclass
from typing import Any

from OpenSSL import SSL


@dataclass(frozen=True, slots=True)
class Encryption:
    """What TLS settled.

    Attributes:
        version: "TLSv1.3"; empty until the handshake is over.
        cipher: OpenSSL's name of the cipher suite; empty until then.
        bits: The cipher's key length.
        certificate: Subject of the client's verified certificate as an RFC 4514
            string, None if it showed none.
    """

    version: str = ""
    cipher: str = ""
    bits: int = 0
    certificate: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a connection really came from, as a proxy told.

    Attributes:
        address: The client's address; empty when the proxy speaks for itself.
        port: The client's port.
        local_address: The address that the client connected to.
        local_port: The port that the client connected to.
        encryption: What TLS settled between client and proxy, None for clear text.
    """

    address: str
    port: int
    local_address: str
    local_port: int
    encryption: Encryption | None = None


@dataclass(frozen=True, slots=True)
class Peer:
    """The client of a connection.

    Attributes:
        address: Its IP address without brackets or scope, ``unix`` for a UNIX socket.
        port: Its port, 0 for a UNIX socket.
        local_address: Our address, or the path of our UNIX socket.
        local_port: Our port, 0 for a UNIX socket.
        encryption: What TLS settled, None for clear text.
    """

    address: str
    port: int
    local_address: str
    local_port: int
    encryption: Encryption | None = None

    @property
    def loopback(self) -> bool:
        """Whether the client is on this machine."""
        return (
            self.address == "unix"
            or self.address.startswith("127.")
            or self.address == "::1"
        )

    @property
    def secure(self) -> bool:
        """Whether nobody on the way can read: TLS, or no way at all."""
        return self.encryption is not None or self.loopback

    @property
    def certificate(self) -> str | None:
        """Subject of the client's verified certificate."""
        return self.encryption.certificate if self.encryption is not None else None

    def __str__(self) -> str:
        if self.address == "unix":
            return "unix"
        if ":" in self.address:
            return f"[{self.address}]:{self.port}"
        return f"{self.address}:{self.port}"


def plain_address(address: str) -> str:
    """An address as people write it: ``::ffff:192.0.2.1`` is ``192.0.2.1``."""
    if ":" not in address:
        return address
    address = address.partition("%")[0]
    mapped = ipaddress.IPv6Address(address).ipv4_mapped
    return address if mapped is None else str(mapped)


def _ends(transport: Any) -> tuple[str, int, str, int]:  # noqa: ANN401 (any transport)
    peer = transport.getPeer()
    try:
        host = transport.getHost()
    except (AttributeError, OSError):  # closed already, its socket is gone
        host = None
    if not hasattr(peer, "host"):
        name = getattr(host, "name", None) or b""
        return "unix", 0, name.decode("utf-8", "replace"), 0
    if host is None:
        return plain_address(peer.host), peer.port, "", 0
    return plain_address(peer.host), peer.port, plain_address(host.host), host.port


def encryption_of(transport: Any) -> Encryption | None:  # noqa: ANN401 (any transport)
    """What TLS settled on a transport, None when it has no TLS."""
    try:
        handle = transport.getHandle()
    except AttributeError:  # closed already, or none to begin with
        return None
    if not isinstance(handle, SSL.Connection):
        return None
    cipher = handle.get_cipher_name()
    if cipher is None:
        return Encryption()
    certificate = handle.get_peer_certificate(as_cryptography=True)
    return Encryption(
        handle.get_protocol_version_name(),
        cipher,
        handle.get_cipher_bits() or 0,
        None if certificate is None else certificate.subject.rfc4514_string(),
    )


def peer_of(transport: Any) -> Peer:  # noqa: ANN401 (any transport)
    """The peer of a connected Twisted transport."""
    encryption = encryption_of(transport)
    origin: Origin | None = getattr(transport, "origin", None)
    if origin is None:
        return Peer(*_ends(transport), encryption)
    return Peer(
        origin.address,
        origin.port,
        origin.local_address,
        origin.local_port,
        encryption or origin.encryption,
    )
