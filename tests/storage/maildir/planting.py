"""Corruptions of a Maildir, planted one at a time.

In this file:
    Grounds      the Maildir of an account with some mail in it, and ways to damage it
    FOLDERS      corruptions of what the ledger says of files
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from maildrop.storage.findings import Code
from maildrop.storage.index.table import IndexTable
from maildrop.storage.maildir.mailbox import MaildirMailbox
from maildrop.storage.maildir.state import Known
from maildrop.storage.maildir.store import MaildirStore
from tests.storage.planting import FROM_FILES, LONG_AGO, Ground, Plant, cell, section

__all__ = ["FOLDERS", "LONG_AGO", "Grounds", "Plant"]


class Grounds(Ground):
    """An account with mail in INBOX and Work.

    Args:
        root: Where its Maildir is.
        open_store: Opens it.
    """

    def __init__(self, root: Path, open_store: Callable[[], MaildirStore]) -> None:
        self.root = self.control = root
        self._open_store = open_store
        self.fill()
        self.open_store().create("Work/2024")
        self.host = self.open().host
        self.settle()

    def open_store(self) -> MaildirStore:
        """The store, as the server opens it."""
        return self._open_store()

    def open(self, name: str = "INBOX") -> MaildirMailbox:
        """A mailbox as the server opens it."""
        return self.open_store().open(name)

    def settle(self) -> None:
        """Let the ledger agree with the directories, for a long time now.

        Only then is a difference between them damage, and no news.
        """
        then = time.time() - LONG_AGO
        for path in (self.root, self.root / ".Work"):
            for part in ("new", "cur"):
                os.utime(path / part, (then, then))
        for name in ("INBOX", "Work"):
            mailbox = self.open(name)
            mailbox.look()
            mailbox.ledger.compact()
            mailbox.close()
        assert self.agrees()

    def agrees(self) -> bool:
        """Whether the ledger of INBOX claims so, with no more look to come."""
        with self.ledger() as ledger:
            known = Known(self.host)
            known.take(ledger.table.source)
        new, cur = (self.root / "new").stat(), (self.root / "cur").stat()
        return known.settled and known.times == (new.st_mtime_ns, cur.st_mtime_ns)

    def quietly(self, change: Callable[[], object]) -> None:
        """Do something to the files behind the times of the directories."""
        parts = [self.root / "new", self.root / "cur"]
        before = [part.stat() for part in parts]
        change()
        for part, facts in zip(parts, before, strict=True):
            os.utime(part, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        assert self.agrees()

    def file(self, uid: int = 1) -> Path:
        """The file of a message of INBOX."""
        name = self.names()[uid]
        (found,) = [
            path
            for part in ("cur", "new")
            for path in (self.root / part).iterdir()
            if path.name.partition(":")[0] == name
        ]
        return found

    def names(self) -> dict[int, str]:
        """Base name of each message of INBOX."""
        with self.ledger() as ledger:
            table = ledger.table
            names = (os.fsdecode(name) for name in table.names.all())
            return dict(zip(table.uids, names, strict=True))


def _unmeasured(table: IndexTable) -> None:
    table.sizes[0] = table.cache[0] = 0


def _same_names(table: IndexTable) -> None:
    table.names.replace(4, table.names.name(3))


FOLDERS = (
    *(section(name, renumbers=False) for name in FROM_FILES),
    section("names", renumbers=False, moves=(1,)),
    Plant(
        "a size is 0 and nothing is cached",
        Code.LEDGER_SIZE_WRONG,
        lambda g: g.edit(_unmeasured),
    ),
    Plant(
        "two entries name one file",
        Code.NAME_IN_LEDGER_TWICE,
        lambda g: g.edit(_same_names),
        moves=(5,),
    ),
    Plant("flags are not the file's", Code.LEDGER_FLAGS_WRONG, cell("flags", 0, 0)),
)
