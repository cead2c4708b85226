"""Waiting for the disk as a server does, with the kernel's queue on a machine of ours.

In this file:
    MachineQueue    ``app.syncing.Queue``: fsync by io_submit(2), on a ``Machine``
    waited          do a call that is cut into steps, waiting so
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from maildrop.app.syncing import DiskWaits, Done
from maildrop.durable import Sync
from maildrop.mailbox.steps import Steps
from tests.crash.machine import Machine

T = TypeVar("T")


class MachineQueue:
    """Does each sync when it is asked for, and tells of it when asked.

    Args:
        machine: Where it is done.
    """

    fd = 0

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._done: list[Done] = []

    def submit(self, requests: Sequence[tuple[int, int, bool]]) -> int:
        for number, fd, whole in requests:
            try:
                (self._machine.fsync if whole else self._machine.fdatasync)(fd)
            except OSError as error:
                self._done.append((number, error.errno or 0))
            else:
                self._done.append((number, 0))
        return len(requests)

    def done(self) -> list[Done]:
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        self._done.clear()


class _Reactor:
    """Asked to watch a descriptor; nobody watches."""

    def addReader(self, reader: object) -> None:
        del reader

    def removeReader(self, reader: object) -> None:
        del reader


def _in_thread(job: Callable[[], T]) -> Deferred[T]:
    raise AssertionError(f"{job} is not for a thread")


def waited(steps: Steps[T], machine: Machine) -> T:
    """Do all steps; what they wait for is done by a queue."""
    waits = DiskWaits(_Reactor(), _in_thread, lambda: MachineQueue(machine))
    try:
        sync = next(steps)
        while True:
            try:
                _wait(waits, sync)
            except BaseException as error:
                sync = steps.throw(error)
            else:
                sync = next(steps)
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        waits.close()


def _wait(waits: DiskWaits, sync: Sync) -> None:
    results: list[Failure | None] = []
    waits(sync).addBoth(results.append)
    waits.doRead()
    if results[0] is not None:
        results[0].raiseException()
