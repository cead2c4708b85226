"""The id of an entry that follows from a file of the drop directory.

In this file:
    entry_id    gives it

Whoever hands a message in can tell under which id it will be in the log, and the server
finds the same one whenever it looks at the file, after a crash too.

Security: the id depends on the name of the file, its inode, its time and all it holds,
so that nobody chooses ids.
"""

import os
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from maildrop.decisions.trace import trace_id

#: Seconds from the last write of a file to its last change of name.
_HONEST: Final = 60.0


def entry_id(name: str, pieces: Iterable[bytes], status: os.stat_result) -> str:
    """The id of a file's entry: the same whenever it is looked at.

    Its time is that of the last write, unless the owner says something else than the
    kernel.

    Args:
        name: The name of the file, complete.
        pieces: All that it holds.
        status: What the kernel knows of it.
    """
    honest = 0 <= status.st_ctime - status.st_mtime < _HONEST
    mark = f"{name} {status.st_ino} {status.st_mtime_ns}".encode()
    digest = blake2b(key=blake2b(mark, digest_size=32).digest())
    for piece in pieces:
        digest.update(piece)
    return trace_id(status.st_mtime if honest else status.st_ctime, digest.digest())
