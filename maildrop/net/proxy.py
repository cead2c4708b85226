"""PROXY protocol, versions 1 and 2: a proxy in front tells whom it speaks for.

In this file:
    ProxyHeader    the header, fed octet by octet if need be
    Preface        the protocol that reads it before the real one begins
    Networks       whose word is taken

Grammar, version 1, one line of at most 107 octets:

    "PROXY" SP ("TCP4" / "TCP6") SP source SP destination SP port SP port CRLF
    "PROXY" SP "UNKNOWN" *OCTET CRLF

Version 2:

    12 octets signature, 1 version and command, 1 family and transport, 2 length,
    then addresses and, to the end of the length, extensions: type, 2 length, value

The extension SSL (type 0x20) says that the client spoke TLS to the proxy.  LOCAL and
UNKNOWN mean that the proxy speaks for itself: a health check.

What follows the header may be the first octets of TLS, which OpenSSL has to read from
the socket itself.  So nothing is read beyond the header: ``wanted`` is how many octets
certainly belong to it.

Limits: ``ProxyHeader.largest`` octets, ``Preface.seconds``.

Security: the header is taken, and then required, only from the listed networks; from
anywhere else it is not looked for, so nobody can borrow an address.
"""

import ipaddress
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from maildrop.errors import ConfigurationError, LimitExceeded, ProtocolSyntaxError
from maildrop.net.peer import Encryption, Origin, plain_address
from maildrop.net.transport import Transport

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
FIXED: Final = len(SIGNATURE) + 4  # octets of a version 2 header before its addresses
LONGEST_LINE: Final = 107  # octets with CRLF, version 1
SHORTEST_LINE: Final = len(b"PROXY UNKNOWN\r\n")

LOCAL: Final = 0
PROXY: Final = 1
UNSPECIFIED: Final = 0x00
TCP4: Final = 0x11
TCP6: Final = 0x21
UNIX_STREAM: Final = 0x31
UNIX_OCTETS: Final = 216  # two paths of 108

PP2_TYPE_SSL: Final = 0x20
PP2_SUBTYPE_SSL_VERSION: Final = 0x21
PP2_SUBTYPE_SSL_CN: Final = 0x22
PP2_SUBTYPE_SSL_CIPHER: Final = 0x23
PP2_CLIENT_SSL: Final = 0x01
PP2_CLIENT_CERT: Final = 0x06  # on this connection, or in this session


class ProxyHeader:
    """A header while it arrives.

    Args:
        largest: Octets of a version 2 header.

    Attributes:
        done: Whether it is complete.
        origin: Whom the proxy speaks for, None when for itself.
    """

    def __init__(self, largest: int = 2048) -> None:
        self.largest = largest
        self.done = False
        self.origin: Origin | None = None
        self._octets = b""

    @property
    def wanted(self) -> int:
        """Octets that certainly still belong to the header; 0 when it is complete."""
        if self.done:
            return 0
        have = len(self._octets)
        if self._octets[:1] == SIGNATURE[:1]:
            whole = FIXED
            if have >= FIXED:
                whole += int.from_bytes(self._octets[14:16], "big")
            return whole - have
        if have < SHORTEST_LINE:
            return SHORTEST_LINE - have
        return 1 if self._octets.endswith(b"\r") else 2

    def receive(self, octets: bytes) -> None:
        """Take octets, no more than ``wanted``.

        Raises:
            ProtocolSyntaxError: They are no header.
            LimitExceeded: It is too long.
        """
        self._octets += octets
        if self._octets[:1] == SIGNATURE[:1]:
            self._receive_2()
        else:
            self._receive_1()

    # -- version 1

    def _receive_1(self) -> None:
        line = self._octets
        if not line.startswith(b"PROXY "[: len(line)]):
            raise ProtocolSyntaxError("expected a PROXY header")
        if line.endswith(b"\r\n"):
            self.origin = _line(line[:-2])
            self.done = True
        elif b"\n" in line:
            raise ProtocolSyntaxError("expected CRLF", offset=line.index(b"\n"))
        elif len(line) >= LONGEST_LINE:
            raise LimitExceeded(f"PROXY line over {LONGEST_LINE} octets")

    # -- version 2

    def _receive_2(self) -> None:
        octets = self._octets
        if not octets.startswith(SIGNATURE[: len(octets)]):
            raise ProtocolSyntaxError("expected the PROXY signature")
        if len(octets) < FIXED:
            return
        length = int.from_bytes(octets[14:16], "big")
        if FIXED + length > self.largest:
            raise LimitExceeded(f"PROXY header over {self.largest} octets")
        if len(octets) < FIXED + length:
            return
        version, command = octets[12] >> 4, octets[12] & 15
        if version != 2 or command not in {LOCAL, PROXY}:
            raise ProtocolSyntaxError("unknown PROXY version or command", offset=12)
        if command == PROXY:
            self.origin = _addresses(octets[13], octets[FIXED:])
        self.done = True


def _line(line: bytes) -> Origin | None:
    words = line.split(b" ")
    if words[1:2] == [b"UNKNOWN"]:
        return None
    if len(words) != 6 or words[1] not in {b"TCP4", b"TCP6"}:
        raise ProtocolSyntaxError("expected TCP4 or TCP6 and four fields", offset=6)
    version = 4 if words[1] == b"TCP4" else 6
    source, destination = (_address(word, version) for word in words[2:4])
    source_port, destination_port = (_port(word) for word in words[4:])
    return Origin(source, source_port, destination, destination_port)


def _address(word: bytes, version: int) -> str:
    try:
        address = ipaddress.ip_address(word.decode("ascii"))
    except ValueError as error:
        raise ProtocolSyntaxError("expected an IP address") from error
    if address.version != version or b"%" in word:
        raise ProtocolSyntaxError(f"expected an IPv{version} address")
    return plain_address(str(address))


def _port(word: bytes) -> int:
    if not word.isdigit() or len(word) > 5 or int(word) > 65535:
        raise ProtocolSyntaxError("expected a port number")
    return int(word)


def _addresses(family: int, octets: bytes) -> Origin | None:
    if family == UNSPECIFIED:
        return None
    if family == UNIX_STREAM:
        size = UNIX_OCTETS
    elif family in {TCP4, TCP6}:
        size = 12 if family == TCP4 else 36
    else:
        raise ProtocolSyntaxError("unknown PROXY address family", offset=13)
    if len(octets) < size:
        raise ProtocolSyntaxError("PROXY addresses cut short", offset=FIXED)
    encryption = _encryption(octets[size:])
    if family == UNIX_STREAM:
        return Origin("unix", 0, "unix", 0, encryption)
    half = (size - 4) // 2
    source, destination = (
        plain_address(str(ipaddress.ip_address(octets[at : at + half])))
        for at in (0, half)
    )
    ports = struct.unpack("!HH", octets[size - 4 : size])
    return Origin(source, ports[0], destination, ports[1], encryption)


def _extensions(octets: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(octets):
        end = at + 3 + int.from_bytes(octets[at + 1 : at + 3], "big")
        if at + 3 > len(octets) or end > len(octets):
            raise ProtocolSyntaxError("PROXY extension cut short")
        yield octets[at], octets[at + 3 : end]
        at = end


def _encryption(octets: bytes) -> Encryption | None:
    ssl = dict(_extensions(octets)).get(PP2_TYPE_SSL, b"")
    if len(ssl) < 5 or not ssl[0] & PP2_CLIENT_SSL:
        return None
    facts = dict(_extensions(ssl[5:]))
    certificate = None
    verified = ssl[0] & PP2_CLIENT_CERT and ssl[1:5] == bytes(4)
    common_name = facts.get(PP2_SUBTYPE_SSL_CN, b"").decode("utf-8", "replace")
    if verified and 0 < len(common_name) <= 64:
        attribute = x509.NameAttribute(NameOID.COMMON_NAME, common_name)
        certificate = x509.Name([attribute]).rfc4514_string()
    return Encryption(
        facts.get(PP2_SUBTYPE_SSL_VERSION, b"TLS").decode("ascii", "replace"),
        facts.get(PP2_SUBTYPE_SSL_CIPHER, b"").decode("ascii", "replace"),
        certificate=certificate,
    )


class Networks:
    """IP networks, such as ``10.0.0.0/8``, ``::1`` or ``unix``.

    Raises:
        ConfigurationError: One of them is none.
    """

    def __init__(self, networks: Iterable[str]) -> None:
        self._unix = False
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for network in networks:
            if network == "unix":
                self._unix = True
                continue
            try:
                self._networks.append(ipaddress.ip_network(network))
            except ValueError as error:
                raise ConfigurationError(str(error)) from error

    def __contains__(self, address: str) -> bool:
        if address == "unix":
            return self._unix
        parsed = ipaddress.ip_address(address)
        return any(parsed in network for network in self._networks)


class Preface(Protocol):
    """Reads the header, then lets the real protocol begin.

    Args:
        begin: Called with whom the proxy speaks for, once the header is complete.
        clock: Time.
        seconds: How long the header may take.
    """

    _log = Logger()
    transport: Transport

    def __init__(
        self,
        begin: Callable[[Transport, Origin | None], None],
        clock: IReactorTime,
        seconds: float = 5.0,
    ) -> None:
        self._begin = begin
        self._clock = clock
        self._seconds = seconds
        self._header = ProxyHeader()
        self._timer: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """The proxy connected."""
        self._timer = self._clock.callLater(self._seconds, self._too_slow)
        self.transport.read_at_most(self._header.wanted)

    def dataReceived(self, data: bytes) -> None:
        """Octets of the header came."""
        try:
            self._header.receive(data)
        except (ProtocolSyntaxError, LimitExceeded) as error:
            self._refuse(str(error))
            return
        self.transport.read_at_most(self._header.wanted)
        if self._header.done:
            self._stop()
            self._begin(self.transport, self._header.origin)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The proxy is gone already."""
        self._stop()

    def _too_slow(self) -> None:
        self._timer = None
        self._refuse("no PROXY header in time")

    def _refuse(self, reason: str) -> None:
        self._log.warn(
            "connection from proxy {peer} refused: {reason}",
            peer=self.transport.getPeer(),
            reason=reason,
        )
        self.transport.abortConnection()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
