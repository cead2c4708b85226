r"""The ledger of a mailbox: what the mail files themselves do not say.

In this file:
    Ledger    the snapshot, the log and the table in memory, kept in step

Files, in the mailbox's control directory:

    maildrop.ledger        the snapshot (``snapshot`` has the format)
    maildrop.ledger.log    what changed since (``log``, ``batch``)

How it is used: ``refresh`` reads what other processes appended, at the price of one
fstat when there is nothing.  To change something take ``locked()``, which catches up
first, fill a ``batch()`` and ``commit`` it; that appends one record and carries it out
on the table.  A record that gives UIDs is synced before anyone can be told.

When the log has grown past a limit it is folded into a new snapshot (``compact``), with
the lock held:

    step                                          a crash after it leaves
    1  snapshot written beside, synced            old snapshot, log G: valid
    2  renamed over the old, directory synced     new snapshot: "log G up to N is in
                                                  here", and nothing is beyond N: valid
    3  log G+1 written beside, locked, synced     the same
    4  renamed over log G, directory synced       new snapshot, log G+1 "after G, N"

A process that still has log G open sees that its file lost its name (link count 0),
reads the rest of it, and goes on with log G+1.

``opening`` has what happens when the files cannot be believed.

Errors: ``MailboxVanished`` when the files are gone or were numbered anew under us,
``MailboxInUse`` when the lock cannot be had in time, and those of the disk.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import Final

from twisted.logger import Logger

from maildrop.durable import translate, translated
from maildrop.errors import AccessDenied, MailboxVanished, MaildropError
from maildrop.storage.index.apply import apply
from maildrop.storage.index.batch import Batch, Kind, changes
from maildrop.storage.index.catch_up import take_over
from maildrop.storage.index.damage import Damaged
from maildrop.storage.index.host import Host
from maildrop.storage.index.locks import is_free, lock, unlock
from maildrop.storage.index.log import (
    HEADER_SIZE,
    TAIL_MAX,
    LogHeader,
    Tail,
    framed,
    record,
)
from maildrop.storage.index.opening import Files, Opened, cut_tail, open_ledger
from maildrop.storage.index.salvage import Derive
from maildrop.storage.index.snapshot import Position, write_snapshot
from maildrop.storage.index.table import IndexTable
from maildrop.storage.index.window import Window

#: The log may be as long as this part of the snapshot, so that folding it, which writes
#: all columns, costs the same for each record however many messages there are, and
#: reading it takes no longer than reading the snapshot.
_LOG_PART: Final = 32
#: A log shorter than this part of its limit is not folded when the ledger is closed.
_CLOSE_FOLDS: Final = 4


class Ledger:
    """What is known of one mailbox beyond its mail files.

    Attributes:
        table: The columns; the same object as long as the ledger is open.
        fresh: The mailbox was numbered just now: every message in it is new.
    """

    _log = Logger()

    def __init__(
        self,
        directory: str,
        host: Host,
        new_uid_validity: Callable[[int], int],
        *,
        log_octets: int = 1 << 16,
        messages_max: int = 1 << 24,
        derive: Derive | None = None,
    ) -> None:
        """Open the ledger in ``directory``, or make it.

        Args:
            directory: The control directory; exists.
            host: Disk, clock, lock waits.
            new_uid_validity: Gives a UIDVALIDITY above its argument.
            log_octets: The log is folded into the snapshot when it is longer than that
                and than a part of the snapshot.
            messages_max: A snapshot with more messages is not believed.
            derive: Knows what the mail files say, should the snapshot be damaged.

        Raises:
            MailboxVanished: The directory is gone.
            AccessDenied: The account may not read it.
        """
        self._host = host
        self._log_octets = log_octets
        self._files = Files(directory, host, new_uid_validity, messages_max, derive)
        self._held = 0
        # The lock of the file knows no threads: who asks whether it is free must not
        # let go of what another thread of ours holds.
        self._mutex = threading.Lock()
        opened = open_ledger(self._files)
        self._fd = opened.fd
        self._header = opened.header
        self._offset = opened.offset
        self.read_only = opened.read_only
        self.fresh = opened.fresh
        self.table: IndexTable = opened.table
        self.table.journal.entries.clear()
        self._keywords_known = len(self.table.keyword_names)
        self._log_limit = self._measured()

    def _measured(self) -> int:
        """Octets that the log may have, by the snapshot that there is."""
        return max(self._log_octets, self._files.snapshot_octets() // _LOG_PART)

    # -- following

    def unchanged(self) -> bool:
        """Whether ``refresh`` would find nothing."""
        facts = os.fstat(self._fd)
        return facts.st_size == self._offset and facts.st_nlink > 0

    def refresh(self) -> bool:
        """Read what other processes did.

        Returns:
            Whether there was something.

        Raises:
            MailboxVanished: The mailbox is gone or was numbered anew.
        """
        if self.unchanged():
            return False
        return self._catch_up(replaced=not os.fstat(self._fd).st_nlink)

    @property
    def compaction_due(self) -> bool:
        """Whether the log is long enough to be folded."""
        return self._offset > self._log_limit and not self.read_only

    def _catch_up(self, *, replaced: bool) -> bool:
        changed = self._read_tail()
        if replaced:
            self._follow_replacement()
            self._read_tail()
            changed = True
        return changed

    def _read_tail(self) -> bool:
        size = os.fstat(self._fd).st_size
        if size < self._offset:
            return self._reload()
        octets = os.pread(self._fd, min(size - self._offset, TAIL_MAX), self._offset)
        tail = Tail(self._header.generation, octets)
        if not tail.payloads:
            return False
        if not self._held and any(map(_gives_uids, tail.payloads)):
            self._wait_for_sync()
        for payload in tail.payloads:
            try:
                apply(self.table, payload)
            except Damaged:
                return self._reload()
        self._offset += tail.length
        self._keywords_known = len(self.table.keyword_names)
        return True

    def _wait_for_sync(self) -> None:
        """UIDs may be told once they are on disk: when their writer is done."""
        if not is_free(self._fd) and not self.read_only:
            with translated(f"sync {self._files.log}"):
                self._host.disk.synchronize(self._fd)

    def _follow_replacement(self) -> None:
        """The log's name belongs to another file now: go on there."""
        fd, read_only = self._files.open_log()
        try:
            header = LogHeader.parse(os.pread(fd, HEADER_SIZE, 0))
        except Damaged:
            os.close(fd)
            self._reload()
            return
        if header.uid_validity != self.table.uid_validity:
            os.close(fd)
            raise MailboxVanished("the mailbox was numbered anew")
        before = header.previous, header.previous_offset
        if before != (self._header.generation, self._offset):
            os.close(fd)
            self._reload()
            return
        self._switch(fd, header, HEADER_SIZE)
        self.read_only = read_only

    def _switch(self, fd: int, header: LogHeader, offset: int) -> None:
        with contextlib.nullcontext() if self._held else self._mutex:
            os.close(self._fd)
            self._fd = fd
        self._header = header
        self._offset = offset
        self._log_limit = self._measured()

    def _reload(self) -> bool:
        """Read everything from disk, and find out what is different."""
        held = self._held > 0
        if held:
            unlock(self._fd)
        opened = open_ledger(self._files, keep_lock=held)
        if opened.table.uid_validity != self.table.uid_validity:
            opened.close()
            raise MailboxVanished("the mailbox was numbered anew")
        try:
            self._take(opened)
        except MailboxVanished:
            opened.close()
            raise
        return True

    def _take(self, opened: Opened) -> None:
        take_over(self.table, opened.table)
        self._switch(opened.fd, opened.header, opened.offset)
        self._keywords_known = len(self.table.keyword_names)

    # -- changing

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock, with everything that others did read; may be nested.

        Raises:
            MailboxInUse: Another process holds it too long.
            MailboxVanished: The files have another place now, or are gone.
        """
        if self._held:
            yield
            return
        self._mutex.acquire()
        self._held = 1
        try:
            self._lock()
            yield
        finally:
            unlock(self._fd)
            self._held = 0
            self._mutex.release()

    def _lock(self) -> None:
        while True:
            lock(self._fd, self._host, self._files.log)
            facts = os.fstat(self._fd)
            if facts.st_nlink:
                break
            unlock(self._fd)
            self._catch_up(replaced=True)
        try:
            there = os.stat(self._files.log)
        except FileNotFoundError:
            raise MailboxVanished(f"{self._files.directory} is gone") from None
        if (there.st_dev, there.st_ino) != (facts.st_dev, facts.st_ino):
            raise MailboxVanished(f"{self._files.directory} is another mailbox now")
        if facts.st_size != self._offset:
            self._read_tail()
            self._cut_tail()

    def _cut_tail(self) -> None:
        """What is behind the last whole record is the work of one that died."""
        lost = os.fstat(self._fd).st_size - self._offset
        if lost and not self.read_only:
            batch = cut_tail(self._files, self._fd, self.table, self._offset, lost)
            self.commit(batch)

    def begun(self) -> None:
        """The mail that a ledger without numbers met has numbers now: say so, once."""
        if self.fresh and len(self.table):
            self._log.info(
                "{directory}: {count} messages are numbered for the first time,"
                " UIDVALIDITY {validity}",
                directory=self._files.directory,
                count=len(self.table),
                validity=self.table.uid_validity,
            )
        self.fresh = False

    def batch(self, *, quiet: bool = False) -> Batch:
        """A batch for the next ``commit``; the lock is held.

        Args:
            quiet: Nothing in it is to be heard of by clients: it takes no MODSEQ.
        """
        return Batch(self.table.highest_mod_seq + (not quiet))

    def keep_keywords(self) -> None:
        """Write down keywords that the table got just now; the lock is held.

        Mail files are about to show them by a letter or a bit that means nothing
        without: a crash must not leave the one without the other.
        """
        if len(self.table.keyword_names) > self._keywords_known:
            batch = self.batch(quiet=True)
            batch.assigns = True
            self.commit(batch)

    def commit(self, batch: Batch, by: object | None = None) -> None:
        """Append one record and carry it out; the lock is held.

        Args:
            batch: The changes.
            by: The view that asked for them.

        Raises:
            NoSpace, StorageFailure: Nothing was changed.
        """
        payload = self.append(batch)
        try:
            if batch.assigns:
                self._host.disk.synchronize(self._fd)
        except OSError as error:
            self.take_back()
            raise translate(error, f"write {self._files.log}") from error
        self.carry_out(payload, by)

    def append(self, batch: Batch) -> bytes:
        """First part of ``commit``, for who waits elsewhere until it is on disk.

        Returns:
            What ``carry_out`` takes once ``written`` is synced.  If that fails,
            ``take_back`` must follow.

        Raises:
            NoSpace, StorageFailure: Nothing was changed.
        """
        if self.read_only:
            raise AccessDenied(f"{self._files.log} is read-only")
        names = self.table.keyword_names
        if len(names) > self._keywords_known:
            batch.keyword_names(self._keywords_known, names[self._keywords_known :])
        payload = batch.payload()
        try:
            self._host.disk.write(self._fd, record(self._header.generation, payload))
        except OSError as error:
            self.take_back()
            raise translate(error, f"write {self._files.log}") from error
        return payload

    @property
    def written(self) -> int:
        """The descriptor of the log."""
        return self._fd

    def take_back(self) -> None:
        """What ``append`` wrote is not to be."""
        with contextlib.suppress(OSError):
            self._host.disk.truncate(self._fd, self._offset)

    def carry_out(self, payload: bytes, by: object | None = None) -> None:
        """Last part of ``commit``: the table changes."""
        self._offset += framed(payload)
        self._keywords_known = len(self.table.keyword_names)
        apply(self.table, payload, by)

    def compact(self) -> None:
        """Fold the log into a new snapshot."""
        with self.locked():
            self.table.prune_expunged()
            self._fold(Position(self._header.generation, self._offset))

    def rewrite(self) -> None:
        """Write a table that was changed past the log, as a new snapshot.

        Nobody has read a log up to where this one begins, so every other process finds
        that it has to read all of it.  A crash between steps 2 and 4 makes the numbers
        jump.
        """
        with self.locked():
            self._fold(Position(self._header.generation + 1, HEADER_SIZE))

    def _fold(self, position: Position) -> None:
        written = write_snapshot(self.table, position)
        with translated(f"write {self._files.snapshot}"):
            self._files.replace_snapshot(written.pieces)
            fd, header = self._files.replace_log(
                position.generation + 1, position, self.table.uid_validity
            )
        self._switch(fd, header, HEADER_SIZE)
        snapshot = self._files.open_snapshot()
        if snapshot is not None:
            self.table.names.rest_on(
                Window(snapshot),
                written.names_at,
                written.names_length,
                written.name_offsets,
            )

    def close(self) -> None:
        """Fold a log that is worth it, and let go."""
        try:
            if self._offset > self._log_limit // _CLOSE_FOLDS and not self.read_only:
                self.compact()
        except (MaildropError, FileNotFoundError) as error:
            self._log.info(
                "{log} stays as it is: {error}", log=self._files.log, error=str(error)
            )
        finally:
            self.table.names.close()
            os.close(self._fd)


def _gives_uids(payload: bytes) -> bool:
    return any(kind in {Kind.APPEND, Kind.UID_NEXT} for kind, _ in changes(payload))
