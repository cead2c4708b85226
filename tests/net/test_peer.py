"""Peers: addresses as people write them, and what counts as secure."""

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.internet.testing import StringTransport

from maildrop.net.peer import Encryption, Origin, Peer, peer_of, plain_address

TLS = Encryption("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256, "CN=alice")


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_addresses_lose_what_only_the_kernel_needs(address: str, plain: str) -> None:
    assert plain_address(address) == plain


@pytest.mark.parametrize(
    ("address", "encryption", "loopback", "secure"),
    [
        ("127.0.0.1", None, True, True),
        ("127.9.9.9", None, True, True),
        ("::1", None, True, True),
        ("unix", None, True, True),
        ("192.0.2.1", None, False, False),
        ("192.0.2.1", TLS, False, True),
        ("2001:db8::1", None, False, False),
        ("12.7.0.1", None, False, False),
    ],
)
def test_secure_is_tls_or_this_machine(
    address: str, encryption: Encryption | None, loopback: bool, secure: bool
) -> None:
    peer = Peer(address, 1234, "192.0.2.2", 143, encryption)
    assert (peer.loopback, peer.secure) == (loopback, secure)
    assert peer.certificate == ("CN=alice" if encryption else None)


@pytest.mark.parametrize(
    ("client", "local", "expected", "written"),
    [
        (
            IPv4Address("TCP", "192.0.2.1", 1234),
            IPv4Address("TCP", "192.0.2.2", 143),
            Peer("192.0.2.1", 1234, "192.0.2.2", 143),
            "192.0.2.1:1234",
        ),
        (
            IPv6Address("TCP", "::ffff:192.0.2.1", 1234),
            IPv6Address("TCP", "::ffff:192.0.2.2", 143),
            Peer("192.0.2.1", 1234, "192.0.2.2", 143),
            "192.0.2.1:1234",
        ),
        (
            IPv6Address("TCP", "2001:db8::1", 1234),
            IPv6Address("TCP", "2001:db8::2", 143),
            Peer("2001:db8::1", 1234, "2001:db8::2", 143),
            "[2001:db8::1]:1234",
        ),
        (
            UNIXAddress(None),
            UNIXAddress("/run/x"),
            Peer("unix", 0, "/run/x", 0),
            "unix",
        ),
    ],
)
def test_the_peer_of_a_transport(
    client: IAddress, local: IAddress, expected: Peer, written: str
) -> None:
    peer = peer_of(StringTransport(hostAddress=local, peerAddress=client))
    assert peer == expected
    assert str(peer) == written


class Proxied(StringTransport):
    """A connection of which a proxy told the origin."""

    origin = Origin("198.51.100.1", 99, "198.51.100.2", 993, TLS)


def test_what_a_proxy_told_goes_before_what_the_kernel_knows() -> None:
    assert peer_of(Proxied()) == Peer("198.51.100.1", 99, "198.51.100.2", 993, TLS)


class Closed(StringTransport):
    """A connection that is over: its socket is gone."""

    def getHost(self) -> IAddress:
        raise OSError

    def getHandle(self) -> object:
        raise AttributeError


def test_a_closed_connection_still_has_a_peer() -> None:
    assert peer_of(Closed()) == Peer("192.168.1.1", 54321, "", 0)
