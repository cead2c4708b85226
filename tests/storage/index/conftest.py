"""A control directory, and ledgers on it as several processes would open them."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from tests.crash.stopping import QuickDisk

OpenLedger = Callable[..., Ledger]


@pytest.fixture
def host() -> Host:
    """A machine that waits for no lock and no disk."""
    return dataclasses.replace(
        Host.here(QuickDisk()), sleep=lambda _: None, lock_seconds=0.0
    )


@pytest.fixture
def open_ledger(tmp_path: Path, host: Host) -> Iterator[OpenLedger]:
    """Opens the ledger in ``tmp_path``; closed when the test ends."""
    opened: list[Ledger] = []

    def open_one(
        boot: bytes = b"", log_octets: int = 1 << 16, messages_max: int = 1 << 24
    ) -> Ledger:
        its_host = dataclasses.replace(host, boot=boot) if boot else host
        ledger = Ledger(
            str(tmp_path),
            its_host,
            lambda above: max(above + 1, 1000),
            log_octets=log_octets,
            messages_max=messages_max,
        )
        opened.append(ledger)
        return ledger

    yield open_one
    for ledger in opened:
        ledger.close()


def add(ledger: Ledger, *names: bytes) -> list[int]:
    """Add messages of these names."""
    with ledger.locked():
        batch = ledger.batch()
        first = ledger.table.uid_next
        for uid, name in enumerate(names, first):
            batch.append(uid, 100 + uid, 5000 + uid, 0, 0, name)
        ledger.commit(batch)
    return list(range(first, first + len(names)))


def expunge(ledger: Ledger, *uids: int) -> None:
    """Remove messages."""
    with ledger.locked():
        batch = ledger.batch()
        batch.expunge(uids)
        ledger.commit(batch)


def flag(ledger: Ledger, uid: int, flags: int, *keywords: str) -> None:
    """Put flags to a message."""
    with ledger.locked():
        bits = ledger.table.keyword_bits(keywords, create=True)
        batch = ledger.batch()
        batch.change_flags([uid], bytes([flags]), [bits])
        ledger.commit(batch)


def state(ledger: Ledger) -> object:
    """All that a ledger says, to be compared."""
    table = ledger.table
    return (
        table.uid_validity,
        table.uid_next,
        table.highest_mod_seq,
        table.first_recent,
        list(table.uids),
        list(table.sizes),
        list(table.dates),
        list(table.mod_seqs),
        bytes(table.flags),
        list(table.keywords),
        list(table.cache),
        list(table.saved),
        list(table.object_ids),
        table.names.all(),
        [table.names.name(row) for row in range(len(table))],
        table.keyword_names,
        list(table.expunged_uids),
        list(table.expunged_mod_seqs),
        table.uidls,
        table.notes,
        table.source,
        table.cache_id,
        table.cache_keys,
    )
