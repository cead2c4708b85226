"""Every planted corruption is found, and repaired where that can be."""

import contextlib
import dataclasses
import hashlib
import os
from pathlib import Path

import pytest

from maildrop.errors import MaildropError
from maildrop.storage.findings import Finding
from maildrop.storage.index.host import Host
from maildrop.storage.maildir.check import MaildirInspect
from tests.crash.stopping import QuickDisk
from tests.storage.maildir.conftest import OpenStore
from tests.storage.maildir.planting import FOLDERS, Grounds
from tests.storage.maildir.planting_files import ACCOUNT, CACHE, FILES
from tests.storage.maildir.planting_text import TEXT
from tests.storage.planting import CONTROL, LEDGER, SECTIONS, Plant, kept

PLANTS = (*CONTROL, *SECTIONS, *LEDGER, *FOLDERS, *CACHE, *TEXT, *FILES, *ACCOUNT)
plants = pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)


@pytest.fixture
def grounds(root: Path, open_store: OpenStore) -> Grounds:
    return Grounds(root, lambda: open_store(QuickDisk()))


def inspect(grounds: Grounds, owner: int | None = None) -> MaildirInspect:
    host = dataclasses.replace(Host.here(QuickDisk()), lock_seconds=1.0)
    return MaildirInspect(str(grounds.root), host, owner, grounds.open_store)


def check(grounds: Grounds, *, repair: bool = False) -> list[Finding]:
    found = []
    for part in inspect(grounds).parts():
        findings = part.check(lambda _: None)
        found += findings
        if repair and any(finding.derived for finding in findings):
            with contextlib.suppress(MaildropError):
                part.repair(findings)
    return found


def tree(grounds: Grounds) -> dict[str, str]:
    """Everything on the disk: names, kinds, modes, times and content."""
    found = {}
    for path in sorted(grounds.root.rglob("*")):
        facts = path.lstat()
        text = f"{facts.st_mode:o} {facts.st_mtime_ns} {facts.st_size}"
        if path.is_file() and facts.st_size < 1 << 20:
            text += hashlib.sha256(path.read_bytes()).hexdigest()
        found[os.fsdecode(path)] = text
    return found


def test_there_is_nothing_to_do_in_a_sound_maildir(grounds: Grounds) -> None:
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
