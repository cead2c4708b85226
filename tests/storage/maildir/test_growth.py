"""What a Maildir costs does not grow with the messages in it.

Counted are the names that are listed, and the octets that are written.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maildrop.durable import Content
from maildrop.mailbox.flags import DELETED, FlagChange, Operation
from maildrop.mailbox.interfaces import NewMessage
from maildrop.mailbox.view import View
from maildrop.pop3.snapshot import Snapshot
from maildrop.storage.maildir.mailbox import MaildirMailbox
from tests.crash.stopping import QuickDisk
from tests.storage.held import held_by
from tests.storage.maildir.conftest import Clock, OpenStore

MESSAGE = b"From: a@example.org\r\nSubject: one\r\n\r\nhello\r\n"
BEGAN = 1_600_000_000


class Listed:
    """Counts the names that come out of directories."""

    def __init__(self) -> None:
        self.names = 0
        self._scandir = os.scandir

    def listing(self, path: bytes) -> "Listing":
        return Listing(self, self._scandir(path))


class Listing:
    """One directory that is listed."""

    def __init__(self, counted: Listed, entries: Any) -> None:  # noqa: ANN401
        self._counted = counted
        self._entries = entries

    def __enter__(self) -> Iterator[os.DirEntry[bytes]]:
        return self._each()

    def __exit__(self, *error: object) -> None:
        self._entries.close()

    def _each(self) -> Iterator[os.DirEntry[bytes]]:
        for entry in self._entries:
            self._counted.names += 1
            yield entry


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> Listed:
    counted = Listed()
    monkeypatch.setattr("maildrop.storage.maildir.folder.os.scandir", counted.listing)
    return counted


def mailbox_of(
    count: int, root: Path, open_store: OpenStore, clock: Clock
) -> MaildirMailbox:
    """A mailbox of so many messages that have been read, known and settled."""
    store = open_store(QuickDisk())
    octets = MESSAGE.replace(b"\r\n", b"\n")
    for number in range(count):
        size = b",S=%d,W=%d" % (len(octets), len(MESSAGE))
        name = b"%d.M%dP1.host%b:2,S" % (BEGAN + number, number, size)
        (root / "cur" / name.decode()).write_bytes(octets)
    for part in ("new", "cur"):
        os.utime(root / part, (BEGAN, BEGAN))
    mailbox = store.open("INBOX")
    clock.advance(1.0)
    mailbox.refresh()
    assert len(mailbox.table) == count
    assert mailbox.unchanged(thorough=True)
    return mailbox


def deliver(mailbox: MaildirMailbox) -> None:
    mailbox.publish(mailbox.stage([NewMessage(Content.of(MESSAGE))]), None)


@pytest.mark.parametrize("count", [50, 1000])
def test_a_delivery_lists_only_what_nobody_has_read(
    root: Path, open_store: OpenStore, clock: Clock, listed: Listed, count: int
) -> None:
    mailbox = mailbox_of(count, root, open_store, clock)
    listed.names = 0
    for _ in range(3):
        deliver(mailbox)
        clock.advance(1000.0)  # whatever was put off is due
        mailbox.refresh()
    assert len(mailbox.table) == count + 3
    assert listed.names == 1 + 2 + 3
    mailbox.close()


@pytest.mark.parametrize("count", [50, 1000])
def test_another_process_finds_what_was_delivered_in_the_log(
    root: Path, open_store: OpenStore, clock: Clock, listed: Listed, count: int
) -> None:
    mailbox = mailbox_of(count, root, open_store, clock)
    other = open_store(QuickDisk()).open("INBOX")
    listed.names = 0
    deliver(other)
    mailbox.refresh()
    assert len(mailbox.table) == count + 1
    assert listed.names == 0
    other.close()
    mailbox.close()


@pytest.mark.parametrize("count", [50, 1000])
def test_to_flag_and_to_expunge_one_lists_nothing_at_once(
    root: Path, open_store: OpenStore, clock: Clock, listed: Listed, count: int
) -> None:
    mailbox = mailbox_of(count, root, open_store, clock)
    listed.names = 0
    uid = mailbox.table.uids[count // 2]
    mailbox.change_flags([uid], FlagChange(Operation.ADD, DELETED), None)
    mailbox.expunge(mailbox.table.deleted_uids(), None)
    mailbox.refresh()
    assert len(mailbox.table) == count - 1
    assert listed.names == 0
    mailbox.close()


def test_a_message_takes_less_than_48_octets_of_memory(
    root: Path, open_store: OpenStore, clock: Clock
) -> None:
    """Columns, whatever their number; shared by the sessions of a process."""
    count = 2000
    mailbox_of(count, root, open_store, clock).close()
    mailbox = open_store(QuickDisk()).open("INBOX")
    mailbox.look()
    views = [View(mailbox.table) for _ in range(3)]
    snapshot = Snapshot(mailbox.table)
    assert 30 < held_by(mailbox, *views, snapshot) / count < 48
    mailbox.close()
