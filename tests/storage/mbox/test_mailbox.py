"""A mailbox in an mbox, and the other programs that write it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from maildrop.durable import Content
from maildrop.errors import MailboxInUse, MessageExpunged, StorageFailure
from maildrop.mailbox.flags import ANSWERED, FLAGGED, SEEN, FlagChange, Operation
from maildrop.mailbox.interfaces import NewMessage
from maildrop.storage.index.host import Host
from maildrop.storage.mbox.locks import MboxLock
from maildrop.storage.mbox.mailbox import MboxMailbox
from maildrop.storage.mbox.store import MboxStore
from tests.ticking import ticked

OpenStore = Callable[..., MboxStore]
DATE = "Thu Jan  1 12:34:56 2026"


def foreign(subject: str, *fields: str) -> bytes:
    """A message as procmail would append it."""
    header = "".join(f"{line}\n" for line in (f"Subject: {subject}", *fields))
    return f"From a@example.org {DATE}\n{header}\nbody of {subject}\n\n".encode()


def read(subject: str) -> bytes:
    return f"Subject: {subject}\r\n\r\nbody of {subject}\r\n".encode()


def opened(store: MboxStore, name: str = "INBOX") -> MboxMailbox:
    mailbox = store.open(name)
    mailbox.refresh()
    return mailbox


def add(mailbox: MboxMailbox, *octets: bytes, flags: int = 0) -> list[int]:
    messages = [
        NewMessage(Content.of(one), head=b"Return-Path: <b@c>\r\n", flags=flags)
        for one in octets
    ]
    return list(mailbox.publish(mailbox.stage(messages), None))


def everything(mailbox: MboxMailbox) -> list[bytes | None]:
    mailbox.refresh()
    return mailbox.read_many(list(mailbox.table.uids))


def test_an_inbox_without_a_file_is_empty_and_grows_with_the_first_message(
    open_store: OpenStore, spool: Path
) -> None:
    inbox = opened(open_store())
    assert len(inbox.table) == 0
    add(inbox, b"Subject: x\r\n\r\nhi\r\n")
    assert spool.read_bytes().startswith(b"From b@c ")
    assert everything(inbox) == [b"Return-Path: <b@c>\r\nSubject: x\r\n\r\nhi\r\n"]


def test_messages_of_a_foreign_deliverer_are_seen_and_keep_their_uids(
    open_store: OpenStore, spool: Path
) -> None:
    spool.write_bytes(foreign("one", "Status: RO", "X-Keywords: $Junk"))
    inbox = opened(open_store())
    assert inbox.table.flags[0] == SEEN
    assert inbox.table.keywords_of(inbox.table.keywords[0]) == ["$Junk"]
    with spool.open("ab") as file:
        file.write(foreign("two"))
    inbox.refresh()
    assert list(inbox.table.uids) == [1, 2]
    assert everything(opened(open_store())) == [read("one"), read("two")]


def test_another_process_gives_the_same_uids(
    open_store: OpenStore, spool: Path
) -> None:
    spool.write_bytes(foreign("one"))
    first, second = opened(open_store()), opened(open_store())
    assert first.table.uid_validity == second.table.uid_validity
    with spool.open("ab") as file:
        file.write(foreign("two"))
    first.refresh()
    second.refresh()
    assert list(first.table.uids) == list(second.table.uids) == [1, 2]
    add(second, b"three\r\n")
    assert everything(first)[1:] == [read("two"), b"Return-Path: <b@c>\r\nthree\r\n"]


def test_uids_follow_the_content_through_any_edit(
    open_store: OpenStore, spool: Path
) -> None:
    spool.write_bytes(foreign("one") + foreign("two") + foreign("three"))
    inbox = opened(open_store())
    spool.write_bytes(foreign("three") + foreign("new") + foreign("one", "Status: RO"))
    inbox.refresh()
    table = inbox.table
    assert list(table.uids) == [1, 3, 4]
    assert everything(inbox) == [read("one"), read("three"), read("new")]
    assert table.flags[0] == SEEN
    with pytest.raises(MessageExpunged):
        inbox.read(2)


def test_uids_survive_what_mutt_does_to_a_file(
    open_store: OpenStore, spool: Path
) -> None:
    """It moves the status fields and adds two: Content-Length and Lines."""
    inbox = opened(open_store())
    add(inbox, *(b"Subject: %d\r\n\r\nbody\r\n" % number for number in range(3)))
    before = everything(inbox)
    text = spool.read_bytes()
    text = text.replace(b"\nStatus:     \nX-Status:     \n", b"\n")
    spool.write_bytes(
        text.replace(b"\n\nbody", b"\nStatus: RO\nContent-Length: 5\nLines: 1\n\nbody")
    )
    assert everything(inbox) == before
    assert list(inbox.table.uids) == [1, 2, 3]
    assert list(inbox.table.flags) == [SEEN] * 3


def test_two_messages_with_the_same_content_stay_two(
    open_store: OpenStore, spool: Path
) -> None:
    spool.write_bytes(foreign("same") * 3)
    inbox = opened(open_store())
    inbox.expunge([2], None)
    assert list(inbox.table.uids) == [1, 3]
    assert list(opened(open_store()).table.uids) == [1, 3]


def test_flags_reach_the_file_when_they_are_settled(
    open_store: OpenStore, spool: Path
) -> None:
    spool.write_bytes(foreign("one") + foreign("two"))
    inbox = opened(open_store())
    inbox.claim_recent()
    change = FlagChange(Operation.ADD, SEEN | FLAGGED, ("$Work",))
    assert list(inbox.change_flags([1], change, None)) == [1]
    assert b"Status" not in spool.read_bytes()
    assert inbox.unsettled
    inbox.settle()
    assert not inbox.unsettled
    assert b"\nStatus: RO" in spool.read_bytes()
    assert b"\nX-Status: F" in spool.read_bytes()
    assert b"\nX-Keywords: $Work " in spool.read_bytes()
    assert everything(inbox) == [read("one"), read("two")]


def test_flags_of_our_own_messages_are_written_in_place(
    open_store: OpenStore, spool: Path
) -> None:
    inbox = opened(open_store())
    add(inbox, b"Subject: a\r\n\r\nhi\r\n", b"Subject: b\r\n\r\nhi\r\n")
    size = spool.stat().st_size
    inbox.change_flags([1], FlagChange(Operation.ADD, SEEN), None)
    inbox.settle()
    assert spool.stat().st_size == size
    assert spool.read_bytes().count(b"\nStatus: R   \n") == 1


def test_flags_that_both_worlds_changed_are_merged(
    open_store: OpenStore, spool: Path
) -> None:
    spool.write_bytes(foreign("one") + foreign("two"))
    inbox = opened(open_store())
    inbox.change_flags([1], FlagChange(Operation.ADD, FLAGGED), None)
    spool.write_bytes(foreign("one", "X-Status: A", "Status: RO") + foreign("two"))
    inbox.refresh()
    assert inbox.table.flags[0] == SEEN | ANSWERED | FLAGGED


def test_expunging_the_last_message_leaves_what_stands_before_untouched(
    open_store: OpenStore, spool: Path
) -> None:
    spool.write_bytes(foreign("one") + foreign("two") + foreign("three"))
    inbox = opened(open_store())
    assert list(inbox.expunge([3, 9], None)) == [3]
    assert spool.read_bytes() == foreign("one") + foreign("two")


def test_expunging_keeps_the_others_whole_and_in_place(
    open_store: OpenStore, spool: Path
) -> None:
    spool.write_bytes(foreign("one") + foreign("two") + foreign("three")[:-1])
    inbox = opened(open_store())
    inbox.expunge([1], None)
    assert everything(inbox) == [read("two"), read("three")]
    add(inbox, b"four\r\n")
    assert everything(opened(open_store()))[:2] == [read("two"), read("three")]


def test_a_message_appended_to_a_file_without_a_last_line_end_stands_alone(
    open_store: OpenStore, spool: Path
) -> None:
    spool.write_bytes(foreign("one")[:-2])
    inbox = opened(open_store())
    add(inbox, b"two\r\n")
    assert everything(inbox) == [read("one"), b"Return-Path: <b@c>\r\ntwo\r\n"]


def test_a_file_that_is_no_mbox_is_refused_and_left_alone(
    open_store: OpenStore, spool: Path
) -> None:
    spool.write_bytes(b"not a mailbox\n")
    with pytest.raises(StorageFailure, match="is not an mbox"):
        opened(open_store())
    assert spool.read_bytes() == b"not a mailbox\n"


def test_the_pseudo_message_of_uw_imap_is_hidden_and_kept(
    open_store: OpenStore, spool: Path
) -> None:
    pseudo = foreign("DON'T DELETE THIS MESSAGE", "X-IMAP: 1234 0000000003")
    spool.write_bytes(pseudo + foreign("one") + foreign("two"))
    inbox = opened(open_store())
    assert everything(inbox) == [read("one"), read("two")]
    inbox.expunge([1], None)
    assert spool.read_bytes() == pseudo + foreign("two")


def test_a_sender_cannot_hide_his_mail_as_a_pseudo_message(
    open_store: OpenStore, spool: Path
) -> None:
    spool.write_bytes(foreign("hello", "X-IMAP: 1234 0000000003"))
    assert everything(opened(open_store())) == [read("hello")]


def test_a_locked_file_is_in_use_and_never_a_hang(
    open_store: OpenStore, spool: Path
) -> None:
    spool.write_bytes(foreign("one"))
    inbox = opened(open_store())
    other = MboxLock(str(spool), Host.here(), ("fcntl",))
    with spool.open("r+b") as file, other.held(file.fileno()):
        for attempt in (inbox.settle, inbox.refresh, lambda: add(inbox, b"x\r\n")):
            ticked(spool)
            with pytest.raises(MailboxInUse):
                attempt()
    assert spool.read_bytes() == foreign("one")


def test_what_is_known_of_the_file_is_saved_when_it_is_closed(
    open_store: OpenStore, spool: Path
) -> None:
    spool.write_bytes(foreign("one") + foreign("two"))
    inbox = opened(open_store())
    inbox.change_flags([2], FlagChange(Operation.ADD, SEEN), None)
    inbox.close()
    again = opened(open_store())
    assert list(again.table.uids) == [1, 2]
    assert again.table.flags[1] == SEEN
    assert b"Status: R" in spool.read_bytes()


def test_moving_keeps_flags_keywords_and_dates(open_store: OpenStore) -> None:
    store = open_store()
    store.create("Archive")
    inbox, archive = opened(store), opened(store, "Archive")
    add(inbox, b"Subject: x\r\n\r\nhi\r\n", flags=FLAGGED)
    inbox.change_flags([1], FlagChange(Operation.ADD, 0, ("$Work",)), None)
    moved = inbox.move([1], archive, None)
    assert (list(moved.source), list(moved.target)) == ([1], [1])
    assert len(inbox.table) == 0
    table = archive.table
    assert table.flags[0] == FLAGGED
    assert table.keywords_of(table.keywords[0]) == ["$Work"]


def test_a_pop3_lock_excludes_other_pop3_sessions(open_store: OpenStore) -> None:
    release = opened(open_store()).lock_maildrop()
    with pytest.raises(MailboxInUse):
        opened(open_store()).lock_maildrop()
    release()
    opened(open_store()).lock_maildrop()()


def test_an_inbox_that_was_removed_is_empty_again(
    open_store: OpenStore, spool: Path
) -> None:
    spool.write_bytes(foreign("one"))
    inbox = opened(open_store())
    spool.unlink()
    assert everything(inbox) == []
    spool.write_bytes(foreign("two"))
    assert everything(inbox) == [read("two")]
    assert list(inbox.table.uids) == [2]


def test_pieces_for_fetch_come_from_the_message(
    open_store: OpenStore, spool: Path
) -> None:
    spool.write_bytes(foreign("one", "Status: RO"))
    inbox = opened(open_store())
    for _ in range(2):
        assert inbox.fragments(b"HEADER.FIELDS (SUBJECT)", [1, 5]) == [
            b"Subject: one\r\n\r\n",
            None,
        ]


def test_unique_ids_name_validity_and_uid(open_store: OpenStore, spool: Path) -> None:
    spool.write_bytes(foreign("one"))
    inbox = opened(open_store())
    assert inbox.uidls() == [b"%08x%08x" % (inbox.table.uid_validity, 1)]


def test_that_nothing_happened_is_seen_without_a_lock(
    open_store: OpenStore, spool: Path
) -> None:
    inbox = opened(open_store())
    add(inbox, read("x"))
    inbox.refresh()
    assert inbox.unchanged(thorough=False)
    with spool.open("ab") as file:
        file.write(b"From x Thu Jan  1 00:00:00 1970\nSubject: y\n\nz\n")
    assert not inbox.unchanged(thorough=False)
    inbox.refresh()
    assert inbox.unchanged(thorough=False)
    spool.unlink()
    assert not inbox.unchanged(thorough=False)


def test_pieces_are_given_at_once_when_nothing_has_to_be_read(
    open_store: OpenStore,
) -> None:
    inbox = opened(open_store())
    add(inbox, read("x"))
    assert inbox.read_at_once([1]) is None
    made = inbox.fragments(b"ENVELOPE", [1])
    assert inbox.fragments_at_once(b"ENVELOPE", [1]) == made
