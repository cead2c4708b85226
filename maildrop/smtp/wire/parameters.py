r"""Parameters of MAIL and RCPT: ``SIZE=1000 BODY=8BITMIME``.

In this file:
    parameters    the pairs of a command, not yet understood
    xtext         a value in the encoding of RFC 3461 section 4
    utf8_address  one in that of RFC 6533 section 3
    BadParameter        a parameter that is malformed
    UnknownParameter    a keyword that the command does not have

Grammar: RFC 5321 section 4.1.2:

    esmtp-param   = esmtp-keyword [ "=" esmtp-value ]
    esmtp-keyword = ( ALPHA / DIGIT ) *( ALPHA / DIGIT / "-" )
    esmtp-value   = 1*( %d33-60 / %d62-126 )           ; and UTF-8: RFC 6531 section 3.3
"""

import re
from typing import Final

from maildrop.errors import ProtocolSyntaxError

_PARAMETER: Final = re.compile(
    rb"(?P<keyword>[A-Za-z0-9][A-Za-z0-9-]*)(?:=(?P<value>[!-<>-~\x80-\xff]+))?"
)
_XTEXT: Final = re.compile(rb"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
_HEXCHAR: Final = re.compile(rb"\+([0-9A-F]{2})")
_EMBEDDED: Final = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")


class BadParameter(ProtocolSyntaxError):
    """A parameter that its grammar does not allow (501)."""


class UnknownParameter(ProtocolSyntaxError):
    """A keyword that this command does not have (RFC 5321 section 4.1.1.11: 555)."""


def parameters(octets: bytes) -> dict[bytes, bytes | None]:
    """The pairs, keywords in upper case, None where there is no value.

    Raises:
        BadParameter: A parameter is malformed, or given twice.
    """
    found: dict[bytes, bytes | None] = {}
    for word in octets.split():
        match = _PARAMETER.fullmatch(word)
        if match is None:
            raise BadParameter("malformed parameter")
        keyword = match.group("keyword").upper()
        if keyword in found:
            raise BadParameter("parameter given twice")
        found[keyword] = match.group("value")
    return found


def xtext(octets: bytes) -> bytes:
    """Decode ``+2B`` and its kin.

    Raises:
        BadParameter: It is not xtext.
    """
    if not _XTEXT.fullmatch(octets):
        raise BadParameter("not xtext")
    return _HEXCHAR.sub(lambda hexchar: bytes([int(hexchar[1], 16)]), octets)


def utf8_address(octets: bytes) -> str:
    r"""Decode an address of type utf-8: UTF-8, or ``\x{FC}`` and its kin.

    Raises:
        BadParameter: It is neither.
    """
    try:
        text = octets.decode()
        return _EMBEDDED.sub(lambda found: chr(int(found[1], 16)), text)
    except ValueError as error:
        raise BadParameter("not an address of type utf-8") from error
