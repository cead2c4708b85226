"""BDAT: so many octets of the message follow.

In this file:
    Bdat    the command, understood
    bdat    its argument parsed

Grammar: RFC 3030 section 2, ``"BDAT" SP chunk-size [ SP "LAST" ]``.

Security: a chunk whose size cannot be read cannot be swallowed either; what follows
would be taken for commands.  The session closes the connection then.
"""

import re
from dataclasses import dataclass
from typing import Final

from maildrop.errors import ProtocolSyntaxError

_BDAT: Final = re.compile(rb"(?P<size>[0-9]{1,18})(?P<last> +[Ll][Aa][Ss][Tt])?")


@dataclass(frozen=True, slots=True)
class Bdat:
    """A BDAT command.

    Attributes:
        octets: Size of the chunk that follows.
        last: The message is complete with it.
    """

    octets: int
    last: bool


def bdat(argument: bytes) -> Bdat:
    """Parse the argument of BDAT.

    Raises:
        ProtocolSyntaxError: It is not a number and perhaps LAST.
    """
    found = _BDAT.fullmatch(argument)
    if found is None:
        raise ProtocolSyntaxError("BDAT wants a size and perhaps LAST")
    return Bdat(int(found.group("size")), found.group("last") is not None)
