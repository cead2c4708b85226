"""A Maildir, stores on it, and a clock that can be set."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from maildrop.durable import Disk
from maildrop.storage.index.host import Host
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.maildir.store import MaildirStore

OpenStore = Callable[..., MaildirStore]


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the Maildir is."""
    return tmp_path / "Maildir"


@pytest.fixture
def open_store(root: Path, clock: Clock) -> OpenStore:
    """Opens a store on the Maildir, as another process would."""

    def opened(
        disk: Disk | None = None,
        boot: bytes = b"",
        waits: Callable[[], int] | None = None,
    ) -> MaildirStore:
        host = dataclasses.replace(
            Host.here(disk), monotonic=clock, sleep=clock.advance, lock_seconds=1.0
        )
        if boot:
            host = dataclasses.replace(host, boot=boot)
        if waits is not None:
            host = dataclasses.replace(host, waits=waits)
        return MaildirStore(str(root), host, Remembered())

    return opened
