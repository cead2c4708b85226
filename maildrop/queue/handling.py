"""What an administrator does to entries of the queue.

In this file:
    hold, release    an entry is not tried; it is again
    delete           it is gone, and nobody is told
    give_back        it goes back to its sender, now
    Gone, Busy       why not

Each takes the entry as who tries it does, so that neither disturbs the other, and what
was done is on disk when it returns.  A server that runs hears of it by itself.
"""

from collections.abc import Callable

from maildrop.errors import PermanentError, TemporaryError
from maildrop.queue.entry import Damaged, FromLater, Kind, Result, Status
from maildrop.queue.spool import Spool, Taken


class Gone(PermanentError):
    """There is no such entry, or it cannot be understood."""


class Busy(TemporaryError):
    """It is being tried just now."""


GIVEN_BACK = Status("5.0.0", "given back by the administrator")


def hold(spool: Spool, entry_id: str) -> None:
    """Try it no more, until it is released.

    Raises:
        Gone, Busy: As they say.
    """
    _change(spool, entry_id, lambda taken: taken.note(held=True))


def release(spool: Spool, entry_id: str, now: float) -> None:
    """Try it again, now.

    Raises:
        Gone, Busy: As they say.
    """
    _change(spool, entry_id, lambda taken: taken.note(held=False, next_try=now))


def delete(spool: Spool, entry_id: str) -> None:
    """Remove it; nobody is told.

    Raises:
        Gone, Busy: As they say.
    """
    _change(spool, entry_id, lambda taken: taken.remove())


def give_back(spool: Spool, entry_id: str, now: float) -> None:
    """Give it up for all recipients that wait: the sender gets a report.

    Raises:
        Gone, Busy: As they say.
    """

    def fail(taken: Taken) -> None:
        results = [
            Result(each.number, Kind.FAILED, GIVEN_BACK)
            for each in taken.entry.waiting()
        ]
        taken.note(results=results, held=False, next_try=now)

    _change(spool, entry_id, fail)


def _change(spool: Spool, entry_id: str, job: Callable[[Taken], None]) -> None:
    try:
        taken = spool.take(entry_id)
    except Damaged as error:
        raise Gone(f"{entry_id}: {error}; it was put aside, into corrupt") from error
    except FromLater as error:
        raise Gone(f"{entry_id}: {error}") from error
    if taken is None:
        if spool.look(entry_id) is not None:
            raise Busy(f"{entry_id} is being tried just now; ask again in a moment")
        raise Gone(f"{entry_id} is not in the queue")
    try:
        job(taken)
    finally:
        taken.let_go()
