"""Keeping and bringing back, stopped at every call: nothing lost, nothing doubled.

What counts is the sum: a message is in a mailbox, or kept, and never both.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from maildrop.durable import Content, Disk
from maildrop.mailbox.flags import FLAGGED, SEEN
from maildrop.mailbox.interfaces import NewMessage, Store, StoredMailbox
from maildrop.mailbox.keeping import Keeping
from maildrop.storage.index.host import Host
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.maildir.store import MaildirStore
from maildrop.storage.mbox.store import MboxStore
from tests.crash.stopping import QuickDisk, every_stop

OpenStore = Callable[[Path, Disk], Store]
#: A message: its octets, flags and keywords.
Found = tuple[bytes, int, tuple[str, ...]]


def in_maildir(root: Path, disk: Disk) -> Store:
    return MaildirStore(str(root), _host(disk), Remembered())


def in_mbox(root: Path, disk: Disk) -> Store:
    root.mkdir(exist_ok=True)
    for dotlock in root.rglob("*.lock"):  # a process that died holds none
        if not dotlock.name.startswith("maildrop."):
            dotlock.unlink()
    control = root / "control"
    control.mkdir(exist_ok=True)
    inbox, mail = str(root / "inbox"), str(root / "mail")
    return MboxStore(inbox, mail, str(control), _host(disk), Remembered())


def _host(disk: Disk) -> Host:
    return dataclasses.replace(Host.here(disk), sleep=lambda _: None, lock_seconds=0.0)


each_store = pytest.mark.parametrize("kind", [in_maildir, in_mbox])
every_way = pytest.mark.parametrize("torn", [False, True], ids=["whole", "torn"])


def message(number: int) -> bytes:
    return b"Subject: %d\r\n\r\nbody %d\r\n" % (number, number)


def add(mailbox: StoredMailbox, *numbers: int) -> None:
    new = [
        NewMessage(
            Content.of(message(number)),
            flags=FLAGGED if number % 2 else SEEN,
            keywords=("work",) if number % 3 == 0 else (),
        )
        for number in numbers
    ]
    mailbox.publish(mailbox.stage(new), None)


def everything(root: Path, kind: OpenStore) -> tuple[Counter[Found], Counter[Found]]:
    """What is in mailboxes, and what is kept, as a new process finds it."""
    store = kind(root, QuickDisk())
    there: Counter[Found] = Counter()
    for entry in store.entries():
        if not entry.selectable:
            continue
        mailbox = store.open(entry.name)
        mailbox.refresh()
        table = mailbox.table
        for row, uid in enumerate(table.uids):
            words = tuple(table.keywords_of(table.keywords[row]))
            there[mailbox.read(uid), table.flags[row] & 31, words] += 1
        mailbox.close()
    kept: Counter[Found] = Counter()
    for one in store.kept():
        octets = store.read_kept(one)
        assert octets is not None
        kept[octets, one.flags, one.keywords] += 1
    return there, kept


def made(path: Path, kind: OpenStore, *, expunged: bool) -> Path:
    """INBOX with 1 to 6, of which 2, 3 and 6 may be expunged; Work with 11, 12."""
    store = kind(path, QuickDisk())
    store.keep(Keeping(1e6))
    store.create("Work")
    inbox, work = store.open("INBOX"), store.open("Work")
    add(inbox, 1, 2, 3, 4, 5, 6)
    add(work, 11, 12)
    if expunged:
        inbox.expunge([2, 3, 6], None)
    inbox.close()
    work.close()
    return path


@each_store
@every_way
def test_an_expunged_message_is_there_or_kept(
    tmp_path: Path, kind: OpenStore, *, torn: bool
) -> None:
    template = made(tmp_path / "mail", kind, expunged=False)
    before, _ = everything(template, kind)

    def expunge(root: Path, disk: Disk) -> None:
        store = kind(root, disk)
        store.keep(Keeping(1e6))
        inbox = store.open("INBOX")
        try:
            inbox.expunge([2, 3, 6], None)
        finally:
            inbox.close()

    for root, finished in every_stop(template, expunge, torn=torn):
        there, kept = everything(root, kind)
        assert there + kept == before
        if finished:
            assert sum(kept.values()) == 3


@each_store
@every_way
def test_messages_of_a_deleted_mailbox_are_there_or_kept(
    tmp_path: Path, kind: OpenStore, *, torn: bool
) -> None:
    template = made(tmp_path / "mail", kind, expunged=False)
    before, _ = everything(template, kind)

    def delete(root: Path, disk: Disk) -> None:
        store = kind(root, disk)
        store.keep(Keeping(1e6))
        store.delete("Work")

    for root, finished in every_stop(template, delete, torn=torn):
        there, kept = everything(root, kind)
        assert {found[0] for found in there + kept} == {found[0] for found in before}
        if finished:
            assert there + kept == before
            assert sum(kept.values()) == 2


@each_store
@every_way
def test_what_comes_back_does_so_once(
    tmp_path: Path, kind: OpenStore, *, torn: bool
) -> None:
    template = made(tmp_path / "mail", kind, expunged=True)
    there, kept = everything(template, kind)
    before = there + kept

    def restore(root: Path, disk: Disk) -> None:
        store = kind(root, disk)
        store.restore(store.kept())

    for root, finished in every_stop(template, restore, torn=torn):
        there, kept = everything(root, kind)
        assert there + kept == before
        assert not kept or not finished
        restore(root, QuickDisk())
        assert everything(root, kind) == (before, Counter())


@each_store
def test_a_deleted_mailbox_comes_back_once(tmp_path: Path, kind: OpenStore) -> None:
    template = made(tmp_path / "mail", kind, expunged=True)
    before = sum(everything(template, kind), Counter[Found]())
    store = kind(template, QuickDisk())
    store.keep(Keeping(1e6))
    store.delete("Work")

    def restore(root: Path, disk: Disk) -> None:
        store = kind(root, disk)
        store.restore(store.kept())

    for root, _ in every_stop(template, restore, torn=True):
        there, kept = everything(root, kind)
        assert there + kept == before
        restore(root, QuickDisk())
        assert everything(root, kind) == (before, Counter())


@each_store
@every_way
def test_giving_up_touches_nothing_else(
    tmp_path: Path, kind: OpenStore, *, torn: bool
) -> None:
    template = made(tmp_path / "mail", kind, expunged=True)
    before, kept_before = everything(template, kind)

    def give_up(root: Path, disk: Disk) -> None:
        kind(root, disk).give_up(1e12)

    for root, finished in every_stop(template, give_up, torn=torn):
        there, kept = everything(root, kind)
        assert there == before
        assert kept <= kept_before
        assert not kept or not finished
