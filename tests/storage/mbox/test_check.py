"""Every corruption planted beside an mbox is found, and repaired where that can be."""

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from maildrop.errors import MaildropError
from maildrop.storage.findings import Code, Finding
from maildrop.storage.index.host import Host
from maildrop.storage.mbox.check import MboxInspect
from maildrop.storage.mbox.check_account import Account
from maildrop.storage.mbox.locks import MboxLock
from tests.crash.stopping import QuickDisk
from tests.storage.contract import add, message, opened
from tests.storage.mbox.conftest import OpenStore
from tests.storage.mbox.planting import ACCOUNT, CACHE, FILES, Grounds
from tests.storage.planting import CONTROL, LEDGER, SECTIONS, Plant, kept

PLANTS = (*CONTROL, *SECTIONS, *LEDGER, *CACHE, *FILES, *ACCOUNT)
plants = pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)


@pytest.fixture
def grounds(spool: Path, open_store: OpenStore) -> Grounds:
    host = dataclasses.replace(Host.here(QuickDisk()), lock_seconds=1.0)
    return Grounds(spool, lambda: open_store(QuickDisk()), host)


def check(
    grounds: Grounds,
    *,
    repair: bool = False,
    told: Callable[[int], None] = lambda _: None,
    owner: int | None = None,
) -> list[Finding]:
    account = Account(
        str(grounds.inbox),
        str(grounds.folders),
        str(grounds.all_control),
        dataclasses.replace(grounds.host, lock_seconds=0.05),
        grounds.open_store,
        owner=owner,
    )
    found = []
    for part in MboxInspect(account).parts():
        findings = part.check(told)
        found += findings
        if repair and any(finding.derived for finding in findings):
            with contextlib.suppress(MaildropError):
                part.repair(findings)
    return found


def tree(grounds: Grounds) -> dict[str, str]:
    """Everything on the disk: names, kinds, modes, times and content."""
    found = {}
    for path in sorted(grounds.inbox.parent.rglob("*")):
        facts = path.lstat()
        text = f"{facts.st_mode:o} {facts.st_mtime_ns} {facts.st_size}"
        if path.is_file():
            text += hashlib.sha256(path.read_bytes()).hexdigest()
        found[os.fsdecode(path)] = text
    return found


def test_there_is_nothing_to_do_in_a_sound_mbox(grounds: Grounds) -> None:
    assert check(grounds) == []


def test_what_another_program_appended_is_no_damage(grounds: Grounds) -> None:
    with grounds.inbox.open("ab") as file:
        file.write(b"From a Thu Jan  1 12:34:56 2026\nSubject: x\n\nbody\n\n")
    assert check(grounds) == []


def test_what_another_program_rewrote_is_no_damage(grounds: Grounds) -> None:
    octets = grounds.inbox.read_bytes()
    grounds.inbox.write_bytes(octets[octets.index(b"\n\nFrom ") + 2 :])
    assert check(grounds) == []


def test_a_file_that_is_rewritten_meanwhile_is_gone_through_again(
    grounds: Grounds,
) -> None:
    mailbox = opened(grounds.open_store())
    add(mailbox, *(message(str(n)) for n in range(90)))
    mailbox.settle()
    mailbox.close()
    counts: list[int] = []

    def told(count: int) -> None:
        counts.append(count)
        if len(counts) == 1:
            again = opened(grounds.open_store())
            again.expunge([1, 3, 50], None)
            again.close()

    assert check(grounds, told=told) == []
    assert counts == [64, 64, 28, 5]


def test_a_mailbox_that_others_write_for_long_is_not_checked(
    grounds: Grounds,
) -> None:
    lock = MboxLock(str(grounds.inbox), grounds.host)
    with grounds.inbox.open("r+b") as file, lock.held(file.fileno()):
        (finding,) = check(grounds)
    assert (finding.code, finding.mailbox) == (Code.NOT_CHECKED, "INBOX")


def test_what_belongs_to_another_user_is_told(grounds: Grounds) -> None:
    found = check(grounds, owner=os.geteuid() + 1)
    paths = {each.path for each in found if each.code is Code.OWNER_WRONG}
    assert {str(grounds.inbox), str(grounds.control / "maildrop.ledger")} <= paths


@plants
def test_a_corruption_is_found_and_a_look_changes_nothing(
    grounds: Grounds, plant: Plant
) -> None:
    plant.do(grounds)
    before = tree(grounds)
    found = check(grounds)
    (finding, *_) = [each for each in found if each.code is plant.code]
    assert finding.evidence
    assert tree(grounds) == before


@plants
def test_what_is_derived_is_repaired_and_no_message_is_lost_doubled_or_renumbered(
    grounds: Grounds, plant: Plant
) -> None:
    before, validity = grounds.octets()
    plant.do(grounds)
    found = check(grounds, repair=True)
    second = check(grounds, repair=True)
    assert [each for each in second if each.derived] == []
    assert set(second) <= {each for each in found if not each.derived}
    if plant.blocks:
        return
    after, validity_after = grounds.octets()
    numbered_anew = validity_after["INBOX"] != validity["INBOX"]
    assert numbered_anew == plant.renumbers
    kept(plant, before["INBOX"], after["INBOX"], numbered_anew=numbered_anew)
    assert after["Work"] == before["Work"]


@plants
def test_the_server_meets_a_corruption_with_errors_that_it_knows(
    grounds: Grounds, plant: Plant
) -> None:
    plant.do(grounds)
    with contextlib.suppress(MaildropError):
        grounds.octets()
