"""Every corruption planted beside an mbox is found, and repaired where that can be."""

import contextlib
import dataclasses
import hashlib
import os
from pathlib import Path

import pytest

from maildrop.errors import MaildropError
from maildrop.storage.findings import Finding
from maildrop.storage.index.host import Host
from maildrop.storage.mbox.check import MboxInspect
from maildrop.storage.mbox.check_account import Account
from tests.crash.stopping import QuickDisk
from tests.storage.mbox.conftest import OpenStore
from tests.storage.mbox.planting import ACCOUNT, CACHE, FILES, Grounds
from tests.storage.planting import CONTROL, LEDGER, SECTIONS, Plant, kept

PLANTS = (*CONTROL, *SECTIONS, *LEDGER, *CACHE, *FILES, *ACCOUNT)
plants = pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)


@pytest.fixture
def grounds(spool: Path, open_store: OpenStore) -> Grounds:
    host = dataclasses.replace(Host.here(QuickDisk()), lock_seconds=1.0)
    return Grounds(spool, lambda: open_store(QuickDisk()), host)


def check(grounds: Grounds, *, repair: bool = False) -> list[Finding]:
    account = Account(
        str(grounds.inbox),
        str(grounds.folders),
        str(grounds.all_control),
        grounds.host,
        grounds.open_store,
    )
    found = []
    for part in MboxInspect(account).parts():
        findings = part.check(lambda _: None)
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
