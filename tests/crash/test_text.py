"""The text file stopped at every call that changes disk: it never tells what is wrong.

What it may do is forget, and it goes on from there.
"""

import contextlib
import dataclasses
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maildrop.durable import Disk
from maildrop.mailbox.stored_text import Where
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.text_file import TEXT, TextFile
from tests.crash.stopping import QuickDisk, every_stop

MESSAGES = 9
ALL = range(1, MESSAGES + 1)
Operate = Callable[[TextFile], None]


@contextlib.contextmanager
def opened(root: Path, disk: Disk) -> Iterator[TextFile]:
    """The text file as a new process has it."""
    quick = dataclasses.replace(
        Host.here(QuickDisk()), sleep=lambda _: None, lock_seconds=0.0
    )
    ledger = Ledger(str(root), quick, lambda above: max(above + 1, 1000))
    text = TextFile(str(root), ledger, dataclasses.replace(quick, disk=disk))
    try:
        yield text
    finally:
        text.close()
        ledger.close()


def message(uid: int) -> bytes:
    return b"Subject: n%dx\r\n\r\n%b\r\n" % (uid, b"body " * 40)


def cover(text: TextFile, last: int) -> None:
    """Add messages up to a UID, two at a time."""
    while text.covered() < last:
        after = text.last
        uids = range(after + 1, min(after + 2, last) + 1)
        text.add(uids, [message(uid) for uid in uids], after)


def found(text: TextFile, wanted: str) -> list[int]:
    return list(text.find(wanted, array("I", ALL), 0, Where.ANYWHERE).fits)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A mailbox of some messages, without text."""
    root = tmp_path / "mailbox"
    root.mkdir()
    with opened(root, QuickDisk()) as text:
        ledger = text._ledger
        with ledger.locked():
            batch = ledger.batch()
            for uid in ALL:
                batch.append(uid, 100, 5000, 0, 0, b"m%d" % uid)
            ledger.commit(batch)
    return root


def tidy(text: TextFile) -> None:
    text.covered()
    for _ in text.tidy([2, 5]):
        pass


def survives(root: Path, operate: Operate, torn: bool, forgotten: set[int]) -> int:
    """Stop an operation everywhere; how often it was stopped."""
    stops = 0

    def on(copy: Path, disk: Disk) -> None:
        with opened(copy, disk) as text:
            operate(text)

    for copy, ended in every_stop(root, on, torn=torn):
        stops += not ended
        with opened(copy, QuickDisk()) as text:
            kept = found(text, "body")
            assert set(range(1, text.last + 1)) - set(kept) <= forgotten
            assert kept == sorted(kept)
            for uid in kept:
                assert found(text, f"n{uid}x") == [uid]
            cover(text, MESSAGES)
            assert set(ALL) - set(found(text, "body")) <= forgotten
            assert found(text, "n9x") == [9]
    return stops


@pytest.mark.parametrize("torn", [False, True])
def test_beginning_and_extending(root: Path, torn: bool) -> None:
    assert survives(root, lambda text: cover(text, 5), torn, set()) >= 4


@pytest.mark.parametrize("torn", [False, True])
def test_cutting_off_half_a_block(root: Path, torn: bool) -> None:
    with opened(root, QuickDisk()) as text:
        cover(text, 6)
    whole = (root / TEXT).read_bytes()
    (root / TEXT).write_bytes(whole[:-9])
    assert survives(root, lambda text: cover(text, 8), torn, set()) >= 3


@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize("at", [30, 300])
def test_mending(root: Path, torn: bool, at: int) -> None:
    with opened(root, QuickDisk()) as text:
        cover(text, 6)
    octets = bytearray((root / TEXT).read_bytes())
    octets[at] ^= 1
    (root / TEXT).write_bytes(octets)

    def mend(text: TextFile) -> None:
        found(text, "body")  # that is how damage is noticed
        cover(text, 8)

    assert survives(root, mend, torn, set()) >= 6


@pytest.mark.parametrize("torn", [False, True])
def test_tidying(root: Path, torn: bool) -> None:
    with opened(root, QuickDisk()) as text:
        cover(text, 8)
    gone = {1, 3, 4, 6, 7, 8}
    assert survives(root, tidy, torn, gone) >= 5


def test_what_was_not_synced_when_the_power_went_is_noticed(root: Path) -> None:
    """The file has its length and its last octets are zeros."""
    with opened(root, QuickDisk()) as text:
        cover(text, 8)
    whole = (root / TEXT).read_bytes()
    for lost in range(0, len(whole), 7):
        (root / TEXT).write_bytes(whole[:lost] + bytes(len(whole) - lost))
        with opened(root, QuickDisk()) as text:
            kept = found(text, "body")
            assert kept == list(range(1, text.last + 1))
            assert all(found(text, f"n{uid}x") == [uid] for uid in kept)
            cover(text, 8)
            assert found(text, "body") == list(range(1, 9))
        assert (root / TEXT).read_bytes() == whole
