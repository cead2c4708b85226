"""A longer mbox in the place of another: what stands before its old end may differ.

Appending and writing a longer file over the same inode look the same from outside, when
the last message that was known stands where it stood (RFC 3501 section 2.3.1.1: a UID
names one content).
"""

from pathlib import Path

import pytest

from maildrop.errors import MessageExpunged
from maildrop.mailbox.flags import FLAGGED, FlagChange, Operation
from maildrop.storage.mbox.layout import UNSURE
from maildrop.storage.mbox.mailbox import MboxMailbox
from tests.storage.mbox.conftest import OpenStore


def message(word: str) -> bytes:
    """A message that is as long as any other with a word as long."""
    return b"From a@example.org Thu Jan  1 12:34:56 2026\nSubject: %b\n\ntext\n\n" % (
        word.encode()
    )


def shown(word: str) -> bytes:
    return b"Subject: %b\r\n\r\ntext\r\n" % word.encode()


@pytest.fixture
def inbox(open_store: OpenStore, spool: Path) -> MboxMailbox:
    """UIDs 1 to 3 are known as "one", "two" and "six"; 1 is "ten" now, 4 new."""
    spool.write_bytes(b"".join(map(message, ("one", "two", "six"))))
    inbox = open_store().open("INBOX")
    inbox.refresh()
    spool.write_bytes(b"".join(map(message, ("ten", "two", "six", "new"))))
    inbox.refresh()
    return inbox


def words(spool: Path) -> list[bytes]:
    lines = spool.read_bytes().splitlines()
    return [line[9:] for line in lines if line.startswith(b"Subject: ")]


def contents(inbox: MboxMailbox) -> dict[int, bytes | None]:
    inbox.read_many(list(inbox.table.uids))
    uids = list(inbox.table.uids)
    return dict(zip(uids, inbox.read_many(uids), strict=True))


def test_another_content_is_not_read_under_the_old_uid(inbox: MboxMailbox) -> None:
    with pytest.raises(MessageExpunged):
        inbox.read(1)
    assert contents(inbox) == {
        2: shown("two"),
        3: shown("six"),
        4: shown("new"),
        5: shown("ten"),
    }


def test_nor_is_its_header(inbox: MboxMailbox) -> None:
    assert inbox.fragments(b"HEADER", [1, 2]) == [None, b"Subject: two\r\n\r\n"]


def test_it_is_not_removed_with_the_old_one(inbox: MboxMailbox, spool: Path) -> None:
    assert inbox.expunge([1, 2], None) == [2]
    assert words(spool) == [b"ten", b"six", b"new"]
    assert contents(inbox) == {3: shown("six"), 4: shown("new"), 5: shown("ten")}


def test_nor_kept_in_its_place(inbox: MboxMailbox, spool: Path) -> None:
    inbox.keep_all()
    assert 1 not in inbox.table.uids


def test_it_does_not_get_the_flags_of_the_old_one(
    inbox: MboxMailbox, spool: Path
) -> None:
    inbox.change_flags([1, 2], FlagChange(Operation.ADD, FLAGGED), None)
    inbox.settle()
    assert inbox.table.flags == bytes((FLAGGED, 0, 0, 0))
    ten, two, *_ = spool.read_bytes().split(b"\nFrom ")
    assert (b"X-Status: F" in ten, b"X-Status: F" in two) == (False, True)


def test_other_messages_keep_every_octet_when_one_is_removed(
    open_store: OpenStore, spool: Path
) -> None:
    """Whose places are others, too: "one" and "two" made room for a single one."""
    spool.write_bytes(b"".join(map(message, ("nil", "one", "two", "six"))))
    inbox = open_store().open("INBOX")
    inbox.refresh()
    long = "x" * (len(message("one")) + 3)
    new = b"".join(map(message, (long, "nil", "six", "new")))
    spool.write_bytes(new)
    inbox.refresh()
    inbox.expunge([4], None)
    assert spool.read_bytes() == b"".join(map(message, (long, "nil", "new")))
    assert sorted(filter(None, contents(inbox).values())) == sorted(
        map(shown, (long, "nil", "new"))
    )


def test_what_was_looked_at_is_not_looked_at_again(
    open_store: OpenStore, spool: Path
) -> None:
    spool.write_bytes(message("one") * 3)
    inbox = open_store().open("INBOX")
    inbox.refresh()
    with spool.open("ab") as file:
        file.write(message("new"))
    inbox.refresh()
    layout = inbox._places.layout
    assert [status & UNSURE for status in layout.status] == [UNSURE, UNSURE, 0, 0]
    inbox.read_many([1, 3])
    assert [status & UNSURE for status in layout.status] == [0, UNSURE, 0, 0]


def test_another_process_does_not_believe_more(
    open_store: OpenStore, inbox: MboxMailbox
) -> None:
    inbox.close()
    other = open_store().open("INBOX")
    other.refresh()
    assert contents(other)[5] == shown("ten")
