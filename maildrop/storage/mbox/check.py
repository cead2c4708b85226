"""Checking mbox files.

In this file:
    MboxInspect    the parts of one account
    MboxPart       one mbox
    CHECKERS       what looks at one side of a mailbox

As with Maildirs nothing is opened for a look, so nothing is mended before it is told.
Locks are taken as everybody does, the mbox's first, then the ledger's; the dotlock is
not made for reading.  ``check_file`` has how the messages are gone through.

Repair, in this order: what is left over; what is wrong in the ledger itself, before
anything relies on it; a layout that is wrong is removed, and the time of the file's
last change put to now, so that every process reads it again; then the mailbox is opened
as everybody does, which mends what a crash leaves; then sizes and cache.
"""

import contextlib
import functools
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from maildrop.durable import open_to_read, translated
from maildrop.errors import MailboxInUse
from maildrop.storage.findings import Code, Finding, Part, Told, codes_in, uids_of
from maildrop.storage.index.cache import Cache
from maildrop.storage.index.check_cache import CacheCheck, Resting, repair_cache
from maildrop.storage.index.check_control import (
    Control,
    control_file,
    left_over,
    load,
)
from maildrop.storage.index.check_table import IN_TABLE, TableRepair, examine_table
from maildrop.storage.index.check_text import repair_text
from maildrop.storage.index.fragments import KEYS
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.table import IndexTable
from maildrop.storage.mbox import intent
from maildrop.storage.mbox.check_account import Account, AccountPart, mailboxes
from maildrop.storage.mbox.check_file import Lock, MboxWalk, Replaced
from maildrop.storage.mbox.file import JOURNAL, is_planted
from maildrop.storage.mbox.layout import FILE, Layout, Stamp
from maildrop.storage.mbox.mailbox import MboxMailbox

#: How often a walk begins anew before the file is locked for all of it.
_TRIES: Final = 3


def uidl_of(table: IndexTable, row: int) -> bytes:
    """The POP3 unique id of a row for which none is fixed."""
    return b"%08x%08x" % (table.uid_validity, table.uids[row])


@dataclass(frozen=True, slots=True)
class Looking:
    """What the checkers of an mbox see.

    Attributes:
        path: The mbox.
        account: Whose.
        control: The ledger as its files tell it.
        held: Nobody is at work on the mailbox.
    """

    path: str
    account: Account
    control: Control
    held: bool

    @property
    def mailbox(self) -> str:
        """The mailbox's name."""
        return self.control.mailbox

    def found(self, code: Code, evidence: str, path: str = "") -> Finding:
        """A finding about a file, the mbox if none is given."""
        path = path or self.path
        return Finding(code, self.mailbox, evidence, path, what=path)


class Checker(Protocol):
    """Looks at one side of a whole mailbox; has to be quick."""

    def __call__(self, looking: Looking) -> Iterable[Finding]:
        """What is wrong."""


def check_file(looking: Looking) -> Iterator[Finding]:
    """The mbox as a file, and the dotlock beside it."""
    path, owner = looking.path, looking.account.owner
    yield from control_file(path, looking.mailbox, owner)
    with contextlib.suppress(OSError):
        found, above = os.lstat(path), os.stat(os.path.dirname(path))
        if owner is not None and is_planted(found, above, owner):
            evidence = f"it belongs to uid {found.st_uid}, not {owner}"
            yield looking.found(Code.MBOX_PLANTED, evidence)
    stale = looking.account.lock(path).stale()
    if stale is not None:
        evidence = f"it is of {stale.st_mtime:.0f} (seconds since 1970)"
        yield looking.found(Code.DOTLOCK_STALE, evidence, f"{path}.lock")


def check_control(looking: Looking) -> Iterator[Finding]:
    """The control files, and what a crash left among them."""
    directory, account = looking.control.directory, looking.account
    if not os.path.lexists(directory):
        return
    yield from control_file(directory, looking.mailbox, account.owner, directory=True)
    with contextlib.suppress(OSError):
        names = sorted(os.listdir(directory))
        for file in left_over(directory, iter(names), account.host):
            yield looking.found(Code.TEMPORARY_LEFT_OVER, "an hour old", file)
        for name in names:
            file = f"{directory}/{name}"
            if name.startswith(f"{JOURNAL}.unfit"):
                evidence = "it is kept because it did not fit"
                yield looking.found(Code.REWRITE_PUT_ASIDE, evidence, file)
            elif name == JOURNAL and looking.held:
                evidence = "there is a journal, and nobody is at work"
                yield looking.found(Code.REWRITE_UNFINISHED, evidence, file)
            elif os.path.isfile(file):
                yield from control_file(file, looking.mailbox, account.owner)
        if FILE in names and Layout.load(directory).stamp == Stamp():
            evidence = "its checksum, magic or length is wrong"
            yield looking.found(Code.LAYOUT_DAMAGED, evidence, f"{directory}/{FILE}")


def check_ledger(looking: Looking) -> Iterator[Finding]:
    """The ledger's files, and whether they contradict themselves."""
    control = looking.control
    yield from control.findings
    if control.table is None:
        return
    yield from examine_table(control.table, looking.mailbox, control.snapshot, uidl_of)
    if looking.held and intent.is_open(Resting(control.table)):
        evidence = "the ledger has a note of it, and nobody is at work"
        yield looking.found(Code.APPEND_UNFINISHED, evidence)


def check_cache(looking: Looking) -> Iterator[Finding]:
    """The cache file as a whole."""
    control = looking.control
    if control.table is not None:
        cache = CacheCheck(
            control.directory, looking.mailbox, control.table, looking.account.host
        )
        yield from cache.examine_file()
        cache.close()


CHECKERS: Final[Sequence[Checker]] = (
    check_file,
    check_control,
    check_ledger,
    check_cache,
)


class MboxPart:
    """One mbox.

    Args:
        mailbox: Its name.
        path: Where it is.
        control: Its control directory.
        account: Whose.
        new_uid_validity: Gives a UIDVALIDITY above its argument.
    """

    def __init__(
        self,
        mailbox: str,
        path: str,
        control: str,
        account: Account,
        new_uid_validity: Callable[[int], int],
    ) -> None:
        self.mailbox = mailbox
        self._path = path
        self._control = control
        self._account = account
        self._host = account.host
        self._new_uid_validity = new_uid_validity
        self._lock = account.lock(path)

    def count(self) -> int:
        """How many messages the layout has."""
        return len(Layout.load(self._control))

    # -- looking

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        """The mbox, open for reading; -1 if there is none that can be."""
        try:
            fd = open_to_read(self._path)
        except OSError:
            yield -1
            return
        try:
            yield fd
        finally:
            os.close(fd)

    def _locked(self, fd: int) -> AbstractContextManager[None]:
        if fd < 0:
            return contextlib.nullcontext()
        return self._lock.held(fd, shared=True)

    def check(self, told: Told) -> list[Finding]:
        """Look at everything."""
        try:
            found = self._whole()
            if codes_in(found) & {Code.REWRITE_UNFINISHED, Code.APPEND_UNFINISHED}:
                return found  # half of something is no mailbox
            return [*found, *self._messages(told)]
        except MailboxInUse as error:
            return [Finding(Code.NOT_CHECKED, self.mailbox, str(error), self._path)]

    def _whole(self) -> list[Finding]:
        """What is wrong with the mailbox as a whole.

        A look is quick, so it is made at once with nobody at work.
        """
        with self._opened() as fd, self._locked(fd), self._loaded() as control:
            looking = Looking(self._path, self._account, control, held=True)
            return [each for checker in CHECKERS for each in checker(looking)]

    @contextlib.contextmanager
    def _loaded(self) -> Iterator[Control]:
        control = load(self._control, self.mailbox, self._host)
        try:
            yield control
        finally:
            control.close()

    def _messages(self, told: Told) -> list[Finding]:
        """What is wrong with single messages."""
        for tries in range(_TRIES + 1):
            with self._opened() as fd:
                if fd < 0:
                    return []
                once: Lock = functools.partial(self._locked, fd)
                each: Lock = contextlib.nullcontext
                if tries < _TRIES:
                    once, each = each, once
                with contextlib.suppress(Replaced, FileNotFoundError), once():
                    return self._walk(fd, each, told)
        evidence = "it is changed again and again"
        return [Finding(Code.NOT_CHECKED, self.mailbox, evidence, self._path)]

    def _walk(self, fd: int, lock: Lock, told: Told) -> list[Finding]:
        with self._consistent(fd, lock) as (control, layout, stamp):
            table = control.table
            if table is None:
                return []
            agrees = layout.stamp == stamp and layout.uids == table.uids
            cache = CacheCheck(self._control, self.mailbox, table, self._host)
            try:
                walk = MboxWalk(
                    fd,
                    stamp,
                    self._path,
                    self.mailbox,
                    table,
                    layout if agrees else None,
                    cache,
                )
                return list(walk.findings(lock, told))
            finally:
                cache.close()

    @contextlib.contextmanager
    def _consistent(
        self, fd: int, lock: Lock
    ) -> Iterator[tuple[Control, Layout, Stamp]]:
        """Ledger, layout and file of one moment."""
        with contextlib.ExitStack() as stack:
            with lock():
                control = stack.enter_context(self._loaded())
                layout = Layout.load(self._control)
                stamp = Stamp.of(os.fstat(fd))
                control.let_go()
            yield control, layout, stamp

    # -- repairing

    def repair(self, findings: Sequence[Finding]) -> None:
        """Put right what is derived."""
        findings = [finding for finding in findings if finding.derived]
        codes = codes_in(findings)
        disk = self._host.disk
        with translated(f"repair {self._control}"):
            for finding in findings:
                if finding.code is Code.TEMPORARY_LEFT_OVER:
                    with contextlib.suppress(FileNotFoundError):
                        disk.unlink(finding.path)
        if Code.DOTLOCK_STALE in codes:
            self._lock.clear_stale()
        if codes & IN_TABLE:
            with self._ledger() as ledger:
                TableRepair(ledger, uidl_of, self._new_uid_validity).repair(findings)
        if codes & {Code.LAYOUT_WRONG, Code.UIDS_OUT_OF_ORDER}:
            self._forget_layout()
        store = self._account.open_store()
        try:
            mailbox = store.open(self.mailbox)
            try:
                mailbox.refresh()
                mailbox.settle()
                self._repair_open(findings, mailbox)
            finally:
                mailbox.close()
        finally:
            store.close()

    @contextlib.contextmanager
    def _ledger(self) -> Iterator[Ledger]:
        ledger = Ledger(self._control, self._host, self._new_uid_validity)
        try:
            yield ledger
        finally:
            ledger.close()

    def _forget_layout(self) -> None:
        """Make everybody read the whole file."""
        disk = self._host.disk
        with translated(f"repair {self._control}"):
            fd = disk.update(self._path)
            try:
                with self._lock.held(fd):
                    with contextlib.suppress(FileNotFoundError):
                        disk.unlink(f"{self._control}/{FILE}")
                    # It changes nothing but the time of the last change.
                    disk.set_mode(fd, stat.S_IMODE(os.fstat(fd).st_mode))
            finally:
                os.close(fd)

    def _repair_open(self, findings: Sequence[Finding], mailbox: MboxMailbox) -> None:
        with self._ledger() as ledger:
            self._resize(findings, ledger, mailbox)
            cache = Cache(self._control, ledger, self._host, KEYS)
            try:
                repair_cache(findings, ledger, cache, mailbox.read_many)
            finally:
                cache.close()
            repair_text(findings, mailbox.text)
            if Code.SNAPSHOT_DAMAGED in codes_in(findings):
                ledger.compact()

    def _resize(
        self, findings: Sequence[Finding], ledger: Ledger, mailbox: MboxMailbox
    ) -> None:
        uids = uids_of(findings, Code.LEDGER_SIZE_WRONG)
        messages = dict(zip(uids, mailbox.read_many(uids), strict=True))
        with ledger.locked():
            rows = ledger.table.rows(uids)
            there = [ledger.table.uids[row] for row in rows]
            sizes = [len(messages[uid] or b"") for uid in there]
            if there:
                batch = ledger.batch(quiet=True)
                batch.resize(there, sizes)
                ledger.commit(batch)


class MboxInspect:
    """The parts of one account.

    Args:
        account: Where everything is.
    """

    def __init__(self, account: Account) -> None:
        self._account = account

    def parts(self) -> Iterator[Part]:
        """What belongs to no mailbox, then each mailbox."""
        whole = AccountPart(self._account)
        yield whole
        for name, path, control in mailboxes(self._account):
            yield MboxPart(name, path, control, self._account, whole.next_uid_validity)
