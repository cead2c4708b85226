"""The control files of a mailbox as they are on disk: read, checked, and left alone.

``opening`` mends what it finds, so whoever wants to tell what there was has to look
first.  Here nothing is written, and no file is made.

In this file:
    Control         the ledger as its files tell it, and what is wrong with them
    load            read it, with the lock of the log held for the moment
    uid_validity_of    UIDVALIDITY alone
    left_over       temporary files that nobody will rename any more
    control_file    what is wrong with the file itself: kind, rights, owner

Errors: ``MailboxInUse`` when the lock cannot be had in time.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import Final

from maildrop.durable import open_to_read
from maildrop.storage.findings import Code, Finding
from maildrop.storage.index.apply import replay
from maildrop.storage.index.damage import Damaged
from maildrop.storage.index.host import Host
from maildrop.storage.index.locks import lock, unlock
from maildrop.storage.index.log import HEADER_SIZE, TAIL_MAX, LogHeader, Tail
from maildrop.storage.index.opening import LOG, SNAPSHOT, start_of
from maildrop.storage.index.snapshot import Position, read_snapshot
from maildrop.storage.index.table import IndexTable

MESSAGES_MAX: Final = 1 << 24


class Control:
    """The ledger of one mailbox, as its files tell it.

    Attributes:
        directory: Where the files are.
        mailbox: Whose.
        findings: What is wrong with the files.
        table: What they say, as far as that can be told; None when they say nothing.
    """

    def __init__(self, directory: str, mailbox: str) -> None:
        self.directory = directory
        self.mailbox = mailbox
        self.findings: list[Finding] = []
        self.table: IndexTable | None = None
        self._fd = -1

    @property
    def snapshot(self) -> str:
        """Path of the snapshot."""
        return f"{self.directory}/{SNAPSHOT}"

    @property
    def log(self) -> str:
        """Path of the log."""
        return f"{self.directory}/{LOG}"

    def found(self, code: Code, evidence: str, path: str) -> None:
        """Note a finding."""
        self.findings.append(Finding(code, self.mailbox, evidence, path))

    def hold(self, host: Host) -> int:
        """Open the log and lock it; -1 when there is none."""
        while True:
            try:
                fd = open_to_read(self.log)
            except FileNotFoundError:
                return -1
            except OSError as error:
                self.found(
                    Code.CONTROL_FILE_UNUSABLE, str(error.strerror or error), self.log
                )
                return -1
            try:
                lock(fd, host, self.log)
                if os.fstat(fd).st_nlink:
                    self._fd = fd
                    return fd
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)

    def let_go(self) -> None:
        """Others may change the files from here on."""
        if self._fd >= 0:
            unlock(self._fd)

    def close(self) -> None:
        """Let go of all."""
        if self.table is not None:
            self.table.names.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def load(directory: str, mailbox: str, host: Host) -> Control:
    """Read the control files; the log is locked until ``let_go`` or ``close``."""
    control = Control(directory, mailbox)
    try:
        fd = control.hold(host)
        if not control.findings:
            _read(control, fd)
    except BaseException:
        control.close()
        raise
    return control


def _read(control: Control, fd: int) -> None:
    header, reason = _header(fd)
    snapshot, damage = _snapshot(control)
    if control.findings:
        return
    if damage:
        control.found(Code.SNAPSHOT_DAMAGED, damage, control.snapshot)
        if header is None or header.previous:
            return
    size = 0 if fd < 0 else os.fstat(fd).st_size
    start = start_of(header, snapshot, size)
    if header is not None and start is not None:
        _replay(control, fd, header, *start)
    elif snapshot is not None:
        control.table = snapshot[0]
        if header is not None:
            reason = (
                f"log {header.generation} follows on log {header.previous} up to octet "
                f"{header.previous_offset}, the snapshot has log "
                f"{snapshot[1].generation} up to {snapshot[1].offset}"
            )
        control.found(Code.LOG_MISSING, reason, control.log)
    elif size and not damage:
        reason = reason or f"log {header.generation if header else 0} goes on from it"
        control.found(Code.SNAPSHOT_MISSING, reason, control.snapshot)


def _header(fd: int) -> tuple[LogHeader | None, str]:
    if fd < 0:
        return None, "there is no log"
    octets = os.pread(fd, HEADER_SIZE, 0)
    if not octets:
        return None, "the log is empty"
    try:
        return LogHeader.parse(octets), ""
    except Damaged as error:
        return None, str(error)


def _snapshot(control: Control) -> tuple[tuple[IndexTable, Position] | None, str]:
    try:
        fd = open_to_read(control.snapshot)
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        reason = str(error.strerror or error)
        control.found(Code.CONTROL_FILE_UNUSABLE, reason, control.snapshot)
        return None, ""
    try:
        return read_snapshot(fd, MESSAGES_MAX), ""
    except Damaged as error:
        return None, str(error)


def _replay(
    control: Control, fd: int, header: LogHeader, table: IndexTable, offset: int
) -> None:
    size = os.fstat(fd).st_size
    control.table = table
    while offset < size:
        octets = os.pread(fd, min(size - offset, TAIL_MAX), offset)
        tail = Tail(header.generation, octets)
        try:
            replay(table, tail.payloads)
        except Damaged as error:
            control.found(Code.LOG_NONSENSE, str(error), control.log)
            table.names.close()
            control.table = None
            return
        offset += tail.length
        if not tail.payloads:
            evidence = f"{size - offset} octets from octet {offset} are no record"
            control.found(Code.LOG_TORN, evidence, control.log)
            return


#: Seconds after which a temporary is one that nobody will rename.
FORGOTTEN: Final = 3600.0


def left_over(directory: str, names: Iterator[str], host: Host) -> Iterator[str]:
    """Paths of temporaries among the names in a directory, an hour old or more."""
    for name in names:
        if not (name.startswith("maildrop.") and name.endswith(".tmp")):
            continue
        path = f"{directory}/{name}"
        with contextlib.suppress(OSError):
            if host.clock() - os.lstat(path).st_mtime > FORGOTTEN:
                yield path


def control_file(
    path: str,
    mailbox: str,
    owner: int | None,
    *,
    directory: bool = False,
    needed: int = 0o600,
) -> Iterator[Finding]:
    """What is wrong with a file or directory itself.

    Args:
        path: The file; one that does not exist is not wrong.
        mailbox: Whose.
        owner: uid that it should belong to, None if that does not matter.
        directory: It has to be one.
        needed: Rights that its owner needs.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    except OSError as error:
        yield Finding(Code.NOT_CHECKED, mailbox, str(error.strerror), path, what=path)
        return
    mode = stat.S_IMODE(found.st_mode)
    kind = stat.S_ISDIR if directory else stat.S_ISREG
    needed = 0o700 if directory else needed
    wrong = Code.DIRECTORY_UNUSABLE if directory else Code.CONTROL_FILE_UNUSABLE
    if not kind(found.st_mode):
        evidence = f"it is a {stat.filemode(found.st_mode)[0]!r} of ls(1)"
        yield Finding(wrong, mailbox, evidence, path, what=path)
        return
    if owner is not None and found.st_uid != owner:
        evidence = f"it belongs to uid {found.st_uid}, not {owner}"
        yield Finding(Code.OWNER_WRONG, mailbox, evidence, path, what=path)
    elif mode & needed != needed:
        evidence = f"its mode is {mode:03o}, its owner needs {needed:03o}"
        yield Finding(wrong, mailbox, evidence, path, what=path)
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        evidence = f"its mode is {mode:03o}"
        yield Finding(Code.WRITABLE_BY_ALL, mailbox, evidence, path, what=path)


def uid_validity_of(directory: str) -> int:
    """UIDVALIDITY of a mailbox, as its log says; 0 if it does not."""
    try:
        fd = open_to_read(f"{directory}/{LOG}")
    except OSError:
        return 0
    try:
        return LogHeader.parse(os.pread(fd, HEADER_SIZE, 0)).uid_validity
    except (Damaged, OSError):
        return 0
    finally:
        os.close(fd)
