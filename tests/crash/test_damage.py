"""Damaged control files: see ``damage``; ``python -m tests.crash`` has more places."""

from pathlib import Path

import pytest

from tests.crash.damage import FILES, damage

CASES = [(name, file) for name, files in FILES.items() for file in files]
#: Files whose every damage that matters shows when the mailbox is opened and read.
SHOWN = {"maildrop.ledger", "maildrop.ledger.log", "maildrop.layout"}


@pytest.mark.parametrize(("format_name", "file"), CASES)
def test_damage_is_noticed_and_loses_nothing(
    tmp_path: Path, format_name: str, file: str
) -> None:
    outcome = damage(format_name, file, tmp_path, places=10)
    assert outcome.findings == []
    assert outcome.tried > 25
    # Some places may lie in padding, the last one always; nobody reads that.  Where it
    # is depends on the length of names, and so on inodes, process ids and the time.
    assert outcome.tried - outcome.told <= 6 or file not in SHOWN
