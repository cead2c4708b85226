"""The walk over all users that removes what is old, while the server serves.

In this file:
    Housekeeper    walks, now and then, without hurry
    rules          what a configuration wants to have removed

Every process of the server has one; the file ``housekeeping`` in the state directory is
locked by the one that walks, and its modification time is the beginning of the last
walk that came to its end.

It runs in one thread of its own, which rests most of the time (``housekeeping.pace``),
and works as another program would: with stores of its own, beside the sessions.
"""

import contextlib
import fcntl
import functools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from maildrop.app.schema import Configuration
from maildrop.app.threads import Pool
from maildrop.auth.users import Users
from maildrop.durable import Disk
from maildrop.errors import MaildropError
from maildrop.mailbox.account import Account
from maildrop.mailbox.housekeeping import Done, Expiry, Rules, keep_house
from maildrop.mailbox.interfaces import Store
from maildrop.mailbox.keeping import Keeping

#: Seconds after the start before the first look whether a walk is due.
FIRST: Final = 60.0
#: Seconds between two such looks.
LOOK: Final = 600.0
#: Seconds of rest at a time, at most.
_REST_MAX: Final = 10.0


class _EndedError(Exception):
    """The server stops."""


def rules(configuration: Configuration) -> Rules:
    """What a configuration wants to have removed."""
    mail = configuration.mail
    return Rules(
        Keeping(mail.keep_expunged, mail.keep_expunged_octets),
        tuple(Expiry(each.mailbox, each.after) for each in configuration.expire),
    )


class Housekeeper:
    """Walks over all users.

    Args:
        configuration: What is to be done, and how often.
        users: All of them.
        has_mail: Whether there is anything of an account.
        open_store: Opens its store.
        owner: The rights with which its files are touched.
        reactor: Time.
        pool: The thread that walks.
        disk: Opens the file that is locked.
    """

    _log = Logger()

    def __init__(
        self,
        configuration: Configuration,
        users: Users,
        has_mail: Callable[[Account], bool],
        open_store: Callable[[Account], Store],
        owner: Callable[[Account], AbstractContextManager[object]],
        reactor: Any,  # noqa: ANN401
        pool: Pool,
        disk: Disk,
    ) -> None:
        self._rules = rules(configuration)
        self._every = configuration.housekeeping.every
        self._share = configuration.housekeeping.pace / 100
        self._file = os.path.join(configuration.state, "housekeeping")
        self._users = users
        self._has_mail = has_mail
        self._open_store = open_store
        self._owner = owner
        self._reactor = reactor
        self._disk = disk
        self._pool = pool
        self._ended = threading.Event()
        self._resumed = 0.0

    def start(self) -> None:
        """Walk from time to time."""
        if self._every:
            self._pool.start()
            self._reactor.callLater(FIRST, self._look)

    def stop(self) -> None:
        """Walk no more; waits for the piece of work under way."""
        self._ended.set()
        if self._every:
            self._pool.stop()

    def _look(self) -> None:
        if not self._ended.is_set():
            work = Deferred.fromCoroutine(self._walk_if_due())
            work.addErrback(lambda why: self._log.failure("housekeeping", failure=why))
            work.addCallback(lambda _: self._reactor.callLater(LOOK, self._look))

    async def _walk_if_due(self) -> None:
        with self._turn() as fd:
            if fd is None:
                return
            began = self._reactor.seconds()
            if began - os.fstat(fd).st_mtime < self._every and os.fstat(fd).st_size:
                return
            if await self._walk():
                self._disk.truncate(fd, 0)
                self._disk.write(fd, b"walked\n")
                self._disk.set_times(fd, began)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[int | None]:
        """The file, locked; None while another process walks."""
        fd = self._disk.append_to(self._file)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            yield None
            return
        try:
            yield fd
        finally:
            os.close(fd)

    async def _walk(self) -> bool:
        """Look after every user; whether it came to its end."""
        total = Done()
        for name in list(self._users.names()):
            user = self._users.lookup(name)
            if user is None:
                continue
            account = user.account
            try:
                done = await self._pool(functools.partial(self._look_after, account))
            except _EndedError:
                return False
            except MaildropError as error:
                done = Done(failed=[str(error)])
            self._tell(name, done)
            total.expired += done.expired
            total.freed += done.freed
            total.tidied += done.tidied
        self._log.info(
            "housekeeping: {expired} expired, {freed} no longer kept "
            "({octets} octets), {tidied} leftovers",
            expired=total.expired,
            freed=total.freed.messages,
            octets=total.freed.octets,
            tidied=total.tidied,
        )
        return True

    def _tell(self, name: str, done: Done) -> None:
        for failed in done.failed:
            self._log.warn("housekeeping: {user}: {failed}", user=name, failed=failed)

    def _look_after(self, account: Account) -> Done:
        """Look after one user, on our thread."""
        self._resumed = time.monotonic()
        with self._owner(account):
            if account.location.startswith("memory:") or not self._has_mail(account):
                return Done()
            store = self._open_store(account)
            try:
                return keep_house(store, self._rules, time.time(), self._rest)
            finally:
                store.close()

    def _rest(self) -> None:
        """Rest for as long as keeps us to our share."""
        took = time.monotonic() - self._resumed
        rest = min(took / self._share - took, _REST_MAX)
        if self._ended.wait(rest):
            raise _EndedError
        self._resumed = time.monotonic()
