"""PROXY headers: both versions, cut anywhere, wrong ones, and from whom."""

import struct

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import ConfigurationError, LimitExceeded, ProtocolSyntaxError
from maildrop.net.peer import Encryption, Origin
from maildrop.net.proxy import SIGNATURE, Networks, ProxyHeader

CLIENT = Origin("192.0.2.1", 1234, "192.0.2.2", 143)
LINE = b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 143\r\n"


def version_2(family: int, rest: bytes, command: int = 0x21) -> bytes:
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(rest)) + rest


def extension(kind: int, value: bytes) -> bytes:
    return bytes([kind]) + struct.pack("!H", len(value)) + value


TCP4 = bytes([192, 0, 2, 1, 192, 0, 2, 2]) + struct.pack("!HH", 1234, 143)
TCP6 = bytes.fromhex("20010db8" + "0" * 23 + "1" + "20010db8" + "0" * 23 + "2")
SSL = (
    extension(0x21, b"TLSv1.3") + extension(0x22, b"alice, A") + extension(0x23, b"AES")
)
HEADERS = {
    "line 4": (LINE, CLIENT),
    "line 6": (
        b"PROXY TCP6 2001:db8::1 2001:db8::2 65535 0\r\n",
        Origin("2001:db8::1", 65535, "2001:db8::2", 0),
    ),
    "mapped": (
        b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1234 143\r\n",
        CLIENT,
    ),
    "unknown": (b"PROXY UNKNOWN\r\n", None),
    "unknown with more": (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
    "binary 4": (version_2(0x11, TCP4), CLIENT),
    "binary 6": (
        version_2(0x21, TCP6 + struct.pack("!HH", 1, 2)),
        Origin("2001:db8::1", 1, "2001:db8::2", 2),
    ),
    "unix": (version_2(0x31, bytes(216)), Origin("unix", 0, "unix", 0)),
    "local": (version_2(0x11, TCP4, command=0x20), None),
    "unspecified": (version_2(0, b""), None),
    "extensions": (version_2(0x11, TCP4 + extension(4, b"pad")), CLIENT),
    "tls": (
        version_2(0x11, TCP4 + extension(0x20, b"\1\0\0\0\1" + SSL)),
        Origin("192.0.2.1", 1234, "192.0.2.2", 143, Encryption("TLSv1.3", "AES")),
    ),
    "certificate": (
        version_2(0x11, TCP4 + extension(0x20, b"\7\0\0\0\0" + SSL)),
        Origin(
            "192.0.2.1",
            1234,
            "192.0.2.2",
            143,
            Encryption("TLSv1.3", "AES", 0, "CN=alice\\, A"),
        ),
    ),
    "no tls": (version_2(0x11, TCP4 + extension(0x20, b"\0\0\0\0\0")), CLIENT),
}


def read(octets: bytes) -> tuple[ProxyHeader, int]:
    """Feed what is wanted until the header is complete; how much was taken."""
    header = ProxyHeader()
    at = 0
    while header.wanted:
        assert at < len(octets), "wants more than there is"
        piece = octets[at : at + header.wanted]
        header.receive(piece)
        at += len(piece)
    return header, at


@pytest.mark.parametrize(("octets", "origin"), HEADERS.values(), ids=HEADERS.keys())
def test_headers_are_read_and_nothing_after_them(
    octets: bytes, origin: Origin | None
) -> None:
    header, taken = read(octets + b"a1 NOOP\r\n")
    assert (header.done, header.origin, taken) == (True, origin, len(octets))


@pytest.mark.parametrize(("octets", "origin"), HEADERS.values(), ids=HEADERS.keys())
def test_cut_anywhere_the_header_is_the_same(
    octets: bytes, origin: Origin | None
) -> None:
    header = ProxyHeader()
    for at in range(len(octets)):
        assert not header.done
        header.receive(octets[at : at + 1])
    assert (header.done, header.origin) == (True, origin)


@pytest.mark.parametrize(
    "octets",
    [
        b"a1 CAPABILITY\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1234\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 143 1\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 65536\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 -1 143\r\n",
        b"PROXY TCP4 2001:db8::1 192.0.2.2 1234 143\r\n",
        b"PROXY TCP6 192.0.2.1 192.0.2.2 1234 143\r\n",
        b"PROXY TCP6 fe80::1%1 fe80::1 1234 143\r\n",
        b"PROXY TCP4 example.org 192.0.2.2 1234 143\r\n",
        b"PROXY TCP5 192.0.2.1 192.0.2.2 1234 143\r\n",
        b"PROXY  192.0.2.1 192.0.2.2 1234 143\r\n",
        b"PROXY TCP4 \xff \xff 1234 143\r\n",
        b"PROXY UNKNOWN \n\n",
        b"\r\n\r\n\0\r\nQUIX\n\x21\x11\0\0",
        version_2(0x11, TCP4, command=0x11),
        version_2(0x11, TCP4, command=0x22),
        version_2(0x12, TCP4),
        version_2(0x11, TCP4[:-1]),
        version_2(0x21, TCP4),
        version_2(0x11, TCP4 + b"\4"),
        version_2(0x11, TCP4 + b"\4\0\5abc"),
        version_2(0x11, TCP4 + extension(0x20, b"\1\0\0\0\0\x21\0\7TLS")),
    ],
)
def test_wrong_headers_are_refused(octets: bytes) -> None:
    header = ProxyHeader()
    with pytest.raises(ProtocolSyntaxError):
        header.receive(octets)


def test_a_line_has_at_most_107_octets() -> None:
    header = ProxyHeader()
    header.receive(b"PROXY UNKNOWN " + b"x" * 92)
    with pytest.raises(LimitExceeded):
        header.receive(b"x")


def test_a_binary_header_has_a_limit() -> None:
    header = ProxyHeader(largest=100)
    with pytest.raises(LimitExceeded):
        header.receive(version_2(0x11, bytes(100))[:16])


@given(st.binary(max_size=300), st.integers(0, 4))
def test_any_octets_are_a_header_or_refused(octets: bytes, start: int) -> None:
    starts = [b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11\0\x20"]
    header = ProxyHeader()
    for octet in starts[start] + octets:
        if header.done:
            break
        try:
            header.receive(bytes([octet]))
        except (ProtocolSyntaxError, LimitExceeded):
            return
    assert header.done or header.wanted


@pytest.mark.parametrize(
    ("networks", "address", "inside"),
    [
        (("10.0.0.0/8",), "10.1.2.3", True),
        (("10.0.0.0/8",), "11.1.2.3", False),
        (("192.0.2.1", "::1"), "::1", True),
        (("192.0.2.1",), "unix", False),
        (("unix",), "unix", True),
        ((), "127.0.0.1", False),
        (("2001:db8::/32",), "10.0.0.1", False),
    ],
)
def test_networks_hold_addresses(
    networks: tuple[str, ...], address: str, inside: bool
) -> None:
    assert (address in Networks(networks)) is inside


@pytest.mark.parametrize("network", ["10.0.0.1/8", "example.org", "", "1.2.3.4/33"])
def test_what_is_no_network_is_refused(network: str) -> None:
    with pytest.raises(ConfigurationError):
        Networks([network])
