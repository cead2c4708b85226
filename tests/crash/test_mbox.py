"""Mboxes stopped at every call that changes disk: nothing lost, nothing doubled.

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
from maildrop.storage.index.host import Host
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.mbox.mailbox import MboxMailbox
from maildrop.storage.mbox.store import MboxStore
from tests.crash.stopping import QuickDisk, every_stop

UID = tuple[int, int]  # UIDVALIDITY and UID
Operate = Callable[[MboxStore], None]
ADD_FLAGGED = FlagChange(Operation.ADD, FLAGGED, ("work",))


def store(root: Path, disk: Disk) -> MboxStore:
    host = dataclasses.replace(Host.here(disk), sleep=lambda _: None, lock_seconds=0.0)
    # A process that died is no more: nobody holds its dotlock.
    for dotlock in (root / "inbox.lock", root / "mail" / "Other.lock"):
        dotlock.unlink(missing_ok=True)
    control = root / "control"
    control.mkdir(exist_ok=True)
    return MboxStore(
        str(root / "inbox"), str(root / "mail"), str(control), host, Remembered()
    )


def message(number: int) -> bytes:
    return b"Subject: %d\r\n\r\nbody %d\r\n" % (number, number)


def foreign(number: int) -> bytes:
    """A message of another program, without room for flags."""
    text = message(number).replace(b"\r\n", b"\n")
    return b"From a@example.org Thu Jan  1 12:34:56 2026\n" + text + b"\n"


def add(mailbox: MboxMailbox, *numbers: int, flags: int = 0) -> None:
    new = [NewMessage(Content.of(message(n)), flags=flags) for n in numbers]
    mailbox.publish(mailbox.stage(new), None)


@contextlib.contextmanager
def opened(root: Path, name: str = "INBOX") -> Iterator[MboxMailbox]:
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
    """An inbox with messages 1 to 5: 2 and 4 are foreign ones; and an empty Other."""
    root = tmp_path / "spool"
    root.mkdir()
    made = store(root, QuickDisk())
    made.create("Other")
    inbox = made.open("INBOX")
    add(inbox, 1)
    for number, ours in ((2, 3), (4, 5)):
        with (root / "inbox").open("ab") as file:
            file.write(foreign(number))
        add(inbox, ours, flags=SEEN)
    inbox.close()
    return root


def in_inbox(work: Callable[[MboxMailbox], object]) -> Callable[[Path, Disk], None]:
    """An operation on the inbox, which is let go of whatever happens."""

    def operate(root: Path, disk: Disk) -> None:
        inbox = store(root, disk).open("INBOX")
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
        assert inbox.table.uids[-1] > max(uid for _, uid in [*before, *after])
    again = contents(root)
    assert {uid: again.get(uid) for uid in after} == after


every_way = pytest.mark.parametrize("torn", [False, True], ids=["whole", "torn"])


@every_way
@pytest.mark.parametrize("numbers", [(6,), (6, 7, 8)], ids=["one", "three"])
def test_delivery_is_all_or_nothing(
    template: Path, numbers: tuple[int, ...], *, torn: bool
) -> None:
    before = contents(template)
    work = in_inbox(lambda inbox: add(inbox, *numbers))
    for root, finished in every_stop(template, work, torn=torn):
        after = contents(root)
        new = bodies(after) - bodies(before)
        assert bodies(before) <= bodies(after)
        expected = Counter(message(number) for number in numbers)
        assert new == expected or (not new and not finished)
        check_uids(before, after, root)


@every_way
def test_flags_change_or_stay_and_no_message_is_hurt(
    template: Path, *, torn: bool
) -> None:
    before = contents(template)

    def work(inbox: MboxMailbox) -> None:
        inbox.change_flags([1, 2, 3], ADD_FLAGGED, None)
        inbox.settle()

    for root, finished in every_stop(template, in_inbox(work), torn=torn):
        after = contents(root)
        assert after == before
        with opened(root) as inbox:
            table = inbox.table
            flagged = [uid for uid in table.uids if table.flags[uid - 1] & FLAGGED]
            assert set(flagged) <= {1, 2, 3}
            assert table.flags[2] & SEEN
            assert flagged == [1, 2, 3] or not finished
        check_uids(before, after, root)


@every_way
@pytest.mark.parametrize("uids", [[1], [2, 3], [5]], ids=["first", "middle", "last"])
def test_expunged_messages_are_gone_or_there(
    template: Path, uids: list[int], *, torn: bool
) -> None:
    before = contents(template)
    removed = Counter(message(uid) for uid in uids)
    work = in_inbox(lambda inbox: inbox.expunge(uids, None))
    for root, finished in every_stop(template, work, torn=torn):
        after = contents(root)
        assert bodies(before) - bodies(after) in (removed, Counter())
        assert bodies(after) <= bodies(before)
        assert finished <= (bodies(after) == bodies(before) - removed)
        check_uids(before, after, root)


@every_way
def test_a_message_that_others_append_after_a_crash_is_kept(
    template: Path, *, torn: bool
) -> None:
    work = in_inbox(lambda inbox: inbox.expunge([2, 3], None))
    for root, _ in every_stop(template, work, torn=torn):
        with (root / "inbox").open("ab") as file:
            file.write(foreign(42))
        found = bodies(contents(root))
        assert found[message(42)] == 1
        assert {found[message(n)] for n in (1, 4, 5)} == {1}


@every_way
def test_a_moved_message_is_in_one_mailbox_at_least(
    template: Path, *, torn: bool
) -> None:
    before = bodies(contents(template))

    def work(root: Path, disk: Disk) -> None:
        made = store(root, disk)
        inbox, other = made.open("INBOX"), made.open("Other")
        try:
            inbox.move([2, 3], other, None)
        finally:
            inbox.close()
            other.close()

    for root, finished in every_stop(template, work, torn=torn):
        inbox, other = bodies(contents(root)), bodies(contents(root, "Other"))
        assert set(inbox) | set(other) == set(before)
        assert max((inbox + other).values()) <= 1 + (not finished)
        if finished:
            assert other == Counter([message(2), message(3)])


@every_way
def test_a_mailbox_is_renamed_or_not(template: Path, *, torn: bool) -> None:
    def work(root: Path, disk: Disk) -> None:
        store(root, disk).rename("Other", "New/Name")

    for root, finished in every_stop(template, work, torn=torn):
        names = {entry.name for entry in store(root, QuickDisk()).entries()}
        assert ("Other" in names) != ("New/Name" in names)
        assert finished <= ("New/Name" in names)
