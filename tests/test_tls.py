"""Certificates: made, read, refused, read again; and what is offered with them."""

import datetime
import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, globalLogPublisher
from zope.interface import provider

from maildrop.errors import ConfigurationError
from maildrop.tls import Certificates, self_signed
from tests.ticking import ticked

HOST = "mail.example.org"
NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.advance(NOW.timestamp())
    return clock


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What was logged, formatted."""
    seen: list[str] = []

    @provider(ILogObserver)
    def observe(event: dict[str, Any]) -> None:
        if event.get("log_namespace") == "maildrop.tls.Certificates":
            seen.append(str(event["log_format"]).format(**event))

    globalLogPublisher.addObserver(observe)
    yield seen
    globalLogPublisher.removeObserver(observe)


class Pair:
    """Files of a certificate and its key."""

    def __init__(self, directory: Path) -> None:
        self.certificate = directory / "server.pem"
        self.key = directory / "server.key"

    def write(self, name: str = HOST, now: datetime.datetime = NOW) -> None:
        certificate, key = self_signed(name, now)
        self.certificate.write_bytes(certificate)
        self.key.write_bytes(key)

    def open(self, clock: Clock, **more: str) -> Certificates:
        return Certificates(str(self.certificate), str(self.key), clock, **more)  # type: ignore[arg-type] # strings only


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    pair = Pair(tmp_path)
    pair.write()
    return pair


def pump(server: SSL.Connection, client: ssl.SSLObject, out: ssl.MemoryBIO) -> None:
    """Carry what the client wrote to the server and let it go on."""
    octets = out.read()
    if octets:
        server.bio_write(octets)


def handshake(
    certificates: Certificates, client_context: ssl.SSLContext
) -> tuple[SSL.Connection, ssl.SSLObject]:
    """Join a client of the standard library to a server, in memory."""
    server = SSL.Connection(certificates.getContext(), None)
    server.set_accept_state()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(incoming, outgoing, server_hostname=HOST)
    done = [False, False]
    for _ in range(10):
        try:
            client.do_handshake()
            done[0] = True
        except ssl.SSLWantReadError:
            pass
        pump(server, client, outgoing)
        try:
            server.do_handshake()
            done[1] = True
        except SSL.WantReadError:
            pass
        try:
            incoming.write(server.bio_read(1 << 16))
        except SSL.WantReadError:
            if all(done):
                return server, client
    raise AssertionError("no end of the handshake")


def trusting(pair: Pair) -> ssl.SSLContext:
    """A client that trusts the pair, whatever the date is."""
    context = ssl.create_default_context(cafile=str(pair.certificate))
    context.verify_flags |= ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME
    return context


# -- a pair that has to be made


def test_without_files_a_certificate_is_made(
    tmp_path: Path, clock: Clock, logged: list[str]
) -> None:
    pair = Pair(tmp_path / "certs")
    certificates = pair.open(clock, hostname=HOST)
    assert certificates.generated
    assert "self-signed" in logged[0]
    assert str(pair.key) in logged[0]
    server, _ = handshake(certificates, trusting(pair))
    assert server.get_protocol_version_name() == "TLSv1.3"


def test_the_key_of_a_made_certificate_is_private(tmp_path: Path, clock: Clock) -> None:
    pair = Pair(tmp_path / "certs")
    pair.open(clock)
    assert pair.key.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(tmp_path / "certs")) == ["server.key", "server.pem"]


def test_a_made_certificate_is_p256_and_names_host_and_loopback() -> None:
    octets, _ = self_signed(HOST, NOW)
    certificate = x509.load_pem_x509_certificate(octets)
    public = certificate.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert public.curve.name == "secp256r1"
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == [
        HOST,
        "localhost",
    ]
    addresses = names.value.get_values_for_type(x509.IPAddress)
    assert [str(address) for address in addresses] == ["127.0.0.1", "::1"]


@pytest.mark.parametrize(
    ("hostname", "names", "addresses"),
    [
        ("localhost", ["localhost"], ["127.0.0.1", "::1"]),
        ("127.0.0.1", ["localhost"], ["127.0.0.1", "::1"]),
        ("192.0.2.1", ["localhost"], ["192.0.2.1", "127.0.0.1", "::1"]),
        ("bücher.example", ["xn--bcher-kva.example", "localhost"], None),
        ("a" * 60 + ".example.org", ["a" * 60 + ".example.org", "localhost"], None),
    ],
)
def test_names_of_a_made_certificate(
    hostname: str, names: list[str], addresses: list[str] | None
) -> None:
    certificate = x509.load_pem_x509_certificate(self_signed(hostname, NOW)[0])
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert found.value.get_values_for_type(x509.DNSName) == names
    if addresses is not None:
        told = found.value.get_values_for_type(x509.IPAddress)
        assert [str(address) for address in told] == addresses


def test_a_name_that_no_host_has_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no host name"):
        self_signed("a..b", NOW)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "file").write_text("")
    pair = Pair(tmp_path / "file" / "certs")
    with pytest.raises(ConfigurationError, match=r"server\.pem and .*server\.key"):
        pair.open(clock)


# -- a pair that cannot be used


def test_a_certificate_without_key_is_not_replaced(pair: Pair, clock: Clock) -> None:
    pair.key.unlink()
    with pytest.raises(ConfigurationError, match=r"server\.key: No such file"):
        pair.open(clock)
    assert not pair.key.exists()


@pytest.mark.parametrize("octets", [b"", b"garbage", b"\0" * 100, b"-----BEGIN"])
def test_garbage_is_refused_with_its_name(
    pair: Pair, clock: Clock, octets: bytes
) -> None:
    pair.certificate.write_bytes(octets)
    with pytest.raises(ConfigurationError, match=r"server\.pem: holds no certificate"):
        pair.open(clock)
    pair.write()
    pair.key.write_bytes(octets)
    with pytest.raises(ConfigurationError, match=r"server\.key: holds no private key"):
        pair.open(clock)


def test_a_huge_file_is_refused(pair: Pair, clock: Clock) -> None:
    pair.certificate.write_bytes(b"x" * (1 << 21))
    with pytest.raises(ConfigurationError, match="larger than"):
        pair.open(clock)


def test_a_key_with_a_passphrase_is_refused(pair: Pair, clock: Clock) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    octets = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    pair.key.write_bytes(octets)
    with pytest.raises(ConfigurationError, match="passphrase"):
        pair.open(clock)


def test_a_key_of_another_kind_is_refused(pair: Pair, clock: Clock) -> None:
    pair.key.write_bytes(
        x25519.X25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    with pytest.raises(ConfigurationError, match="kind that TLS cannot use"):
        pair.open(clock)


def test_a_key_that_does_not_fit_is_refused_with_both_names(
    pair: Pair, clock: Clock
) -> None:
    pair.key.write_bytes(self_signed("other", NOW)[1])
    with pytest.raises(ConfigurationError, match=r"server\.key .*/server\.pem"):
        pair.open(clock)


def test_client_authorities_are_read(pair: Pair, clock: Clock) -> None:
    authorities = pair.certificate.with_name("ca.pem")
    with pytest.raises(ConfigurationError, match=r"ca\.pem"):
        pair.open(clock, client_authorities=str(authorities))


# -- files that change


def test_new_files_are_used_for_new_handshakes_only(
    pair: Pair, clock: Clock, logged: list[str]
) -> None:
    certificates = pair.open(clock)
    before = certificates.getContext()
    pair.write("other.example.org")
    ticked(pair.certificate, pair.key)
    clock.advance(4)
    assert certificates.getContext() is before
    clock.advance(1)
    after = certificates.getContext()
    assert after is not before
    assert "in use" in logged[-1]
    clock.advance(10)
    assert certificates.getContext() is after


def test_a_wrong_pair_is_refused_once_and_the_old_one_kept(
    pair: Pair, clock: Clock, logged: list[str]
) -> None:
    certificates = pair.open(clock)
    before = certificates.getContext()
    new_certificate, new_key = self_signed(HOST, NOW)
    pair.certificate.write_bytes(new_certificate)
    ticked(pair.certificate)
    for _ in range(3):
        clock.advance(10)
        assert certificates.getContext() is before
    assert len(logged) == 1
    assert "old pair" in logged[0]
    assert str(pair.certificate) in logged[0]
    assert str(pair.key) in logged[0]
    pair.key.write_bytes(new_key)
    ticked(pair.key)
    clock.advance(10)
    assert certificates.getContext() is not before


def test_files_that_vanish_do_not_end_tls(pair: Pair, clock: Clock) -> None:
    certificates = pair.open(clock)
    before = certificates.getContext()
    pair.certificate.unlink()
    pair.key.unlink()
    clock.advance(10)
    assert certificates.getContext() is before
    assert not pair.key.exists()


def test_reload_looks_at_once(pair: Pair, clock: Clock) -> None:
    certificates = pair.open(clock)
    before = certificates.getContext()
    pair.write()
    assert certificates.reload()
    assert certificates.getContext() is not before
    pair.key.write_bytes(b"garbage")
    assert not certificates.reload()


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (NOW - datetime.timedelta(days=3645), "expires 2026-06-06"),
        (NOW + datetime.timedelta(days=30), "is not valid before 2026-06-30"),
        (NOW, None),
    ],
)
def test_dates_are_warned_of(
    pair: Pair,
    clock: Clock,
    logged: list[str],
    made: datetime.datetime,
    words: str | None,
) -> None:
    pair.write(now=made)
    pair.open(clock)
    assert logged == [] if words is None else words in logged[0]


# -- what is offered


def test_tls_1_1_is_not_offered(pair: Pair, clock: Clock) -> None:
    """RFC 8996: TLS 1.0 and 1.1 are over."""
    certificates = pair.open(clock)
    server = SSL.Connection(certificates.getContext(), None)
    server.set_accept_state()
    # A ClientHello of TLS 1.1 without extensions.
    hello = bytes.fromhex("0302") + bytes(32) + b"\0" + b"\0\2\xc0\x0a" + b"\1\0"
    message = b"\1" + len(hello).to_bytes(3, "big") + hello
    record = b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message
    server.bio_write(record)
    with pytest.raises(SSL.Error) as refused:
        server.do_handshake()
    assert "unsupported protocol" in str(refused.value)


def test_tls_1_2_is_offered_with_forward_secrecy(pair: Pair, clock: Clock) -> None:
    context = trusting(pair)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    server, client = handshake(pair.open(clock), context)
    assert client.version() == "TLSv1.2"
    assert str(server.get_cipher_name()).startswith("ECDHE-ECDSA-")


def test_sessions_are_resumed_by_ticket(pair: Pair, clock: Clock) -> None:
    certificates = pair.open(clock)
    context = trusting(pair)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    _, first = handshake(certificates, context)
    server = SSL.Connection(certificates.getContext(), None)
    server.set_accept_state()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    again = context.wrap_bio(
        incoming, outgoing, server_hostname=HOST, session=first.session
    )
    with pytest.raises(ssl.SSLWantReadError):
        again.do_handshake()
    pump(server, again, outgoing)
    with pytest.raises(SSL.WantReadError):
        server.do_handshake()
    incoming.write(server.bio_read(1 << 16))
    again.do_handshake()
    assert again.session_reused


def test_a_clients_certificate_is_taken_if_it_is_signed(
    pair: Pair, clock: Clock, tmp_path: Path
) -> None:
    person = Pair(tmp_path / "person")
    person.certificate.parent.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alice")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2400, 1, 1, tzinfo=datetime.UTC))
        .sign(key, hashes.SHA256())
    )
    encoding, clear = serialization.Encoding.PEM, serialization.NoEncryption()
    pkcs8 = serialization.PrivateFormat.PKCS8
    person.certificate.write_bytes(certificate.public_bytes(encoding))
    person.key.write_bytes(key.private_bytes(encoding, pkcs8, clear))
    certificates = pair.open(clock, client_authorities=str(person.certificate))
    server, _ = handshake(certificates, trusting(pair))
    assert server.get_peer_certificate() is None
    context = trusting(pair)
    context.load_cert_chain(person.certificate, person.key)
    server, _ = handshake(certificates, context)
    shown = server.get_peer_certificate(as_cryptography=True)
    assert shown is not None
    assert shown.subject.rfc4514_string() == "CN=alice"
