"""Asking another server for our mail (ETRN), in a process of its own.

In this file:
    ask_for_mail    asks it
"""

from collections.abc import Sequence
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from maildrop.app.privileges import Rights
from maildrop.app.relays import open_routes, open_sessions, server
from maildrop.app.schema import Configuration
from maildrop.smtp.client.turn import turn
from maildrop.smtp.wire.etrn import Etrn
from maildrop.smtp.wire.verdict import Verdict


def ask_for_mail(
    configuration: Configuration, rights: Rights, host: str, domains: Sequence[Etrn]
) -> list[Verdict]:
    """Ask a server to send what waits there for domains; runs the reactor.

    Args:
        configuration: Says how mail goes to the server, TLS and login among it.
        rights: To read passwords and authorities with.
        host: The server.
        domains: Which.

    Returns:
        What it said of each.

    Raises:
        Unroutable, Broken, ConfigurationError: See ``smtp.client.turn``.
    """
    reactor: Any = global_reactor
    hop = server(open_routes(configuration, rights), host)
    found: list[list[Verdict]] = []
    failed: list[Failure] = []

    async def in_thread(job: Any) -> Any:  # noqa: ANN401 (nobody else waits here)
        return job()

    def begin() -> None:
        sessions = open_sessions(configuration, reactor, in_thread)
        asking = Deferred.fromCoroutine(turn(sessions, hop, domains))
        asking.addCallbacks(found.append, failed.append)
        asking.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    for failure in failed:
        failure.raiseException()
    return found[0]
