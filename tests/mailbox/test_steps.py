"""Calls that are cut where they wait for the disk."""

import pytest

from maildrop.durable import Disk, Sync
from maildrop.errors import StorageFailure
from maildrop.mailbox.steps import Steps, finished


class Noted(Disk):
    """Says what is synced; fails where it is told to."""

    def __init__(self, *broken: int) -> None:
        self.broken = broken
        self.synced: list[object] = []

    def synchronize(self, fd: int) -> None:
        self._note(fd)

    def synchronize_directory(self, path: str | bytes | int) -> None:
        self._note(path)

    def _note(self, what: object) -> None:
        if what in self.broken:
            raise OSError(5, "Input/output error")
        self.synced.append(what)


def steps(disk: Disk, said: list[str]) -> Steps[str]:
    said.append("begun")
    yield Sync(disk, "one", (1, 2), (3,))
    said.append("half")
    try:
        yield Sync(disk, "two", (4,))
    except StorageFailure:
        said.append("tidied up")
        raise
    return "done"


def test_all_steps_are_done_with_their_waits_in_order() -> None:
    disk = Noted()
    said: list[str] = []
    assert finished(steps(disk, said)) == "done"
    assert disk.synced == [1, 2, 3, 4]
    assert said == ["begun", "half"]


def test_a_call_that_need_not_wait_is_done_at_once() -> None:
    def at_once() -> Steps[int]:
        yield from ()
        return 7

    assert finished(at_once()) == 7


def test_an_error_of_the_disk_is_the_calls_to_tidy_up() -> None:
    said: list[str] = []
    with pytest.raises(StorageFailure, match="two: Input/output error"):
        finished(steps(Noted(4), said))
    assert said == ["begun", "half", "tidied up"]
