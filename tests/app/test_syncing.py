"""Waiting for the disk by the kernel's queue: the kernel is real, its failures not."""

import errno
import os
import select
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReadDescriptor

from maildrop.app.syncing import DiskWaits, KernelQueue
from maildrop.durable import Disk, Sync
from maildrop.errors import NoSpace, StorageFailure

T = TypeVar("T")


class Reactor:
    """Readers."""

    def __init__(self) -> None:
        self.readers: list[IReadDescriptor] = []

    def addReader(self, reader: IReadDescriptor) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: IReadDescriptor) -> None:
        self.readers.remove(reader)


class Queue:
    """A queue that does what the test says."""

    def __init__(self) -> None:
        self.fd = 99
        self.begun: list[tuple[int, int, bool]] = []
        self.over: list[tuple[int, int]] = []
        self.room = 100
        self.refusal = 0
        self.closed = False

    def submit(self, requests: Sequence[tuple[int, int, bool]]) -> int:
        if self.refusal:
            raise OSError(self.refusal, os.strerror(self.refusal))
        some = requests[: self.room]
        self.begun += some
        return len(some)

    def done(self) -> list[tuple[int, int]]:
        over, self.over = self.over, []
        return over

    def close(self) -> None:
        self.closed = True


class Noted(Disk):
    """Says what a thread synced."""

    def __init__(self) -> None:
        self.synced: list[object] = []

    def synchronize(self, fd: int) -> None:
        self.synced.append(fd)

    def synchronize_directory(self, path: str | bytes | int) -> None:
        self.synced.append(path)


def in_thread(job: Callable[[], T]) -> Deferred[T]:
    return succeed(job())


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def disk() -> Noted:
    return Noted()


@pytest.fixture
def reactor() -> Reactor:
    return Reactor()


@pytest.fixture
def waits(reactor: Reactor, queue: Queue) -> Iterator[DiskWaits]:
    made = DiskWaits(reactor, in_thread, lambda: queue)
    yield made
    made.close()
    assert reactor.readers == []


def outcome(wait: Deferred[None]) -> list[object]:
    results: list[object] = []
    wait.addBoth(results.append)
    return results


def test_files_and_directories_are_synced_by_the_kernel(
    tmp_path: Path, reactor: Reactor, disk: Noted
) -> None:
    waits = DiskWaits(reactor, in_thread, lambda: KernelQueue(4))
    directory = os.open(tmp_path, os.O_RDONLY)
    file = os.open(tmp_path / "x", os.O_WRONLY | os.O_CREAT)
    os.write(file, b"octets")
    results = outcome(waits(Sync(disk, "sync", (file,), (directory,))))
    while not results:
        assert select.select([waits.fileno()], [], [], 60.0)[0]
        waits.doRead()
    assert results == [None]
    assert disk.synced == []
    waits.close()
    os.close(file)
    os.close(directory)


def test_a_wait_ends_with_the_last_of_its_syncs(
    waits: DiskWaits, queue: Queue, disk: Noted
) -> None:
    first = outcome(waits(Sync(disk, "one", (5,), (6,))))
    second = outcome(waits(Sync(disk, "two", (7,))))
    assert [(fd, whole) for _, fd, whole in queue.begun] == [
        (5, False),
        (6, True),
        (7, False),
    ]
    numbers = [number for number, _, _ in queue.begun]
    queue.over = [(numbers[1], 0), (numbers[2], 0)]
    waits.doRead()
    assert (first, second) == ([], [None])
    queue.over = [(numbers[0], 0)]
    waits.doRead()
    assert first == [None]


def test_an_error_is_that_of_the_disk(
    waits: DiskWaits, queue: Queue, disk: Noted
) -> None:
    results = outcome(waits(Sync(disk, "deliver", (5, 6))))
    queue.over = [(queue.begun[0][0], errno.ENOSPC), (queue.begun[1][0], 0)]
    waits.doRead()
    assert results[0].check(NoSpace)  # type: ignore[attr-defined]
    assert results[0].getErrorMessage() == (  # type: ignore[attr-defined]
        "deliver: No space left on device"
    )


def test_what_a_full_queue_does_not_take_a_thread_does(
    waits: DiskWaits, queue: Queue, disk: Noted
) -> None:
    queue.room = 1
    assert outcome(waits(Sync(disk, "sync", (5, 6), (7,)))) == [None]
    assert disk.synced == [5, 6, 7]
    queue.over = [(queue.begun[0][0], 0)]
    waits.doRead()  # nobody waits for the one that was begun
    queue.refusal = errno.EAGAIN
    assert outcome(waits(Sync(disk, "sync", (8,)))) == [None]
    queue.refusal = 0
    assert outcome(waits(Sync(disk, "sync", (9,)))) == []
    assert disk.synced == [5, 6, 7, 8]


def test_a_queue_that_cannot_sync_is_not_asked_again(
    waits: DiskWaits, queue: Queue, disk: Noted, reactor: Reactor
) -> None:
    begun = outcome(waits(Sync(disk, "sync", (5,))))
    queue.refusal = errno.EINVAL
    assert outcome(waits(Sync(disk, "sync", (6,)))) == [None]
    assert begun == [None]
    assert disk.synced == [5, 6]
    assert queue.closed
    assert reactor.readers == []
    queue.refusal = 0
    assert outcome(waits(Sync(disk, "sync", (7,)))) == [None]
    assert disk.synced == [5, 6, 7]


def test_without_a_queue_threads_wait(reactor: Reactor, disk: Noted) -> None:
    asked: list[int] = []

    def none() -> Queue:
        asked.append(1)
        raise OSError(errno.ENOSYS, "Function not implemented")

    waits = DiskWaits(reactor, in_thread, none)
    for fd in (5, 6):
        assert outcome(waits(Sync(disk, "sync", (fd,)))) == [None]
    assert (asked, disk.synced) == ([1], [5, 6])


def test_at_the_end_a_thread_does_what_is_left(
    waits: DiskWaits, queue: Queue, disk: Noted
) -> None:
    results = outcome(waits(Sync(disk, "sync", (5,), (6,))))
    waits.close()
    assert results == [None]
    assert disk.synced == [5, 6]


def test_a_sync_that_fails_in_a_thread_fails_the_wait(
    waits: DiskWaits, queue: Queue
) -> None:
    class Broken(Disk):
        def synchronize(self, fd: int) -> None:
            raise OSError(errno.EIO, "Input/output error")

    def failing(job: Callable[[], T]) -> Deferred[T]:
        try:
            return succeed(job())
        except StorageFailure:
            failed: Deferred[T] = Deferred()
            failed.errback()
            return failed

    waits = DiskWaits(Reactor(), failing, lambda: queue)
    queue.refusal = errno.EAGAIN
    results = outcome(waits(Sync(Broken(), "sync", (5,))))
    assert results[0].check(StorageFailure)  # type: ignore[attr-defined]
