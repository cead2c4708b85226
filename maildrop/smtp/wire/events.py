"""What a client can say, as the reader tells it.

In this file:
    Command     a command line
    Response    a line inside an AUTH exchange
    Piece       octets of a message
    Ended       the content of DATA, or a chunk of BDAT, is complete
    Unreadable  a line that is no command, with the Fault

``Event`` is any of them.
"""

import enum
from typing import NamedTuple


class Fault(enum.Enum):
    """Why a line could not be read."""

    TOO_LONG = "line too long"
    LINE_END = "line does not end in CRLF, or holds CR, LF or NUL"
    ENDLESS = "more octets after a limit than are worth swallowing"


class Command(NamedTuple):
    """One command line.

    Attributes:
        verb: In upper case.
        argument: What follows, without the spaces around it.
    """

    verb: bytes
    argument: bytes


class Response(NamedTuple):
    """A line that answers a challenge of AUTH (RFC 4954 section 4), without CRLF."""

    line: bytes


class Piece(NamedTuple):
    """Some octets of a message, unstuffed."""

    octets: bytes


class Ended(NamedTuple):
    """The content is complete.

    Attributes:
        exceeded: It was larger than allowed; nothing after the limit was told.
    """

    exceeded: bool


class Unreadable(NamedTuple):
    """A line that could not be read; it is gone, the next one may be good."""

    fault: Fault


Event = Command | Response | Piece | Ended | Unreadable
