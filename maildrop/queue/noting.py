"""What attempts came to is written down: soon, and for as long as it takes.

In this file:
    Noting    writes it down

Until that is on disk, a crash repeats what was done: a host gets again what it took.
So it is done in threads that nothing else has: it never waits behind what can wait.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from maildrop.errors import MaildropError
from maildrop.queue.entry import Result, Waiting
from maildrop.queue.spool import Taken

#: Seconds until what cannot be noted is noted.
_FAILED: Final = 60.0


class Noting:
    """Writes down what attempts came to.

    Args:
        clock: Time.
        in_thread: Runs it.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        in_thread: Callable[[Callable[[], Any]], Awaitable[Any]],
    ) -> None:
        self._clock = clock
        self._in_thread = in_thread
        self._pauses: dict[Deferred[None], IDelayedCall] = {}
        self._stopped = False

    def stop(self) -> None:
        """Nothing more is to be begun: what cannot be noted is given up."""
        self._stopped = True
        pauses, self._pauses = self._pauses, {}
        for pause, timer in pauses.items():
            timer.cancel()
            pause.callback(None)

    async def note(
        self, taken: Taken, results: Sequence[Result], more: Sequence[Waiting]
    ) -> None:
        """Note what they came to; while that cannot be, the entry is not let go.

        Who got the message would get it again, with every attempt, on a full disk.

        Raises:
            MaildropError: It could not be noted before all was stopped.
        """
        while True:
            try:
                await self._in_thread(lambda: taken.note(results=results, more=more))
            except MaildropError as error:
                if self._stopped:
                    raise
                self._log.error(
                    "{id}: what was done is noted later: {error}",
                    id=taken.entry.id,
                    error=str(error),
                )
                await self._pause()
            else:
                return

    def _pause(self) -> Deferred[None]:
        """Fires after a while, and when nothing more is to be begun."""
        pause: Deferred[None] = Deferred()

        def over() -> None:
            del self._pauses[pause]
            pause.callback(None)

        self._pauses[pause] = self._clock.callLater(_FAILED, over)
        return pause
