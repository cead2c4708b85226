"""Maildir++ folders, shared with other programs and hostile hands."""

import os
from pathlib import Path

import pytest

from maildrop.durable import Content
from maildrop.errors import MailboxExists, MailboxNotFound, MailboxNotSelectable
from maildrop.mailbox.interfaces import NewMessage
from tests.storage.maildir.conftest import OpenStore


def names(open_store: OpenStore) -> list[str]:
    return [entry.name for entry in open_store().entries()]


def test_folders_look_as_maildir_plus_plus_wants(
    open_store: OpenStore, root: Path
) -> None:
    open_store().create("Work/Mai")
    folder = root / ".Work.Mai"
    assert sorted(path.name for path in folder.iterdir()) == [
        "cur",
        "maildirfolder",
        "new",
        "tmp",
    ]
    assert folder.stat().st_mode & 0o777 == 0o700


def test_folders_of_other_servers_are_there(open_store: OpenStore, root: Path) -> None:
    open_store()
    for part in ("cur", "new", "tmp"):
        (root / ".Entw&APw-rfe.alt" / part).mkdir(parents=True)
    (root / ".Entw&APw-rfe.alt" / "cur" / "1.x:2,S").write_bytes(b"Subject: x\n\n")
    assert names(open_store) == ["Entwürfe", "Entwürfe/alt", "INBOX"]
    mailbox = open_store().open("Entwürfe/alt")
    assert mailbox.read(1) == b"Subject: x\r\n\r\n"


def test_what_is_no_folder_is_not_listed(
    open_store: OpenStore, root: Path, tmp_path: Path
) -> None:
    store = open_store()
    elsewhere = tmp_path / "elsewhere"
    for part in ("cur", "new", "tmp"):
        (elsewhere / part).mkdir(parents=True)
    (root / ".Link").symlink_to(elsewhere)
    (root / ".file").write_bytes(b"")
    (root / ".empty").mkdir()
    (root / "..").joinpath("x")
    (root / ".Half").mkdir()
    (root / ".Half" / "cur").symlink_to(elsewhere / "cur")
    assert names(open_store) == ["INBOX"]
    for name in ("Link", "file", "empty", "Half"):
        with pytest.raises(MailboxNotFound):
            store.open(name)
        with pytest.raises(MailboxNotFound):
            store.delete(name)
    assert elsewhere.exists()


def test_a_missing_part_of_a_folder_is_made(open_store: OpenStore, root: Path) -> None:
    open_store()
    (root / ".A" / "cur").mkdir(parents=True)
    mailbox = open_store().open("A")
    mailbox.publish(mailbox.stage([NewMessage(Content.of(b"x: y\r\n\r\n"))]), None)
    assert mailbox.read(1) == b"x: y\r\n\r\n"


def test_deleting_a_mailbox_with_children_leaves_a_level(
    open_store: OpenStore,
) -> None:
    """RFC 3501 section 6.3.4."""
    store = open_store()
    store.create("A")
    store.create("A/B")
    store.delete("A")
    entry = store.entries()[0]
    assert (entry.name, entry.selectable, entry.children) == ("A", False, True)
    with pytest.raises(MailboxNotSelectable):
        store.open("A")


def test_deleting_does_not_follow_links(
    open_store: OpenStore, root: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"x")
    store = open_store()
    store.create("A")
    (root / ".A" / "link").symlink_to(outside)
    store.delete("A")
    assert not list(root.glob("maildrop.deleted*"))
    assert (outside / "precious").exists()


def test_a_rename_onto_children_of_another_is_refused(open_store: OpenStore) -> None:
    store = open_store()
    store.create("A")
    store.create("X/B")
    with pytest.raises(MailboxExists):
        store.rename("A", "X")
    assert names(open_store) == ["A", "INBOX", "X", "X/B"]


def test_a_level_without_messages_is_renamed_with_its_children(
    open_store: OpenStore,
) -> None:
    store = open_store()
    store.create("A/B")
    store.rename("A", "Z")
    assert names(open_store) == ["INBOX", "Z", "Z/B"]


def test_what_a_crash_left_is_removed(open_store: OpenStore, root: Path) -> None:
    open_store()
    (root / "maildrop.deleted.1" / "cur").mkdir(parents=True)
    old, young = root / "maildrop.creating.1", root / "maildrop.creating.2"
    old.mkdir()
    young.mkdir()
    os.utime(old, (1000, 1000))
    assert names(open_store) == ["INBOX"]
    left = sorted(path.name for path in root.glob("maildrop.*"))
    assert "maildrop.creating.2" in left
    assert "maildrop.creating.1" not in left
    assert "maildrop.deleted.1" not in left


def test_a_forged_journal_renames_nothing_out_of_the_root(
    open_store: OpenStore, root: Path, tmp_path: Path
) -> None:
    store = open_store()
    store.create("A")
    (root / "maildrop.renaming").write_text(".A\t../../stolen\n../x\t.B\nrubbish\n")
    assert names(open_store) == ["A", "INBOX"]
    assert not (root / "maildrop.renaming").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"Maildir"}


def test_the_maildir_is_made_with_its_parts(open_store: OpenStore, root: Path) -> None:
    open_store()
    assert {path.name for path in root.iterdir()} >= {"cur", "new", "tmp"}
    assert root.stat().st_mode & 0o777 == 0o700
