"""Mailboxes kept in files, for tests of the text that is kept of them.

In this file:
    Threads       done at once, or when the test says so
    inbox_at      INBOX of an account, as another process would open it
    found, ...    short ways to do common things with it
"""

import dataclasses
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, execute, succeed

from maildrop.durable import Content
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Mail, Post
from maildrop.mailbox.interfaces import NewMessage, Store
from maildrop.mailbox.open_mailbox import Mailbox
from maildrop.mailbox.search import search
from maildrop.message import criteria as c
from maildrop.message.criteria import Criterion
from maildrop.storage.index.host import Host
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.index.text_file import TEXT
from maildrop.storage.maildir.store import MaildirStore
from maildrop.storage.mbox.store import MboxStore
from tests.crash.stopping import QuickDisk

T = TypeVar("T")
OpenInbox = Callable[..., Mailbox]
ACCOUNT = Account("ann", "/", "maildir:")


class Watches:
    """Nothing changes."""

    def watch(self, paths: object, changed: object) -> Any:  # noqa: ANN401
        del paths, changed
        return lambda: None


class Threads:
    """Jobs are done at once; while slow they wait for ``finish``."""

    def __init__(self) -> None:
        self.slow = False
        self.jobs = 0
        self.waiting: list[Callable[[], object]] = []

    def __call__(self, job: Callable[[], T]) -> Deferred[T]:
        self.jobs += 1
        if not self.slow:
            return succeed(job())
        done: Deferred[T] = Deferred()
        self.waiting.append(lambda: execute(job).chainDeferred(done))
        return done

    def finish(self) -> None:
        self.waiting.pop(0)()

    def finish_all(self) -> None:
        while self.waiting:
            self.finish()


def host() -> Host:
    return dataclasses.replace(Host.here(QuickDisk()), sleep=lambda _: None)


def maildir(path: Path) -> Store:
    return MaildirStore(str(path / "Maildir"), host(), Remembered())


def mbox(path: Path) -> Store:
    (path / "control").mkdir(exist_ok=True)
    return MboxStore(
        str(path / "inbox"),
        str(path / "mail"),
        str(path / "control"),
        host(),
        Remembered(),
    )


def mail_at(path: Path, threads: Threads, kind: Callable[[Path], Store]) -> Mail:
    post = Post(lambda _: kind(path), threads, lambda _: nullcontext(), Watches())
    return now(post.mail(ACCOUNT))


def inbox_at(
    path: Path, threads: Threads | None = None, kind: Callable[[Path], Store] = maildir
) -> Mailbox:
    return now(mail_at(path, threads or Threads(), kind).open("INBOX"))


def now(work: Coroutine[Any, Any, T]) -> T:
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("suspended")


async def breathe() -> None:
    """Nobody else is waiting."""


def add(mailbox: Mailbox, *messages: bytes) -> None:
    new = [NewMessage(Content.of(octets)) for octets in messages]
    now(mailbox.append(new))


def message(body: str, subject: str = "s") -> bytes:
    return (
        f"Subject: {subject}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}"
        "\r\n"
    ).encode()


def found(mailbox: Mailbox, asked: Criterion) -> list[int]:
    now(mailbox.refresh())
    view = mailbox.view(read_only=True)
    return now(search(mailbox, view, asked, breathe))


def searching(mailbox: Mailbox, text: str) -> Deferred[list[int]]:
    view = mailbox.view(read_only=True)
    return Deferred.fromCoroutine(search(mailbox, view, c.TextContains(text), breathe))


def files(path: Path) -> list[Path]:
    return [file for file in path.rglob(f"{TEXT}*") if file.is_file()]
