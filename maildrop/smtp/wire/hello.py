"""EHLO, HELO and LHLO: who speaks.

In this file:
    client_name    their argument parsed

Grammar: RFC 5321 section 4.1.1.1, ``"EHLO" SP ( Domain / address-literal )``.  Taken
beyond it, because clients send them: underscores, addresses without brackets, names
ending in a dot, UTF-8; whatever is printable and one word.
"""

import re
from typing import Final

from maildrop.errors import ProtocolSyntaxError

_NAME: Final = re.compile(r"[^\s\"()<>\\]{1,255}")


def client_name(argument: bytes) -> str:
    """The name a client gives itself; fit for a header field.

    Raises:
        ProtocolSyntaxError: There is none, or not a printable word.
    """
    try:
        name = argument.decode()
    except UnicodeDecodeError as error:
        raise ProtocolSyntaxError("not UTF-8", error.start) from error
    if not _NAME.fullmatch(name) or not name.isprintable():
        raise ProtocolSyntaxError("not a host name")
    return name
