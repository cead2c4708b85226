"""What is kept of a Maildir, and Dovecot: it sees nothing of it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from maildrop.durable import Content
from maildrop.mailbox.interfaces import NewMessage
from maildrop.mailbox.keeping import Keeping
from maildrop.storage.index.host import Host
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.maildir.store import MaildirStore
from tests.interop.dovecot import Dovecot


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    with Dovecot() as server:
        yield server


def opened(path: Path) -> MaildirStore:
    store = MaildirStore(str(path), Host.here(), Remembered())
    store.keep(Keeping(3600.0))
    return store


def give(path: Path, uid: int, gid: int) -> None:
    """All of it belongs to whom it belongs."""
    for directory, names, files in os.walk(path):
        for name in (*names, *files, "."):
            os.chown(os.path.join(directory, name), uid, gid)


def test_dovecot_sees_neither_folders_nor_messages_of_what_is_kept(
    dovecot: Dovecot,
) -> None:
    store = opened(dovecot.maildir)
    store.create("Work")
    for name in ("INBOX", "Work"):
        mailbox = store.open(name)
        new = [NewMessage(Content.of(b"Subject: %d\r\n\r\n" % n)) for n in range(4)]
        uids = mailbox.publish(mailbox.stage(new), None)
        mailbox.expunge(uids[:2], None)
        mailbox.close()
    store.create("Gone")
    store.delete("Gone")
    give(dovecot.maildir, dovecot.uid, dovecot.gid)

    imap = dovecot.imap_client()
    listed = [line.split()[-1] for line in imap.list()[1] if isinstance(line, bytes)]
    assert sorted(listed) == [b"INBOX", b"Work"]
    for name in ("INBOX", "Work"):
        assert imap.select(name)[1] == [b"2"]
    imap.logout()

    assert len(store.restore(store.kept())) == 4
    give(dovecot.maildir, dovecot.uid, dovecot.gid)
    imap = dovecot.imap_client()
    for name in ("INBOX", "Work"):
        assert imap.select(name)[1] == [b"4"]
    subjects = imap.fetch("1:4", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
    said = sorted(part[1].strip() for part in subjects if isinstance(part, tuple))
    assert said == [b"Subject: %d" % n for n in range(4)]
    imap.logout()
