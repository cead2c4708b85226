"""Adding, copying and moving in steps, with a Maildir below."""

import contextlib
import dataclasses
import shutil
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from twisted.internet.defer import Deferred, maybeDeferred

from maildrop.durable import Content, Disk, Sync
from maildrop.errors import MailboxVanished, NoSpace
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Mail, Post
from maildrop.mailbox.interfaces import NewMessage
from maildrop.mailbox.open_mailbox import INLINE_OCTETS, Mailbox
from maildrop.mailbox.steps import MustWait
from maildrop.storage.index.host import Host
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.maildir.store import MaildirStore
from maildrop.system import Octets
from tests.storage.maildir.conftest import Clock
from tests.ticking import ticked

T = TypeVar("T")


class Threads:
    """Counts the jobs that threads do."""

    def __init__(self) -> None:
        self.jobs = 0
        self.patient = False

    def __call__(self, job: Callable[[], T]) -> Deferred[T]:
        self.jobs += 1
        self.patient = True
        try:
            return maybeDeferred(job)
        finally:
            self.patient = False

    def sleep(self, seconds: float) -> None:
        del seconds
        if not self.patient:
            raise MustWait


class Waits:
    """Waits for the disk that end when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Sync, Deferred[None]]] = []

    def __call__(self, sync: Sync) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        self.waiting.append((sync, done))
        return done

    def over(self, count: int | None = None) -> None:
        """The first waits are over, or all that there are."""
        some = self.waiting[:count]
        del self.waiting[:count]
        for sync, done in some:
            sync()
            done.callback(None)

    def all_over(self) -> None:
        while self.waiting:
            self.over()


class NoWatch:
    """Nothing is watched."""

    def watch(self, paths: object, changed: object) -> Callable[[], None]:
        del paths, changed
        return lambda: None


class Box:
    """An account in a Maildir.

    Attributes:
        threads: Where whole calls run.
        waits: Where calls in steps wait.
        disk: The disk.
        clock: Stands still, so that no work takes long.
        mail: The account's mail.
        inbox, other: Two mailboxes of it.
    """

    def __init__(self, root: Path, disk: Disk) -> None:
        self.root = root
        self.threads, self.waits, self.disk = Threads(), Waits(), disk
        self.clock = Clock()
        host = dataclasses.replace(
            Host.here(disk),
            monotonic=self.clock,
            sleep=self.threads.sleep,
            lock_seconds=0.0,
        )
        self.post = Post(
            lambda account: MaildirStore(account.home, host, Remembered()),
            self.threads,
            lambda _: contextlib.nullcontext(),
            NoWatch(),
            waiting=self.waits,
        )
        self.mail: Mail = now(self.post.mail(Account("ann", str(root), "maildir:")))
        now(self.mail.create("Other"))
        self.inbox = now(self.mail.open("INBOX"))
        self.other = now(self.mail.open("Other"))
        self.threads.jobs = 0

    def another(self) -> MaildirStore:
        """The same Maildir as another process has it."""
        host = dataclasses.replace(Host.here(), sleep=self.threads.sleep)
        return MaildirStore(str(self.root), host, Remembered())

    def add(self, mailbox: Mailbox, *names: str) -> None:
        for name in names:
            results = begun(mailbox.append([message(name)]))
            self.waits.all_over()
            assert isinstance(results[0], list)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path / "Maildir", Disk())
    yield made
    begun(made.post.close())


def now(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that must not suspend."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("suspended")


def begun(work: Coroutine[Any, Any, T]) -> list[object]:
    """Begin some work; gives a list that its result will be in."""
    results: list[object] = []
    Deferred.fromCoroutine(work).addBoth(results.append)
    return results


def octets(name: str) -> bytes:
    return f"Subject: {name}\r\n\r\nbody\r\n".encode()


def message(name: str, *keywords: str) -> NewMessage:
    return NewMessage(Content.of(octets(name)), keywords=keywords)


def subjects(mailbox: Mailbox) -> dict[int, str]:
    uids = list(mailbox.table.uids)
    found = mailbox.stored.read_many(uids)
    lines = [(one or b"").partition(b"\r\n")[0] for one in found]
    return {u: line[9:].decode() for u, line in zip(uids, lines, strict=True)}


def refused(results: list[object], error: type[Exception]) -> bool:
    return bool(results[0].check(error))  # type: ignore[attr-defined]


# -- adding


def test_a_message_needs_no_thread_and_two_waits(box: Box) -> None:
    results = begun(box.inbox.append([message("1")]))
    assert (len(box.waits.waiting), results) == (1, [])
    box.waits.over()
    assert (len(box.waits.waiting), results) == (1, [])
    assert len(box.inbox.table) == 0
    box.waits.over()
    assert results == [[1]]
    assert subjects(box.inbox) == {1: "1"}
    assert box.threads.jobs == 0


def test_messages_that_come_meanwhile_are_published_together(box: Box) -> None:
    first = begun(box.inbox.append([message("1")]))
    box.waits.over()
    more = [begun(box.inbox.append([message(str(n))])) for n in range(2, 7)]
    box.waits.over()  # the first is there, all others are staged
    assert (first, more) == ([[1]], [[]] * 5)
    for waiting in (4, 0):  # those that came while the second was published
        assert len(box.waits.waiting) == 1
        box.waits.over()
        assert more.count([]) == waiting
    assert more == [[[n]] for n in range(2, 7)]
    assert list(subjects(box.inbox).values()) == ["1", "2", "3", "4", "5", "6"]
    assert box.inbox.table.mod_seqs[2:] == box.inbox.table.mod_seqs[2:3] * 4


def test_one_that_is_refused_does_not_hurt_those_that_come_with_it(box: Box) -> None:
    begun(box.inbox.append([message("0")]))
    box.waits.over()
    many = [f"k{n}" for n in range(40)]
    outcomes = [
        begun(box.inbox.append([message("1")])),
        begun(box.inbox.append([message("2", *many)])),
        begun(box.inbox.append([message("3")])),
    ]
    box.waits.all_over()
    assert outcomes[0] == [[2]]
    assert refused(outcomes[1], Exception)
    assert outcomes[2] == [[3]]
    assert list(subjects(box.inbox).values()) == ["0", "1", "3"]
    assert not list((box.root / "tmp").iterdir())


def test_messages_of_one_call_come_all_or_none(box: Box) -> None:
    results = begun(box.inbox.append([message("1"), message("2")]))
    waits = 0
    while box.waits.waiting:
        waits += 1
        assert len(box.inbox.table) in {0, 2}
        box.waits.over()
    assert (results, waits) == ([[1, 2]], 4)


def test_readers_wait_while_a_message_is_published(box: Box) -> None:
    box.add(box.inbox, "1")
    begun(box.inbox.append([message("2")]))
    box.waits.over()
    followed = begun(box.inbox.follow())
    assert followed == []
    box.waits.over()
    assert followed == [None]
    assert len(box.inbox.table) == 2


def test_a_large_message_is_a_threads_work(box: Box) -> None:
    large = NewMessage(Content.of(octets("1") + b"x" * INLINE_OCTETS))
    results = begun(box.inbox.append([large]))
    assert results == [[1]]
    assert box.threads.jobs == 1
    assert box.waits.waiting == []


def test_a_slow_disk_is_left_to_threads_for_a_while(tmp_path: Path) -> None:
    class Slow(Disk):
        clock = Clock()

        def write(self, fd: int, octets: Octets) -> None:
            self.clock.advance(0.1)
            super().write(fd, octets)

    disk = Slow()
    box = Box(tmp_path / "Maildir", disk)
    disk.clock = box.clock
    results = begun(box.inbox.append([message("1")]))
    box.waits.all_over()
    assert (results, box.threads.jobs) == ([[1]], 1)
    assert begun(box.inbox.append([message("2")])) == [[2]]
    assert (box.waits.waiting, box.threads.jobs) == ([], 2)
    box.clock.advance(2.0)
    assert begun(box.inbox.append([message("3")])) == []
    assert len(box.waits.waiting) == 1
    box.waits.all_over()


def test_who_would_wait_for_a_lock_does_so_in_a_thread(box: Box) -> None:
    with box.another().open("INBOX").ledger.locked():
        results = begun(box.inbox.append([message("1")]))
        box.waits.over()
        (failure,) = results  # it has waited as long as it may
        assert box.threads.jobs > 0
    with pytest.raises(Exception, match="locked"):
        failure.raiseException()  # type: ignore[attr-defined]
    assert not list((box.root / "tmp").iterdir())
    box.add(box.inbox, "2")
    assert subjects(box.inbox) == {1: "2"}


def test_a_mailbox_replaced_meanwhile_gets_no_message(box: Box) -> None:
    results = begun(box.inbox.append([message("1")]))
    shutil.move(box.root, box.root.with_name("away"))
    box.another().open("INBOX").close()
    box.waits.over()
    assert refused(results, MailboxVanished)
    again = now(box.mail.open("INBOX"))
    assert again is not box.inbox
    box.add(again, "2")
    assert subjects(again) == {1: "2"}


def test_a_disk_that_fails_leaves_nothing(tmp_path: Path) -> None:
    class Full(Disk):
        full = False

        def synchronize_directory(self, path: str | bytes | int) -> None:
            if self.full:
                raise OSError(28, "No space left on device")
            super().synchronize_directory(path)

    disk = Full()
    box = Box(tmp_path / "Maildir", disk)
    results = begun(box.inbox.append([message("1")]))
    box.waits.over()
    ((sync, done),) = box.waits.waiting
    box.waits.waiting.clear()
    disk.full = True
    try:
        sync()
    except NoSpace:
        done.errback()
    assert refused(results, NoSpace)
    disk.full = False
    for name in ("tmp", "new", "cur"):
        assert not list((box.root / name).iterdir())
    box.add(box.inbox, "2")
    assert subjects(box.inbox) == {1: "2"}
    assert len(box.another().open("INBOX").table) == 1


def test_who_only_adds_does_not_look_what_others_did(box: Box) -> None:
    (box.root / "new" / "1.x").write_bytes(b"Subject: other\n\n")
    inbox = now(box.mail.open("INBOX", fresh=False))
    box.add(inbox, "1")
    assert subjects(inbox) == {1: "1"}
    ticked(box.root / "new")
    begun(inbox.refresh())
    assert subjects(inbox) == {1: "1", 2: "other"}


# -- copying and moving


def test_copies_are_made_without_a_thread(box: Box) -> None:
    box.add(box.inbox, "1", "2", "3")
    results = begun(box.inbox.copy([1, 3], box.other))
    box.waits.all_over()
    (copied,) = results
    assert (list(copied.source), list(copied.target)) == ([1, 3], [1, 2])  # type: ignore[attr-defined]
    assert subjects(box.other) == {1: "1", 2: "3"}
    assert box.threads.jobs == 0


def test_moving_is_one_wait(box: Box) -> None:
    box.add(box.inbox, "1", "2", "3")
    results = begun(box.inbox.move([1, 3], box.other, None))
    assert (len(box.waits.waiting), results) == (1, [])
    assert len(box.inbox.table) == 3
    box.waits.over()
    (moved,) = results
    assert (list(moved.source), list(moved.target)) == ([1, 3], [1, 2])  # type: ignore[attr-defined]
    assert (subjects(box.inbox), subjects(box.other)) == ({2: "2"}, {1: "1", 2: "3"})
    assert box.threads.jobs == 0


def test_there_and_back_at_the_same_time(box: Box) -> None:
    box.add(box.inbox, "1")
    box.add(box.other, "2")
    ways = [
        begun(box.inbox.move([1], box.other, None)),
        begun(box.other.move([1], box.inbox, None)),
        begun(box.inbox.copy([1], box.inbox)),
    ]
    box.waits.all_over()
    assert all(ways)
    assert list(subjects(box.inbox).values()) == ["2"]
    assert list(subjects(box.other).values()) == ["1"]


def test_what_others_renamed_is_found_and_moved(box: Box) -> None:
    box.add(box.inbox, "1", "2", "3")
    by_name = {path.read_bytes()[9:10]: path for path in (box.root / "new").iterdir()}
    by_name[b"2"].rename(box.root / "cur" / f"{by_name[b'2'].name}:2,S")
    by_name[b"3"].unlink()
    results = begun(box.inbox.move([1, 2, 3], box.other, None))
    box.waits.all_over()
    (moved,) = results
    assert list(moved.source) == [1, 2]  # type: ignore[attr-defined]
    assert sorted(subjects(box.other).values()) == ["1", "2"]
    assert subjects(box.inbox) == {}


class Elsewhere(Disk):
    """Two mailboxes are on different file systems, as far as names go."""

    apart = False

    def link(
        self,
        source: str | bytes,
        target: str | bytes,
        source_fd: int | None = None,
        target_fd: int | None = None,
    ) -> None:
        if self.apart:
            raise OSError(18, "Invalid cross-device link")
        super().link(source, target, source_fd, target_fd)

    def rename(
        self,
        source: str | bytes,
        target: str | bytes,
        source_fd: int | None = None,
        target_fd: int | None = None,
    ) -> None:
        if self.apart and b"tmp" not in _path(source_fd):
            raise OSError(18, "Invalid cross-device link")
        super().rename(source, target, source_fd, target_fd)


def _path(fd: int | None) -> bytes:
    return b"" if fd is None else Path(f"/proc/self/fd/{fd}").readlink().name.encode()


@pytest.mark.parametrize("moving", [False, True])
def test_to_another_file_system_a_thread_reads_and_writes(
    tmp_path: Path, *, moving: bool
) -> None:
    disk = Elsewhere()
    box = Box(tmp_path / "Maildir", disk)
    box.add(box.inbox, "1", "2")
    disk.apart = True
    if moving:
        results = begun(box.inbox.move([1, 2], box.other, None))
    else:
        results = begun(box.inbox.copy([1, 2], box.other))
    (done,) = results
    assert list(done.target) == [1, 2]  # type: ignore[attr-defined]
    assert subjects(box.other) == {1: "1", 2: "2"}
    assert len(box.inbox.table) == (0 if moving else 2)
    assert box.threads.jobs > 0


def test_a_move_that_fails_half_way_is_undone(tmp_path: Path) -> None:
    class Filling(Disk):
        room = 1000

        def rename(
            self,
            source: str | bytes,
            target: str | bytes,
            source_fd: int | None = None,
            target_fd: int | None = None,
        ) -> None:
            self.room -= 1
            if self.room == 0:
                raise OSError(28, "No space left on device")
            super().rename(source, target, source_fd, target_fd)

    disk = Filling()
    box = Box(tmp_path / "Maildir", disk)
    box.add(box.inbox, "1", "2", "3")
    disk.room = 3
    results = begun(box.inbox.move([1, 2, 3], box.other, None))
    assert refused(results, NoSpace)
    assert list(subjects(box.inbox).values()) == ["1", "2", "3"]
    assert subjects(box.other) == {}
    begun(box.inbox.refresh())
    begun(box.other.refresh())
    assert (len(box.inbox.table), len(box.other.table)) == (3, 0)
