"""ETRN as a client: servers are asked to send what waits there for us (RFC 1985).

In this file:
    turn    asks one

The mail comes by a connection of theirs, to wherever their DNS says that our domains
are; so it is for hosts that have a name and an address, but are not always there.
"""

from collections.abc import Sequence

from maildrop.smtp.client.policy import NextHop
from maildrop.smtp.client.sessions import Sessions, named
from maildrop.smtp.wire.etrn import Etrn, turn as conversation
from maildrop.smtp.wire.verdict import Broken, Verdict, later


async def turn(
    sessions: Sessions, hop: NextHop, domains: Sequence[Etrn]
) -> list[Verdict]:
    """Ask a server for the mail of domains.

    Args:
        sessions: Opens one.
        hop: The server; the first of its addresses that answers is asked.
        domains: Which.

    Returns:
        What it said of each.

    Raises:
        Unroutable: It has no address.
        Broken: No session with it can be had, or kept.
        ConfigurationError: The authorities cannot be used.
    """
    last = Broken(later("4.4.1", "it has no address"))
    for host in await sessions.hosts(hop):
        try:
            connection = await sessions.open(hop, host)
        except Broken as broken:
            last = broken
            continue
        with sessions.using(connection):
            try:
                found = await connection.run(
                    conversation(domains, connection.capabilities)
                )
            except Broken as broken:
                raise Broken(named(broken.verdict, host.name)) from None
        connection.close()
        return found
    raise last
