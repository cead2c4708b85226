"""Files of a Maildir that need to be told apart: one name, two files."""

import os
from pathlib import Path

from maildrop.mailbox.flags import SEEN
from tests.storage.maildir.conftest import OpenStore
from tests.storage.maildir.test_mailbox import (
    add,
    foreign,
    message,
    only,
    opened,
    subjects,
)
from tests.ticking import ticked


def test_a_move_by_link_and_unlink_that_stopped_is_finished(
    open_store: OpenStore, root: Path
) -> None:
    inbox = opened(open_store())
    add(inbox, message("1"))
    path = only(root / "new")
    os.link(path, root / "cur" / f"{path.name}:2,S")
    ticked(root / "cur")
    inbox.refresh()
    assert list(subjects(inbox).values()) == ["1"]
    assert len(list((root / "new").iterdir()) + list((root / "cur").iterdir())) == 1
    assert list(subjects(opened(open_store())).values()) == ["1"]


def test_a_copy_from_a_backup_is_another_message(
    open_store: OpenStore, root: Path
) -> None:
    inbox = opened(open_store())
    add(inbox, message("1"), flags=SEEN)
    path = only(root / "cur")
    path.with_name(path.name.replace(":2,S", ":2,")).write_bytes(foreign("1"))
    ticked(root / "cur")
    inbox.refresh()
    assert subjects(inbox) == {1: "1", 2: "1"}
    bases = {name.name.partition(":")[0] for name in (root / "cur").iterdir()}
    assert len(bases) == 2
    assert subjects(opened(open_store())) == {1: "1", 2: "1"}


def test_two_unknown_files_of_one_name_are_two_messages(
    open_store: OpenStore, root: Path
) -> None:
    open_store()
    (root / "cur" / "1.x.host:2,").write_bytes(foreign("a"))
    (root / "cur" / "1.x.host:2,S").write_bytes(foreign("b"))
    assert sorted(subjects(opened(open_store())).values()) == ["a", "b"]
