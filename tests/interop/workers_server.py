"""A parent and its workers for ``test_workers.py``: the talker, served by several.

Arguments: ``parent`` or ``worker``, then a directory for the control socket.  The
parent prints its port once the workers serve.
"""

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.internet.protocol import Factory

from maildrop.control.commands import Control, Process
from maildrop.control.server import ControlConnection, memory
from maildrop.metrics import Counters
from maildrop.net.connection import Limits
from maildrop.net.listeners import Listener, bind_all, inherit_all, open_all
from maildrop.net.sessions import Session, Sessions
from maildrop.net.worker_process import answer_parent, launcher, listening_fds
from maildrop.net.workers import Workers
from tests.net.talker import Talker

SERVED = Listener("talk", "tcp:0:interface=127.0.0.1")

clock: Any = reactor
sessions = Sessions()


class Served(Talker):
    """The talker with a session."""

    def connectionMade(self) -> None:
        self.session = sessions.add(Session("talk", self, clock.seconds()))
        super().connectionMade()

    def closed(self) -> None:
        sessions.remove(self.session)


class Talkers(Factory):
    """Makes them."""

    noisy = False

    def buildProtocol(self, addr: IAddress | None) -> Served:
        return Served(clock, Limits(close=2.0))


class Controls(Factory):
    """Makes connections of the control socket."""

    noisy = False

    def __init__(self, control: Control) -> None:
        self.control = control

    def buildProtocol(self, addr: IAddress | None) -> ControlConnection:
        return ControlConnection(clock, self.control)


def control(**hooks: Callable[..., Any]) -> Control:
    return Control(
        Process(
            version="1.0",
            pid=os.getpid(),
            clock=clock,
            started=clock.seconds(),
            sessions=sessions,
            counters=Counters(),
            memory=memory,
            **hooks,
        )
    )


def parent(directory: str) -> None:
    bound = bind_all([SERVED])
    workers = Workers(
        clock,
        launcher(
            reactor,
            [sys.executable, "-m", "tests.interop.workers_server", "worker", directory],
            bound,
            os.environ,
        ),
        2,
    )

    async def stop() -> None:
        await workers.stop()
        clock.callLater(0.1, clock.stop)

    async def reload() -> list[str]:
        await workers.reload()
        return []

    answers = control(workers=lambda: workers.processes, reload=reload, stop=stop)
    where = Listener("control", f"unix:{directory}/control:mode=600")
    open_all(reactor, bind_all([where]), lambda _: Controls(answers))

    async def start() -> None:
        await workers.start()
        sys.stdout.write(f"{bound[0].socket.getsockname()[1]}\n")
        sys.stdout.flush()

    clock.callWhenRunning(lambda: Deferred.fromCoroutine(start()))


def worker() -> None:
    bound = inherit_all([SERVED], listening_fds(os.environ))
    ports: list[IListeningPort] = open_all(reactor, bound, lambda _: Talkers())

    async def drain() -> None:
        for port in ports:
            port.stopListening()
        sessions.when_empty().addCallback(lambda _: clock.callLater(0.1, clock.stop))

    def orphaned() -> None:
        clock.callLater(0, end)

    limits = Limits(idle=1e9)
    connection = ControlConnection(clock, control(drain=drain), limits, over=orphaned)
    clock.callWhenRunning(lambda: answer_parent(reactor, connection))


def end() -> None:
    with contextlib.suppress(ReactorNotRunning):
        clock.stop()


if __name__ == "__main__":
    if sys.argv[1] == "parent":
        parent(sys.argv[2])
    else:
        worker()
    clock.run()
