"""Which command may come when.

In this file:
    State      where a session stands
    ALLOWED    the commands of each state
    HTTP       verbs of another protocol

    START --EHLO--> READY --MAIL--> MAIL --RCPT--> RCPT --DATA--> (content) --> READY
                      ^                             |
                      |                             +--BDAT--> CHUNKS --LAST--> READY
                      +-- RSET, EHLO: from every state after START

RFC 5321 section 4.1.4 (order), RFC 3030 section 2 (after BDAT only BDAT or RSET), RFC
3207 section 4.2 (START again after STARTTLS), RFC 4954 section 4 (AUTH once, not in a
transaction), RFC 1985 section 4 (ETRN after EHLO, not in a transaction).
"""

import enum
from typing import Final


class State(enum.Enum):
    """Where a session stands."""

    START = "nobody has said hello"
    READY = "between transactions"
    MAIL = "a sender, no recipient"
    RCPT = "a sender and recipients"
    CHUNKS = "some chunks of a message"


#: BDAT is among them: in every state its chunk must be swallowed before the refusal.
_ALWAYS: Final = frozenset(
    {b"EHLO", b"HELO", b"LHLO", b"RSET", b"NOOP", b"QUIT", b"HELP", b"VRFY", b"EXPN"}
    | {b"BDAT"}
)

ALLOWED: Final[dict[State, frozenset[bytes]]] = {
    State.START: _ALWAYS,
    State.READY: _ALWAYS | {b"MAIL", b"STARTTLS", b"AUTH", b"ETRN"},
    State.MAIL: _ALWAYS | {b"RCPT"},
    State.RCPT: _ALWAYS | {b"RCPT", b"DATA"},
    State.CHUNKS: _ALWAYS,
}

#: Verbs of HTTP: a browser that was led here; RFC 5321 section 7.7 lets us hang up.
HTTP: Final = frozenset(
    {b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT", b"DELETE", b"PATCH"}
)
