"""The clock of a file system, which ticks when a test says so.

In this file:
    ticked    let it have ticked before the last change of a directory or file

Two changes in one tick of it leave one time.  How long a tick is depends on the kernel
and the file system: from nothing to ten milliseconds; so a test that wants a change to
show in the times says so.
"""

import itertools
import os
from pathlib import Path
from typing import Final

#: Each is another one, so that no time comes twice.
_MICROSECONDS: Final = itertools.count(1)


def ticked(*paths: Path | str | bytes | int, dir_fd: int | None = None) -> None:
    """Give each a modification time that it did not have before.

    Args:
        paths: Names, or descriptors.
        dir_fd: The directory that names are relative to.
    """
    for path in paths:
        facts = os.stat(path, dir_fd=dir_fd)
        later = facts.st_mtime_ns + next(_MICROSECONDS) * 1000
        os.utime(path, ns=(facts.st_atime_ns, later), dir_fd=dir_fd)
