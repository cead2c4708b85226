"""One at a time: calls on one mailbox, whichever thread they run on.

In this file:
    Gate        lets one call through at a time
    InThread    "run this in a thread"
    Share       a part of the threads
    Waiting     "wait for this"
    Watcher     "call me when one of these paths changes"
"""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred

from maildrop.durable import Sync
from maildrop.mailbox.steps import Steps

T = TypeVar("T")


class InThread(Protocol):
    """Runs a job in a thread of a pool, or at once in a test."""

    def __call__(self, job: Callable[[], T]) -> Deferred[T]:
        """Start ``job``; the Deferred fires on the reactor thread."""


class Share:
    """A part of the threads: whoever has it leaves others for others.

    A job may wait for a lock, or for a slow disk, as long as its user likes.

    Args:
        in_thread: All of them.
        jobs: Jobs at work at a time; the others wait, first come first served.
    """

    __slots__ = ("_free", "_in_thread", "_waiting")

    def __init__(self, in_thread: InThread, jobs: int) -> None:
        self._in_thread = in_thread
        self._free = jobs
        self._waiting: deque[Deferred[None]] = deque()

    def __call__(self, job: Callable[[], T]) -> Deferred[T]:
        """See ``InThread``."""
        if self._free:
            return self._start(job)
        turn: Deferred[None] = Deferred()
        self._waiting.append(turn)
        return turn.addCallback(lambda _: self._start(job))

    def _start(self, job: Callable[[], T]) -> Deferred[T]:
        self._free -= 1
        try:
            started = self._in_thread(job)
        except BaseException:  # run at once and failed, or not taken at all
            self._ended(None)
            raise
        return started.addBoth(self._ended)

    def _ended(self, result: T) -> T:
        self._free += 1
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.called:
                turn.callback(None)
                break
        return result


class Waiting(Protocol):
    """Waits for the disk, in a thread or otherwise."""

    def __call__(self, sync: Sync) -> Deferred[None]:
        """Begin; the Deferred fires on the reactor thread."""


class Watcher(Protocol):
    """Tells when files change; inotify, or a poll."""

    def watch(
        self, paths: Sequence[str], changed: Callable[[], None]
    ) -> Callable[[], None]:
        """Call ``changed`` on the reactor thread soon after any path changes.

        Returns:
            A function that ends the watch.
        """


class Gate:
    """Lets one call through at a time, first come first served.

    Args:
        in_thread: Where slow calls run.
        owner: Gives the context in which each call runs: the rights of the account.
        waiting: Where calls wait that are cut; None for ``in_thread``.
    """

    __slots__ = (
        "_busy",
        "_in_thread",
        "_letting_in",
        "_owner",
        "_turns",
        "_wait",
        "_waiting",
    )

    def __init__(
        self,
        in_thread: InThread,
        owner: Callable[[], AbstractContextManager[object]],
        waiting: Waiting | None = None,
    ) -> None:
        self._in_thread = in_thread
        self._waiting = waiting
        self._wait = waiting or in_thread
        self._owner = owner
        self._busy = False
        self._letting_in = False
        self._turns: deque[Deferred[None]] = deque()

    def another(self) -> "Gate":
        """A gate for other calls, with the same threads and rights."""
        return Gate(self._in_thread, self._owner, self._waiting)

    async def enter(self, *, threaded: bool = False) -> None:
        """Wait for a turn and take the gate; ``leave`` must follow.

        Args:
            threaded: A thread is going to change things.  Whoever let us in is still
                running, and may read what it left until it next awaits: so not before.
        """
        if not self._busy:
            self._busy = True
            return
        turn: Deferred[None] = Deferred()
        self._turns.append(turn)
        await turn  # the gate is handed over busy
        if threaded:
            try:
                await self._in_thread(_nothing)
            except BaseException:
                self.leave()
                raise

    def leave(self) -> None:
        """Let the next one in."""
        self._busy = False
        if self._letting_in:
            return  # whoever let us in goes on: many that wait are no recursion
        self._letting_in = True
        while self._turns and not self._busy:
            turn = self._turns.popleft()
            if not turn.called:
                self._busy = True
                turn.callback(None)
        self._letting_in = False

    @property
    def free(self) -> bool:
        """Whether a call would start at once."""
        return not self._busy

    async def run(self, job: Callable[[], T], *, inline: bool = False) -> T:
        """Run ``job`` alone.

        Args:
            job: The call.
            inline: It is cheap enough for the reactor thread.
        """
        await self.enter(threaded=not inline)
        try:
            if inline:
                with self._owner():
                    return job()
            return await self._in_thread(lambda: self.as_owner(job))
        finally:
            self.leave()

    async def walk(self, steps: Steps[T]) -> T:
        """Do the steps of a call here, and its waits in threads.

        The gate is entered already, or the call needs none.
        """
        try:
            with self._owner():
                wait = next(steps)
            while True:
                try:
                    await self._wait(wait)
                except BaseException as error:
                    with self._owner():
                        wait = steps.throw(error)
                else:
                    with self._owner():
                        wait = next(steps)
        except StopIteration as done:
            result: T = done.value
            return result

    async def apart(self, job: Callable[[], T]) -> T:
        """Run ``job`` in a thread after all; the gate was entered as for here."""
        await self._in_thread(_nothing)
        return await self.beside(job)

    async def beside(self, job: Callable[[], T]) -> T:
        """Run ``job`` in a thread without the gate: it must not touch shared state."""
        return await self._in_thread(lambda: self.as_owner(job))

    def as_owner(self, job: Callable[[], T]) -> T:
        """Run ``job`` at once, gate or not: it only looks, and is cheap."""
        with self._owner():
            return job()


def _nothing() -> None:
    """A job that is done when everything that runs on the reactor thread now is."""
