"""The bridge: one call at a time on a mailbox, no suspension where none is needed."""

from collections.abc import Callable, Coroutine, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, TypeVar

import pytest
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    execute,
    succeed,
)

from maildrop.durable import Content
from maildrop.errors import MailboxInUse, MailboxNotFound, MailboxVanished
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Mail, Post
from maildrop.mailbox.flags import SEEN, FlagChange, Operation
from maildrop.mailbox.gate import Share
from maildrop.mailbox.interfaces import NewMessage
from maildrop.mailbox.steps import MustWait
from maildrop.storage.memory.mailbox import MemoryMailbox
from maildrop.storage.memory.store import MemoryStores

T = TypeVar("T")
ADD_SEEN = FlagChange(Operation.ADD, SEEN)
ALICE = Account("alice", "/home/alice", "memory:")


class Threads:
    """Jobs wait until ``finish``, as if threads were slow."""

    def __init__(self, *, slow: bool) -> None:
        self.slow = slow
        self.waiting: list[Callable[[], object]] = []

    def __call__(self, job: Callable[[], T]) -> Deferred[T]:
        if not self.slow:
            return succeed(job())
        done: Deferred[T] = Deferred()
        self.waiting.append(lambda: execute(job).chainDeferred(done))
        return done

    def finish(self) -> None:
        self.waiting.pop(0)()


class Watches:
    """A watcher that tells when the test says so."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[], None]] = []

    def watch(
        self, paths: Sequence[str], changed: Callable[[], None]
    ) -> Callable[[], None]:
        del paths
        self.callbacks.append(changed)
        return lambda: self.callbacks.remove(changed)


def post(threads: Threads, *, keep: int = 256, watches: Watches | None = None) -> Post:
    stores = MemoryStores(lambda: 1000.0)
    return Post(stores, threads, lambda _: nullcontext(), watches or Watches(), keep)


def now(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that must not suspend."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("suspended")


def message(octets: bytes = b"Subject: x\r\n\r\nhello\r\n") -> NewMessage:
    return NewMessage(Content.of(octets))


def opened(threads: Threads | None = None) -> Mail:
    return now(post(threads or Threads(slow=False)).mail(ALICE))


def test_sessions_of_an_account_share_its_mail_and_mailboxes() -> None:
    threads = Threads(slow=False)
    everything = post(threads)
    first, second = now(everything.mail(ALICE)), now(everything.mail(ALICE))
    assert first is second
    assert now(first.open("INBOX")) is now(second.open("inbox"))


def test_what_was_appended_is_read_back() -> None:
    inbox = now(opened().open("INBOX"))
    uids = now(inbox.append([message(b"a\r\n"), message(b"b\r\n")]))
    assert list(uids) == [1, 2]
    assert now(inbox.read_many([2])) == [b"b\r\n"]
    assert inbox.status().messages == 2


def test_cheap_calls_do_not_suspend_even_when_threads_are_slow() -> None:
    threads = Threads(slow=False)
    inbox = now(opened(threads).open("INBOX"))
    now(inbox.append([message()]))
    threads.slow = True
    assert now(inbox.change_flags([1], ADD_SEEN, None)) == [1]


def test_a_call_waits_while_another_is_at_work() -> None:
    threads = Threads(slow=False)
    inbox = now(opened(threads).open("INBOX"))
    threads.slow = True
    Deferred.fromCoroutine(inbox.append([message()]))
    seen: list[object] = []
    Deferred.fromCoroutine(inbox.change_flags([1], ADD_SEEN, None)).addCallback(
        seen.append
    )
    assert seen == []
    threads.finish()
    assert seen == [[1]]


def test_no_thread_starts_while_the_one_before_still_reads() -> None:
    threads = Threads(slow=False)
    inbox = now(opened(threads).open("INBOX"))
    now(inbox.append([message()]))
    threads.slow = True
    seen: list[int] = []

    async def flag_and_read() -> None:
        await inbox.change_flags([1], ADD_SEEN, None)
        threads.finish()  # whatever a thread would do meanwhile
        seen.append(len(inbox.table))

    first = Deferred.fromCoroutine(inbox.append([message()]))
    Deferred.fromCoroutine(flag_and_read())
    last = Deferred.fromCoroutine(inbox.append([message()]))
    threads.finish()
    assert (first.called, last.called) == (True, False)
    assert seen == [2]
    threads.finish()
    assert last.called
    assert len(inbox.table) == 3


def test_an_account_leaves_threads_for_others() -> None:
    threads = Threads(slow=True)
    share = Share(threads, jobs=2)
    done: list[str] = []
    for name in "abcde":
        share(partial(str, name)).addCallback(done.append)
    for count in (2, 2, 2, 2, 1):
        assert len(threads.waiting) == count
        threads.finish()
    assert done == ["a", "b", "c", "d", "e"]


def test_a_job_that_fails_or_is_not_wanted_any_more_gives_its_thread_back() -> None:
    threads = Threads(slow=True)
    share = Share(threads, jobs=1)
    failed = share(partial(int, "x"))
    unwanted, third = share(partial(str, "b")), share(partial(str, "c"))
    for each in (failed, unwanted):
        each.addErrback(lambda failure: failure.trap(CancelledError, ValueError))
    unwanted.cancel()
    threads.finish()
    threads.finish()
    assert third.result == "c"


def at_once(job: Callable[[], T]) -> Deferred[T]:
    return succeed(job())


def test_a_job_that_fails_before_it_is_in_a_thread_gives_its_place_back() -> None:
    share = Share(at_once, jobs=1)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            share(lambda: 1 // 0)
    assert share(lambda: 7).result == 7


def test_a_failed_call_lets_the_next_one_in() -> None:
    mail = opened()
    with pytest.raises(MailboxNotFound):
        now(mail.open("absent"))
    assert now(mail.entries())[0].name == "INBOX"


def test_listeners_hear_of_appends_flags_and_expunges_but_not_of_nothing() -> None:
    inbox = now(opened().open("INBOX"))
    heard: list[int] = []
    stop = inbox.listen(lambda: heard.append(1))
    now(inbox.append([message()]))
    now(inbox.refresh())
    now(inbox.change_flags([1], ADD_SEEN, None))
    now(inbox.expunge([1], None))
    assert len(heard) == 3
    stop()
    now(inbox.append([message()]))
    assert len(heard) == 3


def test_files_are_watched_only_while_somebody_listens() -> None:
    watches = Watches()
    mail = now(post(Threads(slow=False), watches=watches).mail(ALICE))
    inbox = now(mail.open("INBOX"))
    stop_one, stop_two = inbox.listen(lambda: None), inbox.listen(lambda: None)
    assert len(watches.callbacks) == 1
    stop_one()
    assert len(watches.callbacks) == 1
    stop_two()
    assert watches.callbacks == []


def test_a_deleted_mailbox_vanishes_for_the_sessions_in_it() -> None:
    mail = opened()
    now(mail.create("Old"))
    old = now(mail.open("Old"))
    heard: list[int] = []
    old.listen(lambda: heard.append(1))
    now(mail.delete("Old"))
    assert heard == [1]
    with pytest.raises(MailboxVanished):
        now(old.refresh())


def test_children_of_a_deleted_mailbox_stay_open() -> None:
    """RFC 3501 section 6.3.4: they are not deleted with it."""
    mail = opened()
    now(mail.create("Old/Inner"))
    now(mail.create("Old"))
    inner = now(mail.open("Old/Inner"))
    now(mail.delete("Old"))
    now(inner.refresh())


def test_moving_tells_both_mailboxes() -> None:
    mail = opened()
    now(mail.create("Archive"))
    inbox, archive = now(mail.open("INBOX")), now(mail.open("Archive"))
    now(inbox.append([message(b"1\r\n"), message(b"2\r\n")]))
    heard: list[str] = []
    inbox.listen(lambda: heard.append("inbox"))
    archive.listen(lambda: heard.append("archive"))
    moved = now(inbox.move([2], archive, None))
    assert (list(moved.source), list(moved.target)) == ([2], [1])
    assert sorted(set(heard)) == ["archive", "inbox"]
    assert now(archive.read_many([1])) == [b"2\r\n"]
    assert len(inbox.table) == 1


def test_copying_a_mailbox_onto_itself_doubles_its_messages() -> None:
    inbox = now(opened().open("INBOX"))
    now(inbox.append([message()]))
    assert list(now(inbox.copy([1], inbox)).target) == [2]


def test_the_journal_is_kept_for_views_and_no_longer() -> None:
    inbox = now(opened().open("INBOX"))
    view = inbox.view(read_only=False)
    now(inbox.append([message()]))
    now(inbox.change_flags([1], ADD_SEEN, None))
    assert inbox.table.journal.entries
    inbox.drop_view(view)
    assert not inbox.table.journal.entries


def test_mailboxes_nobody_uses_are_closed_when_too_many_are_open() -> None:
    mail = now(post(Threads(slow=False), keep=1).mail(ALICE))
    for name in ("A", "B"):
        now(mail.create(name))
    first = now(mail.open("A"))
    now(first.leave())
    assert now(mail.open("A")) is first
    now(first.leave())
    now(now(mail.open("B")).leave())
    assert now(mail.open("A")) is not first


def test_what_a_store_puts_off_is_done_when_the_last_session_leaves() -> None:
    mail = opened()
    first, second = now(mail.open("INBOX")), now(mail.open("INBOX"))
    settled: list[int] = []

    class PutOff(MemoryMailbox):
        unsettled = True

        def settle(self) -> None:
            settled.append(1)

    first.stored = PutOff("INBOX", 1, lambda: 0.0)
    now(first.leave())
    assert settled == []
    now(second.leave())
    assert settled == [1]
    now(mail.settle())
    assert settled == [1, 1]


def test_a_mailbox_that_another_program_holds_is_settled_later() -> None:
    mail = opened()
    inbox = now(mail.open("INBOX"))

    class Held(MemoryMailbox):
        unsettled = True

        def settle(self) -> None:
            raise MailboxInUse("held")

    inbox.stored = Held("INBOX", 1, lambda: 0.0)
    now(inbox.settle())
    now(inbox.leave())
    assert now(mail.open("INBOX")) is inbox


def test_following_a_mailbox_does_not_wait_where_nothing_happened() -> None:
    threads = Threads(slow=False)
    mail = opened(threads)
    inbox = now(mail.open("INBOX"))
    inbox.stored.refresh = lambda: pytest.fail("asked")  # type: ignore[method-assign]
    now(inbox.follow())


def test_following_waits_for_whoever_is_at_work() -> None:
    threads = Threads(slow=False)
    inbox = now(opened(threads).open("INBOX"))
    threads.slow = True
    Deferred.fromCoroutine(inbox.append([message()]))
    followed: list[object] = []
    Deferred.fromCoroutine(inbox.follow()).addCallback(followed.append)
    assert followed == []
    threads.finish()
    assert followed == [None]


def test_following_a_deleted_mailbox_tells_so() -> None:
    mail = opened()
    now(mail.create("Archive"))
    archive = now(mail.open("Archive"))
    now(mail.delete("Archive"))
    with pytest.raises(MailboxVanished):
        now(archive.follow())


def test_reading_waits_for_whoever_is_at_work() -> None:
    threads = Threads(slow=False)
    inbox = now(opened(threads).open("INBOX"))
    threads.slow = True
    Deferred.fromCoroutine(inbox.append([message(b"a\r\n")]))
    read: list[object] = []
    Deferred.fromCoroutine(inbox.read_many([1])).addCallback(read.append)
    assert read == []
    while threads.waiting:
        threads.finish()
    assert read == [[b"a\r\n"]]


def test_a_look_that_meets_a_lock_becomes_a_call_that_may_wait() -> None:
    inbox = now(opened().open("INBOX"))

    class Locked(MemoryMailbox):
        def uidls(self) -> list[bytes]:
            if not waited:
                waited.append(1)
                raise MustWait("somebody else holds a lock")
            return [b"1"]

    waited: list[int] = []
    inbox.stored = Locked("INBOX", 1, lambda: 0.0)
    assert now(inbox.uidls()) == [b"1"]
