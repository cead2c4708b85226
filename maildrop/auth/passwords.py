"""Password schemes: ``{SCHEME}data`` as it stands in a password file.

In this file:
    verify      whether a password fits what is stored
    is_slow     whether that takes long on purpose
    make        what to store for a new password
    SCHEMES     the schemes by name
    DEFAULT     the scheme of new users

``stored`` knows the form.

Security: ``*``, ``!``, ``x``, an empty field and whatever begins with ``!`` or ``*``
fit no password (passwd(5), shadow(5)); nor does anything fit an empty password or one
with a NUL.  Comparisons take the same time wherever the first difference is.
"""

import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from maildrop.auth import crypt3, digests
from maildrop.auth.stored import as_octets, as_text, is_locked, split
from maildrop.errors import PermanentError
from maildrop.sasl.saslprep import prepared
from maildrop.sasl.scram import ScramKeys

Random = Callable[[int], bytes]

DEFAULT: Final = "ARGON2ID"


class UnknownScheme(PermanentError):
    """There is no such scheme, or no new passwords are made in it."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to keep a password.

    Attributes:
        verify: Whether a password fits data that are text.
        verify_digest: Whether a password fits data that are encoded octets.
        make: New data for a password, None if it is too weak to be made.
        octets: Length of an unsalted digest, by which its encoding is told.
        slow: It takes long on purpose: to be done in a thread.
    """

    verify: Callable[[str, bytes], bool] | None = None
    verify_digest: Callable[[bytes, bytes], bool] | None = None
    make: Callable[[bytes, Random], str] | None = None
    octets: int = 0
    slow: bool = False


def _verify_plain(stored: str, password: bytes) -> bool:
    return hmac.compare_digest(_octets(stored), password)


def _make_plain(password: bytes, _: Random) -> str:
    return password.decode("utf-8", "surrogateescape")


def _digest(algorithm: str, octets: int) -> Scheme:
    return Scheme(
        verify_digest=digests.digest_verifier(algorithm, salted=False), octets=octets
    )


def _salted(algorithm: str, *, weak: bool = False) -> Scheme:
    return Scheme(
        verify_digest=digests.digest_verifier(algorithm, salted=True),
        make=None if weak else digests.salted_maker(algorithm),
    )


def _crypt(make: Callable[[bytes, Random], str] | None = None) -> Scheme:
    return Scheme(verify=crypt3.verify, make=make, slow=True)


def _scram(algorithm: str) -> Scheme:
    return Scheme(
        verify=digests.scram_verifier(algorithm),
        make=digests.scram_maker(algorithm),
        slow=True,
    )


_PLAIN: Final = Scheme(verify=_verify_plain, make=_make_plain)
_SHA1: Final = _digest("sha1", 20)
_MD5: Final = _digest("md5", 16)

SCHEMES: Final[dict[str, Scheme]] = {
    "ARGON2ID": _crypt(crypt3.make_argon2id),
    "ARGON2I": _crypt(crypt3.make_argon2i),
    "BLF-CRYPT": _crypt(crypt3.make_bcrypt),
    "SHA512-CRYPT": _crypt(crypt3.make_sha512),
    "SHA256-CRYPT": _crypt(crypt3.make_sha256),
    "MD5-CRYPT": _crypt(crypt3.make_md5),
    "CRYPT": _crypt(crypt3.make_sha512),
    "DES-CRYPT": _crypt(),
    "PBKDF2": Scheme(verify=digests.verify_pbkdf2, make=digests.make_pbkdf2, slow=True),
    "SCRAM-SHA-1": _scram("sha1"),
    "SCRAM-SHA-256": _scram("sha256"),
    "SSHA512": _salted("sha512"),
    "SSHA256": _salted("sha256"),
    "SSHA": _salted("sha1"),
    "SMD5": _salted("md5", weak=True),
    "SHA512": _digest("sha512", 64),
    "SHA256": _digest("sha256", 32),
    "SHA1": _SHA1,
    "SHA": _SHA1,
    "PLAIN-MD5": _MD5,
    "LDAP-MD5": _MD5,
    "PLAIN": _PLAIN,
    "CLEARTEXT": _PLAIN,
    "CLEAR": _PLAIN,
}


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def verify(stored: str, password: str) -> bool:
    """Whether ``password`` is the one that ``stored`` was made of.

    Args:
        stored: The password field; anything not understood fits nothing.
        password: As the client gave it; it may hold surrogates for octets that are
            not UTF-8.
    """
    if not password or "\0" in password or is_locked(stored):
        return False
    name, encoding, data = split(stored)
    scheme = SCHEMES.get(name)
    if scheme is None or not data:
        return False
    presented = _octets(password)
    if scheme.verify_digest is not None:
        return scheme.verify_digest(as_octets(data, encoding, scheme.octets), presented)
    text = as_text(data, encoding)
    return bool(text) and scheme.verify is not None and scheme.verify(text, presented)


def is_slow(stored: str) -> bool:
    """Whether ``verify`` takes milliseconds: to be done in a thread."""
    if is_locked(stored):
        return False
    scheme = SCHEMES.get(split(stored)[0])
    return scheme is not None and scheme.slow


def make(password: str, random: Random, scheme: str = DEFAULT) -> str:
    """What to store for a new password, scheme included.

    Args:
        password: The new password; it is prepared as SASLprep says.
        random: Gives unpredictable octets, for the salt.
        scheme: A name of ``SCHEMES``.

    Raises:
        UnknownScheme: There is none of that name that makes new passwords.
        PermanentError: The password is empty or has a character that a line of the
            file, or crypt(3), cannot hold.
    """
    known = SCHEMES.get(scheme.upper())
    if known is None or known.make is None:
        raise UnknownScheme(f"no new passwords are made in scheme {scheme}")
    text = prepared(password)
    if not text or "\0" in text:
        raise PermanentError("the password is empty or has a NUL")
    if known is _PLAIN and (":" in text or not text.isprintable()):
        encoded = binascii.b2a_base64(_octets(text), newline=False).decode()
        return f"{{{scheme.upper()}.b64}}{encoded}"
    return f"{{{scheme.upper()}}}{known.make(_octets(text), random)}"


def scram_keys(stored: str, algorithm: str, salt: bytes) -> ScramKeys | None:
    """The keys for a SCRAM exchange, if what is stored allows one.

    Args:
        stored: The password field.
        algorithm: ``sha1`` or ``sha256``.
        salt: For a password stored in plain.
    """
    if is_locked(stored):
        return None
    name, encoding, data = split(stored)
    text = as_text(data, encoding)
    if SCHEMES.get(name) is _PLAIN and text:
        iterations = digests.SCRAM_ITERATIONS
        presented = _octets(prepared(text))
        return ScramKeys.of(algorithm, presented, salt, iterations)
    if name == {"sha1": "SCRAM-SHA-1", "sha256": "SCRAM-SHA-256"}[algorithm]:
        return ScramKeys.parse(algorithm, text)
    return None
