"""Usage after a crash: at every call it is what the mailboxes hold."""

from pathlib import Path

import pytest

from maildrop.durable import Content, Disk
from maildrop.errors import OverQuota
from maildrop.mailbox.interfaces import NewMessage, Store
from maildrop.mailbox.keeping import Keeping
from maildrop.mailbox.quota import Quota, Usage
from tests.crash.stopping import QuickDisk, every_stop
from tests.crash.test_undelete import (
    OpenStore,
    add,
    each_store,
    every_way,
    made,
    message,
)


def held(store: Store) -> Usage:
    """What is in the mailboxes, as a session would find it."""
    usage = Usage()
    for entry in store.entries():
        if entry.selectable:
            mailbox = store.open(entry.name)
            mailbox.refresh()
            table = mailbox.table
            octets = sum(len(mailbox.read(uid)) for uid in table.uids)
            usage += Usage(octets, len(table))
            mailbox.close()
    return usage


@each_store
@every_way
def test_usage_is_what_the_mailboxes_hold(
    tmp_path: Path, kind: OpenStore, *, torn: bool
) -> None:
    template = made(tmp_path / "mail", kind, expunged=True)
    kind(template, QuickDisk()).usage()  # what is remembered of it

    def work(root: Path, disk: Disk) -> None:
        store = kind(root, disk)
        store.keep(Keeping(1e6))
        store.limit(Quota(octets=1000, warnings=(10, 50)), lambda reached: None)
        inbox, other = store.open("INBOX"), store.open("Work")
        try:
            add(inbox, 7)
            inbox.copy([7], other)
            other.expunge([1], None)
            store.usage()
        finally:
            inbox.close()
            other.close()

    for root, _ in every_stop(template, work, torn=torn):
        store = kind(root, QuickDisk())
        there = held(store)
        assert store.usage() == there
        assert kind(root, QuickDisk()).usage() == there
        assert kind(root, QuickDisk()).usage(recount=True) == there


@each_store
def test_a_crash_makes_no_room(tmp_path: Path, kind: OpenStore) -> None:
    template = made(tmp_path / "mail", kind, expunged=False)
    quota = Quota(messages=9)

    def work(root: Path, disk: Disk) -> None:
        store = kind(root, disk)
        store.limit(quota)
        inbox = store.open("INBOX")
        try:
            add(inbox, 7)
        finally:
            inbox.close()

    for root, _ in every_stop(template, work, torn=True):
        store = kind(root, QuickDisk())
        store.limit(quota)
        inbox = store.open("INBOX")
        inbox.refresh()
        new = [NewMessage(Content.of(message(8)))]
        if held(store).messages == 9:
            with pytest.raises(OverQuota):
                inbox.publish(inbox.stage(new), None)
        else:
            inbox.publish(inbox.stage(new), None)
        inbox.close()
        assert held(kind(root, QuickDisk())).messages == 9
