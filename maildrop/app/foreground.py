"""Running the server in the foreground, without twistd.

In this file:
    run    serve until SIGINT or SIGTERM
"""

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.logger import globalLogBeginner

from maildrop.app.config import Reading
from maildrop.app.logging import LineObserver
from maildrop.app.making import make


def run(
    reading: Reading,
    observer: LineObserver,
    started: Callable[[list[dict[str, str]]], None],
) -> None:
    """Serve until somebody ends it.

    Args:
        reading: The configuration.
        observer: The log.
        started: Called once, with what is served: protocol, endpoint, tls.

    Raises:
        ConfigurationError, CannotListen: See ``making.make``.
    """
    reactor: Any = global_reactor
    service = make(reading, reactor, observer=observer)
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)

    failed: list[Exception] = []

    def start() -> None:
        try:
            service.startService()
            started(service.served())
        except Exception as error:
            failed.append(error)
            reactor.stop()

    reactor.callWhenRunning(start)
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    reactor.run()
    if failed:
        raise failed[0]
