"""What an account holds: the sum over ledgers, remembered by their state."""

import os
from pathlib import Path

import pytest

from maildrop.mailbox.quota import Counted, Quota, Reached, Usage
from maildrop.storage.index.allowance import Allowance
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.totals import NONE, mark_of, peek
from tests.storage.index.conftest import add, expunge


class Account:
    """Mailboxes in directories, as several processes would see them."""

    def __init__(self, root: Path, host: Host) -> None:
        self.root = root
        self.host = host
        for name in ("a", "b"):
            (root / name).mkdir()

    def directories(self) -> list[str]:
        return sorted(str(path) for path in self.root.iterdir() if path.is_dir())

    def ledger(self, name: str) -> Ledger:
        return Ledger(str(self.root / name), self.host, lambda above: above + 1000)

    def allowance(self) -> Allowance:
        return Allowance(str(self.root), self.directories, self.host)

    @property
    def file(self) -> Path:
        return self.root / "maildrop.quota"


@pytest.fixture
def account(tmp_path: Path, host: Host) -> Account:
    return Account(tmp_path, host)


def test_mailboxes_that_are_not_open_are_looked_at(account: Account) -> None:
    ledger = account.ledger("a")
    add(ledger, b"x", b"y")
    assert account.allowance().used() == Usage(203, 2)
    expunge(ledger, 1)
    assert account.allowance().used() == Usage(102, 1)
    ledger.compact()
    assert account.allowance().used() == Usage(102, 1)
    ledger.close()


def test_what_was_seen_is_remembered_in_a_file(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = account.ledger("a")
    add(ledger, b"x")
    ledger.close()
    account.allowance().used()
    looked: list[str] = []

    def watched(directory: str) -> object:
        looked.append(os.path.basename(directory))
        return peek(directory)

    monkeypatch.setattr("maildrop.storage.index.allowance.peek", watched)
    assert account.allowance().used() == Usage(101, 1)
    assert looked == []
    other = account.ledger("b")
    add(other, b"y")
    assert account.allowance().used() == Usage(202, 2)
    assert looked == ["b"]
    other.close()


@pytest.mark.parametrize(
    "damage",
    [b"", b"mdquota", b"mdquota 1 00\n1 2 3 4 5 /x\n77\n", b"\xff" * 100, b"\n\n1\n"],
)
def test_a_damaged_file_is_not_believed(account: Account, damage: bytes) -> None:
    ledger = account.ledger("a")
    add(ledger, b"x")
    ledger.close()
    account.allowance().used()
    account.file.write_bytes(damage)
    assert account.allowance().used() == Usage(101, 1)


def test_one_octet_changed_in_the_file_changes_no_sum(account: Account) -> None:
    ledger = account.ledger("a")
    add(ledger, b"x")
    ledger.close()
    account.allowance().used()
    octets = account.file.read_bytes()
    for at in range(len(octets)):
        account.file.write_bytes(
            octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1 :]
        )
        assert account.allowance().used() == Usage(101, 1)


def test_an_open_mailbox_is_asked_itself(account: Account) -> None:
    ledger = account.ledger("a")
    allowance = account.allowance()
    allowance.opened(str(account.root / "a"), ledger)
    add(ledger, b"x", b"y")
    assert allowance.used() == Usage(203, 2)
    another = account.ledger("a")
    add(another, b"z")
    assert allowance.used() == Usage(306, 3)
    allowance.closed(str(account.root / "a"), ledger)
    assert allowance.used() == Usage(306, 3)
    another.close()
    ledger.close()


def test_another_mailbox_of_the_same_name_is_another(account: Account) -> None:
    ledger = account.ledger("a")
    allowance = account.allowance()
    allowance.opened(str(account.root / "a"), ledger)
    add(ledger, b"x", b"y")
    (account.root / "a").rename(account.root / "c")
    (account.root / "a").mkdir()
    another = account.ledger("a")
    add(another, b"z")
    assert allowance.used() == Usage(203 + 101, 3)
    another.close()
    ledger.close()


def test_a_mailbox_that_is_locked_is_looked_at_all_the_same(account: Account) -> None:
    """Two that held one lock each and waited for the other would wait for ever."""
    ledger = account.ledger("a")
    add(ledger, b"x")
    with ledger.locked():
        assert account.allowance().used() == Usage(101, 1)
    ledger.close()


def test_a_directory_without_a_ledger_holds_nothing(account: Account) -> None:
    assert mark_of(str(account.root / "a")) == NONE
    assert peek(str(account.root / "a")) == (NONE, Usage())
    (account.root / "a/maildrop.ledger.log").write_bytes(b"rubbish")
    assert peek(str(account.root / "a")) is None
    assert account.allowance().used() == Usage()


def test_a_warning_is_told_by_one_process_only(account: Account) -> None:
    told: list[int] = []
    quota = Quota(octets=100, warnings=(50, 90))

    def reached(found: Reached) -> None:
        told.append(found.percent)

    first, second = account.allowance(), account.allowance()
    for allowance in (first, second):
        allowance.limit(quota, reached)
        allowance.begin()
    first.added(Usage(40, 1), Usage(60, 2))
    second.added(Usage(40, 1), Usage(60, 2))
    assert told == [50]
    second.added(Usage(60, 2), Usage(95, 3))
    assert told == [50, 90]
    first.added(Usage(95, 3), Usage(96, 4))
    assert told == [50, 90]
    first.added(Usage(10, 1), Usage(55, 2))
    assert told == [50, 90, 50]


def test_without_a_quota_nobody_looks(account: Account) -> None:
    def never() -> list[str]:
        raise AssertionError

    allowance = Allowance(str(account.root), never, account.host)
    before = allowance.begin()
    after = allowance.admit(before, [10], Counted.LIMITED)
    allowance.added(before, after)
    assert not account.file.exists()
