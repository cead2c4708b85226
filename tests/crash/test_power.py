"""Maildirs after the power went: what was acknowledged is there, no UID names another.

As ``test_maildir``, but what was not synced is forgotten: octets, names, or both.
"""

import contextlib
import dataclasses
import itertools
import shutil
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
from tests.crash.power import ForgetfulDisk
from tests.crash.stopping import QuickDisk, Stopped

UID = tuple[int, int]
Work = Callable[[MaildirStore], None]


def store(root: Path, disk: Disk, boot: bytes = b"B" * 16) -> MaildirStore:
    host = dataclasses.replace(
        Host.here(disk), sleep=lambda _: None, lock_seconds=0.0, boot=boot
    )
    return MaildirStore(str(root), host, Remembered())


def message(number: int) -> bytes:
    return b"Subject: %d\r\n\r\nbody %d\r\n" % (number, number)


def add(mailbox: MaildirMailbox, *numbers: int) -> list[int]:
    new = [NewMessage(Content.of(message(n)), flags=n % 2) for n in numbers]
    return list(mailbox.publish(mailbox.stage(new), None))


def contents(root: Path, name: str = "INBOX") -> dict[UID, bytes]:
    mailbox = store(root, QuickDisk(), b"C" * 16).open(name)
    try:
        mailbox.refresh()
        table = mailbox.table
        found = mailbox.read_many(list(table.uids))
        assert None not in found
        uids = [(table.uid_validity, uid) for uid in table.uids]
        return {u: body or b"" for u, body in zip(uids, found, strict=True)}
    finally:
        mailbox.close()


def newest(root: Path) -> int:
    """Add a message after the restart; gives its UID."""
    mailbox = store(root, QuickDisk(), b"C" * 16).open("INBOX")
    try:
        return add(mailbox, 99)[0]
    finally:
        mailbox.close()


@pytest.fixture
def template(tmp_path: Path) -> Path:
    root = tmp_path / "box" / "Maildir"
    made = store(root, QuickDisk())
    made.create("Other")
    inbox = made.open("INBOX")
    add(inbox, 1)
    add(inbox, 2, 3)
    inbox.close()
    return root


def every_cut(
    template: Path, work: Work, *, octets: bool, names: bool
) -> Iterator[tuple[Path, bool]]:
    """As ``stopping.every_stop``, with the power gone at each stop, and at the end."""
    for calls in itertools.count():
        box = template.parent.with_name(f"box-{calls}")
        shutil.copytree(template.parent, box)
        spare = box / "spare"
        spare.mkdir()
        root = box / template.name
        disk = ForgetfulDisk(calls, spare)
        finished = False
        try:
            work(store(root, disk))
            finished = not disk.stopped
        except Stopped:
            pass
        disk.cut_power(octets=octets, names=names)
        shutil.rmtree(spare)
        yield root, finished
        shutil.rmtree(box)
        if finished:
            return


@contextlib.contextmanager
def opened(made: MaildirStore, *names: str) -> Iterator[list[MaildirMailbox]]:
    with contextlib.ExitStack() as stack:
        mailboxes = []
        for name in names:
            mailboxes.append(made.open(name))
            stack.callback(mailboxes[-1].close)
        yield mailboxes


losing = pytest.mark.parametrize(
    ("octets", "names"),
    [(True, False), (False, True), (True, True)],
    ids=["octets", "names", "both"],
)


@losing
@pytest.mark.parametrize("numbers", [(5,), (5, 6, 7)], ids=["one", "three"])
def test_an_acknowledged_delivery_is_there(
    template: Path, numbers: tuple[int, ...], *, octets: bool, names: bool
) -> None:
    before = contents(template)
    told: list[int] = []

    def work(made: MaildirStore) -> None:
        told.clear()
        with opened(made, "INBOX") as (inbox,):
            told.extend(add(inbox, *numbers))

    for root, finished in every_cut(template, work, octets=octets, names=names):
        after = contents(root)
        assert before.items() <= after.items()
        new = Counter(after.values()) - Counter(before.values())
        expected = Counter(message(number) for number in numbers)
        assert new == expected or (not new and not finished)
        if finished:
            assert [uid for _, uid in after][-len(told) :] == told
        assert newest(root) > max(uid for _, uid in [*before, *after])


@losing
def test_deliveries_at_the_same_time_are_there(
    template: Path, *, octets: bool, names: bool
) -> None:
    before = contents(template)
    told: list[int] = []

    def work(made: MaildirStore) -> None:
        told.clear()
        with opened(made, "INBOX") as (inbox,):
            staged = [
                inbox.stage([NewMessage(Content.of(message(n)), flags=n % 2)])
                for n in (5, 6, 7)
            ]
            assert inbox.cut is not None
            for published in finished_steps(inbox.cut.publish(staged)):
                assert isinstance(published, list)
                told.extend(published)

    expected = Counter(message(number) for number in (5, 6, 7))
    for root, finished in every_cut(template, work, octets=octets, names=names):
        after = contents(root)
        assert before.items() <= after.items()
        new = Counter(after.values()) - Counter(before.values())
        assert new == expected if finished else new <= expected
        if finished:
            assert [uid for _, uid in after][-3:] == told
        assert newest(root) > max(uid for _, uid in [*before, *after])


@losing
def test_flags_and_expunges_lose_no_other_message(
    template: Path, *, octets: bool, names: bool
) -> None:
    before = contents(template)

    def work(made: MaildirStore) -> None:
        with opened(made, "INBOX") as (inbox,):
            inbox.change_flags([1, 3], FlagChange(Operation.ADD, FLAGGED), None)
            inbox.claim_recent()
            inbox.expunge([2], None)
            inbox.change_flags([1, 3], FlagChange(Operation.REMOVE, SEEN), None)

    for root, _ in every_cut(template, work, octets=octets, names=names):
        after = contents(root)
        bodies = Counter(after.values())
        assert bodies - Counter(before.values()) == Counter()
        assert Counter(before.values()) - bodies <= Counter([message(2)])
        for uid, body in before.items():
            assert after.get(uid, body) == body
        assert newest(root) > max(uid for _, uid in [*before, *after])


@losing
def test_a_moved_message_is_in_one_mailbox(
    template: Path, *, octets: bool, names: bool
) -> None:
    before = contents(template)

    def work(made: MaildirStore) -> None:
        with opened(made, "INBOX", "Other") as (inbox, other):
            inbox.move([1, 2], other, None)

    for root, finished in every_cut(template, work, octets=octets, names=names):
        inbox, other = contents(root), contents(root, "Other")
        both = Counter(inbox.values()) + Counter(other.values())
        assert both == Counter(before.values())
        if finished:
            assert Counter(inbox.values()) == Counter([message(3)])


@losing
def test_folding_the_log_changes_nothing(
    template: Path, *, octets: bool, names: bool
) -> None:
    before = contents(template)

    def work(made: MaildirStore) -> None:
        with opened(made, "INBOX") as (inbox,):
            inbox.ledger.compact()

    for root, _ in every_cut(template, work, octets=octets, names=names):
        assert contents(root) == before
        assert newest(root) > max(uid for _, uid in before)
