"""What an IMAP client may send.

In this file:
    Limits          the limits, with defaults for a client that has logged in
    BEFORE_LOGIN    the same for one that has not
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the wire; the size of an appended message is the session's business.

    Attributes:
        line: Octets of a line.
        literal: Octets of a literal, but of APPEND's message.
        literals: Literals in a command.
        command: Octets of a command: its lines and literals together.
        non_synchronizing: Octets of a literal sent without waiting (RFC 7888); None
            for as many as of any other (LITERAL+), 4096 for LITERAL-.
        nesting: Depth of parentheses, NOT and OR in SEARCH.
        keys: Search keys in a SEARCH.
        elements: Elements of a sequence set.
        items: Things in a list: FETCH items, flags, header fields, LIST patterns.
    """

    line: int = 65536
    literal: int = 65536
    literals: int = 64
    command: int = 262144
    non_synchronizing: int | None = None
    nesting: int = 32
    keys: int = 1000
    elements: int = 10_000
    items: int = 200


#: LOGIN and AUTHENTICATE are the longest that an honest client sends so early.
BEFORE_LOGIN: Final = Limits(line=8192, literal=4096, literals=8, command=16384)
