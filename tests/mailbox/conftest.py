"""INBOX of an account whose mail is in files."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maildrop.mailbox.interfaces import Store
from maildrop.mailbox.open_mailbox import Mailbox
from tests.mailbox.kept_text import OpenInbox, Threads, inbox_at, maildir, now


@pytest.fixture
def threads() -> Threads:
    """Threads that are quick until a test says otherwise."""
    return Threads()


@pytest.fixture
def open_inbox() -> Iterator[OpenInbox]:
    """Opens INBOX as another process would; closed when the test ends."""
    opened: list[tuple[Mailbox, Threads]] = []

    def open_one(
        path: Path,
        threads: Threads | None = None,
        kind: Callable[[Path], Store] = maildir,
    ) -> Mailbox:
        threads = threads or Threads()
        inbox = inbox_at(path, threads, kind)
        opened.append((inbox, threads))
        return inbox

    yield open_one
    for inbox, threads in opened:
        threads.slow = False
        now(inbox.close())
