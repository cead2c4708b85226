"""What a ledger costs does not grow with the messages in it."""

from pathlib import Path

import pytest

from tests.storage.index.conftest import OpenLedger, add, expunge, flag


@pytest.mark.parametrize("count", [100, 10_000])
def test_folding_costs_each_octet_of_the_log_the_same(
    open_ledger: OpenLedger, tmp_path: Path, count: int
) -> None:
    """All columns are written, so the log grows longer where there are more."""
    ledger = open_ledger(log_octets=2000)
    add(ledger, *[b"name-%d" % number for number in range(count)])
    ledger.compact()
    records = 0
    while not ledger.compaction_due:
        add(ledger, b"new-%d" % records)
        records += 1
    snapshot = (tmp_path / "maildrop.ledger").stat().st_size
    log = (tmp_path / "maildrop.ledger.log").stat().st_size
    assert snapshot / log < 32


def test_a_change_appends_the_same_octets_at_any_size(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    ledger = open_ledger()
    log = tmp_path / "maildrop.ledger.log"
    appended = []
    for count in (100, 10_000):
        add(ledger, *[b"name-%d" % number for number in range(count)])
        ledger.compact()
        snapshot = (tmp_path / "maildrop.ledger").stat()
        before = log.stat().st_size
        add(ledger, b"another")
        flag(ledger, 50, 1)
        expunge(ledger, ledger.table.uids[count // 2])
        appended.append(log.stat().st_size - before)
        assert (tmp_path / "maildrop.ledger").stat().st_mtime_ns == snapshot.st_mtime_ns
    assert appended[0] == appended[1]
