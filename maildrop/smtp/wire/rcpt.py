r"""RCPT: who shall get it.

In this file:
    Rcpt    the command, understood
    rcpt    its argument parsed

Grammar: RFC 5321 section 4.1.1.3, ``"RCPT TO:" Forward-path [SP Rcpt-parameters]``.
Parameters: NOTIFY and ORCPT (RFC 3461 section 4.1 and 4.2; RFC 6533 section 3 for
addresses of type utf-8, written as they are or with ``\x{...}``).
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
    utf8_address,
    xtext,
)
from maildrop.smtp.wire.path import Path, Utf8NotAllowed, forward_path

_TO: Final = re.compile(rb"[Tt][Oo]: *")
_ORCPT: Final = re.compile(rb"(?P<type>[A-Za-z0-9-]{1,60});(?P<address>.{1,440})")


@dataclass(frozen=True, slots=True)
class Rcpt:
    """A RCPT command.

    Attributes:
        recipient: The forward path.
        notify: When the sender wants a report: some of ``b"NEVER"``, ``b"SUCCESS"``,
            ``b"FAILURE"``, ``b"DELAY"``.
        original: ORCPT: ``type;address``, decoded; empty when not given.
    """

    recipient: Path
    notify: frozenset[bytes] = frozenset()
    original: str = ""


def _notify(command: Rcpt, value: bytes | None) -> Rcpt:
    asked = frozenset((value or b"").upper().split(b","))
    if asked != {b"NEVER"} and not asked <= {b"SUCCESS", b"FAILURE", b"DELAY"}:
        raise BadParameter("NOTIFY wants NEVER, or SUCCESS, FAILURE, DELAY")
    return replace(command, notify=asked)


def _orcpt(command: Rcpt, value: bytes | None) -> Rcpt:
    found = _ORCPT.fullmatch(value or b"")
    if found is None:
        raise BadParameter("ORCPT wants type;address")
    kind, address = found.group("type").decode(), found.group("address")
    if kind.lower() == "utf-8":
        decoded = utf8_address(address)
    else:
        decoded = xtext(address).decode("ascii", "replace")
    if not decoded.isprintable() or "\ufffd" in decoded:
        raise BadParameter("ORCPT wants an address")
    return replace(command, original=f"{kind};{decoded}")


_PARAMETERS: Final[dict[bytes, Callable[[Rcpt, bytes | None], Rcpt]]] = {
    b"NOTIFY": _notify,
    b"ORCPT": _orcpt,
}


def rcpt(argument: bytes, *, smtputf8: bool) -> Rcpt:
    """Parse the argument of RCPT.

    Args:
        argument: What follows the verb.
        smtputf8: MAIL asked for SMTPUTF8.

    Raises:
        Utf8NotAllowed: A UTF-8 address without SMTPUTF8.
        BadParameter: A parameter is malformed, or given twice.
        UnknownParameter: A keyword that RCPT does not have.
        ProtocolSyntaxError: Anything else that the grammar does not allow.
    """
    start = _TO.match(argument)
    if start is None:
        raise ProtocolSyntaxError("TO: missing")
    rest = argument[start.end() :]
    recipient, end = forward_path(rest)
    command = Rcpt(recipient)
    for keyword, value in parameters(rest[end:]).items():
        understand = _PARAMETERS.get(keyword)
        if understand is None:
            raise UnknownParameter("RCPT has no such parameter")
        command = understand(command, value)
    if not recipient.is_ascii and not smtputf8:
        raise Utf8NotAllowed("UTF-8 address without SMTPUTF8")
    return command
