"""Files that hold another message than they did, and those that only look so."""

import os
import re
import shutil
from array import array
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from maildrop.durable import Content
from maildrop.errors import MessageExpunged
from maildrop.mailbox.flags import FLAGGED, SEEN, FlagChange, Operation
from maildrop.mailbox.interfaces import NewMessage
from maildrop.mailbox.table import MessageTable
from maildrop.storage.maildir.contents import Inodes, written
from maildrop.storage.maildir.mailbox import MaildirMailbox
from tests.storage.maildir.conftest import OpenStore
from tests.ticking import ticked

OCTETS = b"Subject: one\r\n\r\nbody of one\r\n"
LATER = (2_000_000_000, 2_000_000_000)


@pytest.fixture
def inbox(open_store: OpenStore) -> MaildirMailbox:
    """A mailbox with one message, which was listed once since."""
    inbox = open_store().open("INBOX")
    new = NewMessage(Content.of(OCTETS), flags=FLAGGED)
    inbox.publish(inbox.stage([new]), None)
    inbox.change_flags([1], FlagChange(Operation.ADD, 0, ("rare", "rarer")), None)
    inbox.look()
    return inbox


def only(root: Path) -> Path:
    (path,) = (root / "cur").iterdir()
    return path


def put(path: Path, octets: bytes) -> None:
    """Put another file in the place of one, as ``sed -i`` does."""
    beside = path.with_name("sed1234")
    beside.write_bytes(octets)
    beside.rename(path)
    ticked(path.parent)


@given(st.text(alphabet="a\r\n", max_size=12).map(str.encode))
def test_each_line_of_a_file_ends_with_crlf(octets: bytes) -> None:
    assert written(octets) == re.sub(rb"(?<!\r)\n", b"\r\n", octets)


def test_a_large_file_is_no_exception() -> None:
    octets = b"line\n" * 500_000
    assert written(octets) == octets.replace(b"\n", b"\r\n")


@pytest.mark.parametrize("octets", [b"Subject: two\n\nbody of two\n", b"longer" * 9])
def test_a_file_that_was_edited_is_another_message(
    inbox: MaildirMailbox, root: Path, octets: bytes
) -> None:
    """RFC 3501 section 2.3.1.1: a UID names one content for ever."""
    uidl = inbox.uidls()
    put(only(root), octets)
    inbox.refresh()
    assert list(inbox.table.uids) == [2]
    assert inbox.read(2) == octets.replace(b"\n", b"\r\n")
    assert inbox.uidls() != uidl
    assert inbox.table.flags[0] == FLAGGED
    table = inbox.table
    assert table.keywords_of(table.keywords[0]) == ["rare", "rarer"]
    with pytest.raises(MessageExpunged):
        inbox.read(1)


def test_an_edit_that_changes_nothing_is_none(
    inbox: MaildirMailbox, root: Path
) -> None:
    put(only(root), OCTETS.replace(b"\r\n", b"\n"))
    os.utime(only(root), LATER)
    inbox.refresh()
    assert list(inbox.table.uids) == [1]
    assert inbox.read(1) == OCTETS


def test_a_file_cut_short_where_it_stands_is_another_message(
    inbox: MaildirMailbox, root: Path
) -> None:
    os.truncate(only(root), 13)
    with pytest.raises(MessageExpunged):
        inbox.read(1)
    assert list(inbox.table.uids) == [2]
    assert inbox.read(2) == OCTETS[:14]


def test_an_edit_in_place_to_the_same_length_is_another_message(
    inbox: MaildirMailbox, root: Path
) -> None:
    path = only(root)
    path.write_bytes(path.read_bytes().swapcase())
    os.utime(path, LATER)
    assert inbox.read_at_once([1]) is None
    assert inbox.read_many([1]) == [None]
    assert inbox.read(2) == OCTETS.swapcase()


def test_an_edit_is_seen_when_the_mailbox_is_next_opened_and_read(
    inbox: MaildirMailbox, root: Path, open_store: OpenStore
) -> None:
    inbox.close()
    put(only(root), OCTETS.swapcase().replace(b"\r\n", b"\n"))
    os.utime(only(root), LATER)
    again = open_store().open("INBOX")
    assert again.read_many(list(again.table.uids)) in ([None], [OCTETS.swapcase()])
    assert again.read_many(list(again.table.uids)) == [OCTETS.swapcase()]
    assert list(again.table.uids) == [2]


def test_a_file_restored_without_its_times_is_the_same_message(
    inbox: MaildirMailbox, root: Path, tmp_path: Path
) -> None:
    saved = tmp_path / "saved"
    shutil.copyfile(only(root), saved)
    path = only(root)
    path.unlink()
    shutil.copyfile(saved, path)
    os.utime(path, LATER)
    inbox.refresh()
    assert list(inbox.table.uids) == [1]
    assert inbox.read(1) == OCTETS


def test_a_message_under_another_name_gets_its_own_back(
    inbox: MaildirMailbox, root: Path
) -> None:
    name = only(root).name
    uidl = inbox.uidls()
    only(root).rename(root / "cur" / "1.other.host:2,S")
    ticked(root / "cur")
    inbox.refresh()
    assert list(inbox.table.uids) == [1]
    assert inbox.uidls() == uidl
    assert inbox.table.flags[0] == SEEN
    assert only(root).name.partition(":")[0] == name.partition(":")[0]
    assert inbox.read(1) == OCTETS


def test_a_message_of_which_only_the_header_was_read_gets_its_name_back(
    open_store: OpenStore, root: Path
) -> None:
    inbox = open_store().open("INBOX")
    text = b"Subject: x\n\nfirst\n"
    path = root / "new" / f"1.M1P1.host,S={len(text)},W={len(text) + 3}"
    path.write_bytes(text)
    inbox.look()
    assert inbox.fragments(b"ENVELOPE", [1]) != [None]
    path.rename(root / "cur" / "2.other.host:2,S")
    inbox.look()
    assert list(inbox.table.uids) == [1]
    assert only(root).name == f"{path.name}:2,S"
    other = text.replace(b"first", b"other")
    put(only(root), other)
    os.utime(only(root), LATER)
    only(root).rename(root / "cur" / "3.other.host:2,S")
    inbox.look()
    assert list(inbox.table.uids) == [2]


@pytest.mark.parametrize("header_read", [False, True])
@pytest.mark.parametrize("age", [0, 1000])
def test_a_copy_of_a_message_that_was_never_read_whole_is_known_by_its_age(
    open_store: OpenStore, root: Path, age: int, *, header_read: bool
) -> None:
    """Within one second it may be an edit; with the times of long ago it is a copy."""
    inbox = open_store().open("INBOX")
    path = root / "new" / "1.M1P1.host,S=18,W=21"
    path.write_bytes(b"Subject: x\n\nfirst\n")
    times = (path.stat().st_mtime - age,) * 2
    os.utime(path, times)
    inbox.look()
    if header_read:
        inbox.fragments(b"ENVELOPE", [1])
    put(path, b"Subject: x\n\n" + (b"first\n" if age else b"other\n"))
    os.utime(path, times)
    inbox.look()
    assert list(inbox.table.uids) == [1 if age else 2]


def test_a_whole_mailbox_with_other_inodes_was_copied(
    open_store: OpenStore, root: Path, tmp_path: Path
) -> None:
    """Even one that was written a moment ago, and of which no digest is known."""
    open_store().open("INBOX")
    for number in (1, 2):
        name = f"{number}.M1P1V1I1Q{number}.host,S=18,W=21"
        (root / "new" / name).write_bytes(b"Subject: x\n\nbody%d\n" % number)
    ticked(root / "new")
    assert list(open_store().open("INBOX").table.uids) == [1, 2]
    shutil.copytree(root, tmp_path / "copy")
    shutil.rmtree(root)
    (tmp_path / "copy").rename(root)
    ticked(root / "new", root / "cur")
    assert list(open_store().open("INBOX").table.uids) == [1, 2]


def test_a_message_restored_after_it_was_seen_to_be_gone_is_new_and_has_its_uidl(
    inbox: MaildirMailbox, root: Path, tmp_path: Path
) -> None:
    uidl = inbox.uidls()
    path = only(root)
    path.rename(tmp_path / path.name)
    ticked(root / "cur")
    inbox.refresh()
    assert len(inbox.table) == 0
    (tmp_path / path.name).rename(path)
    ticked(root / "cur")
    inbox.refresh()
    assert list(inbox.table.uids) == [2]
    assert inbox.uidls() == uidl
    assert inbox.table.flags[0] == FLAGGED


def test_a_foreign_message_that_was_read_at_its_arrival_keeps_its_uid(
    open_store: OpenStore, root: Path
) -> None:
    inbox = open_store().open("INBOX")
    path = root / "new" / "1.1_0.host"
    path.write_bytes(b"Subject: x\n\nfirst\n")
    inbox.look()
    put(path, b"Subject: x\n\nfirst\n")
    os.utime(path, LATER)
    inbox.refresh()
    assert inbox.read(1) == b"Subject: x\r\n\r\nfirst\r\n"
    put(path, b"Subject: x\n\nother\n")
    inbox.refresh()
    assert list(inbox.table.uids) == [2]
    assert inbox.read(2) == b"Subject: x\r\n\r\nother\r\n"


def table_of(count: int) -> MessageTable:
    table = MessageTable(1)
    for uid in range(1, count + 1):
        table.append_row(uid, 1, 0, 0, 0, 1)
    return table


def test_an_edit_within_the_second_is_seen_by_who_reads_before_anybody_looks(
    open_store: OpenStore, root: Path
) -> None:
    inbox = open_store().open("INBOX")
    new = NewMessage(Content.of(OCTETS), flags=SEEN)
    inbox.publish(inbox.stage([new]), None)
    inbox.copy([1], inbox)
    assert inbox.read_many([1, 2]) == [OCTETS, OCTETS]
    path = min((root / "cur").iterdir(), key=lambda path: len(path.name))
    mtime = path.stat().st_mtime
    put(path, OCTETS.swapcase().replace(b"\r\n", b"\n"))
    os.utime(path, (mtime, mtime))
    assert inbox.read_at_once([1, 2]) is None
    assert sorted(inbox.read_many([1, 2]), key=str) == [None, OCTETS]
    assert inbox.read_many([3]) == [OCTETS.swapcase()]


def test_inodes_follow_their_rows_through_removals() -> None:
    table = table_of(3)
    inodes = Inodes(table)
    inodes.follow()
    inodes.added([10, 20, 30])
    table.remove_rows([1], 2, None)
    table.append_row(4, 1, 0, 0, 0, 3)
    inodes.follow()
    assert list(inodes.numbers) == [10, 30, 0]
    now = array("I", [10, 31, 40])
    assert inodes.compare(range(3), [b"a", b"b", b"c"], now) == [1]
    assert inodes.compare(range(3), [b"a", b"b", b"c"], now) == []
    assert inodes.compare([2], [b"c"], array("I", [41])) == [2]


def test_rows_whose_inode_is_not_known_yet_can_be_removed() -> None:
    table = table_of(2)
    inodes = Inodes(table)
    inodes.follow()
    inodes.added([10, 20])
    table.append_row(3, 1, 0, 0, 0, 2)
    table.append_row(4, 1, 0, 0, 0, 2)
    table.remove_rows([1, 2], 3, None)
    inodes.follow()
    assert list(inodes.numbers) == [10, 0]


def test_the_inode_in_a_name_of_ours_is_known_from_the_start() -> None:
    inodes = Inodes(table_of(2))
    inodes.follow()
    names = [b"1.M1P1V1IAQ0.host", b"2.M1P1V1IAQ1.host"]
    assert inodes.compare(range(2), names, array("I", [10, 11])) == [1]
