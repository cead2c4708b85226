"""Mailboxes that are closed while others wait for them, or open them too."""

from collections.abc import Callable, Coroutine, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, execute

from maildrop.durable import Content
from maildrop.errors import MailboxVanished
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Mail, Post
from maildrop.mailbox.interfaces import NewMessage
from maildrop.mailbox.open_mailbox import Mailbox
from maildrop.mailbox.steps import MustWait
from maildrop.storage.memory.mailbox import MemoryMailbox
from maildrop.storage.memory.store import MemoryStore

T = TypeVar("T")
ALICE = Account("alice", "/home/alice", "memory:")


class Threads:
    """Jobs wait until ``finish``; says whether one runs."""

    def __init__(self) -> None:
        self.running = False
        self.waiting: list[Callable[[], object]] = []

    def __call__(self, job: Callable[[], T]) -> Deferred[T]:
        done: Deferred[T] = Deferred()
        self.waiting.append(lambda: execute(self._run, job).chainDeferred(done))
        return done

    def _run(self, job: Callable[[], T]) -> T:
        self.running = True
        try:
            return job()
        finally:
            self.running = False

    def finish(self) -> None:
        while self.waiting:
            self.waiting.pop(0)()


class Locked(MemoryMailbox):
    """A mailbox that has to wait for a lock whatever it does."""

    threads: Threads
    calls: list[str]

    def unchanged(self, *, thorough: bool) -> bool:
        del thorough
        return False

    def refresh(self) -> None:
        if "deleted" in self.calls:
            self.calls.append("refresh")
            raise MailboxVanished
        self._call("refresh")

    def close(self) -> None:
        self._call("close")

    def _call(self, name: str) -> None:
        if not self.threads.running:
            raise MustWait
        self.calls.append(name)


class LockedStore(MemoryStore):
    """Each ``open`` gives an object of its own, as stores on disk do."""

    threads = Threads()
    calls: list[str]

    def open(self, name: str) -> MemoryMailbox:
        mailbox = Locked(name, 1, lambda: 1000.0)
        mailbox.threads, mailbox.calls = self.threads, self.calls
        return mailbox


class Watches:
    """Nothing changes by other hands."""

    def watch(
        self, paths: Sequence[str], changed: Callable[[], None]
    ) -> Callable[[], None]:
        del paths, changed
        return lambda: None


def begun(work: Coroutine[Any, Any, T]) -> Deferred[T]:
    return Deferred.fromCoroutine(work)


def opened() -> tuple[Mail, Threads, list[str]]:
    threads = Threads()
    store = LockedStore(lambda: 1000.0)
    store.threads, store.calls = threads, []
    post = Post(lambda _: store, threads, lambda _: nullcontext(), Watches())
    mail = begun(post.mail(ALICE))
    threads.finish()
    assert isinstance(mail.result, Mail)
    return mail.result, threads, store.calls


def test_two_that_open_a_mailbox_at_once_share_one_and_hold_up_nobody() -> None:
    """What the slower one has opened is closed where waiting is good."""
    mail, threads, calls = opened()
    one, two = begun(mail.open("INBOX")), begun(mail.open("INBOX"))
    threads.finish()
    assert one.result is two.result
    assert calls.count("close") == 1


def test_a_call_that_waited_while_the_mailbox_was_closed_is_not_made() -> None:
    """It would use descriptors given back, which another file may have by then."""
    mail, threads, calls = opened()
    opening = begun(mail.open("INBOX"))
    threads.finish()
    inbox = opening.result
    assert isinstance(inbox, Mailbox)
    message = NewMessage(Content.of(b"Subject: x\r\n\r\n"))
    adding = begun(inbox.append([message]))
    waiting = [begun(inbox.refresh()) for _ in range(3)]
    for each in waiting:
        each.addErrback(lambda failure: failure.check(MailboxVanished))
    calls[:] = ["deleted"]
    threads.finish()
    assert adding.result == [1]
    assert [each.result for each in waiting] == [MailboxVanished] * 3
    assert calls == ["deleted", "refresh", "close"]
