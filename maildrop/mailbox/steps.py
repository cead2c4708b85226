"""Calls of a store that are cut where they wait for the disk.

In this file:
    Steps        a call that is cut
    finished     do all of it here and now
    MustWait     what a call raises that may not wait where it runs

Adding and copying messages is little work and long waiting: the octets have to be on
disk.  A thread for all of it costs more than the work, since only one thread at a time
runs Python.  So such a call is a generator.  Between its yields it is quick; what it
yields is a ``durable.Sync``, which may be waited for on another thread, with nobody's
rights, while others have their turn.  Locks are held meanwhile: whoever began a call
must finish it, and call nothing else of its mailboxes in between.

An error of the waiting is thrown into the generator, which tidies up and raises it.
"""

from collections.abc import Callable, Generator
from typing import TypeVar

from maildrop.durable import Sync

T = TypeVar("T")
Steps = Generator[Sync, None, T]


class MustWait(Exception):
    """The call would have to wait, on a thread that may not: nothing was changed.

    It is raised by the ``sleep`` that a store is given, so only where another process
    or thread holds a lock.
    """


def finished(steps: Generator[Callable[[], object], None, T]) -> T:
    """Do all steps here and now; or answer all questions of a search."""
    try:
        wait = next(steps)
        while True:
            try:
                wait()
            except BaseException as error:
                wait = steps.throw(error)
            else:
                wait = next(steps)
    except StopIteration as done:
        result: T = done.value
        return result
