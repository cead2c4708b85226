"""The service that twistd runs: what is started, in which order, and ended.

In this file:
    Maildrop    the whole server

Order of things, started as root:

    made        configuration read, certificate read or made, ports bound; any error
                ends it here, with nothing started
    started     files are touched as the account ``user`` from here on; threads run,
                ports accept
    SIGHUP      ``reload``: log, certificates, users; the log says what needs a restart
    stopped     ports close; sessions are told and given time; mailboxes are closed;
                threads end
"""

import contextlib
import gc
import os
import resource
import signal
import tempfile
from collections.abc import Sequence
from types import FrameType
from typing import Any, Final

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
    IReactorTime,
)
from twisted.internet.protocol import Factory
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from maildrop import __version__
from maildrop.app.config import Reading, Unusable, load
from maildrop.app.logging import LineObserver
from maildrop.app.reloading import changed_keys
from maildrop.app.wiring import CONTROL, Wiring, limits
from maildrop.control.commands import Control, Process
from maildrop.control.server import ControlConnection, memory
from maildrop.errors import MaildropError
from maildrop.net.listeners import Bound, Listener, close_all, open_all

#: Measured: the worst pause falls from 90-120 ms to 4-19 ms, and a quarter of the CPU
#: time that goes into allocation is saved.
GC_THRESHOLDS: Final = (50_000, 20, 100)
#: Seconds that sessions get to end when the server stops.
GRACE: Final = 5.0


class ControlFactory(Factory):
    """Makes connections of the control socket.

    Args:
        clock: Time.
        control: Answers.
    """

    noisy = False

    def __init__(self, clock: IReactorTime, control: Control) -> None:
        self._clock = clock
        self._control = control

    def buildProtocol(self, addr: IAddress | None) -> ControlConnection:
        """Somebody asks."""
        del addr
        return ControlConnection(self._clock, self._control)


class Maildrop(MultiService):
    """The whole server.

    Args:
        reading: The configuration.
        reactor: The reactor.
        wiring: What serves.
        bound: The sockets that are listened on.
        observer: The log, None if twistd keeps it.
        temporary: A state directory that goes away with the server.
    """

    _log = Logger()

    def __init__(
        self,
        reading: Reading,
        reactor: Any,  # noqa: ANN401
        wiring: Wiring,
        bound: Sequence[Bound],
        *,
        observer: LineObserver | None = None,
        temporary: tempfile.TemporaryDirectory[str] | None = None,
    ) -> None:
        MultiService.__init__(self)
        self.name = "maildrop"
        self._reading = reading
        self._reactor = reactor
        self._wiring = wiring
        self._bound = bound
        self._observer = observer
        self._temporary = temporary
        self.ports: list[IListeningPort] = []
        self.control: Control

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
            reload=self._reload,
            stop=self._end,
        )

    def served(self) -> list[dict[str, str]]:
        """What is served: protocol, endpoint and TLS mode."""
        return [
            {
                "protocol": one.listener.protocol,
                "endpoint": shown(port.getHost()),
                "tls": one.listener.tls,
            }
            for one, port in zip(self._bound, self.ports, strict=True)
            if one.listener.protocol != CONTROL
        ]

    async def _reload(self) -> None:
        self.reload()

    async def _end(self) -> None:
        self._reactor.callLater(0.1, self._reactor.stop)  # after the answer

    def _factory(self, listener: Listener) -> IProtocolFactory:
        if listener.protocol == CONTROL:
            return ControlFactory(self._reactor, self.control)
        return self._wiring.factory(listener)

    def setServiceParent(self, parent: Any) -> None:  # noqa: ANN401
        """Twistd makes us part of an application, whose log is ours."""
        MultiService.setServiceParent(self, parent)
        if self._observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._observer)

    # -- start

    def startService(self) -> None:
        """Start everything."""
        wiring = self._wiring
        allow_descriptors()
        wiring.rights.settle()
        wiring.start()
        self.control = Control(self._process())  # now that our pid is final
        MultiService.startService(self)
        self.ports = open_all(
            self._reactor,
            self._bound,
            self._factory,
            wiring.certificates,
            limits=limits(wiring.configuration),
        )
        self._tell_start()
        signal.signal(signal.SIGHUP, self._hung_up)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)

    def _tell_start(self) -> None:
        self._log.info(
            "maildrop {version} on {hostname}, configuration {file}",
            version=__version__,
            hostname=self._wiring.configuration.hostname,
            file=self._reading.file,
        )
        for problem in self._reading.problems:
            self._log.warn("{problem}", problem=str(problem))
        for service in self.served():
            self._log.info(
                "serving {protocol} tls={tls} on {endpoint}",
                protocol=service["protocol"],
                tls=service["tls"],
                endpoint=service["endpoint"],
            )

    # -- reload

    def _hung_up(self, number: int, frame: FrameType | None) -> None:
        self._reactor.callFromThread(self._reload_quietly)

    def _reload_quietly(self) -> None:
        with contextlib.suppress(MaildropError):  # which is logged
            self.reload()

    def reload(self) -> None:
        """Take up what can change while we run; the log says what cannot.

        Raises:
            Unusable: The file cannot be used: nothing is taken up.
        """
        told: list[str] = []
        try:
            with self._wiring.rights.as_root():
                reading = load(self._reading.file)
        except Unusable as error:
            for problem in error.problems:
                self._log.error("reload: not done: {problem}", problem=str(problem))
            raise
        before, now = self._reading.configuration, reading.configuration
        if self._observer is not None:
            self._observer.format = now.log.format
            self._observer.level = now.log.level
            with self._wiring.rights.as_root():
                self._observer.reopen()
        told.append("log: format and level taken up, file opened anew")
        good = self._wiring.certificates.reload()
        told.append(
            "certificate: " + ("read again" if good else "refused, see the log")
        )
        told.append("users: a changed file is seen by itself")
        told += [
            f"{key}: the change needs a restart" for key in changed_keys(before, now)
        ]
        for line in told:
            self._log.info("reload: {line}", line=line)

    # -- stop

    def stopService(self) -> Deferred[None]:
        """Stop everything, in an order that loses nothing."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        for step in (
            self._close_ports,
            self._end_sessions,
            self._wiring.post.close,
            self._end_threads,
        ):
            try:  # whatever goes wrong, the next step is due
                await step()
            except Exception:
                self._log.failure("not stopped in order")
        self._log.info("maildrop has ended")

    async def _close_ports(self) -> None:
        with self._wiring.rights.as_root():  # sockets lie in others' directories
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
        MultiService.stopService(self)
        self._wiring.stop()
        self._wiring.rights.unsettle()
        if self._temporary is not None:
            self._temporary.cleanup()


def _give_up_waiting(_result: object, _seconds: float) -> None:
    """Sessions that do not end are cut when the process ends."""


def allow_descriptors() -> None:
    """Let this process open as many files and connections as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def shown(address: Any) -> str:  # noqa: ANN401 (IPv4Address, IPv6Address, UNIXAddress)
    """An address as people write it."""
    host = getattr(address, "host", None)
    if host is None:
        name = address.name
        return name.decode(errors="replace") if isinstance(name, bytes) else str(name)
    return f"[{host}]:{address.port}" if ":" in host else f"{host}:{address.port}"
