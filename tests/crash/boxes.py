"""Accounts to be damaged: a Maildir or mbox with some mail, and what is found in it.

In this file:
    Box            the files of one account
    MaildirBox     in a Maildir
    MboxBox        in an mbox and a directory of mboxes
    BOXES          both, by name
    FileStore      an account, open
    message        the octets of a message that is like no other
    fill           the mail that operations begin with
"""

import abc
import dataclasses
import os
import shutil
import time
from pathlib import Path
from typing import Final

from maildrop.durable import Content, Disk
from maildrop.mailbox.flags import FLAGGED, SEEN, FlagChange, Operation
from maildrop.mailbox.interfaces import NewMessage, StoredMailbox
from maildrop.storage.index.cache import Cache
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.maildir.mailbox import MaildirMailbox
from maildrop.storage.maildir.store import MaildirStore
from maildrop.storage.mbox.locks import METHODS
from maildrop.storage.mbox.mailbox import MboxMailbox
from maildrop.storage.mbox.store import MboxStore
from maildrop.system import System

FileStore = MaildirStore | MboxStore

#: A process that is no more.
DEAD: Final = 2**22 - 1
#: When the mail that operations begin with came: long before its files are copied, as
#: with every backup; a file copied right after it was written looks like one edited.
_LONG_AGO: Final = 1_700_000_000


class Clock:
    """Seconds that pass when somebody says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        """Let time go by."""
        self.now += seconds


def message(number: int, lines: int = 6) -> bytes:
    """A message, CRLF line ends."""
    head = f"From: a{number}@example.org\r\nSubject: number {number}\r\n\r\n"
    return (head + f"this is line of message {number}\r\n" * lines).encode()


def add(
    mailbox: StoredMailbox,
    *numbers: int,
    flags: int = 0,
    keywords: tuple[str, ...] = (),
    lines: int = 6,
    date: int | None = None,
) -> list[int]:
    """Deliver messages, all or none; their UIDs."""
    new = [
        NewMessage(
            Content.of(message(n, lines)), flags=flags, keywords=keywords, date=date
        )
        for n in numbers
    ]
    staged = mailbox.stage(new)
    try:
        return list(mailbox.publish(staged, None))
    except BaseException:
        mailbox.discard(staged)
        raise


class Box(abc.ABC):
    """The files of one account.

    Args:
        root: The directory that holds all of them.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = Clock()
        self.started = 0.0

    def host(self, system: System, boot: bytes) -> Host:
        """This machine, as a store sees it."""
        return dataclasses.replace(
            Host.here(Disk(system)),
            clock=lambda: time.time() + self.clock(),
            monotonic=self.clock,
            sleep=self.clock.pass_by,
            lock_seconds=1.0,
            boot=boot * 16,
            started=self.started,
        )

    @abc.abstractmethod
    def store(self, system: System, boot: bytes = b"B") -> FileStore:
        """Open the account, as a new process does."""

    @abc.abstractmethod
    def foreign(self, number: int) -> None:
        """Another program delivers a message to INBOX."""

    @abc.abstractmethod
    def ledger(self, mailbox: StoredMailbox) -> Ledger:
        """The ledger of an open mailbox."""

    @abc.abstractmethod
    def cache(self, mailbox: StoredMailbox) -> Cache:
        """The cache of an open mailbox."""

    def bury(self) -> None:
        """The process that had it open is no more: its dotlocks name a dead one."""
        for path, _, files in os.walk(self.root):
            for name in files:
                if name.endswith(".lock") and not name.startswith("maildrop."):
                    lock = Path(path, name)
                    if lock.read_bytes().strip() == b"%d" % os.getpid():
                        lock.write_bytes(b"%d\n" % DEAD)

    def copy_to(self, root: Path) -> "Box":
        """The same account elsewhere; times of files and directories are kept."""
        shutil.copytree(self.root, root)
        return type(self)(root)

    def names(self) -> set[str]:
        """All files, below the root."""
        top = len(str(self.root)) + 1
        return {
            os.path.join(path, name)[top:]
            for path, _, files in os.walk(self.root)
            for name in files
        }


class MaildirBox(Box):
    """An account in a Maildir."""

    def store(self, system: System, boot: bytes = b"B") -> MaildirStore:
        return MaildirStore(
            str(self.root / "Maildir"), self.host(system, boot), Remembered()
        )

    def foreign(self, number: int) -> None:
        name = self.root / "Maildir" / "new" / f"{1700000000 + number}.M1P1.elsewhere"
        name.write_bytes(message(number).replace(b"\r\n", b"\n"))
        os.utime(name, (_LONG_AGO, _LONG_AGO))

    def ledger(self, mailbox: StoredMailbox) -> Ledger:
        assert isinstance(mailbox, MaildirMailbox)
        return mailbox.ledger

    def cache(self, mailbox: StoredMailbox) -> Cache:
        assert isinstance(mailbox, MaildirMailbox)
        return mailbox.pieces.cache


class MboxBox(Box):
    """An account in an mbox, and others in a directory."""

    methods: tuple[str, ...] = METHODS

    def store(self, system: System, boot: bytes = b"B") -> MboxStore:
        (self.root / "spool").mkdir(parents=True, exist_ok=True)
        (self.root / "control").mkdir(exist_ok=True)
        return MboxStore(
            str(self.root / "spool" / "inbox"),
            str(self.root / "mail"),
            str(self.root / "control"),
            self.host(system, boot),
            Remembered(),
            self.methods,
        )

    def foreign(self, number: int) -> None:
        text = message(number).replace(b"\r\n", b"\n")
        with (self.root / "spool" / "inbox").open("ab") as file:
            file.write(b"From a@example.org Thu Jan  1 12:34:56 2026\n" + text + b"\n")

    def ledger(self, mailbox: StoredMailbox) -> Ledger:
        assert isinstance(mailbox, MboxMailbox)
        return mailbox._ledger

    def cache(self, mailbox: StoredMailbox) -> Cache:
        assert isinstance(mailbox, MboxMailbox)
        return mailbox._fragments.cache


BOXES: Final[dict[str, type[Box]]] = {"maildir": MaildirBox, "mbox": MboxBox}


def fill(box: Box) -> None:
    """INBOX: 1 to 6, of which others delivered 6; Other: 11, 12; Box/Child: 21."""
    store = box.store(os)
    for name in ("Other", "Box/Child"):
        store.create(name)
    store.subscribe("Other")
    inbox, other = store.open("INBOX"), store.open("Other")
    child = store.open("Box/Child")
    add(inbox, 1, date=_LONG_AGO)
    add(inbox, 2, flags=SEEN, date=_LONG_AGO)
    add(inbox, 3, 4, date=_LONG_AGO)
    add(inbox, 5, flags=FLAGGED, keywords=("work",), date=_LONG_AGO)
    box.foreign(6)
    inbox.refresh()
    inbox.claim_recent()
    inbox.change_flags([1], FlagChange(Operation.ADD, SEEN), None)
    add(other, 11, 12, date=_LONG_AGO)
    add(child, 21, date=_LONG_AGO)
    for mailbox in (inbox, other, child):
        mailbox.close()
