"""Decisions as the configuration wants them kept.

In this file:
    Deciding      the diary of a process of the server

Every process of the server writes to the same journal; ``noting`` is what commands do.
"""

from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from maildrop.app.noting import bounds_of, directory
from maildrop.app.schema import Configuration
from maildrop.app.threads import Pool
from maildrop.decisions.journal import Journal
from maildrop.decisions.recorder import Diary, Recorder
from maildrop.decisions.trace import TraceIds

#: Seconds between two looks for what is too old.
PRUNE_EVERY: Final = 3600.0


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
        bounds = bounds_of(configuration)
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
