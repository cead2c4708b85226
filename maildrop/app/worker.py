"""A worker: a process that serves clients on sockets that its parent opened.

In this file:
    main    ``python -m maildrop.app.worker CONFIGURATION LOG``

Run by ``app.parent`` alone, which gives it the sockets and a channel on which it
answers; when the parent is gone it ends.
"""

import os
import signal
import sys
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.internet.error import ReactorNotRunning
from twisted.logger import globalLogBeginner

from maildrop.app.config import load
from maildrop.app.logging import observer
from maildrop.app.privileges import rights
from maildrop.app.service import Maildrop
from maildrop.app.wiring import listeners, wire
from maildrop.control.server import ControlConnection
from maildrop.errors import MaildropError
from maildrop.net.connection import Limits
from maildrop.net.listeners import inherit_all
from maildrop.net.worker_process import answer_parent, listening_fds

#: Seconds: the channel may be silent for as long as it likes.
_FOREVER = 1e9
EX_CONFIG = 78


def main(file: str, log: str) -> int:
    """Serve until the parent says otherwise; gives the exit status."""
    reactor: Any = global_reactor
    # Ctrl-C on a terminal reaches parent and workers; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        reading = load(file)
        settings = reading.configuration.log
        log_observer = observer(log, settings.format, settings.level)
        owners = rights(reading.configuration.user, os.geteuid())
        wiring = wire(reading.configuration, reactor, owners)
        bound = inherit_all(listeners(reading), listening_fds(os.environ))
    except MaildropError as error:
        for line in str(error).splitlines():
            sys.stderr.write(f"maildrop: {line}\n")
        return EX_CONFIG

    def over() -> None:
        try:
            reactor.stop()
        except ReactorNotRunning:
            return  # it ends already

    def started(service: Maildrop) -> None:
        limits = Limits(idle=_FOREVER)
        answer_parent(
            reactor, ControlConnection(reactor, service.control, limits, over=over)
        )

    service = Maildrop(
        reading, reactor, wiring, bound, observer=log_observer, started=started
    )
    globalLogBeginner.beginLoggingTo([log_observer], redirectStandardIO=False)
    reactor.callWhenRunning(service.startService)
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    reactor.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
