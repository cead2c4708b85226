"""How far a command is, on a terminal.

In this file:
    counting    a bar that is told name, done and all
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

#: Told of the thing at hand, how much of it is done, and of how much (0: unknown).
Counted = Callable[[str, int, int], None]


@contextmanager
def counting() -> Iterator[Counted]:
    """A bar on standard error, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _name, _done, _all: None
        return
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("")

        def show(name: str, done: int, of: int) -> None:
            text = name if name.isprintable() else ascii(name)[1:-1]
            bar.update(task, description=text, completed=done, total=of or None)

        yield show
