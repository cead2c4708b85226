"""What the owner of a Maildir may have planted in it: no wait, no crash, no leak."""

import contextlib
import os
from pathlib import Path

import pytest

from maildrop.durable import Content
from maildrop.errors import MailboxNotFound, MaildropError
from maildrop.mailbox.interfaces import NewMessage
from maildrop.storage.index.cache import CACHE
from maildrop.storage.index.opening import LOG, SNAPSHOT
from maildrop.storage.maildir.folder import MESSAGE_MAX
from tests.storage.maildir.conftest import OpenStore
from tests.ticking import ticked

MESSAGE = b"Subject: x\r\n\r\ntext\r\n"
CONTROL_FILES = (
    LOG,
    SNAPSHOT,
    CACHE,
    "maildrop.lock",
    "maildrop.uidvalidity",
    "maildrop.renaming",
    "maildrop.special-use",
    "maildrop.subscriptions.lock",
    "subscriptions",
    "dovecot-keywords",
)


def use(open_store: OpenStore) -> None:
    """What a client does; it may be refused."""
    store = open_store()
    for each in (store.entries, store.subscriptions, lambda: store.subscribe("a")):
        try:
            each()
        except MaildropError:
            continue
    try:
        inbox = store.open("INBOX")
    except MaildropError:
        return
    try:
        inbox.refresh()
        inbox.publish(inbox.stage([NewMessage(Content.of(MESSAGE))]), None)
        inbox.fragments(b"ENVELOPE", list(inbox.table.uids))
        inbox.read_many(list(inbox.table.uids))
    except MaildropError:
        return
    finally:
        with contextlib.suppress(MaildropError):
            inbox.close()


@pytest.mark.parametrize("name", CONTROL_FILES)
@pytest.mark.parametrize("plant", [os.mkfifo, os.mkdir])
def test_a_planted_control_file_is_neither_waited_for_nor_left_open(
    open_store: OpenStore, root: Path, name: str, plant: object
) -> None:
    use(open_store)
    (root / name).unlink(missing_ok=True)
    before = len(os.listdir("/proc/self/fd"))
    assert callable(plant)
    plant(root / name)
    use(open_store)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_too_large_for_memory_is_no_message(
    open_store: OpenStore, root: Path
) -> None:
    use(open_store)
    (root / "cur" / "1.large.host:2,S").touch()
    os.truncate(root / "cur" / "1.large.host:2,S", MESSAGE_MAX + 1)
    inbox = open_store().open("INBOX")
    inbox.refresh()
    assert inbox.read_many(list(inbox.table.uids)) == [MESSAGE]


def test_the_size_that_a_name_claims_takes_no_memory(
    open_store: OpenStore, root: Path
) -> None:
    use(open_store)
    claim = 3_000_000_000
    path = root / "cur" / f"1.claim.host,S={claim},W={claim}:2,S"
    path.write_bytes(b"Subject: y\n\n")
    ticked(root / "cur")
    inbox = open_store().open("INBOX")
    inbox.refresh()
    assert b"Subject: y\r\n\r\n" in inbox.read_many(list(inbox.table.uids))


def test_a_folder_that_is_a_link_to_itself_is_no_mailbox(
    open_store: OpenStore, root: Path
) -> None:
    store = open_store()
    (root / ".Loop").symlink_to(root / ".Loop")
    with pytest.raises(MailboxNotFound):
        store.open("Loop")
    assert [entry.name for entry in store.entries()] == ["INBOX"]
