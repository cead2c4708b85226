"""Locks on an mbox: order, sharing, stale dotlocks, and never a hang."""

import dataclasses
import errno
import mmap
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maildrop.durable import Disk
from maildrop.errors import MailboxInUse, NoSpace
from maildrop.storage.index.host import Host
from maildrop.storage.mbox.locks import STALE_AFTER, MboxLock


class Time:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0
        self.while_asleep: Callable[[], None] = lambda: None

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.while_asleep()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def host(time: Time) -> Host:
    return dataclasses.replace(
        Host.here(), clock=time.now, monotonic=time.now, sleep=time.sleep
    )


@pytest.fixture
def mbox(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "inbox"
    path.write_bytes(b"")
    yield path
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["inbox"]


def opened(path: Path) -> int:
    return os.open(path, os.O_RDWR)


def test_a_writer_keeps_readers_and_writers_out(mbox: Path, host: Host) -> None:
    lock = MboxLock(str(mbox), host)
    one, two = opened(mbox), opened(mbox)
    with lock.held(one):
        for shared in (False, True):
            with (
                pytest.raises(MailboxInUse, match="inbox is locked"),
                lock.held(two, shared=shared),
            ):
                pass
    with lock.held(two):
        pass
    os.close(one)
    os.close(two)


@pytest.mark.parametrize("methods", [("fcntl",), ("flock",), ("fcntl", "dotlock")])
def test_readers_share(mbox: Path, host: Host, methods: tuple[str, ...]) -> None:
    lock = MboxLock(str(mbox), host, methods)
    one, two = opened(mbox), opened(mbox)
    with lock.held(one, shared=True), lock.held(two, shared=True):
        assert not mbox.with_name("inbox.lock").exists()
    os.close(one)
    os.close(two)


def test_a_writer_holds_a_dotlock_with_its_process_number(
    mbox: Path, host: Host
) -> None:
    fd = opened(mbox)
    with MboxLock(str(mbox), host).held(fd):
        assert mbox.with_name("inbox.lock").read_bytes() == b"%d\n" % os.getpid()
    os.close(fd)


def test_a_dotlock_of_a_living_process_is_respected(mbox: Path, host: Host) -> None:
    dotlock = mbox.with_name("inbox.lock")
    dotlock.write_bytes(b"%d\n" % os.getpid())
    os.utime(dotlock, (0, 0))
    fd = opened(mbox)
    host = dataclasses.replace(host, started=0.0)
    with pytest.raises(MailboxInUse), MboxLock(str(mbox), host).held(fd):
        pass
    os.close(fd)
    dotlock.unlink()


def test_a_dotlock_from_before_the_machine_started_is_removed(
    mbox: Path, host: Host, time: Time
) -> None:
    dotlock = mbox.with_name("inbox.lock")
    dotlock.write_bytes(b"%d\n" % os.getpid())
    old = time.seconds - STALE_AFTER - 20
    os.utime(dotlock, (old, old))
    fd = opened(mbox)
    host = dataclasses.replace(host, started=time.seconds - 100)
    with MboxLock(str(mbox), host).held(fd):
        assert dotlock.read_bytes() == b"%d\n" % os.getpid()
    assert not dotlock.exists()
    os.close(fd)


@pytest.mark.parametrize(
    ("text", "age"),
    [(b"4194303\n", 1.0), (b"", STALE_AFTER + 20), (b"0", STALE_AFTER + 20)],
)
def test_a_stale_dotlock_is_removed(
    mbox: Path, host: Host, time: Time, text: bytes, age: float
) -> None:
    dotlock = mbox.with_name("inbox.lock")
    dotlock.write_bytes(text)
    os.utime(dotlock, (time.seconds - age, time.seconds - age))
    fd = opened(mbox)
    with MboxLock(str(mbox), host).held(fd):
        assert dotlock.read_bytes() == b"%d\n" % os.getpid()
    os.close(fd)


def test_a_dotlock_of_a_process_that_only_waits_for_its_parent_is_removed(
    mbox: Path, host: Host
) -> None:
    """In a container the first process may not care for those whose parent ended."""
    fd = opened(mbox)
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        mbox.with_name("inbox.lock").write_bytes(b"%d\n" % child.pid)
        with MboxLock(str(mbox), host).held(fd):
            pass
    os.close(fd)


def test_a_young_dotlock_of_nobody_known_is_respected(
    mbox: Path, host: Host, time: Time
) -> None:
    dotlock = mbox.with_name("inbox.lock")
    dotlock.write_bytes(b"")
    os.utime(dotlock, (time.seconds, time.seconds))
    fd = opened(mbox)
    with pytest.raises(MailboxInUse), MboxLock(str(mbox), host).held(fd):
        pass
    os.close(fd)
    dotlock.unlink()


def test_no_lock_is_held_while_waiting_for_another(
    mbox: Path, host: Host, time: Time
) -> None:
    """Holding fcntl while waiting for a dotlock is how programs deadlock."""
    dotlock = mbox.with_name("inbox.lock")
    dotlock.write_bytes(b"%d\n" % os.getpid())
    other = opened(mbox)
    free: list[bool] = []

    def try_the_other() -> None:
        with MboxLock(str(mbox), host, ("fcntl",)).held(other):
            free.append(True)
        dotlock.unlink(missing_ok=True)

    time.while_asleep = try_the_other
    fd = opened(mbox)
    with MboxLock(str(mbox), host).held(fd):
        assert free
    os.close(fd)
    os.close(other)


def test_a_spool_that_may_not_be_written_is_locked_without_dotlock(
    mbox: Path, host: Host
) -> None:
    class NoRight(Disk):
        def create(
            self, path: str | bytes, mode: int = 0o600, dir_fd: int | None = None
        ) -> int:
            raise PermissionError(path, mode, dir_fd)

    fd = opened(mbox)
    lock = MboxLock(str(mbox), dataclasses.replace(host, disk=NoRight()))
    with lock.held(fd):
        assert not mbox.with_name("inbox.lock").exists()
    os.close(fd)


def test_locks_are_let_go_when_the_block_fails(mbox: Path, host: Host) -> None:
    fd = opened(mbox)
    lock = MboxLock(str(mbox), host)
    with pytest.raises(KeyError), lock.held(fd):
        raise KeyError
    other = opened(mbox)
    with lock.held(other):
        pass
    os.close(fd)
    os.close(other)


class FullDisk(Disk):
    """A disk with room for names and for nothing else, or not even for these."""

    def __init__(self, *, names: bool) -> None:
        self._names = names

    def create(
        self, path: str | bytes, mode: int = 0o600, dir_fd: int | None = None
    ) -> int:
        if not self._names:
            raise OSError(errno.ENOSPC, "full")
        return super().create(path, mode, dir_fd)

    def write(self, fd: int, octets: bytes | memoryview | mmap.mmap) -> None:
        raise OSError(errno.ENOSPC, "full")


def test_on_a_full_disk_a_dotlock_is_empty_and_excludes_all_the_same(
    mbox: Path, host: Host
) -> None:
    """Messages must be removable when there is no room."""
    full = dataclasses.replace(host, disk=FullDisk(names=True))
    one, two = opened(mbox), opened(mbox)
    with MboxLock(str(mbox), full, ["dotlock"]).held(one):
        dotlock = mbox.with_name("inbox.lock")
        assert dotlock.read_bytes() == b""
        os.utime(dotlock, (host.clock(), host.clock()))
        with (
            pytest.raises(MailboxInUse),
            MboxLock(str(mbox), host, ["dotlock"]).held(two),
        ):
            pass
    os.close(one)
    os.close(two)


def test_a_dotlock_that_cannot_be_made_is_a_lack_of_space(
    mbox: Path, host: Host
) -> None:
    full = dataclasses.replace(host, disk=FullDisk(names=False))
    fd = opened(mbox)
    with pytest.raises(NoSpace), MboxLock(str(mbox), full).held(fd):
        pass
    with MboxLock(str(mbox), host).held(fd):  # nothing stayed locked
        pass
    os.close(fd)


def test_a_reader_of_a_file_that_changed_waits_for_a_dotlock(
    mbox: Path, host: Host, time: Time
) -> None:
    """Of a program that knows no other lock, and writes the file anew."""
    lock = MboxLock(str(mbox), host)
    dotlock = mbox.with_name("inbox.lock")
    dotlock.write_bytes(b"%d\n" % os.getpid())
    fd = opened(mbox)
    with lock.held(fd, shared=True):
        pass
    with pytest.raises(MailboxInUse), lock.held(fd, shared=True, heed=lambda: True):
        pass
    time.while_asleep = lambda: dotlock.unlink(missing_ok=True)
    with lock.held(fd, shared=True, heed=lambda: True):
        pass
    os.close(fd)


def test_a_reader_removes_a_stale_dotlock(mbox: Path, host: Host) -> None:
    mbox.with_name("inbox.lock").write_bytes(b"4194303\n")
    fd = opened(mbox)
    with MboxLock(str(mbox), host).held(fd, shared=True, heed=lambda: True):
        assert not mbox.with_name("inbox.lock").exists()
    os.close(fd)


def test_who_comes_after_one_that_waited_in_vain_is_refused_soon(
    mbox: Path, host: Host, time: Time
) -> None:
    """Else sessions that queue for one mailbox would wait ten seconds each."""
    lock = MboxLock(str(mbox), host)
    one, two = opened(mbox), opened(mbox)
    waited = []
    with MboxLock(str(mbox), host).held(one):
        for _ in range(5):
            began = time.now()
            with pytest.raises(MailboxInUse), lock.held(two):
                pass
            waited.append(time.now() - began)
    assert waited[0] >= host.lock_seconds
    assert max(waited[1:]) < 1.0
    with lock.held(two):
        pass
    os.close(one)
    os.close(two)
