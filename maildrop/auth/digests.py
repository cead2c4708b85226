"""Password schemes made of digests: ``{SSHA512}``, ``{PBKDF2}``, ``{SCRAM-SHA-256}``.

In this file:
    digest_verifier     SHA, SHA256, MD5 ...: a digest, for the salted ones with the
                        salt behind it
    verify_pbkdf2       Dovecot's PBKDF2
    scram_verifier      SCRAM keys (``sasl.scram.ScramKeys``)

The forms, after the braces:

    SHA ... SSHA512     digest [salt], base64 or hexadecimal
    PBKDF2              "$1$" salt "$" rounds "$" hex(20 octets of HMAC-SHA-1)
    SCRAM-SHA-256       iterations "," base64(salt) "," base64(StoredKey) ","
                        base64(ServerKey)
"""

import binascii
import hashlib
import hmac
from collections.abc import Callable
from typing import Final

from maildrop.sasl.scram import ScramKeys

Random = Callable[[int], bytes]

#: Rounds of a new PBKDF2 password: some 50 ms.
PBKDF2_ROUNDS: Final = 200_000
#: Iterations of new SCRAM keys; RFC 7677 section 4 wants 4096 or more.  The client
#: pays for them at each login, also on a telephone.
SCRAM_ITERATIONS: Final = 15_000
_PBKDF2_OCTETS: Final = 20
_SALT: Final = 16


def digest_verifier(algorithm: str, *, salted: bool) -> Callable[[bytes, bytes], bool]:
    """A function that tells whether a password fits a digest.

    Args:
        algorithm: Its name in ``hashlib``.
        salted: Whether a salt stands behind the digest.
    """
    size = hashlib.new(algorithm, usedforsecurity=False).digest_size

    def verify(stored: bytes, password: bytes) -> bool:
        digest, salt = stored[:size], stored[size:]
        if len(digest) != size or bool(salt) != salted:
            return False
        found = hashlib.new(algorithm, password + salt, usedforsecurity=False)
        return hmac.compare_digest(found.digest(), digest)

    return verify


def salted_maker(algorithm: str) -> Callable[[bytes, Random], str]:
    """A function that makes new salted digests, in base64."""

    def make(password: bytes, random: Random) -> str:
        salt = random(_SALT)
        found = hashlib.new(algorithm, password + salt, usedforsecurity=False)
        return binascii.b2a_base64(found.digest() + salt, newline=False).decode()

    return make


def verify_pbkdf2(stored: str, password: bytes) -> bool:
    """Whether a password fits Dovecot's ``$1$salt$rounds$hex``."""
    parts = stored.split("$")
    if len(parts) != 5 or parts[0] or parts[1] != "1" or not parts[3].isdecimal():
        return False
    rounds = int(parts[3])
    if not 0 < rounds < 1 << 31:
        return False
    found = hashlib.pbkdf2_hmac(
        "sha1", password, parts[2].encode(), rounds, _PBKDF2_OCTETS
    )
    return hmac.compare_digest(found.hex().encode(), parts[4].lower().encode())


def make_pbkdf2(password: bytes, random: Random) -> str:
    """A new password in Dovecot's form."""
    salt = random(_SALT // 2).hex()
    found = hashlib.pbkdf2_hmac(
        "sha1", password, salt.encode(), PBKDF2_ROUNDS, _PBKDF2_OCTETS
    )
    return f"$1${salt}${PBKDF2_ROUNDS}${found.hex()}"


def scram_verifier(algorithm: str) -> Callable[[str, bytes], bool]:
    """A function that tells whether a password fits SCRAM keys."""

    def verify(stored: str, password: bytes) -> bool:
        keys = ScramKeys.parse(algorithm, stored)
        if keys is None:
            return False
        found = ScramKeys.of(algorithm, password, keys.salt, keys.iterations)
        return hmac.compare_digest(found.stored_key, keys.stored_key)

    return verify


def scram_maker(algorithm: str) -> Callable[[bytes, Random], str]:
    """A function that makes new SCRAM keys."""

    def make(password: bytes, random: Random) -> str:
        salt = random(_SALT)
        return str(ScramKeys.of(algorithm, password, salt, SCRAM_ITERATIONS))

    return make
