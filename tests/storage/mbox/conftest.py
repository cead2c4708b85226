"""A directory with an mbox inbox, and stores on it."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from maildrop.durable import Disk
from maildrop.storage.index.host import Host
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.mbox.store import MboxStore

OpenStore = Callable[..., MboxStore]


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """The inbox's path; its directory also holds ``mail`` and ``control``."""
    (tmp_path / "control").mkdir()
    return tmp_path / "inbox"


@pytest.fixture
def open_store(spool: Path) -> OpenStore:
    """Opens a store on the directory, as another process would."""

    def opened(disk: Disk | None = None) -> MboxStore:
        host = dataclasses.replace(
            Host.here(disk), sleep=lambda _: None, lock_seconds=0.05
        )
        return MboxStore(
            str(spool),
            str(spool.with_name("mail")),
            str(spool.with_name("control")),
            host,
            Remembered(),
        )

    return opened
