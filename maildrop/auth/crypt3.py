"""crypt(3) strings: ``$6$salt$digest`` and its kin.

In this file:
    verify     whether a password fits such a string
    make_*     new strings

The system's libcrypt is asked first: it works without holding Python's lock and knows
what the system's own tools write (yescrypt, ``$y$``).  Where it is missing, or does not
know a string, passlib does the work.  bcrypt and Argon2 have libraries of their own.

Security: bcrypt reads 72 octets of a password; the rest is cut off on both sides, as
crypt(3) does.  Cost parameters come from the stored string, which is the
administrator's.
"""

import binascii
import ctypes
import hmac
from collections.abc import Callable
from typing import Final

import bcrypt
from argon2 import low_level as argon2
from argon2.exceptions import Argon2Error
from passlib.hash import (
    bsdi_crypt,
    des_crypt,
    md5_crypt,
    sha1_crypt,
    sha256_crypt,
    sha512_crypt,
)

from maildrop.auth.stored import ARGON2, CRYPT

Random = Callable[[int], bytes]

#: Argon2id: 32 MiB, two passes, one lane: 45 to 50 ms on the machine this was set on,
#: and above the least that OWASP advises (19 MiB, two passes).  One lane: a login
#: storm must not take all cores.
ARGON2_TIME: Final = 2
ARGON2_MEMORY: Final = 32 * 1024  # KiB
ARGON2_LANES: Final = 1
ARGON2_SALT: Final = 16  # octets
ARGON2_DIGEST: Final = 32  # octets
#: bcrypt: 2**10 rounds, some 55 ms.
BCRYPT_COST: Final = 10
#: Octets of a password that bcrypt reads.
BCRYPT_OCTETS: Final = 72
#: SHA-crypt: some 50 ms in libcrypt.
SHA_ROUNDS: Final = 150_000

_SALT_ALPHABET: Final = (
    b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)
_ARGON2_TYPES: Final = {
    "i": argon2.Type.I,
    "d": argon2.Type.D,
    "id": argon2.Type.ID,
}
_PASSLIB: Final = (
    sha512_crypt,
    sha256_crypt,
    md5_crypt,
    sha1_crypt,
    bsdi_crypt,
    des_crypt,
)
#: sizeof(struct crypt_data) of libxcrypt.
_WORKSPACE: Final = 32768


def _load() -> Callable[[bytes, bytes, object, int], bytes | None] | None:
    """``crypt_rn`` of libcrypt, None where there is none."""
    try:
        crypt_rn = ctypes.CDLL("libcrypt.so.1").crypt_rn
    except (OSError, AttributeError):
        return None
    crypt_rn.argtypes = (
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_int,
    )
    crypt_rn.restype = ctypes.c_char_p
    return crypt_rn


_crypt_rn: Final = _load()
#: Whether the system has a libcrypt.
HAS_LIBCRYPT: Final = _crypt_rn is not None


def verify(stored: str, password: bytes) -> bool:
    """Whether ``password`` fits ``stored``; False for what is not understood."""
    if stored.startswith("$argon2"):
        return _verify_argon2(stored, password)
    if not CRYPT.fullmatch(stored):
        return False
    if stored.startswith("$2"):
        return _verify_bcrypt(stored, password)
    if _crypt_rn is not None:
        workspace = ctypes.create_string_buffer(_WORKSPACE)
        setting = stored.encode()
        found = _crypt_rn(password, setting, workspace, _WORKSPACE)
        if found is not None and not found.startswith(b"*"):
            return hmac.compare_digest(found, setting)
    return verify_with_passlib(stored, password)


def verify_with_passlib(stored: str, password: bytes) -> bool:
    """Whether ``password`` fits ``stored``, in Python."""
    for scheme in _PASSLIB:
        if scheme.identify(stored):
            try:
                return bool(scheme.verify(password, stored))
            except (ValueError, TypeError):
                return False
    return False


def _verify_bcrypt(stored: str, password: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:BCRYPT_OCTETS], stored.encode())
    except ValueError:
        return False


def _verify_argon2(stored: str, password: bytes) -> bool:
    shape = ARGON2.fullmatch(stored)
    if shape is None:
        return False
    try:
        return argon2.verify_secret(
            stored.encode(), password, _ARGON2_TYPES[shape.group(1)]
        )
    except Argon2Error:
        return False


def _salt(random: Random, length: int) -> str:
    return bytes(_SALT_ALPHABET[octet & 63] for octet in random(length)).decode()


def make_argon2id(password: bytes, random: Random) -> str:
    """A new Argon2id string."""
    return _make_argon2(password, random, argon2.Type.ID)


def make_argon2i(password: bytes, random: Random) -> str:
    """A new Argon2i string."""
    return _make_argon2(password, random, argon2.Type.I)


def _make_argon2(password: bytes, random: Random, kind: argon2.Type) -> str:
    return argon2.hash_secret(
        password,
        random(ARGON2_SALT),
        ARGON2_TIME,
        ARGON2_MEMORY,
        ARGON2_LANES,
        ARGON2_DIGEST,
        kind,
    ).decode()


def make_bcrypt(password: bytes, random: Random) -> str:
    """A new bcrypt string."""
    # bcrypt's own base64 has another order of the same 64 characters; 22 of them, the
    # last with four bits unused, are 16 octets.
    standard = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    own = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    salt = binascii.b2a_base64(random(16)).rstrip(b"=\n")
    setting = b"$2b$%02d$%b" % (
        BCRYPT_COST,
        salt.translate(bytes.maketrans(standard, own)),
    )
    return bcrypt.hashpw(password[:BCRYPT_OCTETS], setting).decode()


def make_sha512(password: bytes, random: Random) -> str:
    """A new SHA512-crypt string."""
    return str(
        sha512_crypt.using(salt=_salt(random, 16), rounds=SHA_ROUNDS).hash(password)
    )


def make_sha256(password: bytes, random: Random) -> str:
    """A new SHA256-crypt string."""
    return str(
        sha256_crypt.using(salt=_salt(random, 16), rounds=SHA_ROUNDS).hash(password)
    )


def make_md5(password: bytes, random: Random) -> str:
    """A new MD5-crypt string, for programs that know nothing better."""
    return str(md5_crypt.using(salt=_salt(random, 8)).hash(password))
