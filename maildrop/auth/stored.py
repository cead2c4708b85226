"""Password fields as they stand in a file: ``{SCHEME}data``, or a crypt(3) string.

In this file:
    split         scheme, encoding and data
    as_text       data that are text
    as_octets     data that are octets
    is_locked     whether it is a mark that fits no password
    is_crypt      whether data look like a crypt(3) string
    problem       why no password will ever fit
    SCHEMES       the names of all schemes, CRYPT_SCHEMES of those with such strings
    CRYPT, ARGON2 what such strings look like

``passwords`` says what fits, and needs libraries for that; who only looks a user up
needs none of them.

The form is Dovecot's: a scheme's name in braces, after it ``.b64``, ``.base64`` or
``.hex`` when the data are encoded otherwise than is usual; without braces the data are
a crypt(3) string.  Unsalted digests may be base64 or hexadecimal; the length tells.
"""

import binascii
import re
from typing import Final

#: Schemes whose data are crypt(3) strings.
CRYPT_SCHEMES: Final = frozenset(
    {
        *("ARGON2ID", "ARGON2I", "BLF-CRYPT", "SHA512-CRYPT", "SHA256-CRYPT"),
        *("MD5-CRYPT", "CRYPT", "DES-CRYPT"),
    }
)
#: All schemes.
SCHEMES: Final = CRYPT_SCHEMES | {
    *("PBKDF2", "SCRAM-SHA-1", "SCRAM-SHA-256"),
    *("SSHA512", "SSHA256", "SSHA", "SMD5"),
    *("SHA512", "SHA256", "SHA1", "SHA", "PLAIN-MD5", "LDAP-MD5"),
    *("PLAIN", "CLEARTEXT", "CLEAR"),
}
_SHAPE: Final = re.compile(
    r"\{([A-Za-z0-9-]+)(?:\.(b64|base64|hex))?\}(.*)", re.IGNORECASE | re.DOTALL
)
#: crypt(3) strings by their prefix, and the traditional ones without.
CRYPT: Final = re.compile(
    r"\$(?:1|5|6|y|gy|7|sha1|md5|2[abxy])\$[\x21-\x7e]+"
    r"|_[./0-9A-Za-z]{19}|[./0-9A-Za-z]{13}"
)
ARGON2: Final = re.compile(r"\$argon2(i|d|id)\$[\x21-\x7e]+")


def split(stored: str) -> tuple[str, str, str]:
    """Scheme (upper case), encoding (lower case, or empty) and data."""
    shape = _SHAPE.fullmatch(stored)
    if shape is None:
        return "CRYPT", "", stored
    scheme, encoding, data = shape.groups()
    scheme = scheme.upper()
    if scheme == "MD5":  # Dovecot: either of two, told apart by the data
        scheme = "MD5-CRYPT" if data.startswith("$1$") else "PLAIN-MD5"
    return scheme, (encoding or "").lower(), data


def _unhex(data: str) -> bytes:
    try:
        return binascii.unhexlify(data)
    except ValueError:
        return b""


def _unbase64(data: str) -> bytes:
    try:
        return binascii.a2b_base64(data, strict_mode=True)
    except ValueError:
        return b""


def as_octets(data: str, encoding: str, octets: int) -> bytes:
    """The octets of an encoded digest; none if malformed.

    Args:
        data: As they stand in the file.
        encoding: As ``split`` gives it.
        octets: Length of an unsalted digest, by which its encoding is told; else 0.
    """
    if not encoding:
        encoding = "hex" if octets and len(data) == 2 * octets else "base64"
    return _unhex(data) if encoding == "hex" else _unbase64(data)


def as_text(data: str, encoding: str) -> str:
    """Data that are text, decoded if they were encoded."""
    if not encoding:
        return data
    octets = _unhex(data) if encoding == "hex" else _unbase64(data)
    return octets.decode("utf-8", "surrogateescape")


def is_locked(stored: str) -> bool:
    """Whether ``stored`` is one of the marks that fit no password."""
    return not stored or stored == "x" or stored[0] in "*!"


def is_crypt(data: str) -> bool:
    """Whether ``data`` look like a crypt(3) string."""
    return bool(CRYPT.fullmatch(data) or ARGON2.fullmatch(data))


def problem(stored: str) -> str:
    """Why no password can fit ``stored``; empty if one can, or it is locked."""
    if is_locked(stored):
        return ""
    name, encoding, data = split(stored)
    if name not in SCHEMES:
        return f"unknown password scheme {{{name}}}"
    if name in CRYPT_SCHEMES and not is_crypt(as_text(data, encoding)):
        return "password is neither {SCHEME}data nor a crypt(3) string"
    return "" if data else "empty password data"
