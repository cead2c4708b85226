"""The queue as the configuration says, in a process of the server.

In this file:
    Queueing         what takes messages into the queue, and tries them
    open_queueing    makes it
    open_arrivals    what tells it of entries that came
    open_spool       the queue on disk, for server and commands
    directory        where it is
    Lead             which one of several processes tries the queue

Every process puts messages into the queue; one tries them: the one that holds the lock
``queue/lock`` (flock(2)).  When it ends, however it ends, another one gets it.

Order of things, in that one:

    started     the lock is had; what local programs left in the drop directory is
                taken over, then the queue is read, and what is due is tried
    at work     inotify tells of entries that other processes put there or changed;
                what this one adds it tells itself, when it has let it go
    stopped     nothing more is begun; what is under way gets ``GRACE`` seconds, then
                its connections are cut and its programs killed; the lock is let go
"""

import fcntl
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

from twisted.internet.defer import Deferred, TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from maildrop.app.arrivals import Arrivals
from maildrop.app.dropbox import Dropbox, open_dropbox
from maildrop.app.privileges import Rights, make_directory
from maildrop.app.programs import Programs, open_programs
from maildrop.app.relays import Relays, open_relays
from maildrop.app.schema import Configuration
from maildrop.app.threads import Pool
from maildrop.auth.users import Users
from maildrop.decisions.recorder import Recorder
from maildrop.delivery.actions import LOCAL
from maildrop.delivery.local_relay import LocalRelay
from maildrop.delivery.outbox import SpoolOutbox
from maildrop.delivery.placing import Placing
from maildrop.delivery.reports import Reporter
from maildrop.delivery.routing import Router
from maildrop.durable import Disk
from maildrop.errors import MaildropError
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Post
from maildrop.mailbox.gate import Watcher
from maildrop.queue.runner import Limits, Runner
from maildrop.queue.schedule import Schedule
from maildrop.queue.spool import Spool
from maildrop.queue.turns import Turns, bring_forward

#: Threads that wait for the disk of the queue.
THREADS: Final = 4
#: Threads that note what attempts came to; syncs at the same time share the work.
NOTING_THREADS: Final = 4
#: Seconds between attempts to get the lock.
LEAD_EVERY: Final = 2.0
#: Seconds that attempts under way get when the server stops.
GRACE: Final = 5.0
#: Nobody in particular: files of the server's own.
_OURS: Final = Account("", "", "")


def directory(configuration: Configuration) -> str:
    """Where the queue is."""
    return os.path.join(configuration.state, "queue")


def open_spool(
    configuration: Configuration,
    rights: Rights,
    now: Callable[[], float],
    disk: Disk | None = None,
) -> Spool:
    """The queue on disk; its directories are made if they are missing.

    Args:
        configuration: Says where.
        rights: To make it with.
        now: Seconds since 1970 UTC.
        disk: The calls that change it.
    """
    scratch = os.path.join(configuration.state, "scratch")
    where = directory(configuration)
    make_directory(scratch, rights)
    make_directory(where, rights, 0o711)  # all may pass through, to the drop directory
    spool = Spool(where, disk or Disk(), now, scratch)
    with rights.as_owner(_OURS):
        spool.prepare()
    return spool


class Lead:
    """Which one of several processes tries the queue.

    Args:
        path: The lock file.
        reactor: Time.
        rights: A context in which the file is touched.
    """

    def __init__(
        self,
        path: str,
        reactor: Any,  # noqa: ANN401
        rights: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self._path = path
        self._reactor = reactor
        self._rights = rights
        self._fd = -1
        self._timer: IDelayedCall | None = None
        self.leads = False

    def start(self, won: Callable[[], None]) -> None:
        """Get the lock, now or later.

        Args:
            won: Called once, when it is had.
        """
        with self._rights():
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._try(won)

    def _try(self, won: Callable[[], None]) -> None:
        self._timer = None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._timer = self._reactor.callLater(LEAD_EVERY, self._try, won)
            return
        self.leads = True
        won()

    def stop(self) -> None:
        """Let go."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self.leads = False


@dataclass(frozen=True, slots=True)
class _Ways:
    """What carries messages out of the queue."""

    relays: Relays
    programs: Programs
    dropbox: Dropbox


class Queueing:
    """What takes messages into the queue, and tries them.

    Attributes:
        outbox: Takes them.
        placing: Says who takes them from there.
        turns: Tries what waits for domains that may ask; None where none may.
        runner: Tries them.
        leads: Whether this process does.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        lead: Lead,
        outbox: SpoolOutbox,
        placing: Placing,
        turns: Turns | None,
        runner: Runner,
        threads: Pool,
        noting: Pool,
        ways: _Ways,
        spool: Spool,
    ) -> None:
        self.outbox = outbox
        self.placing = placing
        self.runner = runner
        self.turns = turns
        self._reactor = reactor
        self._threads = threads
        self._noting = noting
        self._ways = ways
        self._lead = lead
        self._spool = spool
        self._arrivals = open_arrivals(reactor, spool, runner, self._look)
        self._watching = False

    @property
    def leads(self) -> bool:
        """Whether this process tries the queue."""
        return self._lead.leads

    def start(self) -> None:
        """Start; the process forks no more."""
        self._threads.start()
        self._noting.start()
        self._ways.programs.start()
        self._lead.start(self._begin)

    def _begin(self) -> None:
        self._arrivals.start()  # first, so that nothing comes between
        self._watching = True
        self._run(self._begin_work())

    async def _begin_work(self) -> None:
        await self._ways.dropbox.start()
        if self._lead.leads:
            await self.runner.start()

    def _look(self) -> None:
        self._run(self.runner.look())

    def _run(self, work: Any) -> None:  # noqa: ANN401
        Deferred.fromCoroutine(work).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        if failure.check(MaildropError):
            self._log.error("queue: {error}", error=str(failure.value))
        else:
            self._log.failure("queue: failed", failure=failure)

    async def flush(self, ids: Sequence[str]) -> int:
        """Try entries now, whatever their time, if this process tries the queue.

        Args:
            ids: Which; empty for all that are not held.

        Returns:
            How many are due.
        """
        if not self._lead.leads:
            return 0
        spool, now = self._spool, self._reactor.seconds()
        found: list[str] = await self._threads(
            lambda: bring_forward(spool, lambda _: True, now, ids)
        )
        for entry_id in found:
            self.runner.added(entry_id)
        return len(found)

    def counts(self) -> dict[str, int]:
        """For ``maildrop status``: entries that wait, and those at work."""
        known, working = self.runner.counts
        return {"entries": known, "trying": working}

    # -- stop

    async def let_go(self) -> None:
        """Try nothing more; another process may lead.  Messages can still be put."""
        if self._watching:
            self._watching = False
            self._arrivals.stop()
            await self._ways.dropbox.stop()
            if not await self._idle():
                self._ways.relays.stop()
                self._ways.programs.children.stop()
                await self._idle()
        self._lead.stop()

    async def _idle(self) -> bool:
        """Wait until nothing is under way; False if that takes too long."""
        idle = self.runner.stop()
        idle.addTimeout(GRACE, self._reactor)
        try:
            await idle
        except DeferredTimeout:
            return False
        return True

    def stop(self) -> None:
        """End the threads."""
        self._ways.relays.stop()
        self._ways.programs.stop()
        self._threads.stop()
        self._noting.stop()


def open_arrivals(
    reactor: Any,  # noqa: ANN401
    spool: Spool,
    runner: Runner,
    look: Callable[[], None],
) -> Arrivals:
    """What tells a runner of the entries that come into its queue, or change there.

    Args:
        reactor: Time, and where it is read.
        spool: The queue on disk.
        runner: Is told.
        look: Has it look for all that is there.
    """

    def when_due(tell: Callable[[str, float], None]) -> Callable[[str], None]:
        def told(entry_id: str) -> None:
            at = spool.due(entry_id)
            if at is not None:
                tell(entry_id, at)

        return told

    came, found = when_due(runner.appeared), when_due(runner.found)
    return Arrivals(reactor, spool.entries, came, look, spool.placing, found)


def open_queueing(
    configuration: Configuration,
    reactor: Any,  # noqa: ANN401
    rights: Rights,
    *,
    users: Users,
    router: Router,
    post: Post,
    watcher: Watcher,
    recorder: Recorder,
    disk: Disk,
) -> Queueing:
    """The queue of a configuration.

    Args:
        configuration: Says all.
        reactor: Time and connections.
        rights: Whose files are touched how.
        users: Who has mail here.
        router: Says what addresses mean.
        post: The mail.
        watcher: Tells of changes on disk.
        recorder: Is told of decisions.
        disk: The calls that change the disk.

    Raises:
        ConfigurationError: Something that was configured cannot be used.
    """
    queue = configuration.queue
    threads = Pool(reactor, "queue", THREADS)
    noting = Pool(reactor, "noting", NOTING_THREADS)
    spool = open_spool(configuration, rights, reactor.seconds, disk)
    relays = open_relays(configuration, rights, reactor, threads)
    programs = open_programs(configuration, users, rights, reactor)
    placing = Placing(router.is_local, relays.toward)

    def account(name: str) -> Account | None:
        user = users.lookup(name)
        return None if user is None else user.account

    local = LocalRelay(
        post,
        router,
        placing,
        account,
        spool.holds,
        threads,
        defer_full=configuration.quota.full == "defer",
        recorder=recorder,
    )
    reporter = Reporter(
        configuration.hostname,
        reactor.seconds,
        placing.address,
        give_up=queue.give_up,
        whole=queue.returned,
        double=queue.double_bounces,
    )
    lead = Lead(
        os.path.join(directory(configuration), "lock"),
        reactor,
        lambda: rights.as_owner(_OURS),
    )
    runner = Runner(
        spool,
        {LOCAL: local, **relays.relays, **programs.relays},
        reporter,
        reactor,
        threads,
        Schedule(queue.retry, queue.give_up, queue.warn),
        Limits(queue.entries, queue.per_destination, queue.rest),
        recorder=recorder,
        noting=noting,
    )

    def added(entry_id: str) -> None:
        if lead.leads:  # else the one that does hears of it
            runner.added(entry_id)

    turns = None
    if configuration.relay.etrn:
        turns = Turns(spool, added, threads, reactor.seconds, configuration.relay.etrn)
    dropbox = open_dropbox(
        configuration,
        spool,
        router.is_local,
        placing.address,
        added,
        threads,
        watcher,
        reactor,
        recorder,
    )
    return Queueing(
        reactor,
        lead,
        SpoolOutbox(spool, threads, added),
        placing,
        turns,
        runner,
        threads,
        noting,
        _Ways(relays, programs, dropbox),
        spool,
    )
