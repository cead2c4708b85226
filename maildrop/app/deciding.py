"""Decisions as the configuration wants them kept.

In this file:
    Deciding      the diary of a process of the server
    noting        a recorder for a command, whose notes are written at its end
    directory     where the journal is

Every process of the server writes to the same journal, and so does a command that may;
one that may not (a user's own ``maildrop deliver``) keeps nothing.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from maildrop.app.privileges import Rights
from maildrop.app.schema import Configuration
from maildrop.app.threads import Pool
from maildrop.decisions.journal import Bounds, Journal
from maildrop.decisions.recorder import Diary, Notebook, Recorder
from maildrop.decisions.trace import TraceIds
from maildrop.mailbox.account import Account

#: Nobody's in particular: what is touched with the server's own rights.
_OURS: Final = Account("", "", "")
#: Seconds between two looks for what is too old.
PRUNE_EVERY: Final = 3600.0


def directory(configuration: Configuration) -> str:
    """Where the journal is."""
    return os.path.join(configuration.state, "decisions")


def _bounds(configuration: Configuration) -> Bounds | None:
    """How much is kept; None for nothing."""
    decisions = configuration.decisions
    if not decisions.keep or not decisions.keep_octets:
        return None
    return Bounds(decisions.keep_octets, decisions.keep)


class Deciding:
    """The diary of a process of the server.

    Args:
        configuration: Says how much is kept.
        reactor: Time.
        ids: Makes ids.

    Attributes:
        recorder: What everybody is given who decides.
    """

    _log = Logger()

    def __init__(
        self,
        configuration: Configuration,
        reactor: Any,  # noqa: ANN401
        ids: TraceIds,
    ) -> None:
        bounds = _bounds(configuration)
        self._reactor = reactor
        self._pool = Pool(reactor, "decisions", 1)
        self._journal = Journal(directory(configuration), bounds, reactor.seconds)
        self._diary: Diary | None = None
        self._timer: IDelayedCall | None = None
        self.recorder = Recorder(ids)
        if bounds is not None:
            self._diary = Diary(ids, self._journal.write, reactor, self._pool)
            self.recorder = self._diary

    def start(self) -> None:
        """Write what is noted."""
        if self._diary is not None:
            self._pool.start()
            self._prune()

    def stop(self) -> None:
        """Write what is left."""
        if self._diary is None:
            return
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        self._pool.stop()
        try:
            self._diary.close()
        except OSError as error:
            self._log.warn(
                "the last decisions are not written: {error}", error=str(error)
            )
        self._journal.close()

    def _prune(self) -> None:
        self._timer = self._reactor.callLater(PRUNE_EVERY, self._prune)
        work: Deferred[None] = self._pool(self._journal.prune)
        work.addErrback(self._not_pruned)

    def _not_pruned(self, failure: Failure) -> None:
        self._log.failure("decisions not pruned", failure=failure)


@contextlib.contextmanager
def noting(configuration: Configuration, rights: Rights) -> Iterator[Recorder]:
    """A recorder for a command, whose notes are written at its end.

    Args:
        configuration: Says how much is kept.
        rights: The journal is written with those of the server.
    """
    ids = TraceIds(time.time, os.urandom)
    bounds = _bounds(configuration)
    if bounds is None or not os.access(configuration.state, os.W_OK):
        yield Recorder(ids)
        return
    notebook = Notebook(ids, time.time)
    try:
        yield notebook
    finally:
        if notebook.notes:
            journal = Journal(directory(configuration), bounds)
            with contextlib.suppress(OSError), rights.as_owner(_OURS):
                journal.write(notebook.notes)
            journal.close()
