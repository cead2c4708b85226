"""The service that serves clients: what is started, in which order, and ended.

In this file:
    Maildrop    the whole server, or one of its workers

Order of things, started as root:

    made        configuration read, certificate read or made, ports bound; any error
                ends it here, with nothing started
    started     files are touched as the account ``user`` from here on; threads run,
                ports accept
    SIGHUP      ``reload``: log, certificates, users; the log says what needs a restart
    stopped     ports close; sessions are told and given time, and so is the queue;
                mailboxes are closed; threads end
"""

import os
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.python.failure import Failure

from maildrop import __version__
from maildrop.app.allocation import tune_allocator, tune_garbage_collection
from maildrop.app.config import Reading
from maildrop.app.logging import LineObserver
from maildrop.app.reloading import changed_keys
from maildrop.app.running import ControlFactory, Running, shown
from maildrop.app.wiring import CONTROL, Wiring, limits
from maildrop.control.commands import Control, Process
from maildrop.control.server import memory
from maildrop.net.listeners import Bound, Listener, close_all, open_all

#: Seconds that sessions get to end when the server stops.
GRACE: Final = 5.0
#: Seconds after which other programs see what stores have put off: flags in an mbox.
SETTLE_EVERY: Final = 30.0


class Maildrop(Running):
    """The whole server, or one of its workers.

    Args:
        reading: The configuration.
        reactor: The reactor.
        wiring: What serves.
        bound: The sockets that are listened on.
        observer: The log, None if twistd keeps it.
        temporary: A state directory that goes away with the server.
        started: Called when clients are served; a worker tells its parent then.

    Attributes:
        ports: Where clients are accepted.
        control: Answers the administrator; made at the start.
    """

    def __init__(
        self,
        reading: Reading,
        reactor: Any,  # noqa: ANN401
        wiring: Wiring,
        bound: Sequence[Bound],
        *,
        observer: LineObserver | None = None,
        temporary: tempfile.TemporaryDirectory[str] | None = None,
        started: Callable[["Maildrop"], None] | None = None,
    ) -> None:
        super().__init__(reading, reactor, wiring.rights, observer)
        self._wiring = wiring
        self._bound = bound
        self._temporary = temporary
        self._started = started
        self.ports: list[IListeningPort] = []
        self._served: list[dict[str, str]] = []
        self.control: Control

    # -- start

    def startService(self) -> None:
        """Start everything."""
        super().startService()
        self._wiring.start()
        self.control = Control(self._process())  # now that our pid is final
        self.ports = open_all(
            self._reactor,
            self._bound,
            self._factory,
            self._wiring.certificates,
            limits=limits(self._wiring.configuration),
            recorder=self._wiring.deciding.recorder,
        )
        self._served = self._serving()
        tune_garbage_collection()
        tune_allocator()
        self._settle_later()
        if self._started is None:
            self.tell_start(self._served)
        else:
            self._started(self)

    def _settle_later(self) -> None:
        self._reactor.callLater(SETTLE_EVERY, self._settle)

    def _settle(self) -> None:
        if self.running:
            work = Deferred.fromCoroutine(self._wiring.post.settle())
            work.addErrback(self._not_settled)
            work.addCallback(lambda _: self._settle_later())

    def _not_settled(self, failure: Failure) -> None:
        self._log.failure("mailboxes not settled", failure=failure)

    def _process(self) -> Process:
        """What the control socket tells about."""
        wiring = self._wiring
        return Process(
            version=__version__,
            pid=os.getpid(),
            clock=self._reactor,
            started=self._reactor.seconds(),
            sessions=wiring.sessions,
            counters=wiring.counters,
            memory=memory,
            services=self.served,
            reload=self.reload,
            stop=self.end,
            drain=self.drain,
            flush=wiring.queueing.flush,
        )

    def served(self) -> list[dict[str, str]]:
        """What is served: protocol, endpoint and TLS mode."""
        return self._served

    def _serving(self) -> list[dict[str, str]]:
        return [
            {
                "protocol": one.listener.protocol,
                "endpoint": shown(port.getHost()),
                "tls": one.listener.tls,
            }
            for one, port in zip(self._bound, self.ports, strict=True)
            if one.listener.protocol != CONTROL
        ]

    def _factory(self, listener: Listener) -> IProtocolFactory:
        if listener.protocol == CONTROL:
            return ControlFactory(self._reactor, self.control)
        return self._wiring.factory(listener)

    # -- reload

    async def reload(self) -> Sequence[str]:
        """See ``Running``."""
        now = self.read_again()
        before = self._wiring.configuration
        good = self._wiring.certificates.reload()
        told = [
            "log: format and level taken up, file opened anew",
            "certificate: " + ("read again" if good else "refused, see the log"),
            "users: a changed file is seen by itself",
        ]
        keys = changed_keys(before, now)
        told += [f"{key}: the change needs a restart" for key in keys]
        for line in told:
            self._log.info("reload: {line}", line=line)
        return keys

    # -- stop

    async def drain(self) -> None:
        """Take no new sessions; end after the last.  Another process has the queue."""
        await self._close_ports()
        await self._wiring.queueing.let_go()
        self._wiring.sessions.when_empty().addCallback(self._emptied)

    def _emptied(self, _: None) -> None:
        if self.running:
            self._reactor.callLater(0.1, self._reactor.stop)

    def steps(self) -> Sequence[Callable[[], Coroutine[Any, Any, None]]]:
        """See ``Running``."""
        return (
            self._close_ports,
            self._end_sessions,
            self._wiring.queueing.let_go,
            self._wiring.post.close,
            self._end_threads,
        )

    async def _close_ports(self) -> None:
        with self._rights.as_root():  # sockets lie in others' directories
            for port in self.ports:
                port.stopListening()
            if not self.ports:
                close_all(self._bound)

    async def _end_sessions(self) -> None:
        sessions = self._wiring.sessions
        for session in sessions:
            session.kick()
        ended = sessions.when_empty()
        ended.addTimeout(GRACE, self._reactor, onTimeoutCancel=_give_up_waiting)
        await ended

    async def _end_threads(self) -> None:
        self._wiring.stop()
        if self._started is None:
            self.tell_end()
        if self._temporary is not None:
            self._temporary.cleanup()


def _give_up_waiting(_result: object, _seconds: float) -> None:
    """Sessions that do not end are cut when the process ends."""
