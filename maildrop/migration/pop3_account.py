"""The mail of a user at a POP3 server, as poplib shows it.

In this file:
    read_maildrop   log in, look, log out

Nothing is changed: no message is read or deleted (RFC 1939 sections 5 and 6).
"""

import contextlib
import poplib
from array import array
from collections.abc import Iterable

from maildrop.migration.connecting import Endpoint, Login, ServerFailed, failing, pop3
from maildrop.migration.facts import Maildrop


def read_maildrop(server: Endpoint, login: Login) -> Maildrop:
    """Log in, look, log out.

    Raises:
        ServerFailed, AuthenticationFailed: as they say.
    """
    connection = pop3(server, login)
    try:
        with failing(server):
            messages, octets = connection.stat()
            sizes = array("Q")
            for _, rest in _numbered(connection.list()[1], server):
                if not rest.isdigit():
                    raise ServerFailed(f"{server}: LIST without sizes")
                sizes.append(int(rest))
            return Maildrop(messages, octets, sizes, _uidls(connection, server))
    finally:
        with contextlib.suppress(OSError, EOFError, poplib.error_proto):
            connection.quit()


def _uidls(connection: poplib.POP3, server: Endpoint) -> list[bytes] | None:
    try:
        _, lines, _ = connection.uidl()
    except poplib.error_proto:
        return None
    return [rest for _, rest in _numbered(lines, server)]


def _numbered(lines: Iterable[bytes], server: Endpoint) -> list[tuple[int, bytes]]:
    """Number and rest of the lines of a listing."""
    found = []
    for line in lines:
        number, _, rest = line.partition(b" ")
        if not number.isdigit():
            raise ServerFailed(f"{server}: a listing without numbers")
        found.append((int(number), rest.split(b" ")[0]))
    return found
