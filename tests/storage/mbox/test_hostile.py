"""What others may have planted beside an mbox or in its control files: no wait."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from maildrop.durable import Content
from maildrop.errors import MaildropError, StorageFailure
from maildrop.mailbox.interfaces import NewMessage
from maildrop.storage.mbox.file import is_planted
from maildrop.storage.mbox.scan import raw_messages
from tests.storage.mbox.conftest import OpenStore

MESSAGE = b"Subject: x\r\n\r\ntext\r\n"
PLACES = (
    "inbox",
    "inbox.lock",
    "mail/.subscriptions",
    "mail/Box",
    "control/maildrop.special-use",
    "control/INBOX/maildrop.layout",
    "control/INBOX/maildrop.rewrite",
    "control/INBOX/maildrop.ledger",
    "control/INBOX/maildrop.ledger.log",
    "control/INBOX/maildrop.cache",
)


def use(open_store: OpenStore) -> None:
    """What a client does; it may be refused."""
    store = open_store()
    for each in (store.entries, store.subscriptions, lambda: store.create("Box")):
        try:
            each()
        except MaildropError:
            continue
    for name in ("INBOX", "Box"):
        try:
            mailbox = store.open(name)
        except MaildropError:
            continue
        try:
            mailbox.refresh()
            mailbox.publish(mailbox.stage([NewMessage(Content.of(MESSAGE))]), None)
            mailbox.fragments(b"ENVELOPE", list(mailbox.table.uids))
        except MaildropError:
            continue
        finally:
            with contextlib.suppress(MaildropError):
                mailbox.close()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("plant", [os.mkfifo, os.mkdir])
def test_what_is_planted_is_neither_waited_for_nor_left_open(
    open_store: OpenStore, spool: Path, place: str, plant: Callable[[Path], None]
) -> None:
    use(open_store)
    path = spool.parent / place
    path.unlink(missing_ok=True)
    before = len(os.listdir("/proc/self/fd"))
    plant(path)
    use(open_store)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_message_too_large_for_memory_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "inbox"
    path.write_bytes(b"From a Thu Jan  1 00:00:00 2026\n\n" + bytes(1000))
    with path.open("rb") as file:
        walk = raw_messages(file.fileno(), 0, 1033, "inbox", piece=64, message_max=512)
        with pytest.raises(StorageFailure, match="larger"):
            list(walk)


def test_a_mailbox_that_cannot_be_settled_is_closed_all_the_same(
    open_store: OpenStore, spool: Path
) -> None:
    use(open_store)
    (spool.parent / "control/INBOX/maildrop.layout").unlink(missing_ok=True)
    before = len(os.listdir("/proc/self/fd"))
    inbox = open_store().open("INBOX")
    inbox.refresh()
    inbox.publish(inbox.stage([NewMessage(Content.of(MESSAGE))]), None)
    (spool.parent / "control/INBOX/maildrop.layout").unlink(missing_ok=True)
    (spool.parent / "control/INBOX/maildrop.layout").mkdir()
    inbox.close()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("file_uid", "directory_mode", "planted"),
    [
        (1000, 0o1777, False),  # the user's own
        (2000, 0o1777, True),
        (0, 0o1777, False),  # of whoever has the spool
        (2000, 0o755, False),  # only the spool's owner can have put it there
        (2000, 0o2775, False),
    ],
)
def test_a_file_of_another_user_is_refused_where_everybody_may_make_files(
    file_uid: int, directory_mode: int, planted: bool
) -> None:
    file = os.stat_result((0o100666, 1, 1, 1, file_uid, 0, 0, 0, 0, 0))
    spool = os.stat_result((0o040000 | directory_mode, 1, 1, 1, 0, 0, 0, 0, 0, 0))
    assert is_planted(file, spool, owner=1000) is planted
