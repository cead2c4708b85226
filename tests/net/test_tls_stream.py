"""TLS without waiting, in memory: what each call needs, and how it ends."""

import contextlib
import ssl
from pathlib import Path

import pytest
from OpenSSL import SSL
from twisted.internet.task import Clock

from maildrop.net.tls_stream import RECORD, Need, TLSFailed, TLSStream
from maildrop.tls import Certificates


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> SSL.Context:
    path: Path = tmp_path_factory.mktemp("certs")
    clock = Clock()
    clock.advance(1_700_000_000)
    return Certificates(str(path / "c.pem"), str(path / "c.key"), clock).getContext()


class Pair:
    """A stream and a client of the standard library, joined by hand."""

    def __init__(self, context: SSL.Context, most: int = 1 << 18) -> None:
        self.server = SSL.Connection(context, None)
        self.stream = TLSStream(self.server, most)
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client.wrap_bio(self.incoming, self.outgoing)

    def carry(self) -> None:
        """Carry octets both ways."""
        octets = self.outgoing.read()
        while octets:
            octets = octets[self.server.bio_write(octets) :]
        try:
            while True:
                self.incoming.write(self.server.bio_read(1 << 16))
        except SSL.WantReadError:
            return

    def shake(self) -> "Pair":
        """Do the handshake."""
        for _ in range(3):
            with contextlib.suppress(ssl.SSLWantReadError):
                self.client.do_handshake()
            self.carry()
            self.stream.handshake()
            self.carry()
        assert self.stream.ready
        return self


def test_the_handshake_waits_for_the_client(context: SSL.Context) -> None:
    pair = Pair(context)
    assert pair.stream.handshake() is Need.READING
    assert not pair.stream.ready
    pair.shake()
    assert pair.client.version() == "TLSv1.3"


def test_octets_go_both_ways(context: SSL.Context) -> None:
    pair = Pair(context).shake()
    assert pair.stream.receive() is None
    assert pair.stream.reading_needs is Need.READING
    pair.client.write(b"a1 NOOP\r\n")
    pair.carry()
    assert pair.stream.receive() == b"a1 NOOP\r\n"
    assert pair.stream.send(b"a1 OK\r\n") == 7
    pair.carry()
    assert pair.client.read(100) == b"a1 OK\r\n"


def test_a_large_write_is_one_write(context: SSL.Context) -> None:
    pair = Pair(context).shake()
    assert pair.stream.send(memoryview(bytes(10 * RECORD))) == 10 * RECORD


def test_full_records_are_joined_up_to_the_limit(context: SSL.Context) -> None:
    pair = Pair(context, most=2 * RECORD).shake()
    pair.client.write(b"x" * (3 * RECORD + 5))
    pair.carry()
    sizes = [len(pair.stream.receive() or b"") for _ in range(3)]
    assert sizes == [2 * RECORD, RECORD + 5, 0]


def test_the_clients_end_is_an_empty_read(context: SSL.Context) -> None:
    pair = Pair(context).shake()
    pair.client.write(b"x" * RECORD)
    with pytest.raises(ssl.SSLWantReadError):
        pair.client.unwrap()
    pair.carry()
    assert len(pair.stream.receive() or b"") == RECORD
    assert pair.stream.receive() == b""
    assert pair.stream.send(b"still") == 5


def test_the_end_without_close_notify_is_a_loss(context: SSL.Context) -> None:
    pair = Pair(context).shake()
    pair.client.write(b"x" * RECORD)
    pair.carry()
    pair.server.bio_shutdown()
    assert len(pair.stream.receive() or b"") == RECORD
    with pytest.raises(TLSFailed):
        pair.stream.receive()


def test_our_end_is_told(context: SSL.Context) -> None:
    pair = Pair(context).shake()
    assert pair.stream.shutdown()
    pair.carry()
    assert pair.client.read(1) == b""


def test_a_shutdown_before_the_handshake_is_nothing(context: SSL.Context) -> None:
    assert Pair(context).stream.shutdown()


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"a1 LOGIN alice secret\r\n", "wrong version number"),
        (b"GET / HTTP/1.1\r\n\r\n", "http request"),
        (b"\x16\x03\x01\x00\x04junk", "unexpected message|length|type"),
    ],
)
def test_what_is_no_tls_fails_with_a_reason(
    context: SSL.Context, octets: bytes, reason: str
) -> None:
    pair = Pair(context)
    pair.server.bio_write(octets)
    with pytest.raises(TLSFailed, match=reason):
        pair.stream.handshake()


def test_garbage_after_the_handshake_is_a_loss(context: SSL.Context) -> None:
    pair = Pair(context).shake()
    pair.server.bio_write(b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(TLSFailed):
        pair.stream.receive()
    with pytest.raises(TLSFailed):
        pair.stream.send(b"x")
