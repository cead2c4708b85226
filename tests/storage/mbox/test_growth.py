"""What an mbox costs does not grow with the messages in it.

Counted are the octets that are read and written, whatever for: mbox, ledger, journal.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from maildrop.durable import Content
from maildrop.mailbox.flags import DELETED, FLAGGED, SEEN, FlagChange, Operation
from maildrop.mailbox.interfaces import NewMessage
from maildrop.mailbox.view import View
from maildrop.pop3.snapshot import Snapshot
from maildrop.storage.mbox.layout import Layout
from maildrop.storage.mbox.mailbox import MboxMailbox
from maildrop.storage.mbox.settling import differing
from maildrop.system import Octets
from tests.crash.stopping import QuickDisk
from tests.storage.held import held_by
from tests.storage.mbox.conftest import OpenStore

SIZES = (50, 1000)
#: Octets that one operation may read or write; a hundredth of the larger mailbox.
FEW = 10_000


def written_by_others(number: int) -> bytes:
    return (
        b"From alice@example.org Thu Jan  1 12:34:56 2026\n"
        b"Message-ID: <%d@example.org>\n"
        b"Subject: message\n\n%b\n\n" % (number, b"text " * 200)
    )


class Counting(QuickDisk):
    """Counts octets that are written."""

    written = 0

    def write(self, fd: int, octets: Octets) -> None:
        self.written += len(octets)
        super().write(fd, octets)

    def write_at(self, fd: int, octets: bytes | memoryview, offset: int) -> None:
        self.written += len(octets)
        super().write_at(fd, octets, offset)


class Reads:
    """Counts octets that are read."""

    def __init__(self) -> None:
        self.octets = 0
        self._pread = os.pread

    def __call__(self, fd: int, length: int, offset: int) -> bytes:
        octets = self._pread(fd, length, offset)
        self.octets += len(octets)
        return octets


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    counting = Reads()
    monkeypatch.setattr("os.pread", counting)
    return counting


@pytest.fixture
def disk() -> Counting:
    return Counting()


@pytest.fixture(params=SIZES)
def mailbox(
    request: pytest.FixtureRequest,
    spool: Path,
    open_store: OpenStore,
    disk: Counting,
    reads: Reads,
) -> MboxMailbox:
    """A mailbox of other programs' messages, known."""
    spool.write_bytes(b"".join(map(written_by_others, range(request.param))))
    opened = open_store(disk).open("INBOX")
    opened.refresh()
    opened.settle()
    assert len(opened.table) == request.param
    disk.written = reads.octets = 0
    return opened


def test_after_one_was_appended_only_that_is_read(
    mailbox: MboxMailbox, spool: Path, disk: Counting, reads: Reads
) -> None:
    count = len(mailbox.table)
    with spool.open("ab") as file:
        file.write(written_by_others(count))
    mailbox.refresh()
    assert len(mailbox.table) == count + 1
    assert reads.octets < 4 * len(written_by_others(count))
    assert disk.written < FEW
    mailbox.close()


def test_a_delivery_reads_nothing_and_writes_the_message(
    mailbox: MboxMailbox, disk: Counting, reads: Reads
) -> None:
    message = NewMessage(Content.of(b"Subject: new\r\n\r\nhello\r\n"))
    mailbox.publish(mailbox.stage([message]), None)
    assert reads.octets < 100
    assert disk.written < 2000
    mailbox.close()


def test_to_expunge_the_last_rewrites_nothing_before_it(
    mailbox: MboxMailbox, spool: Path, disk: Counting, reads: Reads
) -> None:
    count = len(mailbox.table)
    size = spool.stat().st_size
    mailbox.expunge([mailbox.table.uids[-1]], None)
    assert disk.written < FEW
    assert reads.octets < FEW
    assert spool.stat().st_size == size - len(written_by_others(count - 1))
    mailbox.close()


def test_a_flag_writes_a_record_now_and_its_field_later(
    mailbox: MboxMailbox, disk: Counting, reads: Reads
) -> None:
    message = NewMessage(Content.of(b"Subject: new\r\n\r\nhello\r\n"))
    (uid,) = mailbox.publish(mailbox.stage([message]), None)
    disk.written = reads.octets = 0
    mailbox.change_flags([uid], FlagChange(Operation.ADD, FLAGGED), None)
    assert (reads.octets, disk.written < 200) == (0, True)
    mailbox.settle()
    layout = 21 * len(mailbox.table)  # how the file is: so other processes know
    assert disk.written < FEW + layout
    assert reads.octets < 2 * FEW
    mailbox.close()


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), max_size=60))
def test_what_differs_is_what_a_comparison_of_each_finds(
    pairs: list[tuple[int, int]],
) -> None:
    some, others = bytes(a for a, _ in pairs), bytes(b for _, b in pairs)
    unlike = [at for at, (one, other) in enumerate(pairs) if one != other]
    assert differing(some, others) == unlike


STARTS = st.lists(st.integers(0, 500), unique=True, min_size=1, max_size=20)


@given(STARTS, st.integers(0, 500), st.sets(st.integers(1, 20)))
def test_a_layout_knows_the_order_in_the_file(
    starts: Sequence[int], offset: int, removed: set[int]
) -> None:
    layout = Layout()
    for uid, start in enumerate(starts, 1):
        layout.append(uid, start, 10, SEEN, 0)
    again = Layout.unpack(layout.pack())
    for each in (layout, again):
        assert each.in_order == (list(starts) == sorted(starts))
        assert starts[each.last] == max(starts)
        behind = [starts[row] for row in each.behind(offset)]
        assert behind == sorted(start for start in starts if start >= offset)
        each.remove(removed)
        kept = [uid for uid in range(1, len(starts) + 1) if uid not in removed]
        assert list(each.uids) == kept
        assert list(each.starts) == [starts[uid - 1] for uid in kept]
        assert len(each.status) == len(each.keywords) == len(each.lengths) == len(kept)


def test_removed_messages_are_gone_from_the_layout_of_other_processes(
    mailbox: MboxMailbox, open_store: OpenStore, spool: Path
) -> None:
    other = open_store().open("INBOX")
    other.refresh()
    uid = mailbox.table.uids[-2]
    mailbox.change_flags([uid], FlagChange(Operation.ADD, DELETED), None)
    mailbox.expunge([uid], None)
    with spool.open("ab") as file:
        file.write(written_by_others(5000))
    other.refresh()
    assert len(other.table) == len(mailbox.table) + 1
    assert uid not in other.table.uids
    assert other.read(other.table.uids[-1]).startswith(b"Message-ID: <5000@")
    other.close()
    mailbox.close()


def test_a_message_takes_less_than_64_octets_of_memory(
    spool: Path, open_store: OpenStore, disk: Counting
) -> None:
    """Columns and places, whatever is known of a message; shared by the sessions."""
    count = 2000
    spool.write_bytes(b"".join(map(written_by_others, range(count))))
    opened = open_store(disk).open("INBOX")
    opened.refresh()
    uids = opened.table.uids
    opened.change_flags(uids[::2], FlagChange(Operation.ADD, SEEN, ("work",)), None)
    opened.fragments(b"ENVELOPE", uids)
    opened.settle()
    opened.close()
    opened = open_store(disk).open("INBOX")
    opened.refresh()
    views = [View(opened.table) for _ in range(3)]
    held = held_by(opened, *views, Snapshot(opened.table))
    assert 55 < held / count < 64
    assert not opened.unsettled
    opened.close()
