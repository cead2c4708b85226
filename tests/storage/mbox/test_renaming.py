"""Renaming while the disk cannot be read: everything moves, or nothing does."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from maildrop.durable import Content
from maildrop.errors import StorageFailure
from maildrop.mailbox.interfaces import NewMessage
from maildrop.storage.mbox.file import JOURNAL
from tests.storage.mbox.conftest import OpenStore


def failing(call: Callable[..., object], unreadable: Path) -> Callable[..., object]:
    """A disk on which one place cannot be looked at."""

    def failed(path: object, **named: object) -> object:
        if path == str(unreadable):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return call(path, **named)

    return failed


def test_a_ledger_that_cannot_be_looked_for_is_not_left_behind(
    open_store: OpenStore, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 3501 section 6.3.5: the renamed mailbox has the messages with their UIDs."""
    store = open_store()
    store.create("Old")
    mailbox = store.open("Old")
    for number in range(3):
        new = NewMessage(Content.of(b"Subject: %d\r\n\r\n" % number))
        mailbox.publish(mailbox.stage([new]), None)
    mailbox.expunge([1], None)
    validity = mailbox.table.uid_validity
    mailbox.close()
    with monkeypatch.context() as patch:
        for call in (os.stat, os.lstat):
            unreadable = spool.with_name("control") / "=Old"
            patch.setattr(os, call.__name__, failing(call, unreadable))
        with pytest.raises(StorageFailure):
            store.rename("Old", "New")
    again = open_store().open("New")
    again.refresh()
    assert again.table.uid_validity == validity
    assert list(again.table.uids) == [2, 3]


def test_mail_is_not_served_while_it_is_unsure_whether_it_is_being_rewritten(
    open_store: OpenStore, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.write_bytes(b"From a@b Thu Jan  1 12:34:56 2026\nSubject: x\n\nbody\n\n")
    inbox = open_store().open("INBOX")
    inbox.refresh()
    with monkeypatch.context() as patch:
        for call in (os.stat, os.lstat):
            journal = spool.with_name("control") / "INBOX" / JOURNAL
            patch.setattr(os, call.__name__, failing(call, journal))
        with pytest.raises(StorageFailure):
            inbox.read_many([1])
    assert inbox.read_many([1]) == [b"Subject: x\r\n\r\nbody\r\n"]
