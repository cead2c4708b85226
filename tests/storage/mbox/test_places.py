"""The layout of an mbox, shared by processes: what one took in, another does not."""

import os
from pathlib import Path

import pytest

from maildrop.durable import Content
from maildrop.errors import MailboxInUse
from maildrop.mailbox.flags import (
    FLAGGED,
    KEYWORDS_MAX,
    SEEN,
    FlagChange,
    Operation,
    is_keyword,
)
from maildrop.mailbox.interfaces import NewMessage
from maildrop.storage.mbox.mailbox import MboxMailbox
from tests.storage.mbox.conftest import OpenStore

FROM = b"From a@example.org Thu Jan  1 12:34:56 2026\n"
PLAIN = FROM + b"Subject: x\n\nbody\n\n"
READ = FROM + b"Status: RO\nSubject: x\n\nbody\n\n"


def opened(open_store: OpenStore) -> MboxMailbox:
    inbox = open_store().open("INBOX")
    inbox.refresh()
    return inbox


def test_a_foreign_change_of_flags_is_taken_over_by_one_process_only(
    open_store: OpenStore, spool: Path
) -> None:
    """Else the second would set again what the user has unset meanwhile."""
    spool.write_bytes(PLAIN)
    one, two = opened(open_store), opened(open_store)
    spool.write_bytes(READ)
    one.refresh()
    assert one.table.flags[0] == SEEN
    one.change_flags([1], FlagChange(Operation.REMOVE, SEEN), None)
    two.refresh()
    one.refresh()
    assert (one.table.flags[0], two.table.flags[0]) == (0, 0)


def test_flags_that_another_process_wrote_are_no_foreign_change(
    open_store: OpenStore, spool: Path
) -> None:
    spool.write_bytes(PLAIN)
    one, two = opened(open_store), opened(open_store)
    one.change_flags([1], FlagChange(Operation.ADD, FLAGGED), None)
    one.settle()
    one.change_flags([1], FlagChange(Operation.REMOVE, FLAGGED), None)
    two.refresh()
    one.refresh()
    assert (one.table.flags[0], two.table.flags[0]) == (0, 0)


def test_a_keyword_that_is_new_to_the_mailbox_is_taken_over(
    open_store: OpenStore, spool: Path
) -> None:
    spool.write_bytes(PLAIN)
    inbox = opened(open_store)
    spool.write_bytes(PLAIN.replace(b"Subject", b"X-Keywords: $Junk work\nSubject"))
    inbox.refresh()
    table = inbox.table
    assert table.keywords_of(table.keywords[0]) == ["$Junk", "work"]
    inbox.change_flags([1], FlagChange(Operation.REMOVE, 0, ("work",)), None)
    inbox.settle()
    assert b"\nX-Keywords: $Junk  " in spool.read_bytes()


def test_a_sender_can_fill_no_mailbox_with_keywords_nor_break_them(
    open_store: OpenStore, spool: Path
) -> None:
    names = b" ".join(b"k%d" % number for number in range(KEYWORDS_MAX + 9))
    field = b"X-Keywords: a(b \\Deleted c\x01d %b\nSubject" % names
    spool.write_bytes(PLAIN.replace(b"Subject", field))
    inbox = opened(open_store)
    assert len(inbox.table) == 1
    assert len(inbox.table.keyword_names) == KEYWORDS_MAX
    assert all(map(is_keyword, inbox.table.keyword_names))


def test_a_layout_that_cannot_be_saved_keeps_nobody_from_the_mail(
    open_store: OpenStore, spool: Path
) -> None:
    spool.write_bytes(PLAIN)
    inbox = open_store().open("INBOX")
    (spool.parent / "control/INBOX/maildrop.layout").mkdir()
    inbox.refresh()
    assert inbox.read(1) == b"Subject: x\r\n\r\nbody\r\n"


def test_after_a_delivery_to_a_large_mailbox_the_layout_is_not_written(
    open_store: OpenStore, spool: Path
) -> None:
    spool.write_bytes(PLAIN * 2000)
    opened(open_store).close()
    saved = spool.parent / "control/INBOX/maildrop.layout"
    before = saved.read_bytes()
    inbox = opened(open_store)
    inbox.publish(inbox.stage([NewMessage(Content.of(b"new\r\n"))]), None)
    inbox.close()
    assert saved.read_bytes() == before
    again = opened(open_store)
    assert again.read(2001) == b"new\r\n"
    assert not again.unsettled


def test_a_delivery_that_is_not_in_the_layout_costs_only_itself(
    open_store: OpenStore, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.write_bytes(PLAIN * 2000)
    opened(open_store).close()
    inbox = opened(open_store)
    inbox.publish(inbox.stage([NewMessage(Content.of(b"new\r\n"))]), None)
    inbox.close()
    read: list[int] = []
    pread = os.pread

    def counted(fd: int, length: int, offset: int) -> bytes:
        octets = pread(fd, length, offset)
        if os.fstat(fd).st_ino == spool.stat().st_ino:
            read.append(len(octets))
        return octets

    monkeypatch.setattr(os, "pread", counted)
    assert len(opened(open_store).table) == 2001
    assert sum(read) < 1000


def test_a_message_of_the_layout_that_the_ledger_lost_is_found_again(
    open_store: OpenStore, spool: Path
) -> None:
    """As after a power cut that took the end of the log."""
    spool.write_bytes(PLAIN)
    inbox = opened(open_store)
    ledger = spool.parent / "control/INBOX/maildrop.ledger.log"
    before = ledger.read_bytes()
    with spool.open("ab") as file:
        file.write(PLAIN.replace(b"body", b"other"))
    inbox.refresh()
    inbox.close()
    ledger.write_bytes(before)
    again = opened(open_store)
    assert again.read_many(list(again.table.uids)) == [
        b"Subject: x\r\n\r\nbody\r\n",
        b"Subject: x\r\n\r\nother\r\n",
    ]


def test_a_file_that_is_being_written_anew_under_a_dotlock_is_not_taken_in(
    open_store: OpenStore, spool: Path
) -> None:
    """A script with lockfile(1) empties the file and fills it again."""
    spool.write_bytes(PLAIN + READ)
    inbox = opened(open_store)
    dotlock = spool.with_name("inbox.lock")
    dotlock.write_bytes(b"%d\n" % os.getpid())
    spool.write_bytes(b"")
    with pytest.raises(MailboxInUse):
        inbox.refresh()
    spool.write_bytes(PLAIN + READ)
    dotlock.unlink()
    inbox.refresh()
    assert list(inbox.table.uids) == [1, 2]
