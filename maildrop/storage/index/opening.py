"""Opening a ledger, whatever state a crash or a stranger left its files in.

In this file:
    Files          where they are, and how they are replaced
    Opened         what was found
    open_ledger    open them, made or mended as needed
    start_of       from where a log goes on with a snapshot
    still          keep everybody from changing them
    cut_tail       mend the torn end of a log

All of it happens with the lock of the log held.  What is found, and what is done:

    snapshot   log                       done
    -          empty                     new mailbox: UIDVALIDITY given, log 1 written
    any        follows on nothing        the log alone tells everything (snapshot only
                                         used if it is of this log)
    valid      same, or the next one     replayed
    valid      lost, damaged, another    new log; UIDNEXT and HIGHESTMODSEQ jump by
                                         2**20, beyond what the lost log gave away
    damaged    same, or the next one     ``salvage``: UIDs stay, the rest is found again
    missing, or damaged beyond that      new UIDVALIDITY, every message gets a UID
    valid      torn or damaged at the    cut off; the numbers jump over all that the
               end                       lost octets may have given away
    valid      of another boot           HIGHESTMODSEQ jumps by 2**20: flags are not
                                         synced, and a MODSEQ told before a power cut
                                         must not be told again for another change

Every such finding but the first and the last is logged.
"""

import contextlib
import os
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from twisted.logger import Logger

from maildrop.durable import open_to_read, translate, translated
from maildrop.errors import AccessDenied, MailboxVanished, StorageFailure
from maildrop.mailbox.column import Column
from maildrop.storage.index.apply import apply, replay
from maildrop.storage.index.batch import Batch
from maildrop.storage.index.columns import U64
from maildrop.storage.index.damage import Damaged
from maildrop.storage.index.host import Host
from maildrop.storage.index.keyword_names import mended
from maildrop.storage.index.locks import lock, unlock
from maildrop.storage.index.log import HEADER_SIZE, TAIL_MAX, LogHeader, Tail, record
from maildrop.storage.index.salvage import FROM_FILES, Derive, salvage
from maildrop.storage.index.snapshot import Position, read_snapshot, write_snapshot
from maildrop.storage.index.table import IndexTable
from maildrop.storage.index.uid_validity import NUMBER_MAX

SNAPSHOT: Final = "maildrop.ledger"
LOG: Final = "maildrop.ledger.log"
#: How far numbers jump when it is not known how many were given away.
JUMP: Final = 1 << 20
#: Fewest octets of the log in which a UID can be given away.
_UID_LEAST: Final = 16

_log = Logger()


@dataclass(slots=True)
class Opened:
    """A ledger's files, open.

    Attributes:
        table: What they say.
        fd: The log.
        header: Its header.
        offset: Up to where it was read.
        read_only: It could not be opened for writing.
        fresh: The mailbox was numbered just now.
    """

    table: IndexTable
    fd: int
    header: LogHeader
    offset: int
    read_only: bool = False
    fresh: bool = False

    def close(self) -> None:
        """Let go of the files."""
        self.table.names.close()
        os.close(self.fd)


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one ledger.

    Attributes:
        directory: Where they are.
        host: Disk, clock, lock waits.
        new_uid_validity: Gives a UIDVALIDITY above its argument.
        messages_max: A snapshot with more messages is not believed.
        derive: Knows what the mail files say; None where nobody does.
    """

    directory: str
    host: Host
    new_uid_validity: Callable[[int], int]
    messages_max: int
    derive: Derive | None = None

    @property
    def snapshot(self) -> str:
        """Path of the snapshot."""
        return f"{self.directory}/{SNAPSHOT}"

    @property
    def log(self) -> str:
        """Path of the log."""
        return f"{self.directory}/{LOG}"

    def open_log(self) -> tuple[int, bool]:
        """Open the log, made if missing.

        Returns:
            Its descriptor, and whether it is only for reading.
        """
        try:
            return self.host.disk.append_to(self.log), False
        except FileNotFoundError:
            raise MailboxVanished(f"{self.directory} is gone") from None
        except OSError as error:
            denied = translate(error, f"open {self.log}")
            if not isinstance(denied, AccessDenied):
                raise denied from error
            try:
                return open_to_read(self.log), True
            except OSError:
                raise denied from error

    def snapshot_octets(self) -> int:
        """Size of the snapshot; 0 when there is none."""
        try:
            return os.stat(self.snapshot).st_size
        except OSError:
            return 0

    def open_snapshot(self) -> int | None:
        """Open the snapshot for reading; None when there is none."""
        try:
            return open_to_read(self.snapshot)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise translate(error, f"open {self.snapshot}") from error

    def replace_snapshot(self, pieces: list[bytes]) -> None:
        """Steps 1 and 2 of ``Ledger.compact``."""
        self.host.disk.replace_file(self.snapshot, b"".join(pieces))

    def replace_log(
        self, generation: int, after: Position, uid_validity: int, record: bytes = b""
    ) -> tuple[int, LogHeader]:
        """Steps 3 and 4 of ``Ledger.compact``.

        Returns:
            The new log, open and locked, and its header.
        """
        disk = self.host.disk
        header = LogHeader(
            generation, after.generation, after.offset, uid_validity, self.host.boot
        )
        beside = f"{self.log}.tmp"
        with contextlib.suppress(FileNotFoundError):
            disk.unlink(beside)
        fd = disk.append_to(beside)
        try:
            lock(fd, self.host, beside)
            disk.write(fd, bytes(header) + record)
            disk.synchronize(fd)
            disk.rename(beside, self.log)
            disk.synchronize_directory(self.directory)
        except BaseException as error:
            os.close(fd)
            if isinstance(error, OSError):
                with contextlib.suppress(OSError):
                    disk.unlink(beside)
            raise
        return fd, header


def open_ledger(files: Files, *, keep_lock: bool = False) -> Opened:
    """Open a ledger, made or mended as needed.

    Args:
        files: Where.
        keep_lock: Leave the lock held.
    """
    fd, read_only = _open_locked(files)
    try:
        opened = _load(files, fd, read_only=read_only)
    except BaseException:
        os.close(fd)
        raise
    try:
        if opened.table.lost:
            _complete(files, opened)
        _after_boot(files, opened)
        opened.table.keyword_names[:] = mended(opened.table.keyword_names)
    except BaseException:
        opened.close()
        raise
    if not keep_lock:
        unlock(opened.fd)
    return opened


@contextlib.contextmanager
def still(directory: str, host: Host) -> Iterator[None]:
    """Hold the lock of the ledger in a directory, while the directory is renamed.

    Whoever waits for it finds afterwards that the files have another place.
    """
    fd, _ = _open_locked(Files(directory, host, lambda above: above + 1, 0))
    try:
        yield
    finally:
        os.close(fd)


def _open_locked(files: Files) -> tuple[int, bool]:
    """Open the log and take its lock, on the file that has the name."""
    while True:
        fd, read_only = files.open_log()
        try:
            lock(fd, files.host, files.log)
            if os.fstat(fd).st_nlink:
                return fd, read_only
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _load(files: Files, fd: int, *, read_only: bool) -> Opened:
    header = _header(fd)
    try:
        found = _snapshot(files)
    except Damaged as error:
        if header is None or header.previous:
            return _number_anew(files, fd, header, error, read_only=read_only)
        found = None
    size = os.fstat(fd).st_size
    start = start_of(header, found, size)
    if header is not None and start is not None:
        table, offset = start
        return _replay(files, Opened(table, fd, header, offset, read_only))
    if found is not None:
        return _log_lost(files, fd, found, header, read_only=read_only)
    why = Damaged("snapshot missing", header.uid_validity if header else 0)
    return _number_anew(files, fd, header, why if size else None, read_only=read_only)


def _header(fd: int) -> LogHeader | None:
    try:
        return LogHeader.parse(os.pread(fd, HEADER_SIZE, 0))
    except Damaged:
        return None


def _snapshot(files: Files) -> tuple[IndexTable, Position] | None:
    fd = files.open_snapshot()
    if fd is None:
        return None
    try:
        return read_snapshot(fd, files.messages_max)
    except Damaged as error:
        found = _salvaged(files)
        if found is None:
            raise
        lost = ", ".join(sorted(found[0].lost))
        _log.error(
            "{snapshot}: {why}; UIDs are known, {lost} is found again",
            snapshot=files.snapshot,
            why=str(error),
            lost=lost,
        )
        return found


def _salvaged(files: Files) -> tuple[IndexTable, Position] | None:
    """What a damaged snapshot still tells, if all else can be found again."""
    fd = files.open_snapshot()
    if fd is None:
        return None
    try:
        found = salvage(fd, files.messages_max)
    except Damaged:
        return None
    finally:
        os.close(fd)
    return None if files.derive is None and found[0].lost & FROM_FILES else found


def _complete(files: Files, opened: Opened) -> None:
    """Find again what a damaged snapshot does not tell, and write another one.

    A crash between the two files makes the numbers jump.
    """
    if opened.read_only:
        raise AccessDenied(f"{files.snapshot} is damaged and cannot be written")
    table = opened.table
    before = table.uids
    if files.derive is not None:
        files.derive(table)
    table.highest_mod_seq += JUMP
    if table.lost & {"flags", "keywords"}:
        table.mod_seqs = Column(U64, array(U64, [table.highest_mod_seq]) * len(table))
    gone = sorted(set(before).difference(table.uids))
    table.remember_expunged(gone, table.highest_mod_seq)
    table.lost = frozenset()
    table.source = b""
    position = Position(opened.header.generation + 1, HEADER_SIZE)
    with translated(f"write {files.snapshot}"):
        files.replace_snapshot(write_snapshot(table, position).pieces)
        fd, header = files.replace_log(
            position.generation + 1, position, table.uid_validity
        )
    os.close(opened.fd)
    table.boot = header.boot
    opened.fd, opened.header, opened.offset = fd, header, HEADER_SIZE


def start_of(
    header: LogHeader | None, found: tuple[IndexTable, Position] | None, size: int
) -> tuple[IndexTable, int] | None:
    """The table to begin with, and from where the log is to be replayed."""
    if header is None:
        return None
    if found is not None and found[0].uid_validity == header.uid_validity:
        table, position = found
        if position.generation == header.generation and position.offset <= size:
            return table, position.offset
        if position == Position(header.previous, header.previous_offset):
            return table, HEADER_SIZE
    elif found is not None and not header.previous:
        found[0].names.close()
    if not header.previous and (
        found is None or found[0].uid_validity != header.uid_validity
    ):
        return IndexTable(header.uid_validity), HEADER_SIZE
    return None


def _replay(files: Files, opened: Opened) -> Opened:
    table = opened.table
    table.boot = opened.header.boot
    size = os.fstat(opened.fd).st_size
    lost = 0
    while opened.offset < size:
        octets = os.pread(opened.fd, min(size - opened.offset, TAIL_MAX), opened.offset)
        tail = Tail(opened.header.generation, octets)
        try:
            replay(table, tail.payloads)
        except Damaged as error:
            table.names.close()
            why = Damaged(str(error), table.uid_validity)
            return _number_anew(
                files, opened.fd, opened.header, why, read_only=opened.read_only
            )
        opened.offset += tail.length
        if not tail.payloads:
            lost = len(octets)
            break
    if lost and not opened.read_only:
        batch = cut_tail(files, opened.fd, table, opened.offset, lost)
        _write(files, opened, batch)
    return opened


def cut_tail(files: Files, fd: int, table: IndexTable, offset: int, lost: int) -> Batch:
    """Cut off what is behind the last whole record of a log; the lock is held.

    Returns:
        What to write in its place: the numbers that it may have given away.
    """
    _log.warn(
        "{log}: {lost} octets at the end are torn or damaged and were cut off",
        log=files.log,
        lost=lost,
    )
    with translated(f"truncate {files.log}"):
        files.host.disk.truncate(fd, offset)
    given = lost // _UID_LEAST + 1
    batch = Batch(table.highest_mod_seq + given)
    batch.uid_next(min(table.uid_next + given, NUMBER_MAX))
    return batch


def _write(files: Files, opened: Opened, batch: Batch) -> None:
    payload = batch.payload()
    octets = record(opened.header.generation, payload)
    with translated(f"write {files.log}"):
        files.host.disk.write(opened.fd, octets)
        files.host.disk.synchronize(opened.fd)
    opened.offset += len(octets)
    apply(opened.table, payload)


def _after_boot(files: Files, opened: Opened) -> None:
    if opened.table.boot == files.host.boot or opened.fresh:
        return
    batch = Batch(opened.table.highest_mod_seq + JUMP)
    batch.boot(files.host.boot)
    if opened.read_only:
        apply(opened.table, batch.payload())
    else:
        _write(files, opened, batch)


def _log_lost(
    files: Files,
    fd: int,
    found: tuple[IndexTable, Position],
    header: LogHeader | None,
    *,
    read_only: bool,
) -> Opened:
    table, position = found
    _log.error("{log} is lost or damaged; numbers jump", log=files.log)
    if read_only:
        raise StorageFailure(f"{files.log} is lost")
    generation = max(position.generation, header.generation if header else 0) + 1
    batch = Batch(table.highest_mod_seq + JUMP)
    batch.uid_next(min(table.uid_next + JUMP, NUMBER_MAX))
    batch.source(b"")
    payload = batch.payload()
    with translated(f"write {files.log}"):
        new, new_header = files.replace_log(
            generation, position, table.uid_validity, record(generation, payload)
        )
    apply(table, payload)
    table.boot = new_header.boot
    os.close(fd)
    return Opened(table, new, new_header, os.fstat(new).st_size)


def _number_anew(
    files: Files,
    fd: int,
    header: LogHeader | None,
    why: Damaged | None,
    *,
    read_only: bool,
) -> Opened:
    """Begin with nothing: a new mailbox, or one whose ledger is of no use."""
    if read_only:
        raise AccessDenied(f"{files.log} cannot be written")
    above = max(header.uid_validity if header else 0, why.uid_validity if why else 0)
    uid_validity = files.new_uid_validity(above)
    if why is not None:
        _log.error(
            "{snapshot}: {why}; the mailbox is numbered anew: UIDVALIDITY {validity}",
            snapshot=files.snapshot,
            why=str(why),
            validity=uid_validity,
        )
    generation = header.generation + 1 if header else 1
    with translated(f"write {files.log}"):
        new, new_header = files.replace_log(generation, Position(), uid_validity)
        try:
            with contextlib.suppress(FileNotFoundError):
                files.host.disk.unlink(files.snapshot)
        except BaseException:
            os.close(new)
            raise
    table = IndexTable(uid_validity)
    table.boot = new_header.boot
    os.close(fd)
    return Opened(table, new, new_header, HEADER_SIZE, fresh=True)
