"""Threads: where slow calls run.

In this file:
    Pool    a bounded number of threads; the ``InThread`` of ``mailbox.gate``
"""

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

T = TypeVar("T")


class Pool:
    """A bounded number of threads, begun when they are needed.

    Args:
        reactor: On whose thread results arrive.
        name: What the threads are called.
        threads: How many there are at most.
    """

    def __init__(self, reactor: Any, name: str, threads: int) -> None:  # noqa: ANN401
        self._reactor = reactor
        self._pool = ThreadPool(0, threads, name)

    def __call__(self, job: Callable[[], T]) -> Deferred[T]:
        """Start ``job``; the Deferred fires on the reactor thread."""
        return deferToThreadPool(self._reactor, self._pool, job)

    def start(self) -> None:
        """Take jobs."""
        self._pool.start()

    def stop(self) -> None:
        """Take no more; waits for those at work."""
        self._pool.stop()
