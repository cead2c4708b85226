"""Mail of local programs on its way from the drop directory into the queue.

In this file:
    Dropbox         takes it over as long as the server runs
    open_dropbox    makes it, as the configuration says

Only the process that tries the queue has one.  It must have started before anything of
the queue is tried (``queue.adopting`` says why).
"""

import os
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from maildrop.app.schema import Configuration
from maildrop.decisions.recorder import Recorder
from maildrop.delivery.dropped import Submitter
from maildrop.durable import Disk
from maildrop.errors import MaildropError
from maildrop.mailbox.gate import InThread, Watcher
from maildrop.queue.adopting import Adopter, Limits
from maildrop.queue.entry import Waiting
from maildrop.queue.spool import Spool

#: Seconds until what could not be taken over is tried again.
_FAILED: Final = 60.0


class Dropbox:
    """Takes over what lies in the drop directory, at once.

    Args:
        adopter: Does it.
        in_thread: Where the disk is touched, with the server's rights.
        watcher: Tells when something comes.
        added: Told of the id of each entry.
        clock: Time.
        recorder: Is told of each message.
    """

    _log = Logger()

    def __init__(
        self,
        adopter: Adopter,
        in_thread: InThread,
        watcher: Watcher,
        added: Callable[[str], None],
        clock: IReactorTime,
        recorder: Recorder | None = None,
    ) -> None:
        self._clock = clock
        self._recorder = recorder or Recorder()
        self._adopter = adopter
        self._in_thread = in_thread
        self._watcher = watcher
        self._added = added
        self._end_watch: Callable[[], None] | None = None
        self._working: Deferred[None] | None = None
        self._later: IDelayedCall | None = None
        self._again = False
        self._stopped = False

    async def start(self) -> None:
        """Take over what is there; from now on, what comes."""
        try:
            await self._in_thread(self._adopter.prepare)
        except (MaildropError, OSError) as error:
            self._log.error(
                "programs of this host cannot send mail: {error}", error=str(error)
            )
            return
        await self._take_all()
        self._end_watch = self._watcher.watch([self._adopter.drop], self._came)
        self._came()  # between the look and the watch something may have come

    def stop(self) -> Deferred[None]:
        """Take no more; fires when what is at work has ended."""
        self._stopped = True
        if self._end_watch is not None:
            self._end_watch()
            self._end_watch = None
        if self._later is not None:
            self._later.cancel()
            self._later = None
        over: Deferred[None] = Deferred()
        if self._working is None:
            over.callback(None)
        else:
            self._working.addBoth(lambda _: over.callback(None))
        return over

    def _came(self) -> None:
        if self._working is not None or self._stopped:
            self._again = True
            return
        self._again = False
        self._working = Deferred.fromCoroutine(self._take_all())
        self._working.addErrback(self._failed)
        self._working.addCallback(self._taken)

    def _failed(self, failure: Failure) -> None:
        self._log.failure("drop: taking over failed", failure=failure)

    def _taken(self, _: None) -> None:
        self._working = None
        if self._again:
            self._came()

    async def _take_all(self) -> None:
        more = True
        while more and not self._stopped:
            try:
                adopted = await self._in_thread(self._adopter.adopt)
            except (MaildropError, OSError) as error:
                self._log.error("drop: left for now: {error}", error=str(error))
                self._try_later()
                return
            for entry_id, facts in adopted.facts.items():
                self._recorder.note(entry_id, "message", **facts)
            for entry_id in adopted.ids:
                self._added(entry_id)
            more = adopted.more

    def _try_later(self) -> None:
        """What could not be taken is tried again; nobody tells that there is room."""
        if self._later is None and not self._stopped:
            self._later = self._clock.callLater(_FAILED, self._try_again)

    def _try_again(self) -> None:
        self._later = None
        self._came()


def open_dropbox(
    configuration: Configuration,
    spool: Spool,
    is_local: Callable[[str], bool],
    place: Callable[[str], Waiting],
    added: Callable[[str], None],
    in_thread: InThread,
    watcher: Watcher,
    reactor: Any,  # noqa: ANN401
    recorder: Recorder | None = None,
) -> Dropbox:
    """What takes over mail of local programs.

    Args:
        configuration: Says where and how much.
        spool: The queue.
        is_local: Whether a domain is ours.
        place: Makes an address a recipient that waits in the queue.
        added: Told of the id of each entry.
        in_thread: Where the disk is touched.
        watcher: Tells when something comes.
        reactor: Time.
        recorder: Is told of each message.
    """
    submitter = Submitter(
        configuration.hostname,
        configuration.mail.domains[0],
        is_local,
        place,
        reactor.seconds,
        trusted=configuration.sendmail.trusted,
        separators=configuration.mail.separator,
    )
    adopter = Adopter(
        os.path.join(configuration.state, "queue"),
        spool,
        submitter,
        Disk(),
        reactor.seconds,
        Limits(message=configuration.limits.message),
    )
    return Dropbox(adopter, in_thread, watcher, added, reactor, recorder)
