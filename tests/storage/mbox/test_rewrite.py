"""Rewriting an mbox in place: stopped at every system call, nothing is lost."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from maildrop.durable import Disk
from maildrop.storage.mbox.rewrite import recover, replace_tail

OLD = b"first\n" + b"second\n" * 3
APPENDED = b"From another program\n"


class Stopped(BaseException):
    """The power is gone."""


class StoppingDisk(Disk):
    """Stops the world at the n-th call."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def _count(self) -> None:
        if self.left == 0:
            raise Stopped
        self.left -= 1

    def create(
        self, path: str | bytes, mode: int = 0o600, dir_fd: int | None = None
    ) -> int:
        self._count()
        return super().create(path, mode, dir_fd)

    def write_at(self, fd: int, octets: bytes | memoryview, offset: int) -> None:
        half = len(octets) // 2
        super().write_at(fd, octets[:half], offset)
        self._count()
        super().write_at(fd, octets, offset)

    def truncate(self, fd: int, size: int) -> None:
        self._count()
        super().truncate(fd, size)

    def synchronize(self, fd: int) -> None:
        self._count()
        super().synchronize(fd)

    def synchronize_directory(self, path: str | bytes | int) -> None:
        self._count()
        super().synchronize_directory(path)

    def rename(
        self,
        source: str | bytes,
        target: str | bytes,
        source_fd: int | None = None,
        target_fd: int | None = None,
    ) -> None:
        self._count()
        super().rename(source, target, source_fd, target_fd)

    def unlink(self, path: str | bytes, dir_fd: int | None = None) -> None:
        self._count()
        super().unlink(path, dir_fd)


@pytest.fixture
def mbox(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "mbox"
    path.write_bytes(OLD)
    fd = os.open(path, os.O_RDWR)
    yield fd
    os.close(fd)


def whole(fd: int) -> bytes:
    return os.pread(fd, 1 << 20, 0)


NEW_ENDS = [b"", b"second\n", b"x" * 100]


@pytest.mark.parametrize("new", NEW_ENDS)
def test_the_end_is_replaced_and_no_journal_stays(
    mbox: int, tmp_path: Path, new: bytes
) -> None:
    replace_tail(mbox, 6, [new[:3], new[3:]], str(tmp_path / "journal"), Disk())
    assert whole(mbox) == b"first\n" + new
    assert [entry.name for entry in tmp_path.iterdir()] == ["mbox"]


@pytest.mark.parametrize("appended", [b"", APPENDED])
@pytest.mark.parametrize("new", NEW_ENDS)
@pytest.mark.parametrize("calls", range(13))
def test_stopped_anywhere_the_file_becomes_the_old_or_the_new_one(
    mbox: int, tmp_path: Path, calls: int, new: bytes, appended: bytes
) -> None:
    journal = str(tmp_path / "journal")
    try:
        replace_tail(mbox, 6, [new], journal, StoppingDisk(calls))
    except Stopped:
        os.pwrite(mbox, appended, os.fstat(mbox).st_size)
        recover(mbox, journal, Disk())
    else:
        appended = b""
    assert whole(mbox) in {OLD + appended, b"first\n" + new + appended}
    assert not recover(mbox, journal, Disk())


@pytest.mark.parametrize("calls", range(30))
def test_recovery_itself_may_be_stopped(mbox: int, tmp_path: Path, calls: int) -> None:
    journal = str(tmp_path / "journal")
    with pytest.raises(Stopped):
        replace_tail(mbox, 6, [b"new\n"], journal, StoppingDisk(6))
    os.pwrite(mbox, APPENDED, os.fstat(mbox).st_size)
    try:
        recover(mbox, journal, StoppingDisk(calls))
    except Stopped:
        recover(mbox, journal, Disk())
    assert whole(mbox) == b"first\nnew\n" + APPENDED


def test_a_journal_of_another_file_is_put_aside(mbox: int, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with pytest.raises(Stopped):
        replace_tail(mbox, 6, [b"new\n"], str(journal), StoppingDisk(6))
    os.pwrite(mbox, b"FIRST", 0)
    before = whole(mbox)
    assert not recover(mbox, str(journal), Disk())
    assert whole(mbox) == before
    assert (tmp_path / "journal.unfit").exists()


@pytest.mark.parametrize("damage", [0, 10, 50, -1])
def test_a_damaged_journal_is_never_applied(
    mbox: int, tmp_path: Path, damage: int
) -> None:
    journal = tmp_path / "journal"
    with pytest.raises(Stopped):
        replace_tail(mbox, 6, [b"new end\n"], str(journal), StoppingDisk(6))
    octets = bytearray(journal.read_bytes())
    octets[damage] ^= 1
    journal.write_bytes(octets)
    before = whole(mbox)
    assert not recover(mbox, str(journal), Disk())
    assert whole(mbox) == before
