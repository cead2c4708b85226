"""Ledgers whose files were torn, damaged, lost or mixed up."""

from pathlib import Path

import pytest

from maildrop.errors import MailboxVanished, StorageFailure
from maildrop.mailbox.flags import SEEN
from maildrop.storage.index import opening
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.log import HEADER_SIZE
from maildrop.storage.index.opening import JUMP, LOG, SNAPSHOT
from tests.storage.index.conftest import OpenLedger, add, expunge, flag, state


def prepared(open_ledger: OpenLedger) -> Ledger:
    """Three messages in the snapshot, and two changes in the log."""
    ledger = open_ledger()
    add(ledger, b"a", b"b", b"c")
    ledger.compact()
    add(ledger, b"d")
    flag(ledger, 2, SEEN)
    return ledger


def told(ledger: Ledger) -> dict[int, bytes]:
    table = ledger.table
    return dict(zip(table.uids, table.names.all(), strict=True))


def test_a_log_cut_anywhere_reuses_no_uid(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    ledger = open_ledger()
    add(ledger, b"a", b"b")
    add(ledger, b"c")
    add(ledger, b"d")
    before = told(ledger)
    path = tmp_path / LOG
    whole = path.read_bytes()
    for cut in range(HEADER_SIZE, len(whole)):
        path.write_bytes(whole[:cut])
        after = open_ledger()
        assert told(after).items() <= before.items()
        assert state(open_ledger()) == state(after)
        if path.stat().st_size != cut:  # a record was torn, and what it gave is lost
            torn = max(told(after), default=0) + 1
            assert add(after, b"new")[0] > torn


def test_a_flipped_bit_in_the_log_is_found_and_reuses_no_uid(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    ledger = open_ledger()
    for name in (b"a", b"b", b"c"):
        add(ledger, name)
    before = told(ledger)
    path = tmp_path / LOG
    whole = path.read_bytes()
    for at in range(HEADER_SIZE, len(whole), 3):
        octets = bytearray(whole)
        octets[at] ^= 0x10
        path.write_bytes(octets)
        after = open_ledger()
        assert told(after).items() <= before.items()
        assert add(after, b"new")[0] > max(before)


def test_the_table_goes_on_where_a_torn_record_was(open_ledger: OpenLedger) -> None:
    ledger, other = open_ledger(), open_ledger()
    add(ledger, b"a")
    with open(ledger._files.log, "ab") as log:
        log.write(b"\x30\0\0\0torn")
    other.refresh()
    assert told(other) == {1: b"a"}
    add(other, b"b")
    ledger.refresh()
    assert state(ledger) == state(other)
    assert ledger.table.uids[0] == 1


def test_a_damaged_snapshot_numbers_the_mailbox_anew(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    ledger = prepared(open_ledger)
    validity = ledger.table.uid_validity
    path = tmp_path / SNAPSHOT
    octets = bytearray(path.read_bytes())
    octets[-3] ^= 1
    path.write_bytes(octets)
    after = open_ledger()
    assert after.fresh
    assert len(after.table) == 0
    assert after.table.uid_validity > validity
    assert not path.exists()
    with pytest.raises(MailboxVanished):
        ledger.refresh()
    again = open_ledger()
    assert state(again) == state(after)


@pytest.mark.parametrize("at", [0, 9, 14, 18, 40, 200, -3, -20])
def test_any_damage_to_the_snapshot_is_found(
    open_ledger: OpenLedger, tmp_path: Path, at: int
) -> None:
    prepared(open_ledger)
    path = tmp_path / SNAPSHOT
    octets = bytearray(path.read_bytes())
    octets[at] ^= 0xFF
    path.write_bytes(octets)
    assert open_ledger().fresh


def test_a_snapshot_cut_anywhere_is_found(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    prepared(open_ledger)
    path, log = tmp_path / SNAPSHOT, tmp_path / LOG
    whole, its_log = path.read_bytes(), log.read_bytes()
    padding = len(whole) - len(whole.rstrip(b"\0"))
    for cut in range(0, len(whole) - padding, 37):
        path.write_bytes(whole[:cut])
        log.write_bytes(its_log)
        assert open_ledger().fresh


@pytest.mark.parametrize("left", [b"", b"x" * 200])
def test_a_lost_log_makes_numbers_jump(
    open_ledger: OpenLedger, tmp_path: Path, left: bytes
) -> None:
    ledger = prepared(open_ledger)
    uid_next, mod_seq = ledger.table.uid_next, ledger.table.highest_mod_seq
    validity = ledger.table.uid_validity
    (tmp_path / LOG).unlink()
    if left:
        (tmp_path / LOG).write_bytes(left)
    after = open_ledger()
    assert after.table.uid_validity == validity
    assert told(after) == {1: b"a", 2: b"b", 3: b"c"}
    assert after.table.uid_next >= uid_next - 1 + JUMP
    assert after.table.highest_mod_seq > mod_seq
    assert state(open_ledger()) == state(after)


def test_a_log_from_a_backup_makes_numbers_jump(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    ledger = open_ledger()
    add(ledger, b"a")
    old = (tmp_path / LOG).read_bytes()
    ledger.compact()
    add(ledger, b"b")
    ledger.compact()
    uid_next = ledger.table.uid_next
    (tmp_path / LOG).unlink()
    (tmp_path / LOG).write_bytes(old)
    after = open_ledger()
    assert told(after) == {1: b"a", 2: b"b"}
    assert after.table.uid_next > uid_next + 1000


def test_a_log_that_tells_everything_needs_no_snapshot(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    ledger = open_ledger()
    add(ledger, b"a", b"b")
    expunge(ledger, 1)
    (tmp_path / SNAPSHOT).write_bytes(b"rubbish")
    assert state(open_ledger()) == state(ledger)


def test_after_a_restart_of_the_machine_mod_seqs_jump_once(
    open_ledger: OpenLedger,
) -> None:
    ledger = prepared(open_ledger)
    before = ledger.table.highest_mod_seq
    after = open_ledger(boot=b"B" * 16)
    assert after.table.highest_mod_seq >= before + JUMP
    assert told(after) == told(ledger)
    again = open_ledger(boot=b"B" * 16)
    assert again.table.highest_mod_seq == after.table.highest_mod_seq


def test_a_snapshot_of_too_many_messages_is_not_believed(
    open_ledger: OpenLedger,
) -> None:
    prepared(open_ledger)
    assert open_ledger(messages_max=2).fresh


def test_no_control_file_is_followed_out_of_the_directory(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    outside = tmp_path.with_name("outside")
    outside.write_bytes(b"precious")
    (tmp_path / LOG).symlink_to(outside)
    with pytest.raises(StorageFailure):
        open_ledger()
    assert outside.read_bytes() == b"precious"


def test_a_long_log_is_read_in_parts(
    open_ledger: OpenLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = prepared(open_ledger)
    for name in (b"e", b"f", b"g"):
        add(ledger, name)
    monkeypatch.setattr(opening, "TAIL_MAX", 300)
    assert state(open_ledger()) == state(ledger)
    with (tmp_path / LOG).open("ab") as log:
        log.write(bytes(5000))
    assert told(open_ledger()) == told(ledger)
