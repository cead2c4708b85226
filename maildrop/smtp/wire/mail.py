"""MAIL: who sends, and what comes.

In this file:
    Mail    the command, understood
    mail    its argument parsed

Grammar: RFC 5321 section 4.1.1.2, ``"MAIL FROM:" Reverse-path [SP Mail-parameters]``.
Parameters: SIZE (RFC 1870 section 6), BODY (RFC 6152 section 3), SMTPUTF8 (RFC 6531
section 3.4), AUTH (RFC 4954 section 5), RET and ENVID (RFC 3461 sections 4.3, 4.4).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from maildrop.errors import ProtocolSyntaxError
from maildrop.smtp.wire.parameters import (
    BadParameter,
    UnknownParameter,
    parameters,
    xtext,
)
from maildrop.smtp.wire.path import Path, Utf8NotAllowed, reverse_path

_FROM: Final = re.compile(rb"[Ff][Rr][Oo][Mm]: *")
_SIZE: Final = re.compile(rb"[0-9]{1,20}")
#: RFC 3461 section 4.4.
_ENVID_MAX: Final = 100
_PRINTABLE: Final = re.compile(rb"[ -~]+")


@dataclass(frozen=True, slots=True)
class Mail:
    """A MAIL command.

    Attributes:
        sender: None for the null sender ``<>``.
        size: Octets announced, 0 when none were.
        body: ``b"7BIT"`` or ``b"8BITMIME"``.
        smtputf8: Addresses and header may be UTF-8.
        submitter: The value of AUTH: who sent it first; b"" for ``<>`` or none.
        ret: ``b"FULL"``, ``b"HDRS"`` or nothing: what a report of failure shall hold.
        envelope_id: ENVID, decoded.
    """

    sender: Path | None
    size: int = 0
    body: bytes = b"7BIT"
    smtputf8: bool = False
    submitter: bytes = b""
    ret: bytes = b""
    envelope_id: bytes = b""


def _size(command: Mail, value: bytes | None) -> Mail:
    if value is None or not _SIZE.fullmatch(value):
        raise BadParameter("SIZE wants a number")
    return replace(command, size=int(value))


def _body(command: Mail, value: bytes | None) -> Mail:
    body = (value or b"").upper()
    if body not in {b"7BIT", b"8BITMIME"}:
        raise BadParameter("BODY wants 7BIT or 8BITMIME")
    return replace(command, body=body)


def _smtputf8(command: Mail, value: bytes | None) -> Mail:
    if value is not None:
        raise BadParameter("SMTPUTF8 has no value")
    return replace(command, smtputf8=True)


def _auth(command: Mail, value: bytes | None) -> Mail:
    if value is None:
        raise BadParameter("AUTH wants an address or <>")
    return replace(command, submitter=b"" if value == b"<>" else xtext(value))


def _ret(command: Mail, value: bytes | None) -> Mail:
    ret = (value or b"").upper()
    if ret not in {b"FULL", b"HDRS"}:
        raise BadParameter("RET wants FULL or HDRS")
    return replace(command, ret=ret)


def _envid(command: Mail, value: bytes | None) -> Mail:
    if not value or len(value) > _ENVID_MAX:
        raise BadParameter("ENVID wants up to 100 octets")
    envelope_id = xtext(value)
    if not _PRINTABLE.fullmatch(envelope_id):
        raise BadParameter("ENVID wants printable ASCII")
    return replace(command, envelope_id=envelope_id)


_PARAMETERS: Final[dict[bytes, Callable[[Mail, bytes | None], Mail]]] = {
    b"SIZE": _size,
    b"BODY": _body,
    b"SMTPUTF8": _smtputf8,
    b"AUTH": _auth,
    b"RET": _ret,
    b"ENVID": _envid,
}


def mail(argument: bytes) -> Mail:
    """Parse the argument of MAIL.

    Raises:
        Utf8NotAllowed: A UTF-8 address without SMTPUTF8.
        BadParameter: A parameter is malformed, or given twice.
        UnknownParameter: A keyword that MAIL does not have.
        ProtocolSyntaxError: Anything else that the grammar does not allow.
    """
    start = _FROM.match(argument)
    if start is None:
        raise ProtocolSyntaxError("FROM: missing")
    rest = argument[start.end() :]
    sender, end = reverse_path(rest)
    command = Mail(sender)
    for keyword, value in parameters(rest[end:]).items():
        understand = _PARAMETERS.get(keyword)
        if understand is None:
            raise UnknownParameter("MAIL has no such parameter")
        command = understand(command, value)
    if sender is not None and not sender.is_ascii and not command.smtputf8:
        raise Utf8NotAllowed("UTF-8 address without SMTPUTF8")
    return command
