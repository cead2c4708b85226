"""Checking a Maildir that is in use, or that belongs to somebody else."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from maildrop.mailbox.flags import FLAGGED, SEEN
from maildrop.storage.findings import Code, Finding
from maildrop.storage.index.host import Host
from maildrop.storage.index.locks import locked
from maildrop.storage.maildir.check import MaildirInspect
from maildrop.storage.maildir.mailbox import MaildirMailbox
from tests.crash.stopping import QuickDisk
from tests.storage.contract import add, message, opened, put
from tests.storage.maildir.conftest import OpenStore
from tests.storage.maildir.planting import Grounds

Deed = Callable[[MaildirMailbox, Path], object]


@pytest.fixture
def grounds(root: Path, open_store: OpenStore) -> Grounds:
    return Grounds(root, lambda: open_store(QuickDisk()))


def check(
    grounds: Grounds,
    told: Callable[[int], None] = lambda _: None,
    owner: int | None = None,
) -> list[Finding]:
    host = dataclasses.replace(
        Host.here(QuickDisk()), lock_seconds=0.0, sleep=lambda _: None
    )
    inspect = MaildirInspect(str(grounds.root), host, owner, grounds.open_store)
    return [each for part in inspect.parts() for each in part.check(told)]


def deliver_as_others_do(root: Path) -> None:
    (root / "tmp" / "1.other").write_bytes(b"Subject: other\n\nbody\n")
    (root / "tmp" / "1.other").rename(root / "new" / "1.other")


def flag_as_others_do(mailbox: MaildirMailbox, root: Path) -> None:
    for path in list((root / "cur").iterdir()):
        path.rename(path.with_name(path.name.partition(":")[0] + ":2,FT"))


def expunge_as_others_do(mailbox: MaildirMailbox, root: Path) -> None:
    del mailbox
    for path in list((root / "cur").iterdir()):
        path.unlink()


DEEDS: dict[str, Deed] = {
    "a delivery": lambda mailbox, _: add(mailbox, message("more")),
    "a change of flags": lambda mailbox, _: mailbox.change_flags(
        list(mailbox.table.uids), put(SEEN | FLAGGED, "other"), None
    ),
    "an expunge": lambda mailbox, _: mailbox.expunge([1, 3, 5], None),
    "a move": lambda mailbox, _: mailbox.move([2, 3], mailbox, None),
    "a session's begin": lambda mailbox, _: mailbox.claim_recent(),
    "a fold of the log": lambda mailbox, _: mailbox.ledger.compact(),
    "a fold of the cache": lambda mailbox, _: mailbox.pieces.cache.compact(),
    "a delivery of others": lambda _, root: deliver_as_others_do(root),
    "a change of flags of others": flag_as_others_do,
    "an expunge of others": expunge_as_others_do,
}


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS.keys())
def test_what_happens_meanwhile_is_no_finding(grounds: Grounds, deed: Deed) -> None:
    """It comes when half of the messages have been looked at."""
    mailbox = grounds.open()
    add(mailbox, *(message(str(n)) for n in range(90)))
    done: list[int] = []

    def told(count: int) -> None:
        if not done:
            done.append(count)
            deed(mailbox, grounds.root)

    assert check(grounds, told) == []
    assert done == [64]
    mailbox.close()


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS.keys())
def test_what_happened_before_is_no_finding(grounds: Grounds, deed: Deed) -> None:
    mailbox = grounds.open()
    deed(mailbox, grounds.root)
    assert check(grounds) == []
    mailbox.close()


def test_messages_are_counted_as_they_are_looked_at(grounds: Grounds) -> None:
    counts: list[int] = []
    check(grounds, counts.append)
    assert sum(counts) == 10


def test_a_mailbox_that_stays_locked_is_not_checked(grounds: Grounds) -> None:
    host = Host.here(QuickDisk())
    with locked(str(grounds.root / "maildrop.ledger.log"), host):
        (finding,) = check(grounds)
    assert (finding.code, finding.mailbox) == (Code.NOT_CHECKED, "INBOX")
    assert not finding.derived


def test_what_belongs_to_another_user_is_told(grounds: Grounds) -> None:
    found = check(grounds, owner=os.geteuid() + 1)
    paths = {each.path for each in found if each.code is Code.OWNER_WRONG}
    assert {
        str(grounds.root),
        str(grounds.root / "cur"),
        str(grounds.root / "subscriptions"),
        str(grounds.root / "maildrop.ledger"),
        str(grounds.file(1)),
    } <= paths
    assert check(grounds, owner=os.geteuid()) == []


def test_a_mailbox_that_nobody_opened_yet_is_sound(grounds: Grounds) -> None:
    for part in ("cur", "new", "tmp"):
        (grounds.root / ".Fresh" / part).mkdir(parents=True)
    assert check(grounds) == []


def test_a_restart_of_the_machine_is_no_finding(
    grounds: Grounds, open_store: OpenStore
) -> None:
    with_other_boot = open_store(QuickDisk(), boot=b"B" * 16)
    opened(with_other_boot).close()
    assert check(grounds) == []
