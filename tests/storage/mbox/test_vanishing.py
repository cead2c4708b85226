"""A file that goes away under an open mailbox, at the worst moment."""

import contextlib
import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from maildrop.durable import Disk
from maildrop.errors import MailboxVanished, StorageFailure
from maildrop.storage.index.host import Host
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.mbox.locks import MboxLock
from maildrop.storage.mbox.mailbox import MboxMailbox
from maildrop.storage.mbox.store import MboxStore

MESSAGE = b"From a@b Thu Jan  1 12:34:56 2026\nSubject: x\n\nbody\n\n"


class LosingDisk(Disk):
    """A disk on which something happens just before a file is opened or renamed."""

    def __init__(self) -> None:
        self.before_update: Callable[[], None] = lambda: None
        self.before_rename: Callable[[str | bytes], None] = lambda _: None

    def update(self, path: str | bytes, dir_fd: int | None = None) -> int:
        self.before_update()
        return super().update(path, dir_fd)

    def rename(
        self,
        source: str | bytes,
        target: str | bytes,
        source_fd: int | None = None,
        target_fd: int | None = None,
    ) -> None:
        self.before_rename(source)
        super().rename(source, target, source_fd, target_fd)


Open = Callable[[str], MboxMailbox]


@pytest.fixture
def disk() -> LosingDisk:
    return LosingDisk()


@pytest.fixture
def naps() -> list[Callable[[], None]]:
    """What happens while a lock is waited for."""
    return []


@pytest.fixture
def open_mailbox(
    tmp_path: Path, disk: LosingDisk, naps: list[Callable[[], None]]
) -> Open:
    def sleep(_: float) -> None:
        if naps:
            naps.pop()()

    (tmp_path / "control").mkdir()
    (tmp_path / "mail").mkdir()
    for path in (tmp_path / "inbox", tmp_path / "mail" / "Work"):
        path.write_bytes(MESSAGE * 2)
    host = dataclasses.replace(Host.here(disk), sleep=sleep)
    control = str(tmp_path / "control")
    store = MboxStore(
        str(tmp_path / "inbox"), str(tmp_path / "mail"), control, host, Remembered()
    )

    def opened(name: str) -> MboxMailbox:
        mailbox = store.open(name)
        mailbox.refresh()
        return mailbox

    return opened


def test_a_mailbox_deleted_before_it_is_changed_has_vanished(
    open_mailbox: Open, disk: LosingDisk, tmp_path: Path
) -> None:
    mailbox = open_mailbox("Work")
    disk.before_update = (tmp_path / "mail" / "Work").unlink
    with pytest.raises(MailboxVanished):
        mailbox.expunge([1], None)


def test_a_mailbox_deleted_while_it_is_rewritten_has_vanished(
    open_mailbox: Open, disk: LosingDisk
) -> None:
    """The journal of the rewrite went away with the control files."""
    mailbox = open_mailbox("Work")
    disk.before_rename = os.unlink
    with pytest.raises(MailboxVanished):
        mailbox.expunge([1], None)


def test_an_inbox_removed_before_it_is_changed_is_a_failure_of_the_moment(
    open_mailbox: Open, disk: LosingDisk, tmp_path: Path
) -> None:
    inbox = open_mailbox("INBOX")
    disk.before_update = (tmp_path / "inbox").unlink
    with pytest.raises(StorageFailure):
        inbox.expunge([1], None)
    disk.before_update = lambda: None
    inbox.refresh()
    assert len(inbox.table) == 0


def test_an_inbox_removed_while_it_is_waited_for_is_empty(
    open_mailbox: Open, naps: list[Callable[[], None]], tmp_path: Path
) -> None:
    """Some programs remove a spool file that they have emptied."""
    inbox = open_mailbox("INBOX")
    path = tmp_path / "inbox"
    os.utime(path, (1, 1))
    holder = os.open(path, os.O_RDWR)
    with contextlib.ExitStack() as stack:
        stack.enter_context(MboxLock(str(path), Host.here(), ("fcntl",)).held(holder))
        naps += [stack.close, path.unlink]
        inbox.refresh()
    os.close(holder)
    assert len(inbox.table) == 0
    assert naps == []
