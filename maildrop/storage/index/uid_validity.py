"""UIDVALIDITY: seconds since 1970, and never one that was given before.

The last number given to any mailbox of an account is kept in a small file, so that a
mailbox deleted and made again in the same second, or with the clock set back, gets
another one (RFC 3501 section 2.3.1.1: "should be ... greater").

File: decimal digits and a newline.  States of a change: lock held -> temporary written
and synced -> renamed.  A crash before the rename leaves a number that nobody was told.
"""

import os
from typing import Final

from maildrop.durable import open_to_read, translated
from maildrop.storage.index.host import Host
from maildrop.storage.index.locks import locked

#: Largest UIDVALIDITY and UID: RFC 3501 section 9, ``nz-number``.
NUMBER_MAX: Final = 0xFFFFFFFF


def next_uid_validity(path: str, host: Host, above: int = 0) -> int:
    """A UIDVALIDITY that no mailbox of the account has had.

    Args:
        path: The file that keeps the last one; a lock file stands beside it.
        host: Disk and clock.
        above: It has to be larger than this.
    """
    with locked(f"{path}.lock", host):
        value = max(int(host.clock()), _last(path) + 1, above + 1)
        value = min(max(value, 1), NUMBER_MAX)
        with translated(f"write {path}"):
            host.disk.replace_file(path, b"%d\n" % value)
    return value


def _last(path: str) -> int:
    try:
        with translated(f"read {path}"):
            fd = open_to_read(path)
    except FileNotFoundError:
        return 0
    try:
        digits = os.read(fd, 16).strip()
    finally:
        os.close(fd)
    return min(int(digits), NUMBER_MAX - 1) if digits.isdigit() else 0
