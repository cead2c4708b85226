"""Reading a Maildir beside others, and seeing at little cost that nothing happened."""

import itertools
import os
import shutil
from pathlib import Path

import pytest

from maildrop.durable import Content
from maildrop.errors import MailboxVanished
from maildrop.mailbox.flags import SEEN, FlagChange, Operation
from maildrop.mailbox.interfaces import NewMessage
from maildrop.storage.maildir.folder import canonical
from maildrop.storage.maildir.mailbox import MaildirMailbox
from maildrop.storage.maildir.store import MaildirStore
from tests.storage.maildir.conftest import Clock, OpenStore
from tests.ticking import ticked

ADD_SEEN = FlagChange(Operation.ADD, SEEN)


def message(subject: str) -> bytes:
    return f"Subject: {subject}\r\n\r\nbody of {subject}\r\n".encode()


def opened(store: MaildirStore) -> MaildirMailbox:
    mailbox = store.open("INBOX")
    mailbox.refresh()
    return mailbox


def filled(store: MaildirStore, *subjects: str) -> MaildirMailbox:
    inbox = opened(store)
    new = [NewMessage(Content.of(message(subject))) for subject in subjects]
    inbox.publish(inbox.stage(new), None)
    inbox.refresh()
    return inbox


@pytest.fixture
def inbox(open_store: OpenStore) -> MaildirMailbox:
    return filled(open_store(), "one", "two")


# -- at once


def test_messages_are_read_while_another_process_has_the_lock(
    inbox: MaildirMailbox, open_store: OpenStore
) -> None:
    with opened(open_store()).ledger.locked():
        assert inbox.read_at_once([1, 2]) == [message("one"), message("two")]


def test_a_file_that_is_not_there_has_to_be_looked_for(
    inbox: MaildirMailbox, root: Path
) -> None:
    for path in (root / "new").iterdir():
        path.rename(root / "cur" / f"{path.name}:2,S")
    assert inbox.read_at_once([1]) is None
    assert inbox.read_many([1]) == [message("one")]
    assert inbox.read_at_once([1]) == [message("one")]


def test_a_size_that_is_wrong_has_to_be_put_right(
    open_store: OpenStore, root: Path
) -> None:
    open_store()
    (root / "cur" / "1.x.host,S=12,W=15:2,").write_bytes(b"Subject: x\n\n")
    inbox = opened(open_store())
    assert inbox.read_at_once([1]) is None
    assert inbox.read_many([1]) == [b"Subject: x\r\n\r\n"]
    assert inbox.read_at_once([1]) == [b"Subject: x\r\n\r\n"]


def test_what_is_gone_or_too_much_is_not_read_at_once(inbox: MaildirMailbox) -> None:
    assert inbox.read_at_once([1, 3]) is None
    inbox.publish(inbox.stage([NewMessage(Content.of(b"x" * (1 << 20)))]), None)
    assert inbox.read_at_once([3]) == [b"x" * (1 << 20)]
    assert inbox.read_at_once([1, 3]) is None
    assert inbox.read_at_once(range(1, 100)) is None


@pytest.mark.parametrize("waiting", [True, False])
def test_a_disk_that_makes_us_wait_is_left_to_threads_for_a_while(
    inbox: MaildirMailbox,
    open_store: OpenStore,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    waiting: bool,
) -> None:
    """Long without waiting is only a machine that has much to do."""
    waits = itertools.count()
    mailbox = opened(open_store(waits=lambda: next(waits) if waiting else 0))
    read = os.read

    def slow(fd: int, length: int) -> bytes:
        clock.advance(0.01)
        return read(fd, length)

    with monkeypatch.context() as patch:
        patch.setattr(os, "read", slow)
        assert mailbox.read_at_once([1]) == [message("one")]
    assert mailbox.read_at_once([1]) == (None if waiting else [message("one")])
    assert mailbox.read_many([1]) == [message("one")]
    clock.advance(1.1)
    assert mailbox.read_at_once([1]) == [message("one")]
    mailbox.close()


def test_pieces_of_messages_are_given_at_once_when_nothing_has_to_be_made(
    open_store: OpenStore, root: Path
) -> None:
    open_store()
    for name in ("1.a.host,S=20,W=23:2,", "2.b.host,S=20,W=23:2,"):
        (root / "cur" / name).write_bytes(b"Subject: %b\n\nxyzzy\n" % name[:3].encode())
    inbox = opened(open_store())
    assert inbox.fragments_at_once(b"ENVELOPE", [1, 2]) is None
    for key in (b"ENVELOPE", b"HEADER.FIELDS (SUBJECT)", b"HEADER.FIELDS (X-RARE)"):
        made = inbox.fragments(key, [1, 2])
        assert inbox.fragments_at_once(key, [1, 2]) == made
        assert inbox.fragments_at_once(key, [2]) == made[1:]
    assert inbox.fragments_at_once(b"ENVELOPE", [1, 3]) is None
    assert inbox.fragments_at_once(b"HEADER", [1]) is None


# -- unchanged


def test_nothing_happened(inbox: MaildirMailbox) -> None:
    assert inbox.unchanged(thorough=False)


def test_a_change_by_another_process_is_seen(
    inbox: MaildirMailbox, open_store: OpenStore
) -> None:
    opened(open_store()).change_flags([1], ADD_SEEN, None)
    assert not inbox.unchanged(thorough=False)
    inbox.refresh()
    assert inbox.unchanged(thorough=False)


@pytest.mark.parametrize("folder", ["new", "cur"])
def test_a_change_by_another_program_is_seen(
    inbox: MaildirMailbox, root: Path, folder: str
) -> None:
    (root / folder / "3.c.host").write_bytes(b"Subject: three\n\n")
    ticked(root / folder)
    assert not inbox.unchanged(thorough=False)
    inbox.refresh()
    assert len(inbox.table) == 3
    assert inbox.unchanged(thorough=False)


def test_a_scan_that_is_due_is_not_forgotten(
    inbox: MaildirMailbox, clock: Clock
) -> None:
    clock.advance(3.0)
    assert not inbox.unchanged(thorough=False)
    inbox.refresh()
    assert inbox.unchanged(thorough=False)


def test_a_maildir_that_was_removed_is_missed(
    inbox: MaildirMailbox, root: Path
) -> None:
    shutil.rmtree(root)
    assert not inbox.unchanged(thorough=False)


def test_a_maildir_with_another_place_is_missed_within_a_second(
    inbox: MaildirMailbox, root: Path, clock: Clock
) -> None:
    root.rename(root.with_name("elsewhere"))
    clock.advance(1.1)
    assert not inbox.unchanged(thorough=False)


@pytest.mark.parametrize("size", [(1 << 20) - 1, 1 << 20, (1 << 21) + 1])
def test_a_large_message_gets_its_line_ends_in_pieces(size: int) -> None:
    stored = (b"12345\n6\n\n" * (size // 9 + 1))[:size]
    message = stored.replace(b"\n", b"\r\n")
    assert canonical(stored, len(message)) == message
    assert canonical(message, 0) == message


def test_a_change_of_flags_that_changes_nothing_needs_no_scan(
    inbox: MaildirMailbox, root: Path, clock: Clock
) -> None:
    inbox.change_flags([1, 2], ADD_SEEN, None)
    clock.advance(0.5)
    inbox.refresh()
    clock.advance(0.5)
    inbox.refresh()
    log = (root / "maildrop.ledger.log").read_bytes()
    assert inbox.change_flags([1, 2], ADD_SEEN, None) == []
    clock.advance(0.5)
    assert inbox.unchanged(thorough=True)
    assert (root / "maildrop.ledger.log").read_bytes() == log


def test_a_maildir_with_another_place_is_missed_at_once_by_a_thorough_look(
    inbox: MaildirMailbox, root: Path
) -> None:
    assert inbox.unchanged(thorough=True)
    root.rename(root.with_name("elsewhere"))
    with pytest.raises(MailboxVanished):
        inbox.unchanged(thorough=True)


def test_messages_are_unclaimed_until_they_are_claimed(inbox: MaildirMailbox) -> None:
    assert inbox.unclaimed
    inbox.claim_recent()
    assert not inbox.unclaimed
