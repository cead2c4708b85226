"""A worker process: started by the parent, its channel at both ends.

In this file:
    launcher       makes the ``Launch`` of ``net.workers`` out of a command line
    listening_fds  in the worker: the sockets it was given, by name
    answer_parent  in the worker: let a protocol answer the parent

The channel is a socket pair, descriptor 3 in the worker.  It carries one JSON object a
line: first the worker's greeting, which says that it serves, then for each request of
the parent a response, in order.  When the parent dies the worker sees its end.

Environment: ``MAILDROP_SOCKETS`` holds the listening descriptors as a JSON object.

Limits: ``LONGEST_LINE`` octets a response, ``ANSWER`` seconds for it.
"""

import json
import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IProcessTransport, IProtocol
from twisted.internet.protocol import ProcessProtocol, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from maildrop.net.listeners import Bound
from maildrop.net.transport import Transport
from maildrop.net.workers import Launch, Process, WorkerFailed

CHANNEL: Final = 3  # descriptor in the worker
FIRST_SOCKET: Final = 4
SOCKETS: Final = "MAILDROP_SOCKETS"
LONGEST_LINE: Final = 1 << 24  # octets
ANSWER: Final = 10.0  # seconds


class _Ends:
    """The port of channels: they belong to none."""

    handshake = 0.0

    def ended(self, transport: Transport) -> None:
        """Nothing counts them."""


class Channel(Protocol):
    """The parent's end.

    Args:
        clock: Time.
        up: Called at the worker's greeting.
    """

    transport: Transport

    def __init__(self, clock: Any, up: Callable[[], None]) -> None:  # noqa: ANN401
        self._clock = clock
        self._up: Callable[[], None] | None = up
        self._octets = bytearray()
        self._asked: deque[Deferred[dict[str, object]]] = deque()
        self._lost = False

    def ask(self, request: Mapping[str, object]) -> Deferred[dict[str, object]]:
        """Send a request; fails with ``WorkerFailed``."""
        if self._lost:
            return fail(WorkerFailed("worker is gone"))
        asked: Deferred[dict[str, object]] = Deferred()
        asked.addTimeout(ANSWER, self._clock, onTimeoutCancel=_no_answer)
        self._asked.append(asked)
        self.transport.write(json.dumps(request).encode() + b"\n")
        return asked

    def dataReceived(self, data: bytes) -> None:
        """Octets of responses came."""
        self._octets += data
        if len(self._octets) > LONGEST_LINE:
            self.transport.abortConnection()
            return
        if b"\n" not in data:
            return
        *lines, rest = bytes(self._octets).split(b"\n")
        self._octets = bytearray(rest)
        for line in lines:
            self._line(line)

    def _line(self, line: bytes) -> None:
        if self._up is not None:
            up, self._up = self._up, None
            up()
            return
        asked = self._asked.popleft() if self._asked else None
        if asked is None or asked.called:
            return  # it came too late
        try:
            asked.callback(json.loads(line))
        except ValueError:
            asked.errback(WorkerFailed("worker sent no JSON"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The worker is gone, or closed it."""
        self._lost = True
        while self._asked:
            asked = self._asked.popleft()
            if not asked.called:
                asked.errback(WorkerFailed("worker is gone"))


def _no_answer(_result: object, seconds: float) -> Failure:
    return Failure(WorkerFailed(f"worker did not answer within {seconds:g} s"))


class Spawned(ProcessProtocol):
    """A process and its channel.

    Args:
        channel: To it.
        ended: Called with the reason when it is gone.
    """

    _log = Logger()
    transport: IProcessTransport | None = None

    def __init__(self, channel: Channel, ended: Callable[[str], None]) -> None:
        self._channel = channel
        self._ended = ended

    @property
    def pid(self) -> int:
        """Its number, 0 when it is gone."""
        return (self.transport.pid or 0) if self.transport is not None else 0

    def ask(self, request: Mapping[str, object]) -> Deferred[dict[str, object]]:
        """Ask it; fails with ``WorkerFailed``."""
        return self._channel.ask(request)

    def terminate(self) -> None:
        """SIGTERM."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self.transport is None:
            return
        try:
            self.transport.signalProcess(number.name.removeprefix("SIG"))
        except ProcessExitedAlready:
            self._log.debug("worker had ended already")

    def processEnded(self, reason: Failure) -> None:
        """It is gone."""
        value = reason.value
        number = getattr(value, "signal", None)
        status = getattr(value, "exitCode", None)
        how = f"killed by signal {number}" if number else f"ended with status {status}"
        self._channel.transport.loseConnection()
        self._ended(how)


def launcher(
    reactor: Any,  # noqa: ANN401 (IReactorProcess, IReactorTime and IReactorFDSet)
    command: Sequence[str],
    bound: Sequence[Bound],
    environment: Mapping[str, str],
) -> Launch:
    """Make what starts workers.

    Args:
        reactor: Where they are watched.
        command: Program and arguments, the program with its path.
        bound: What they listen on; the sockets stay open in this process.
        environment: Of the workers.
    """
    sockets = [one.socket for one in bound]
    given = {one.listener.name: FIRST_SOCKET + at for at, one in enumerate(bound)}
    environment = {**environment, SOCKETS: json.dumps(given)}

    def launch(up: Callable[[], None], ended: Callable[[str], None]) -> Process:
        ours, theirs = socket.socketpair()
        channel = Channel(reactor, up)
        descriptors: dict[int, int | str] = {0: 0, 1: 1, 2: 2, CHANNEL: theirs.fileno()}
        for at, listening in enumerate(sockets):
            descriptors[FIRST_SOCKET + at] = listening.fileno()
        process = Spawned(channel, ended)
        try:
            Transport(ours, "", _Ends(), reactor).begin(channel)
            reactor.spawnProcess(
                process, command[0], list(command), environment, childFDs=descriptors
            )
        finally:
            theirs.close()
        return process

    return launch


def listening_fds(environment: MutableMapping[str, str]) -> dict[str, int]:
    """The sockets that the parent gave to this process, by name; asked once.

    Args:
        environment: The variable is removed from it, for the sake of own children.
    """
    given = json.loads(environment.pop(SOCKETS, "{}"))
    for fd in [*given.values(), CHANNEL]:
        os.set_inheritable(fd, False)
    return {str(name): int(fd) for name, fd in given.items()}


def answer_parent(reactor: Any, protocol: IProtocol) -> None:  # noqa: ANN401
    """Let ``protocol`` answer the parent; its greeting says that this worker serves.

    It loses its connection when the parent dies.
    """
    Transport(socket.socket(fileno=CHANNEL), "", _Ends(), reactor).begin(protocol)
