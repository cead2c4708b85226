"""Worker processes: started, watched, replaced one after the other, stopped.

In this file:
    Workers       keeps a number of workers running
    Worker        one of them, as its parent sees it
    Process       what a started process offers; ``net.worker_process`` has the real one
    Launch        starts one

States of a worker:

    starting --up--> serving --drain--> draining --+
        |               |                          +--> gone
        +---- ended ----+---- ended, stop ---------+

A worker that ends by itself is replaced: at once if it had served for ``SETTLED``
seconds, else after a delay that doubles from ``FIRST`` to ``LONGEST``.  A reload starts
a new worker, waits until it serves and lets the old one finish its sessions; both
accept from the same sockets meanwhile, so no client is turned away.  When a new worker
does not come up the old ones stay.
"""

import enum
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from maildrop.errors import TemporaryError

FIRST: Final = 0.5  # seconds before a failed worker is replaced
LONGEST: Final = 30.0
SETTLED: Final = 60.0  # seconds after which an end is no failure to start


class WorkerFailed(TemporaryError):
    """A worker did not come up, is gone, or did not answer."""


class Process(Protocol):
    """A started process."""

    @property
    def pid(self) -> int:
        """Its number, 0 when it is gone."""

    def ask(self, request: Mapping[str, object]) -> Deferred[dict[str, object]]:
        """Ask over its channel; fails with ``WorkerFailed``."""

    def terminate(self) -> None:
        """SIGTERM: end all sessions, then itself."""

    def kill(self) -> None:
        """SIGKILL."""


class Launch(Protocol):
    """Starts a process."""

    def __call__(self, up: Callable[[], None], ended: Callable[[str], None]) -> Process:
        """Start.

        Args:
            up: To be called when it serves.
            ended: To be called with the reason when it is gone; after this returned.
        """


class State(enum.Enum):
    """Of a worker; the diagram stands above."""

    STARTING = enum.auto()
    SERVING = enum.auto()
    DRAINING = enum.auto()
    STOPPING = enum.auto()
    GONE = enum.auto()


class Worker:
    """One worker, as its parent sees it.

    Attributes:
        state: Where it is in its life.
        since: When it was started.
        heir: Whether it was started by a reload, to take the place of another.
    """

    def __init__(self, since: float, *, heir: bool = False) -> None:
        self.state = State.STARTING
        self.since = since
        self.heir = heir
        self.process: Process
        self._up: list[Deferred[None]] = []
        self._gone: list[Deferred[None]] = []

    def up(self) -> None:
        """It serves."""
        if self.state is State.STARTING:
            self.state = State.SERVING
            self._fire(self._up)

    def ended(self, reason: str) -> None:
        """It is gone."""
        self.state = State.GONE
        waiting, self._up = self._up, []
        for one in waiting:
            one.errback(WorkerFailed(f"worker {reason}"))
        self._fire(self._gone)

    @staticmethod
    def _fire(waiting: list[Deferred[None]]) -> None:
        for one in waiting[:]:
            one.callback(None)
        waiting.clear()

    def when_up(self) -> Deferred[None]:
        """Fires when it serves, fails with ``WorkerFailed`` when it never will."""
        waiting: Deferred[None] = Deferred()
        if self.state is State.STARTING:
            self._up.append(waiting)
        elif self.state is State.GONE:
            waiting.errback(WorkerFailed("worker is gone"))
        else:
            waiting.callback(None)
        return waiting

    def when_gone(self) -> Deferred[None]:
        """Fires when it is gone."""
        waiting: Deferred[None] = Deferred()
        if self.state is State.GONE:
            waiting.callback(None)
        else:
            self._gone.append(waiting)
        return waiting


class Workers:
    """Keeps a number of workers running.

    Args:
        clock: Time.
        launch: Starts one.
        count: How many.
        up_within: Seconds a new worker may take until it serves, at a reload.
        stop_within: Seconds from SIGTERM to SIGKILL.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        launch: Launch,
        count: int,
        *,
        up_within: float = 60.0,
        stop_within: float = 35.0,
    ) -> None:
        self._clock = clock
        self._launch = launch
        self._count = count
        self._up_within = up_within
        self._stop_within = stop_within
        self._workers: list[Worker] = []
        self._delay = 0.0
        self._stopping = False
        self._reloading = False
        self._restarts: set[IDelayedCall] = set()

    async def start(self) -> None:
        """Start them and wait until all serve.

        Raises:
            WorkerFailed: One ended before; it will be tried again unless ``stop``.
        """
        for worker in [self._begin() for _ in range(self._count)]:
            await worker.when_up()

    @property
    def processes(self) -> list[Process]:
        """Those that can be asked, the draining ones among them."""
        able = {State.SERVING, State.DRAINING}
        return [worker.process for worker in self._workers if worker.state in able]

    async def reload(self) -> None:
        """Replace every worker by a new one, without turning a client away.

        Raises:
            WorkerFailed: A new one did not come up; the rest of the old ones stay.
        """
        if self._reloading or self._stopping:
            raise WorkerFailed("a reload is under way already")
        self._reloading = True
        try:
            for old in [w for w in self._workers if w.state is State.SERVING]:
                await self._succeed(old)
        finally:
            self._reloading = False

    async def _succeed(self, old: Worker) -> None:
        new = self._begin(heir=True)
        limit = self._clock.callLater(self._up_within, new.process.kill)
        try:
            await new.when_up()
        finally:
            if limit.active():
                limit.cancel()
        # One that ended meanwhile was replaced by itself; then the heir is too many.
        leaving = old if old.state is State.SERVING else new
        leaving.state = State.DRAINING
        try:
            await leaving.process.ask({"command": "drain"})
        except WorkerFailed:
            leaving.process.terminate()

    async def stop(self) -> None:
        """End all of them and wait until they are gone."""
        self._stopping = True
        for call in self._restarts:
            call.cancel()
        self._restarts.clear()
        limit = self._clock.callLater(self._stop_within, self._kill)
        workers = list(self._workers)
        for worker in workers:
            worker.state = State.STOPPING
            worker.process.terminate()
        for worker in workers:
            await worker.when_gone()
        if limit.active():
            limit.cancel()

    def _kill(self) -> None:
        for worker in list(self._workers):
            worker.process.kill()

    # -- lives

    def _begin(self, *, heir: bool = False) -> Worker:
        worker = Worker(self._clock.seconds(), heir=heir)
        worker.process = self._launch(worker.up, lambda why: self._ended(worker, why))
        self._workers.append(worker)
        return worker

    def _ended(self, worker: Worker, reason: str) -> None:
        before = worker.state
        self._workers.remove(worker)
        worker.ended(reason)
        if self._stopping or before in {State.DRAINING, State.STOPPING}:
            return
        lasted = self._clock.seconds() - worker.since
        self._log.error(
            "worker {reason} after {lasted} s", reason=reason, lasted=lasted
        )
        if before is State.STARTING and worker.heir:
            return  # the old one stays in its place
        if lasted >= SETTLED:
            self._delay = 0.0
        else:
            self._delay = min(LONGEST, self._delay * 2) if self._delay else FIRST
        self._restart()

    def _restart(self) -> None:
        def again() -> None:
            self._restarts.discard(call)
            self._begin()

        call = self._clock.callLater(self._delay, again)
        self._restarts.add(call)
