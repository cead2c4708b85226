"""Certificates and the TLS that is offered with them.

In this file:
    Certificates    certificate and key on disk; gives OpenSSL contexts
    self_signed     makes a certificate and its key

What is offered: TLS 1.2 and 1.3, forward secrecy and authenticated encryption only (RFC
9325 section 4.2), ECDSA before RSA (its signature costs a tenth), session tickets, no
compression, no renegotiation.

Reload: the files are looked at every few seconds, when a client wants TLS.  When they
changed, new handshakes use the new pair; running sessions keep the old.  A pair that
cannot be used is refused and said so, once per change, and the old one stays.  Key and
certificate replaced one after the other are such a pair until the second is there.

Errors: ``ConfigurationError`` at construction, naming the file; a log line later.

Security: a generated key file has mode 0600 before anything is in it.  A key is never
logged, nor is OpenSSL's text about it.
"""

import contextlib
import datetime
import ipaddress
import os
from collections.abc import Iterator
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLContextFactory, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from maildrop.durable import Disk
from maildrop.errors import ConfigurationError, MaildropError

Key = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | dsa.DSAPrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)

#: RFC 9325 section 4.2, for TLS 1.2; those of TLS 1.3 are all good.
CIPHERS: Final = b":".join(
    (
        b"ECDHE-ECDSA-AES128-GCM-SHA256",
        b"ECDHE-ECDSA-AES256-GCM-SHA384",
        b"ECDHE-ECDSA-CHACHA20-POLY1305",
        b"ECDHE-RSA-AES128-GCM-SHA256",
        b"ECDHE-RSA-AES256-GCM-SHA384",
        b"ECDHE-RSA-CHACHA20-POLY1305",
    )
)
#: SSL_MODE_ENABLE_PARTIAL_WRITE of OpenSSL's ssl.h, which pyOpenSSL sets and does not
#: name: with it every write ends after one record of 16 KiB.
PARTIAL_WRITE: Final = 0x1
VALID_DAYS: Final = 3650  # of a generated certificate
WARN_DAYS: Final = 14  # before a certificate expires
LARGEST: Final = 1 << 20  # octets of a certificate or key file


def self_signed(hostname: str, now: datetime.datetime) -> tuple[bytes, bytes]:
    """Make an ECDSA P-256 certificate for this host, signed by itself.

    Args:
        hostname: What clients call the server; ``localhost`` and the loopback
            addresses are added.
        now: When it begins to be valid, less a day for clocks that go wrong.

    Returns:
        Certificate and key in PEM form.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    # RFC 5280 appendix A.1: a common name has at most 64 characters.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:64])])
    names: list[x509.GeneralName] = []
    try:
        names.append(x509.IPAddress(ipaddress.ip_address(hostname)))
    except ValueError:
        names.append(x509.DNSName(_ascii(hostname)))
    if hostname != "localhost":
        names.append(x509.DNSName("localhost"))
    loopback = (ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1"))
    names += [
        x509.IPAddress(address) for address in loopback if str(address) != hostname
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
            critical=False,
        )
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def _ascii(hostname: str) -> str:
    try:
        return hostname.encode("idna").decode()
    except UnicodeError as error:
        raise ConfigurationError(f"{hostname!r} is no host name: {error}") from error


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            octets = file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    if len(octets) > LARGEST:
        raise ConfigurationError(f"{path}: larger than {LARGEST} octets")
    return octets


def _certificates(path: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(path))
    except ValueError as error:
        raise ConfigurationError(f"{path}: holds no certificate in PEM form") from error


def _key(path: str) -> Key:
    try:
        key = serialization.load_pem_private_key(_read(path), None)
    except TypeError as error:
        raise ConfigurationError(f"{path}: the key has a passphrase") from error
    except ValueError as error:
        raise ConfigurationError(f"{path}: holds no private key in PEM form") from error
    if not isinstance(key, Key):
        raise ConfigurationError(f"{path}: a key of a kind that TLS cannot use")
    return key


@contextlib.contextmanager
def _usable(path: str) -> Iterator[None]:
    try:
        yield
    except SSL.Error as error:
        raise ConfigurationError(f"{path}: OpenSSL cannot use it") from error


@implementer(IOpenSSLContextFactory)
class Certificates:
    """A certificate and its key, kept up to date with their files.

    Args:
        certificate_path: PEM file: the server's certificate, then its chain.
        key_path: PEM file of its private key, without passphrase.
        clock: Time, seconds since 1970 UTC.
        hostname: For a certificate that has to be generated.
        client_authorities: PEM file; clients are asked for a certificate signed by
            one of these.  They need not have one, but a wrong one is refused.
        disk: Where a generated pair is written.
        look_again: Seconds between looks at the files.

    Attributes:
        generated: Whether a self-signed pair was made because there was none.

    Raises:
        ConfigurationError: The pair cannot be used; the text names the file.
    """

    _log = Logger()

    def __init__(
        self,
        certificate_path: str,
        key_path: str,
        clock: IReactorTime,
        *,
        hostname: str = "localhost",
        client_authorities: str | None = None,
        disk: Disk | None = None,
        look_again: float = 5.0,
    ) -> None:
        self.certificate_path = certificate_path
        self.key_path = key_path
        self.client_authorities = client_authorities
        self.generated = False
        self._clock = clock
        self._look_again = look_again
        if not os.path.lexists(certificate_path) and not os.path.lexists(key_path):
            self._generate(hostname, disk or Disk())
        self._looked = clock.seconds()
        self._stamp = self._stamp_now()
        self._context = self._load()

    def context_factory(self) -> IOpenSSLContextFactory:
        """What ``startTLS`` takes; always gives the newest pair."""
        return self

    def getContext(self) -> SSL.Context:
        """The context for a new handshake."""
        now = self._clock.seconds()
        if now - self._looked >= self._look_again:
            self._looked = now
            if self._stamp_now() != self._stamp:
                self.reload()
        return self._context

    def reload(self) -> bool:
        """Read the files again, now.

        Returns:
            Whether the pair can be used; if not, that was logged and the old one stays.
        """
        self._stamp = self._stamp_now()
        try:
            self._context = self._load()
        except ConfigurationError as error:
            self._log.error(
                "TLS goes on with the old pair, certificate {certificate} and"
                " key {key} are refused: {reason}",
                certificate=self.certificate_path,
                key=self.key_path,
                reason=str(error),
            )
            return False
        self._log.info(
            "TLS certificate {certificate} and key {key} are in use",
            certificate=self.certificate_path,
            key=self.key_path,
        )
        return True

    def _stamp_now(self) -> tuple[object, ...]:
        paths = [self.certificate_path, self.key_path]
        if self.client_authorities is not None:
            paths.append(self.client_authorities)
        stamp: list[object] = []
        for path in paths:
            try:
                found = os.stat(path)
            except OSError as error:
                stamp.append(error.errno)
            else:
                stamp.append((found.st_mtime_ns, found.st_size, found.st_ino))
        return tuple(stamp)

    def _generate(self, hostname: str, disk: Disk) -> None:
        now = datetime.datetime.fromtimestamp(self._clock.seconds(), datetime.UTC)
        certificate, key = self_signed(hostname, now)
        try:
            for path in (self.key_path, self.certificate_path):
                with contextlib.suppress(FileExistsError):
                    disk.make_directory(os.path.dirname(path) or ".", 0o755)
            disk.replace_file(self.key_path, key, 0o600)
            disk.replace_file(self.certificate_path, certificate, 0o644)
        except (OSError, MaildropError) as error:
            raise ConfigurationError(
                f"{self.certificate_path} and {self.key_path} do not exist and"
                f" cannot be made: {error}"
            ) from error
        self.generated = True
        self._log.warn(
            "no TLS certificate at {certificate}: made a self-signed one for"
            " {hostname}, its key is {key}; clients will warn until you put a"
            " certificate there that they trust",
            certificate=self.certificate_path,
            key=self.key_path,
            hostname=hostname,
        )

    def _load(self) -> SSL.Context:
        chain = _certificates(self.certificate_path)
        key = _key(self.key_path)
        if chain[0].public_key() != key.public_key():
            raise ConfigurationError(
                f"the key in {self.key_path} does not fit the certificate"
                f" in {self.certificate_path}"
            )
        self._warn_of_dates(chain[0])
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(
            SSL.OP_NO_COMPRESSION
            | SSL.OP_NO_RENEGOTIATION
            | SSL.OP_CIPHER_SERVER_PREFERENCE
            | SSL.OP_SINGLE_ECDH_USE
        )
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.clear_mode(PARTIAL_WRITE)
        context.set_cipher_list(CIPHERS)
        # Tickets (on by default) carry sessions; a cache of them would only cost.
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_session_id(b"maildrop")
        with _usable(self.certificate_path):
            context.use_certificate(chain[0])
            for certificate in chain[1:]:
                context.add_extra_chain_cert(certificate)
        with _usable(self.key_path):
            context.use_privatekey(key)
            context.check_privatekey()
        if self.client_authorities is not None:
            self._ask_clients(context, self.client_authorities)
        return context

    @staticmethod
    def _ask_clients(context: SSL.Context, path: str) -> None:
        authorities = _certificates(path)
        with _usable(path):
            context.load_verify_locations(path)
            for authority in authorities:
                context.add_client_ca(authority)
        context.set_verify(SSL.VERIFY_PEER)

    def _warn_of_dates(self, certificate: x509.Certificate) -> None:
        now = datetime.datetime.fromtimestamp(self._clock.seconds(), datetime.UTC)
        left = certificate.not_valid_after_utc - now
        if certificate.not_valid_before_utc > now:
            self._log.warn(
                "TLS certificate {certificate} is not valid before {date}",
                certificate=self.certificate_path,
                date=certificate.not_valid_before_utc.isoformat(),
            )
        elif left < datetime.timedelta(days=WARN_DAYS):
            self._log.warn(
                "TLS certificate {certificate} expires {date}",
                certificate=self.certificate_path,
                date=certificate.not_valid_after_utc.isoformat(),
            )
