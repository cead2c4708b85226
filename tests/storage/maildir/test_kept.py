"""Expunged messages of a Maildir: what others see of them, and what goes wrong."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from maildrop.durable import Disk
from maildrop.errors import StorageFailure
from maildrop.mailbox.flags import SEEN
from maildrop.mailbox.keeping import Keeping
from maildrop.storage.maildir.kept import KeptFile
from maildrop.storage.maildir.store import MaildirStore
from tests.storage.contract import add, flags, keywords, message, opened, uids
from tests.storage.maildir.conftest import OpenStore


def failing(call: Callable[..., object], path: str) -> Callable[..., object]:
    """A disk that cannot be read where a path has that in it."""

    def failed(*arguments: object, **named: object) -> object:
        if path in str(arguments[0]):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return call(*arguments, **named)

    return failed


@pytest.fixture
def store(open_store: OpenStore) -> MaildirStore:
    store = open_store()
    store.keep(Keeping(1000.0))
    return store


def test_the_file_is_the_same_under_another_name(
    store: MaildirStore, root: Path
) -> None:
    inbox = opened(store)
    [uid] = add(inbox, message("1"), flags=SEEN)
    [file] = (root / "cur").iterdir()
    before = file.stat()
    inbox.expunge([uid], None)
    [kept] = (root / "maildrop.kept").iterdir()
    assert (kept.stat().st_ino, kept.stat().st_mtime) == (
        before.st_ino,
        before.st_mtime,
    )
    assert list((root / "cur").iterdir()) == []


def test_to_others_it_is_neither_folder_nor_message(
    store: MaildirStore, root: Path
) -> None:
    """Maildir++: a folder's name begins with a dot; mutt wants cur/, new/ and tmp/."""
    inbox = opened(store)
    inbox.expunge(add(inbox, message("1")), None)
    shelf = root / "maildrop.kept"
    assert not shelf.name.startswith(".")
    assert not {"cur", "new", "tmp"} & {path.name for path in shelf.iterdir()}


def test_a_message_that_another_program_removed_is_not_kept(
    store: MaildirStore, root: Path
) -> None:
    inbox = opened(store)
    [uid] = add(inbox, message("1"), flags=SEEN)
    next((root / "cur").iterdir()).unlink()
    assert list(inbox.expunge([uid], None)) == []
    assert store.kept() == []


def test_keywords_are_known_when_the_ledger_is_lost(
    store: MaildirStore, root: Path, open_store: OpenStore
) -> None:
    inbox = opened(store)
    many = tuple(f"word{n}" for n in range(30))
    [uid] = add(inbox, message("1"), keywords=many)
    inbox.expunge([uid], None)
    inbox.close()
    for file in root.glob("maildrop.ledger*"):
        file.unlink()
    again = open_store()
    [kept] = again.kept()
    assert kept.keywords == many
    [back] = again.restore([kept])
    assert keywords(opened(again), back.uid) == list(many)


def test_a_full_disk_can_be_emptied(open_store: OpenStore, root: Path) -> None:
    class Full(Disk):
        def make_directory(self, path: str | bytes, mode: int = 0o700) -> None:
            if str(path).endswith("kept"):
                raise OSError(28, "No space left on device")
            super().make_directory(path, mode)

    store = open_store(Full())
    store.keep(Keeping(1000.0))
    inbox = opened(store)
    inbox.expunge(add(inbox, message("1")), None)
    assert uids(inbox) == []
    assert not (root / "maildrop.kept").exists()


@pytest.mark.parametrize("in_the_way", ["file", "link", "gone"])
def test_a_shelf_that_cannot_be_used_keeps_nothing(
    store: MaildirStore, root: Path, tmp_path: Path, in_the_way: str
) -> None:
    inbox = opened(store)
    given = add(inbox, message("1"), message("2"))
    shelf = root / "maildrop.kept"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if in_the_way == "file":
        shelf.write_bytes(b"")
    elif in_the_way == "link":
        shelf.symlink_to(elsewhere)
    else:
        inbox.expunge(given[:1], None)
        shutil.rmtree(shelf)
    inbox.expunge(given, None)
    assert uids(inbox) == []
    assert list(elsewhere.iterdir()) == []
    assert list((root / "cur").iterdir()) == list((root / "new").iterdir()) == []


def test_a_deleted_mailbox_that_cannot_be_listed_is_no_empty_one(
    store: MaildirStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create("Work")
    work = opened(store, "Work")
    add(work, message("1"))
    work.close()
    store.delete("Work")
    inbox = opened(store)
    inbox.expunge(add(inbox, message("2")), None)
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", failing(os.scandir, "/maildrop.kept."))
        store.restore([one for one in store.kept() if one.mailbox == "INBOX"])
        with pytest.raises(StorageFailure):
            store.give_up(0.0)
    assert [store.read_kept(one) for one in store.kept()] == [message("1")]


def test_a_file_that_cannot_be_looked_for_is_not_passed_over(
    store: MaildirStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = opened(store)
    inbox.expunge(add(inbox, message("1")), None)
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", failing(os.stat, "/maildrop.kept/"))
        with pytest.raises(StorageFailure):
            store.restore(store.kept())
    assert len(store.restore(store.kept())) == 1


def test_keywords_that_cannot_be_read_are_not_lost(
    store: MaildirStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = opened(store)
    inbox.expunge(add(inbox, message("1"), keywords=("$Work",)), None)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", failing(os.open, "/maildrop.kept/keywords"))
        with pytest.raises(StorageFailure):
            store.restore(store.kept())
    [back] = store.restore(store.kept())
    assert keywords(opened(store), back.uid) == ["$Work"]


def test_names_that_are_too_long_are_made_shorter(
    store: MaildirStore, root: Path
) -> None:
    name = "1000." + "x" * 230 + ",S=17"
    (root / "cur" / f"{name}:2,S").write_bytes(b"Subject: x\n\nbody\n")
    inbox = opened(store)
    inbox.expunge(uids(inbox), None)
    [kept] = store.kept()
    [back] = store.restore([kept])
    inbox.refresh()
    assert flags(inbox)[back.uid] == SEEN
    assert inbox.read(back.uid) == b"Subject: x\r\n\r\nbody\r\n"


@pytest.mark.parametrize(
    "name", [b"", b"keywords", b"1.2.3,x", b"1.2.3.4.5.6.7.8,", b"a.1.1.1.1.0.0.0,x"]
)
def test_other_files_on_the_shelf_are_passed_over(name: bytes) -> None:
    assert KeptFile.parse(name) is None


def test_the_size_limit_is_kept_when_the_last_session_leaves(
    store: MaildirStore,
) -> None:
    store.keep(Keeping(1000.0, 10_000))
    inbox = opened(store)
    inbox.expunge(add(inbox, *[message(str(n), "y" * 990) for n in range(30)]), None)
    assert inbox.unsettled
    inbox.settle()
    assert not inbox.unsettled
    assert 5 <= len(store.kept()) <= 10


def test_old_files_in_tmp_are_removed_whatever_their_date(
    store: MaildirStore, root: Path, open_store: OpenStore
) -> None:
    inbox = opened(store)
    add(inbox, message("1"))
    inbox.close()
    file = root / "tmp" / "1.left"
    file.write_bytes(b"x")
    os.utime(file, (1000, 1000))  # its INTERNALDATE; it was made just now
    assert store.tidy() == 0
    assert file.exists()
    later = open_store()
    object.__setattr__(later._host, "clock", lambda: 2 * 86400 + file.stat().st_ctime)
    assert later.tidy() == 1
    assert not file.exists()
    assert len(uids(opened(later))) == 1
