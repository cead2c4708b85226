"""What the parts of a Maildir mailbox know of the whole.

In this file:
    Linked    a mailbox, as those see it that add, flag, copy and move messages
"""

import abc
from collections.abc import Sequence
from contextlib import AbstractContextManager

from maildrop.durable import Sync
from maildrop.storage.index.allowance import Allowance
from maildrop.storage.index.batch import Batch
from maildrop.storage.index.fragments import Fragments
from maildrop.storage.index.host import Host
from maildrop.storage.index.keyed import Keyed
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.table import IndexTable
from maildrop.storage.maildir.folder import Folder
from maildrop.storage.maildir.names import IN_NEW


class Linked(Keyed):
    """One Maildir, open.

    Attributes:
        path: Where it is.
        host: Disk, clocks.
        folder: Its directories.
        ledger: Its ledger.
        pieces: Pieces of its messages.
        allowance: How much the account may still take.
    """

    path: str
    host: Host
    folder: Folder
    ledger: Ledger
    pieces: Fragments
    allowance: Allowance

    @property
    def numbers(self) -> Ledger:
        """See ``Numbered``."""
        return self.ledger

    def make_sure(self) -> None:
        """See ``Keyed``: what the log says may still be in tmp/."""
        self.look()
        fds = (self.folder.fd_of(0), self.folder.fd_of(IN_NEW))
        Sync(self.host.disk, f"sync {self.path}", (self.ledger.written,), fds)()

    @property
    @abc.abstractmethod
    def table(self) -> IndexTable:
        """The columns."""

    @abc.abstractmethod
    def changing(self) -> AbstractContextManager[None]:
        """Change the directories: with the ledger locked, and noted afterwards."""

    @abc.abstractmethod
    def note_source(self, batch: Batch) -> None:
        """The directories are as we leave them now: no scan is needed for that."""

    @abc.abstractmethod
    def left_alone(self) -> None:
        """The directories were not changed after all: there is nothing to note."""

    @abc.abstractmethod
    def look(self) -> None:
        """Look at the directories, whatever their times say."""

    @abc.abstractmethod
    def path_of(self, row: int) -> bytes:
        """Where the file of a row should be."""

    @abc.abstractmethod
    def forget(self, uids: Sequence[int], by: object | None) -> None:
        """Messages have lost their files to us: they are no more."""
