"""ETRN: mail that waits for a domain is to be tried now.

In this file:
    Etrn    the command, understood
    etrn    its argument parsed
    turn    the conversation in which we ask another server

Grammar: RFC 1985 section 5.1, ``"ETRN" SP [ "@" / "#" ] node``: a domain; with "@" it
and all below it; with "#" a queue by name, of which there are none here.
"""

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from maildrop.errors import ProtocolSyntaxError
from maildrop.smtp.wire.capabilities import Capabilities
from maildrop.smtp.wire.talk import Talk, ask
from maildrop.smtp.wire.verdict import Broken, Phase, Verdict, never, verdict

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


def turn(domains: Sequence[Etrn], offered: Capabilities) -> Talk[list[Verdict]]:
    """Ask another server to send what waits there for domains.

    Args:
        domains: Which.
        offered: What the server can do.

    Returns:
        What it said of each: TAKEN where it has begun, or has nothing.

    Raises:
        Broken: It went away before it had said all.
    """
    said: list[Verdict] = []
    for each in domains:
        if not offered.etrn:
            said.append(never("5.5.1", "it offers no ETRN"))
            continue
        command = f"ETRN {'@' * each.below}{each.domain}\r\n".encode()
        reply = yield from ask(Phase.ETRN, command)
        said.append(verdict(reply, Phase.ETRN))
    with contextlib.suppress(Broken):  # all is said
        yield from ask(Phase.QUIT, b"QUIT\r\n")
    return said
