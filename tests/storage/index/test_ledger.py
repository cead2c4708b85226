"""The ledger, in one process and in several."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from maildrop.errors import MailboxInUse, MailboxVanished, NoSpace
from maildrop.mailbox.flags import FLAGGED, SEEN
from maildrop.mailbox.view import View
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.locks import locked
from tests.crash.stopping import QuickDisk
from tests.storage.index.conftest import OpenLedger, add, expunge, flag, state


def test_a_new_mailbox_is_fresh_and_its_uids_begin_at_one(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger()
    assert ledger.fresh
    assert add(ledger, b"a", b"b") == [1, 2]
    assert not open_ledger().fresh


def test_what_one_commits_the_other_reads_at_its_next_refresh(
    open_ledger: OpenLedger,
) -> None:
    one, other = open_ledger(), open_ledger()
    add(one, b"a", b"b", b"c")
    flag(one, 2, SEEN, "work")
    expunge(one, 1)
    assert len(other.table) == 0
    assert other.refresh()
    assert state(other) == state(one)
    assert not other.refresh()


def test_who_takes_the_lock_has_read_everything(open_ledger: OpenLedger) -> None:
    one, other = open_ledger(), open_ledger()
    assert add(one, b"a") == [1]
    assert add(other, b"b") == [2]
    one.refresh()
    assert state(one) == state(other)


def test_a_table_changed_past_the_log_is_read_whole_by_others(
    open_ledger: OpenLedger,
) -> None:
    one, other = open_ledger(), open_ledger()
    add(one, b"a", b"b")
    other.refresh()
    with one.locked():
        one.table.dates[1] = 7
        one.rewrite()
    add(one, b"c")
    assert other.refresh()
    assert state(other) == state(one) == state(open_ledger())


def test_sessions_do_not_outlive_messages_put_in_another_order(
    open_ledger: OpenLedger,
) -> None:
    one, other = open_ledger(), open_ledger()
    add(one, b"a", b"b", b"c")
    other.refresh()
    other.table.uids[:] = other.table.uids[::-1]
    with one.locked():
        one.rewrite()
    with pytest.raises(MailboxVanished):
        other.refresh()


def test_uids_are_expunged_in_whatever_order_they_are_named(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger()
    add(ledger, b"a", b"b", b"c")
    expunge(ledger, 3, 1)
    assert list(ledger.table.uids) == list(open_ledger().table.uids) == [2]


def test_a_keyword_that_no_client_may_be_told_gets_another_name(
    open_ledger: OpenLedger,
) -> None:
    """RFC 9051 section 9, ``flag-keyword``: a line end would end the response."""
    ledger = open_ledger()
    add(ledger, b"a")
    flag(ledger, 1, 0, "good")
    with ledger.locked():
        ledger.table.keyword_names.append("x)\r\n* BYE")
        ledger.rewrite()
    assert open_ledger().table.keyword_names == ["good", "maildrop-1"]
    with ledger.locked():
        batch = ledger.batch()
        batch.keyword_names(1, ["Good"])
        ledger.commit(batch)
    assert open_ledger().table.keyword_names == ["good", "maildrop-1"]


def test_keywords_of_two_processes_get_different_bits(open_ledger: OpenLedger) -> None:
    one, other = open_ledger(), open_ledger()
    add(one, b"a", b"b")
    flag(one, 1, 0, "first")
    flag(other, 2, 0, "second")
    one.refresh()
    assert one.table.keyword_names == other.table.keyword_names == ["first", "second"]
    assert list(one.table.keywords) == [1, 2]


def test_everything_is_there_after_folding(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    add(ledger, b"a", b"b", b"c")
    with ledger.locked():
        batch = ledger.batch()
        batch.source(b"\x00\xff state")
        batch.note(b"fact", b"\x80value")
        batch.uidls([2], [b"old-uidl"])
        batch.rename([3], [b"renamed"])
        batch.resize([3], [7])
        batch.first_recent(3)
        batch.cache_file(77, [b"K"])
        ledger.commit(batch)
        batch = ledger.batch()
        batch.cache([1, 3], [64, 128])
        ledger.commit(batch)
    flag(ledger, 3, FLAGGED, "x", "y")
    expunge(ledger, 1)
    before = state(ledger)
    assert state(open_ledger()) == before
    ledger.compact()
    assert state(ledger) == before
    assert state(open_ledger()) == before
    ledger.compact()
    assert state(open_ledger()) == before


def test_who_has_the_old_log_open_goes_on_with_the_new_one(
    open_ledger: OpenLedger,
) -> None:
    one, other = open_ledger(), open_ledger()
    add(one, b"a", b"b")
    one.compact()
    add(one, b"c")
    assert other.refresh()
    assert state(other) == state(one)
    assert add(other, b"d") == [4]


def test_who_missed_several_foldings_is_told_the_difference(
    open_ledger: OpenLedger,
) -> None:
    one, other = open_ledger(), open_ledger()
    add(one, b"a", b"b", b"c")
    other.refresh()
    view = View(other.table)
    table = other.table
    for name in (b"d", b"e"):
        one.compact()
        add(one, name)
    flag(one, 3, SEEN)
    expunge(one, 1)
    one.compact()
    other.refresh()
    assert other.table is table
    assert state(other) == state(one)
    told = view.updates(expunges=True)
    assert (told.expunged, told.flags, told.exists) == ([1], [3], 4)


def test_waiting_for_a_lock_ends(open_ledger: OpenLedger, host: Host) -> None:
    ledger = open_ledger()
    add(ledger, b"a")
    with (
        locked(ledger._files.log, host),
        pytest.raises(MailboxInUse),
        ledger.locked(),
    ):
        pass
    assert add(ledger, b"b") == [2]


def test_a_removed_directory_has_vanished(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    ledger = open_ledger()
    shutil.rmtree(tmp_path)
    with pytest.raises(MailboxVanished):
        ledger.refresh()
    with pytest.raises(MailboxVanished), ledger.locked():
        pass


def test_a_directory_with_another_ledger_is_not_written(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    """A mailbox deleted and made anew, while this process has the old one open."""
    old = open_ledger()
    add(old, b"a")
    away = tmp_path.with_name("away")
    tmp_path.rename(away)
    tmp_path.mkdir()
    new = open_ledger()
    before = state(new)
    with pytest.raises(MailboxVanished):
        add(old, b"b")
    with pytest.raises(MailboxVanished):
        old.compact()
    assert state(open_ledger()) == before


class FullDisk(QuickDisk):
    """Takes half of what is written, then is full; can be emptied."""

    full = False

    def write(self, fd: int, octets: bytes) -> None:  # type: ignore[override]
        if self.full:
            super().write(fd, octets[: len(octets) // 2])
            raise OSError(28, "No space left on device")
        super().write(fd, octets)


def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    disk = FullDisk()
    ledger = Ledger(str(tmp_path), Host.here(disk), lambda above: above + 1)
    add(ledger, b"a")
    before = state(ledger)
    disk.full = True
    with pytest.raises(NoSpace):
        add(ledger, b"b")
    with pytest.raises(NoSpace):
        ledger.compact()
    assert state(ledger) == before
    disk.full = False
    assert add(ledger, b"c") == [2]
    ledger.close()


def test_uids_are_synced_before_they_are_told(tmp_path: Path) -> None:
    synced: list[int] = []

    class Watched(QuickDisk):
        def synchronize(self, fd: int) -> None:
            synced.append(os.fstat(fd).st_size)

    ledger = Ledger(str(tmp_path), Host.here(Watched()), lambda above: above + 1)
    synced.clear()
    add(ledger, b"a")
    assert synced == [os.path.getsize(tmp_path / "maildrop.ledger.log")]
    flag(ledger, 1, SEEN)
    assert len(synced) == 1
    ledger.close()


def test_a_log_is_due_for_folding_when_it_is_long(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(log_octets=500)
    assert not ledger.compaction_due
    add(ledger, *[b"name-%d" % n for n in range(20)])
    assert ledger.compaction_due
    ledger.compact()
    assert not ledger.compaction_due


def test_expunged_uids_are_remembered_and_pruned(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    add(ledger, b"a", b"b", b"c", b"d")
    start = ledger.table.highest_mod_seq
    expunge(ledger, 1)
    middle = ledger.table.highest_mod_seq
    expunge(ledger, 3, 4)
    table = ledger.table
    assert table.expunged_since(start) == [1, 3, 4]
    assert table.expunged_since(middle) == [3, 4]
    table.prune_expunged(2)
    assert table.expunged_since(middle) == [3, 4]
    assert table.expunged_since(start) is None


class Model:
    """What the mailbox should be, whichever process did what."""

    def __init__(self) -> None:
        self.flags: dict[int, int] = {}
        self.given_out = 0

    def do(self, step: str, ledger: Ledger, number: int) -> None:
        if step == "add":
            uids = add(ledger, *[b"n%d" % n for n in range(number % 3 + 1)])
            assert uids[0] > self.given_out
            self.given_out = uids[-1]
            self.flags.update(dict.fromkeys(uids, 0))
        elif step == "flag" and number in self.flags:
            flag(ledger, number, number % 32)
            self.flags[number] = number % 32
        elif step == "expunge":
            expunge(ledger, number)
            self.flags.pop(number, None)
        elif step == "fold":
            ledger.compact()
        elif step == "refresh":
            ledger.refresh()


Step = tuple[str, int, int]
steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "flag", "expunge", "fold", "refresh", "reopen"]),
        st.integers(0, 1),
        st.integers(1, 12),
    ),
    max_size=30,
)


@given(steps)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_two_processes_never_disagree(
    tmp_path: Path, host: Host, taken: list[Step]
) -> None:
    directory = tmp_path / "run"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()

    def opened() -> Ledger:
        return Ledger(str(directory), host, lambda above: above + 1)

    ledgers = [opened(), opened()]
    model = Model()
    for step, who, number in taken:
        if step == "reopen":
            ledgers[who].close()
            ledgers[who] = opened()
        else:
            model.do(step, ledgers[who], number)
    for ledger in ledgers:
        ledger.refresh()
    assert state(ledgers[0]) == state(ledgers[1])
    table = ledgers[0].table
    assert dict(zip(table.uids, table.flags, strict=True)) == model.flags
    for ledger in ledgers:
        ledger.close()
