"""The parent of workers: holds the ports, starts and replaces those who serve.

In this file:
    Parent      the service that twistd runs when there are to be several workers
    command     how a worker is started

The parent accepts nobody but the administrator.  A reload replaces the workers one
after the other, so all of the configuration is taken up but what the parent itself
holds: ports, number of workers, state directory, account.
"""

import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort

from maildrop import __version__
from maildrop.app.config import Reading
from maildrop.app.logging import LineObserver
from maildrop.app.privileges import Rights
from maildrop.app.reloading import changed_keys
from maildrop.app.running import ControlFactory, Running, shown
from maildrop.app.wiring import CONTROL
from maildrop.control.commands import Control, Process
from maildrop.control.server import memory
from maildrop.metrics import Counters
from maildrop.net.connected_socket import address_of
from maildrop.net.listeners import Bound, close_all, open_all
from maildrop.net.sessions import Sessions
from maildrop.net.worker_process import launcher
from maildrop.net.workers import Process as Spawned, WorkerFailed, Workers


def command(file: str, log: str) -> list[str]:
    """How a worker is started.

    Args:
        file: The configuration file.
        log: The log file, "-" for standard output.
    """
    # -P: no code from the directory that happens to be the current one.
    return [sys.executable, "-P", "-m", "maildrop.app.worker", file, log]


class Parent(Running):
    """Holds the ports, starts and replaces workers.

    Args:
        reading: The configuration.
        reactor: The reactor.
        rights: Whose files are touched how.
        bound: The sockets that are listened on, the control socket among them.
        observer: The log, None if twistd keeps it.
    """

    def __init__(
        self,
        reading: Reading,
        reactor: Any,  # noqa: ANN401
        rights: Rights,
        bound: Sequence[Bound],
        *,
        observer: LineObserver | None = None,
    ) -> None:
        super().__init__(reading, reactor, rights, observer)
        self._control = [one for one in bound if one.listener.protocol == CONTROL]
        self._bound = [one for one in bound if one.listener.protocol != CONTROL]
        self._ports: list[IListeningPort] = []
        count = reading.configuration.workers or os.cpu_count() or 1
        log = observer.path if observer is not None else "-"
        start = launcher(
            reactor, command(reading.file, log), self._bound, dict(os.environ)
        )

        def launch(up: Callable[[], None], ended: Callable[[str], None]) -> Spawned:
            with rights.as_root():  # as which it starts, too
                return start(up, ended)

        self._workers = Workers(reactor, launch, count)

    def startService(self) -> None:
        """Start the workers."""
        super().startService()
        control = Control(self._process())
        self._ports = open_all(
            self._reactor,
            self._control,
            lambda _: ControlFactory(self._reactor, control),
        )
        # Not before the reactor hears of ended processes.
        self._reactor.callWhenRunning(self._begin)

    def _begin(self) -> None:
        Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        try:
            await self._workers.start()
        except WorkerFailed as error:
            self._log.error("a worker did not start: {error}", error=str(error))
            return
        self.tell_start(self.served())

    def served(self) -> list[dict[str, str]]:
        """What is served: protocol, endpoint and TLS mode."""
        return [
            {
                "protocol": one.listener.protocol,
                "endpoint": shown(address_of(one.socket.getsockname())),
                "tls": one.listener.tls,
            }
            for one in self._bound
        ]

    def _process(self) -> Process:
        """What the control socket tells about."""
        return Process(
            version=__version__,
            pid=os.getpid(),
            clock=self._reactor,
            started=self._reactor.seconds(),
            sessions=Sessions(),
            counters=Counters(),
            memory=memory,
            services=self.served,
            workers=lambda: self._workers.processes,
            reload=self.reload,
            stop=self.end,
        )

    async def reload(self) -> Sequence[str]:
        """See ``Running``."""
        before = self._reading.configuration
        now = self.read_again()
        await self._workers.reload()
        self._log.info("reload: the workers are replaced")
        held = {"listen", "workers", "state", "user"}
        keys = [key for key in changed_keys(before, now) if key in held]
        for key in keys:
            self._log.info("reload: {key}: the change needs a restart", key=key)
        return keys

    def steps(self) -> Sequence[Callable[[], Coroutine[Any, Any, None]]]:
        """See ``Running``."""
        return (self._workers.stop, self._close_ports)

    async def _close_ports(self) -> None:
        with self._rights.as_root():
            for port in self._ports:
                port.stopListening()
            close_all(self._bound)
        self.tell_end()
