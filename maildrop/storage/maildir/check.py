"""Checking Maildirs.

In this file:
    MaildirInspect    the parts of one account
    MailboxPart       one Maildir
    Looking           what the checkers of a Maildir see
    CHECKERS          they

Nothing is changed by a look, so the mailbox is not opened: that would mend some of what
is to be told.  The ledger's files are read with its lock held, for a moment; then files
are looked at without any lock.  What seems to be wrong may just be under way, so each
suspicion is looked at once more with the lock held, and only what is still there then
is a finding.  Messages are taken in small numbers for that, so that nobody waits long.

Repair, in this order: directories that are missing; what is wrong in the ledger itself,
before anything relies on it; then the mailbox is opened as everybody does, which mends
what a crash leaves, and looks at its directories; then sizes and cache.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from maildrop.durable import translated
from maildrop.errors import MailboxInUse
from maildrop.storage.findings import Code, Finding, Part, Told, codes_in
from maildrop.storage.index.check_cache import CacheCheck, repair_cache
from maildrop.storage.index.check_control import (
    Control,
    control_file,
    left_over,
    load,
)
from maildrop.storage.index.check_table import IN_TABLE, TableRepair, examine_table
from maildrop.storage.index.check_text import repair_text
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.table import IndexTable
from maildrop.storage.maildir.check_account import AccountPart, folders
from maildrop.storage.maildir.check_files import (
    BY_LOOKING,
    Listing,
    examine_files,
    expected_path,
)
from maildrop.storage.maildir.check_kept import examine_kept
from maildrop.storage.maildir.check_messages import MessageCheck, resize
from maildrop.storage.maildir.mailbox import MaildirMailbox
from maildrop.storage.maildir.names import Letters, uidl
from maildrop.storage.maildir.scan import NEW, split
from maildrop.storage.maildir.store import MaildirStore

#: Messages whose suspicions are looked at together, with the lock held.
_CHUNK: Final = 64
_PARTS: Final = ("cur", "new", "tmp")


@dataclass(frozen=True, slots=True)
class Looking:
    """What the checkers of a Maildir see.

    Attributes:
        path: The Maildir.
        host: The machine.
        owner: uid that everything should belong to, None if that does not matter.
        control: The ledger as its files tell it.
    """

    path: str
    host: Host
    owner: int | None
    control: Control

    @property
    def mailbox(self) -> str:
        """The mailbox's name."""
        return self.control.mailbox

    @property
    def table(self) -> IndexTable | None:
        """What the ledger says; None when it says nothing."""
        return self.control.table


def uidl_of(table: IndexTable, row: int) -> bytes:
    """The POP3 unique id of a row for which none is fixed."""
    return uidl(table.names.name(row))


class Checker(Protocol):
    """Looks at one side of a whole mailbox; has to be quick."""

    def __call__(self, looking: Looking) -> Iterable[Finding]:
        """What is wrong."""


def check_directories(looking: Looking) -> Iterator[Finding]:
    """The directories themselves, and the control files as files."""
    path, mailbox, owner = looking.path, looking.mailbox, looking.owner
    yield from control_file(path, mailbox, owner, directory=True)
    for part in _PARTS:
        directory = f"{path}/{part}"
        if os.path.lexists(directory):
            yield from control_file(directory, mailbox, owner, directory=True)
        else:
            evidence = f"there is no {part}/"
            yield Finding(
                Code.MAILDIR_INCOMPLETE, mailbox, evidence, directory, what=part
            )
    with contextlib.suppress(OSError):
        names = sorted(os.listdir(path))
        for file in left_over(path, iter(names), looking.host):
            yield Finding(
                Code.TEMPORARY_LEFT_OVER, mailbox, "an hour old", file, what=file
            )
        for name in names:
            if name.startswith("maildrop.") and os.path.isfile(f"{path}/{name}"):
                yield from control_file(f"{path}/{name}", mailbox, owner)


def check_ledger(looking: Looking) -> Iterator[Finding]:
    """The ledger's files, and whether they contradict themselves."""
    yield from looking.control.findings
    if looking.table is not None:
        log = looking.control.snapshot
        yield from examine_table(looking.table, looking.mailbox, log, uidl_of)


def check_cache(looking: Looking) -> Iterator[Finding]:
    """The cache file as a whole."""
    if looking.table is not None:
        cache = CacheCheck(looking.path, looking.mailbox, looking.table, looking.host)
        yield from cache.examine_file()
        cache.close()


def check_files(looking: Looking) -> Iterator[Finding]:
    """Files and entries."""
    listing = Listing(looking.path)
    yield from examine_files(looking.control, listing, looking.host)


def check_kept(looking: Looking) -> Iterator[Finding]:
    """Expunged messages that are kept."""
    yield from examine_kept(looking.path, looking.mailbox)


CHECKERS: Final[Sequence[Checker]] = (
    check_directories,
    check_ledger,
    check_cache,
    check_files,
    check_kept,
)


class MailboxPart:
    """One Maildir.

    Args:
        mailbox: Its name.
        path: Where it is.
        host: Disk, time, the longest wait for a lock.
        owner: uid that everything should belong to, None if that does not matter.
        open_store: Opens the store, for repairs.
        new_uid_validity: Gives a UIDVALIDITY above its argument.
    """

    def __init__(
        self,
        mailbox: str,
        path: str,
        host: Host,
        owner: int | None,
        open_store: Callable[[], MaildirStore],
        new_uid_validity: Callable[[int], int],
    ) -> None:
        self.mailbox = mailbox
        self._path = path
        self._host = host
        self._owner = owner
        self._open_store = open_store
        self._new_uid_validity = new_uid_validity

    @contextlib.contextmanager
    def _looking(self, *, hold: bool) -> Iterator[Looking]:
        control = load(self._path, self.mailbox, self._host)
        try:
            if not hold:
                control.let_go()
            yield Looking(self._path, self._host, self._owner, control)
        finally:
            control.close()

    def count(self) -> int:
        """How many files the directories have."""
        with contextlib.suppress(OSError):
            return sum(len(os.listdir(f"{self._path}/{part}")) for part in _PARTS[:2])
        return 0

    # -- looking

    def check(self, told: Told) -> list[Finding]:
        """Look at everything."""
        try:
            return [*self._whole(), *self._messages(told)]
        except MailboxInUse as error:
            return [Finding(Code.NOT_CHECKED, self.mailbox, str(error), self._path)]

    def _whole(self) -> list[Finding]:
        """What is wrong with the mailbox as a whole."""
        found: list[Finding] = []
        for hold in (False, True):
            with self._looking(hold=hold) as looking:
                found = [each for checker in CHECKERS for each in checker(looking)]
            if not found:
                break
        return found

    def _messages(self, told: Told) -> Iterator[Finding]:
        """What is wrong with single messages."""
        with self._looking(hold=False) as looking:
            table = looking.table
            if table is None:
                return
            listing = Listing(self._path)
            names = table.names.all()
            with self._message_check(table) as check:
                for start in range(0, len(table), _CHUNK):
                    rows = range(start, min(start + _CHUNK, len(table)))
                    files = [
                        listing.file(listing.by_base.get(names[row], NEW + names[row]))
                        for row in rows
                    ]
                    suspects = [
                        table.uids[row]
                        for row, file in zip(rows, files, strict=True)
                        if any(check.examine(row, file))
                    ]
                    told(len(rows))
                    if suspects:
                        yield from self._confirmed(suspects)

    @contextlib.contextmanager
    def _message_check(self, table: IndexTable) -> Iterator[MessageCheck]:
        cache = CacheCheck(self._path, self.mailbox, table, self._host)
        try:
            yield MessageCheck(self.mailbox, table, cache, self._owner)
        finally:
            cache.close()

    def _confirmed(self, uids: Sequence[int]) -> list[Finding]:
        """What is wrong with messages while nobody of ours is at work on them."""
        found: list[Finding] = []
        with self._looking(hold=True) as looking:
            table = looking.table
            if table is not None:
                with self._message_check(table) as check:
                    for row in table.rows(uids):
                        found += check.examine(row, self._file(table, row))
        return found

    def _file(self, table: IndexTable, row: int) -> str:
        path = expected_path(table, Letters(table.keyword_names), row)
        name, mark = split(path)
        directory = "new" if mark else "cur"
        return f"{self._path}/{directory}/{os.fsdecode(name)}"

    # -- repairing

    def repair(self, findings: Sequence[Finding]) -> None:
        """Put right what is derived."""
        findings = [finding for finding in findings if finding.derived]
        codes = codes_in(findings)
        disk = self._host.disk
        with translated(f"repair {self._path}"):
            for finding in findings:
                if finding.code is Code.MAILDIR_INCOMPLETE:
                    with contextlib.suppress(FileExistsError):
                        disk.make_directory(finding.path)
                elif finding.code is Code.TEMPORARY_LEFT_OVER:
                    with contextlib.suppress(FileNotFoundError):
                        disk.unlink(finding.path)
        if codes & IN_TABLE:
            self._repair_table(findings)
        store = self._open_store()
        try:
            mailbox = store.open(self.mailbox)
            try:
                self._repair_open(findings, mailbox)
            finally:
                mailbox.close()
        finally:
            store.close()

    def _repair_table(self, findings: Sequence[Finding]) -> None:
        ledger = Ledger(self._path, self._host, self._new_uid_validity)
        try:
            TableRepair(ledger, uidl_of, self._new_uid_validity).repair(findings)
        finally:
            ledger.close()

    def _repair_open(
        self, findings: Sequence[Finding], mailbox: MaildirMailbox
    ) -> None:
        ledger = mailbox.ledger
        with ledger.locked():
            for finding in findings:
                row = None if finding.uid is None else ledger.table.row(finding.uid)
                if finding.code is Code.NAME_IN_LEDGER_TWICE and row is not None:
                    self._remove_second(ledger, row)
        if codes_in(findings) & BY_LOOKING:
            mailbox.look()
        table = ledger.table
        with self._message_check(table) as check:
            resize(
                findings,
                ledger,
                lambda row: check.size(row, self._file(table, row)),
            )
        repair_cache(findings, ledger, mailbox.pieces.cache, mailbox.read_many)
        repair_text(findings, mailbox.text)
        if Code.SNAPSHOT_DAMAGED in codes_in(findings):
            ledger.compact()

    def _remove_second(self, ledger: Ledger, row: int) -> None:
        """Remove an entry whose file another entry has, too."""
        table = ledger.table
        name = table.names.name(row)
        if name in table.names.all()[:row]:
            batch = ledger.batch()
            batch.expunge([table.uids[row]])
            ledger.commit(batch)


class MaildirInspect:
    """The parts of one account.

    Args:
        path: Its Maildir.
        host: Disk, time, the longest wait for a lock.
        owner: uid that everything should belong to, None if that does not matter.
        open_store: Opens the store, for repairs.
    """

    def __init__(
        self,
        path: str,
        host: Host,
        owner: int | None,
        open_store: Callable[[], MaildirStore],
    ) -> None:
        self._account = AccountPart(path, host, owner, open_store)
        self._path = path
        self._host = host
        self._owner = owner
        self._open_store = open_store

    def parts(self) -> Iterator[Part]:
        """What belongs to no mailbox, then each mailbox."""
        if not os.path.lexists(self._path):
            return
        yield self._account
        for name, path in folders(self._path):
            yield MailboxPart(
                name,
                path,
                self._host,
                self._owner,
                self._open_store,
                self._account.next_uid_validity,
            )
