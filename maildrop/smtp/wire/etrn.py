"""ETRN: mail that waits for a domain is to be tried now.

In this file:
    Etrn    the command, understood
    etrn    its argument parsed

Grammar: RFC 1985 section 5.1, ``"ETRN" SP [ "@" / "#" ] node``: a domain; with "@" it
and all below it; with "#" a queue by name, of which there are none here.
"""

import re
from dataclasses import dataclass
from typing import Final

from maildrop.errors import ProtocolSyntaxError

_ETRN: Final = re.compile(
    rb"(?P<below>@?)(?P<domain>[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253}[A-Za-z0-9_])?)"
)


@dataclass(frozen=True, slots=True)
class Etrn:
    """An ETRN command.

    Attributes:
        domain: In lower case.
        below: What is below the domain is meant too.
    """

    domain: str
    below: bool


def etrn(argument: bytes) -> Etrn:
    """Parse the argument of ETRN.

    Raises:
        ProtocolSyntaxError: It names no domain.
    """
    found = _ETRN.fullmatch(argument)
    if found is None or b".." in argument:
        raise ProtocolSyntaxError("ETRN wants a domain")
    return Etrn(found.group("domain").decode().lower(), bool(found.group("below")))
