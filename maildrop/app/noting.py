"""Decisions of commands, kept as the configuration wants them.

In this file:
    noting       a recorder for a command, whose notes are written at its end
    directory    where the journal is
    bounds_of    how much of it is kept

A command writes to the journal of the server if it may; one that may not (a user's own
``maildrop deliver``) keeps nothing.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Final

from maildrop.app.privileges import Rights
from maildrop.app.schema import Configuration
from maildrop.decisions.journal import Bounds, Journal
from maildrop.decisions.recorder import Notebook, Recorder
from maildrop.decisions.trace import TraceIds
from maildrop.mailbox.account import Account

#: Nobody's in particular: what is touched with the server's own rights.
_OURS: Final = Account("", "", "")


def directory(configuration: Configuration) -> str:
    """Where the journal is."""
    return os.path.join(configuration.state, "decisions")


def bounds_of(configuration: Configuration) -> Bounds | None:
    """How much is kept; None for nothing."""
    decisions = configuration.decisions
    if not decisions.keep or not decisions.keep_octets:
        return None
    return Bounds(decisions.keep_octets, decisions.keep)


@contextlib.contextmanager
def noting(configuration: Configuration, rights: Rights) -> Iterator[Recorder]:
    """A recorder for a command, whose notes are written at its end.

    Args:
        configuration: Says how much is kept.
        rights: The journal is written with those of the server.
    """
    ids = TraceIds(time.time, os.urandom)
    bounds = bounds_of(configuration)
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
