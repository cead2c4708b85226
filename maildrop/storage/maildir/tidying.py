r"""Cleaning tmp/ of a Maildir.

In this file:
    tidy    remove what was left there long ago

A program that dies while it writes a message leaves a file in tmp/, which nobody looks
at again.  Everybody who reads a Maildir may remove what is older than 36 hours.

How old a file is, its status change time says.  The two other times are no good: a
message on its way in gets its INTERNALDATE as modification time, perhaps years ago.

A file in tmp/ may also be a message whose record is in the log already (``delivery``):
of such the mailbox is looked through first, which moves it to its place.
"""

import os
from collections.abc import Callable, Iterator
from typing import Final

from maildrop.durable import translated
from maildrop.storage.index.host import Host
from maildrop.storage.maildir.mailbox import MaildirMailbox

#: Seconds after which a file in tmp/ is nobody's.
OLD: Final = 36 * 3600.0


def tidy(open_mailbox: Callable[[], MaildirMailbox], path: str, host: Host) -> int:
    """Remove what was left in tmp/ long ago.

    Args:
        open_mailbox: Opens the mailbox, if anything is there.
        path: Its Maildir.
        host: Disk, time.

    Returns:
        How many files were removed.
    """
    before = host.clock() - OLD
    if not any(_old(path, before)):
        return 0
    mailbox = open_mailbox()
    removed = 0
    try:
        mailbox.look()
        with mailbox.changing():
            for name in list(_old(path, before)):
                with translated(f"clean {mailbox.folder.tmp}"):
                    host.disk.unlink(name, dir_fd=mailbox.folder.tmp_fd)
                removed += 1
    finally:
        mailbox.close()
    return removed


def _old(path: str, before: float) -> Iterator[str]:
    """The names of files in tmp/ that did not change since a moment."""
    tmp = "/".join((path, "tmp"))
    try:
        with translated(f"list {tmp}"), os.scandir(tmp) as listed:
            entries = list(listed)
    except FileNotFoundError:
        return
    for entry in entries:
        try:
            found = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        if found.st_ctime < before and not entry.is_dir(follow_symlinks=False):
            yield entry.name
