"""Renaming mailboxes in mbox files: their file or directory, and their control files.

In this file:
    Renaming       renames of one account
    still_if_there keep everybody from the ledger of a mailbox

| step | a crash after it |
|---|---|
| ``maildrop.renaming`` written, synced | the old names; the next one to look goes on |
| control directory renamed | the next one goes on |
| file or directory of mailboxes renamed, all directories synced | the same |
| special uses follow | the same |
| ``maildrop.renaming`` removed, synced | done |

The file has the old name, a tab and the new name, in modified UTF-7.  Each step is done
only if it is not done yet.
"""

import contextlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from maildrop.durable import is_there, open_to_read, translated
from maildrop.errors import MailboxNameInvalid, ProtocolSyntaxError
from maildrop.imap.wire.mailbox_name import decode, encode
from maildrop.storage.index.host import Host
from maildrop.storage.index.locks import locked
from maildrop.storage.index.opening import LOG, still
from maildrop.storage.name_lists import NameList

_FILE: Final = "maildrop.renaming"
_OCTETS_MAX: Final = 1 << 16

#: Path of a mailbox, and of its control directory.
Places = tuple[str, str]


class Renaming:
    """Renames of one account.

    Args:
        control: The account's control directory.
        host: Disk, and the longest wait for the lock.
        places: Where a mailbox lies.
        special: The special uses of mailboxes.
    """

    def __init__(
        self,
        control: str,
        host: Host,
        places: Callable[[str], Places],
        special: NameList,
    ) -> None:
        self._control = control
        self._path = os.path.join(control, _FILE)
        self._host = host
        self._places = places
        self._special = special

    def _locked(self) -> AbstractContextManager[int]:
        return locked(os.path.join(self._control, "maildrop.lock"), self._host)

    def rename(self, name: str, new_name: str, check: Callable[[], None]) -> None:
        """Rename a mailbox, or a level with all below it.

        Args:
            name: Its name.
            new_name: The name it gets.
            check: Raises if that cannot be; called when nobody else renames.
        """
        disk = self._host.disk
        with self._locked():
            self._finish()
            check()
            _, target = self._places(new_name)
            with translated(f"rename {name!r}"):
                disk.remove_tree(target)
                line = encode(name) + b"\t" + encode(new_name) + b"\n"
                disk.replace_file(self._path, line)
            self._finish()

    def go_on(self) -> None:
        """Somebody may have died while renaming."""
        if is_there(self._path):
            with self._locked():
                self._finish()

    def _finish(self) -> None:
        """All steps but the first; the lock is held."""
        try:
            with translated(f"read {self._path}"):
                fd = open_to_read(self._path)
        except FileNotFoundError:
            return
        with open(fd, "rb") as file:
            old, _, new = file.read(_OCTETS_MAX).rstrip(b"\n").partition(b"\t")
        with translated(f"rename in {self._control}"):
            with contextlib.suppress(ProtocolSyntaxError, MailboxNameInvalid):
                self._carry_out(decode(old), decode(new))
            self._host.disk.unlink(self._path)
            self._host.disk.synchronize_directory(self._control)

    def _carry_out(self, name: str, new_name: str) -> None:
        disk = self._host.disk
        (old, control), (new, target) = self._places(name), self._places(new_name)
        with still_if_there(control, self._host):
            if is_there(control) and not is_there(target):
                disk.make_directories(os.path.dirname(target))
                disk.rename(control, target)
            if is_there(old) and not is_there(new):
                disk.rename(old, new)
        for path in {os.path.dirname(p) for p in (old, new, control, target)}:
            if is_there(path):
                disk.synchronize_directory(path)
        for special, use in self._special.pairs():
            if special == name or special.startswith(name + "/"):
                self._special.remove(special)
                self._special.add(new_name + special[len(name) :], use)


def still_if_there(control: str, host: Host) -> AbstractContextManager[None]:
    """Keep everybody from the ledger of a mailbox, if it has one."""
    if is_there(os.path.join(control, LOG)):
        return still(control, host)
    return contextlib.nullcontext()
