"""What every process of the server does: its log, SIGHUP, telling that it started.

In this file:
    Running     the base of ``service.Maildrop`` and ``parent.Parent``
    ControlFactory
    shown       an address as people write it
"""

import contextlib
import resource
import signal
from collections.abc import Sequence
from types import FrameType
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from maildrop import __version__
from maildrop.app.config import Reading, Unusable, load
from maildrop.app.logging import LineObserver
from maildrop.app.privileges import Rights
from maildrop.app.schema import Configuration
from maildrop.control.commands import Control
from maildrop.control.server import ControlConnection
from maildrop.errors import MaildropError


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


class Running(MultiService):
    """One process of the server.

    Args:
        reading: The configuration.
        reactor: The reactor.
        rights: Whose files are touched how.
        observer: The log, None if twistd keeps it.
    """

    _log = Logger()

    def __init__(
        self,
        reading: Reading,
        reactor: Any,  # noqa: ANN401
        rights: Rights,
        observer: LineObserver | None,
    ) -> None:
        MultiService.__init__(self)
        self.name = "maildrop"
        self._reading = reading
        self._reactor = reactor
        self._rights = rights
        self._observer = observer

    def setServiceParent(self, parent: Any) -> None:  # noqa: ANN401
        """Twistd makes us part of an application, whose log is ours."""
        MultiService.setServiceParent(self, parent)
        if self._observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._observer)

    def startService(self) -> None:
        """Take on the rights we work with; a subclass starts the rest."""
        allow_descriptors()
        self._rights.settle()
        MultiService.startService(self)
        signal.signal(signal.SIGHUP, self._hung_up)

    def tell_start(self, served: Sequence[dict[str, str]]) -> None:
        """Log who we are and what is served where."""
        self._log.info(
            "maildrop {version} on {hostname}, configuration {file}",
            version=__version__,
            hostname=self._reading.configuration.hostname,
            file=self._reading.file,
        )
        for problem in self._reading.problems:
            self._log.warn("{problem}", problem=str(problem))
        for service in served:
            self._log.info(
                "serving {protocol} tls={tls} on {endpoint}",
                protocol=service["protocol"],
                tls=service["tls"],
                endpoint=service["endpoint"],
            )

    def tell_end(self) -> None:
        """Log that all is over."""
        self._log.info("maildrop has ended")

    # -- reload

    def _hung_up(self, number: int, frame: FrameType | None) -> None:
        self._reactor.callFromThread(self._reload_quietly)

    def _reload_quietly(self) -> None:
        Deferred.fromCoroutine(self._reload_and_log())

    async def _reload_and_log(self) -> None:
        with contextlib.suppress(Unusable):  # which is logged
            try:
                await self.reload()
            except MaildropError as error:
                self._log.error("reload: not done: {problem}", problem=str(error))

    async def reload(self) -> Sequence[str]:
        """Take up what can change while we run; the log says what cannot.

        Returns:
            The keys whose change needs a restart.

        Raises:
            Unusable: The file cannot be used: nothing is taken up.
        """
        raise NotImplementedError

    def read_again(self) -> Configuration:
        """The configuration as it is now, its log settings taken up.

        Raises:
            Unusable: The file cannot be used; that is logged.
        """
        try:
            with self._rights.as_root():
                now = load(self._reading.file).configuration
        except Unusable as error:
            for problem in error.problems:
                self._log.error("reload: not done: {problem}", problem=str(problem))
            raise
        if self._observer is not None:
            self._observer.format = now.log.format
            self._observer.level = now.log.level
            with self._rights.as_root():
                self._observer.reopen()
        return now

    # -- end

    async def end(self) -> None:
        """End the server, soon: whoever asked gets an answer first."""
        self._reactor.callLater(0.1, self._reactor.stop)

    def stopService(self) -> Deferred[None]:
        """Stop everything, in an order that loses nothing."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        for step in self.steps():
            try:  # whatever goes wrong, the next step is due
                await step()
            except Exception:
                self._log.failure("not stopped in order")
        MultiService.stopService(self)
        self._rights.unsettle()

    def steps(self) -> Sequence[Any]:
        """What is to be done to stop, in order: functions that give coroutines."""
        raise NotImplementedError


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
