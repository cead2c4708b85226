"""The mail of a user at a POP3 server, as poplib shows it.

In this file:
    read_maildrop    log in, look, log out
    look             look, in a session that is open

Nothing is changed: no message is read or deleted (RFC 1939 sections 5 and 6).
"""

import contextlib
import poplib
from array import array
from collections.abc import Iterable, Iterator

from maildrop.migration.connecting import Endpoint, Login, ServerFailed, failing, pop3
from maildrop.migration.facts import Maildrop


def read_maildrop(server: Endpoint, login: Login) -> Maildrop:
    """Log in, look, log out.

    Raises:
        ServerFailed, AuthenticationFailed: as they say.
    """
    connection = pop3(server, login)
    try:
        return look(connection, server)
    finally:
        with contextlib.suppress(OSError, EOFError, poplib.error_proto):
            connection.quit()


def look(connection: poplib.POP3, server: Endpoint) -> Maildrop:
    """What a session that is logged in sees.

    Raises:
        ServerFailed: The server does not answer so.
    """
    with failing(server):
        messages, octets = connection.stat()
        sizes = array("Q")
        for rest in _listing(connection.list()[1], server):
            if not rest.isdigit():
                raise ServerFailed(f"{server}: LIST without sizes")
            sizes.append(int(rest))
        return Maildrop(messages, octets, sizes, _uidls(connection, server))


def _uidls(connection: poplib.POP3, server: Endpoint) -> list[bytes] | None:
    try:
        _, lines, _ = connection.uidl()
    except poplib.error_proto:
        return None
    return list(_listing(lines, server))


def _listing(lines: Iterable[bytes], server: Endpoint) -> Iterator[bytes]:
    """What the lines of a listing say behind the number of the message."""
    for at, line in enumerate(lines, 1):
        number, _, rest = line.partition(b" ")
        if number != b"%d" % at:
            raise ServerFailed(f"{server}: a listing whose line {at} is another")
        yield rest.partition(b" ")[0]
