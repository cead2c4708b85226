"""A queue in a directory, with a clock that can be set."""

from collections.abc import Callable
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from maildrop.durable import Content, Disk
from maildrop.queue.entry import Entry, Options, Waiting
from maildrop.queue.spool import Spool

MESSAGE = b"Subject: hello\r\n\r\nbody\r\n"

OpenSpool = Callable[..., Spool]


def entry(entry_id: str = "ID1", *addresses: str, **options: object) -> Entry:
    """An entry for some recipients, each at the host of its address."""
    waiting = [
        Waiting(number, address, "smtp", address.rpartition("@")[2])
        for number, address in enumerate(addresses or ("a@far.example",))
    ]
    return Entry(
        entry_id,
        "sender@example.org",
        1000.0,
        0,
        waiting,
        Options(**options),  # type: ignore[arg-type]
        next=1000.0,
    )


def add(spool: Spool, *entries: Entry, message: bytes = MESSAGE) -> None:
    for each in entries:
        spool.add(each, Content.of(message))


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.advance(1000.0)
    return clock


@pytest.fixture
def open_spool(tmp_path: Path, clock: Clock) -> OpenSpool:
    """Opens the queue, as another process would."""

    def opened(disk: Disk | None = None) -> Spool:
        directory = str(tmp_path / "queue")
        spool = Spool(directory, disk or Disk(), clock.seconds, str(tmp_path))
        spool.prepare()
        return spool

    return opened


@pytest.fixture
def spool(open_spool: OpenSpool) -> Spool:
    return open_spool()
