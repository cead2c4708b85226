"""Maildirs stopped at every call that changes disk: nothing lost, nothing doubled.

Each test builds a mailbox, runs one operation to each of its stop points, opens what is
left as a new process would, and compares.
"""

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maildrop.durable import Content, Disk
from maildrop.mailbox.flags import FLAGGED, SEEN, FlagChange, Operation
from maildrop.mailbox.interfaces import NewMessage
from maildrop.mailbox.steps import finished as finished_steps
from maildrop.storage.index.host import Host
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.maildir.mailbox import MaildirMailbox
from maildrop.storage.maildir.store import MaildirStore
from tests.crash.stopping import QuickDisk, every_stop

UID = tuple[int, int]  # UIDVALIDITY and UID
Operate = Callable[[MaildirStore], None]


def store(root: Path, disk: Disk) -> MaildirStore:
    host = dataclasses.replace(Host.here(disk), sleep=lambda _: None, lock_seconds=0.0)
    return MaildirStore(str(root), host, Remembered())


def message(number: int) -> bytes:
    return b"From: a@example.org\r\nSubject: %d\r\n\r\nbody %d\r\n" % (number, number)


def add(mailbox: MaildirMailbox, *numbers: int, flags: int = 0) -> None:
    new = [NewMessage(Content.of(message(n)), flags=flags) for n in numbers]
    mailbox.publish(mailbox.stage(new), None)


@contextlib.contextmanager
def opened(root: Path, name: str = "INBOX") -> Iterator[MaildirMailbox]:
    mailbox = store(root, QuickDisk()).open(name)
    try:
        mailbox.refresh()
        yield mailbox
    finally:
        mailbox.close()


def contents(root: Path, name: str = "INBOX") -> dict[UID, bytes]:
    """What a new process finds."""
    with opened(root, name) as mailbox:
        table = mailbox.table
        found = mailbox.read_many(list(table.uids))
        assert None not in found
        validity = table.uid_validity
        return {
            (validity, uid): octets or b""
            for uid, octets in zip(table.uids, found, strict=True)
        }


def bodies(found: dict[UID, bytes]) -> Counter[bytes]:
    return Counter(found.values())


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """An inbox with messages 1 to 4, of which 2 is seen, and an empty Other."""
    root = tmp_path / "Maildir"
    made = store(root, QuickDisk())
    made.create("Other")
    inbox = made.open("INBOX")
    add(inbox, 1)
    add(inbox, 2, flags=SEEN)
    add(inbox, 3, 4)
    inbox.close()
    return root


def run(operate: Operate) -> Callable[[Path, Disk], None]:
    return lambda root, disk: operate(store(root, disk))


def in_inbox(work: Callable[[MaildirMailbox], object]) -> Operate:
    """An operation on the inbox, which is let go of whatever happens."""

    def operate(made: MaildirStore) -> None:
        inbox = made.open("INBOX")
        try:
            work(inbox)
        finally:
            inbox.close()

    return operate


def check_uids(before: dict[UID, bytes], after: dict[UID, bytes], root: Path) -> None:
    """Promise 2: a UID never names two contents, and new ones are above all others."""
    for uid, octets in before.items():
        assert after.get(uid, octets) == octets
    with opened(root) as inbox:
        add(inbox, 99)
        newest = inbox.table.uids[-1]
        assert newest > max(uid for _, uid in [*before, *after])
    again = contents(root)
    assert {uid: again.get(uid) for uid in after} == after


every_way = pytest.mark.parametrize("torn", [False, True], ids=["whole", "torn"])


@every_way
@pytest.mark.parametrize("numbers", [(5,), (5, 6, 7)], ids=["one", "three"])
def test_delivery_is_all_or_nothing(
    template: Path, numbers: tuple[int, ...], *, torn: bool
) -> None:
    before = contents(template)
    work = in_inbox(lambda inbox: add(inbox, *numbers))
    for root, finished in every_stop(template, run(work), torn=torn):
        after = contents(root)
        new = bodies(after) - bodies(before)
        assert bodies(before) <= bodies(after)
        expected = Counter(message(number) for number in numbers)
        assert new == expected or (not new and not finished)
        check_uids(before, after, root)


@every_way
def test_deliveries_at_the_same_time_come_each_by_itself(
    template: Path, *, torn: bool
) -> None:
    before = contents(template)

    def deliver(inbox: MaildirMailbox) -> None:
        staged = [
            inbox.stage([NewMessage(Content.of(message(n)), flags=n % 2)])
            for n in (5, 6, 7)
        ]
        assert inbox.cut is not None
        finished_steps(inbox.cut.publish(staged))

    expected = Counter(message(number) for number in (5, 6, 7))
    for root, finished in every_stop(template, run(in_inbox(deliver)), torn=torn):
        after = contents(root)
        assert bodies(before) <= bodies(after)
        new = bodies(after) - bodies(before)
        assert new == expected if finished else new <= expected
        check_uids(before, after, root)


@every_way
def test_flags_change_or_stay(template: Path, *, torn: bool) -> None:
    before = contents(template)
    change = FlagChange(Operation.ADD, FLAGGED, ("work",))
    work = in_inbox(lambda inbox: inbox.change_flags([1, 2, 3], change, None))
    for root, finished in every_stop(template, run(work), torn=torn):
        after = contents(root)
        assert after == before
        with opened(root) as inbox:
            table = inbox.table
            flagged = [uid for uid in table.uids if table.flags[uid - 1] & FLAGGED]
            assert set(flagged) <= {1, 2, 3}
            assert table.flags[1] & SEEN
            if finished:
                assert flagged == [1, 2, 3]
                assert table.keywords_of(table.keywords[0]) == ["work"]
        check_uids(before, after, root)


@every_way
def test_expunged_messages_are_gone_or_there(template: Path, *, torn: bool) -> None:
    before = contents(template)
    work = in_inbox(lambda inbox: inbox.expunge([2, 3], None))
    for root, finished in every_stop(template, run(work), torn=torn):
        after = contents(root)
        assert bodies(after) <= bodies(before)
        assert bodies(before) - bodies(after) <= Counter([message(2), message(3)])
        if finished:
            assert bodies(after) == Counter([message(1), message(4)])
        check_uids(before, after, root)


@every_way
def test_copies_come_all_or_not_at_all(template: Path, *, torn: bool) -> None:
    before = contents(template)

    def operate(made: MaildirStore) -> None:
        other = made.open("Other")
        try:
            in_inbox(lambda inbox: inbox.copy([1, 2, 4], other))(made)
        finally:
            other.close()

    wanted = Counter(message(number) for number in (1, 2, 4))
    for root, finished in every_stop(template, run(operate), torn=torn):
        assert contents(root) == before
        copied = bodies(contents(root, "Other"))
        assert copied == wanted or (not copied and not finished)
        check_uids(before, contents(root), root)


@every_way
def test_a_moved_message_is_in_one_mailbox(template: Path, *, torn: bool) -> None:
    before = contents(template)

    def operate(made: MaildirStore) -> None:
        other = made.open("Other")
        try:
            in_inbox(lambda inbox: inbox.move([1, 2, 4], other, None))(made)
        finally:
            other.close()

    for root, finished in every_stop(template, run(operate), torn=torn):
        inbox, other = contents(root), contents(root, "Other")
        assert bodies(inbox) + bodies(other) == bodies(before)
        if finished:
            assert bodies(inbox) == Counter([message(3)])
        check_uids(before, inbox, root)


@every_way
def test_claiming_keeps_messages(template: Path, *, torn: bool) -> None:
    before = contents(template)
    work = in_inbox(MaildirMailbox.claim_recent)
    for root, _ in every_stop(template, run(work), torn=torn):
        assert contents(root) == before
        check_uids(before, before, root)


@every_way
def test_folding_the_log_changes_nothing(template: Path, *, torn: bool) -> None:
    before = contents(template)
    with opened(template) as inbox:
        inbox.change_flags([3], FlagChange(Operation.ADD, 0, ("kept",)), None)
    work = in_inbox(lambda inbox: inbox.ledger.compact())
    for root, _ in every_stop(template, run(work), torn=torn):
        assert contents(root) == before
        with opened(root) as inbox:
            table = inbox.table
            assert table.keywords_of(table.keywords[2]) == ["kept"]
            assert not inbox.ledger.fresh
        check_uids(before, before, root)


@every_way
def test_folding_the_cache_loses_no_piece_for_good(
    template: Path, *, torn: bool
) -> None:
    with opened(template) as inbox:
        before = inbox.fragments(b"ENVELOPE", [1, 2, 3, 4])
    assert None not in before
    work = in_inbox(lambda inbox: inbox.pieces.cache.compact())
    for root, _ in every_stop(template, run(work), torn=torn):
        for _ in range(2):
            with opened(root) as inbox:
                assert inbox.fragments(b"ENVELOPE", [1, 2, 3, 4]) == before


@every_way
def test_a_mailbox_is_made_or_not(template: Path, *, torn: bool) -> None:
    for root, finished in every_stop(
        template, run(lambda s: s.create("A/B")), torn=torn
    ):
        made = store(root, QuickDisk())
        names = {entry.name for entry in made.entries()}
        assert names in ({"INBOX", "Other"}, {"INBOX", "Other", "A", "A/B"})
        if finished:
            assert "A/B" in names
        if "A/B" not in names:
            made.create("A/B")
        assert contents(root, "A/B") == {}


@every_way
def test_a_mailbox_is_deleted_or_not(template: Path, *, torn: bool) -> None:
    with opened(template, "Other") as other:
        add(other, 7)
    for root, finished in every_stop(
        template, run(lambda s: s.delete("Other")), torn=torn
    ):
        made = store(root, QuickDisk())
        names = [entry.name for entry in made.entries()]
        if "Other" in names:
            assert not finished
            assert bodies(contents(root, "Other")) == Counter([message(7)])
        assert not list(root.glob("maildrop.deleted.*"))


@every_way
def test_a_rename_is_finished_by_the_next_one_to_look(
    template: Path, *, torn: bool
) -> None:
    made = store(template, QuickDisk())
    made.create("Other/Child")
    with opened(template, "Other/Child") as child:
        add(child, 8)
    before = contents(template, "Other/Child")

    def names(root: Path) -> set[str]:
        return {entry.name for entry in store(root, QuickDisk()).entries()}

    old, new = {"INBOX", "Other", "Other/Child"}, {"INBOX", "New", "New/Child"}
    for root, finished in every_stop(
        template, run(lambda s: s.rename("Other", "New")), torn=torn
    ):
        found = names(root)
        assert found == new or (found == old and not finished)
        child_name = "New/Child" if found == new else "Other/Child"
        assert contents(root, child_name) == before
