"""Which store an account's location names."""

import os
from pathlib import Path

import pytest

from maildrop.app.privileges import OwnRights
from maildrop.app.stores import Stores
from maildrop.errors import ConfigurationError
from maildrop.mailbox.account import Account
from maildrop.storage.maildir.store import MaildirStore
from maildrop.storage.mbox.store import MboxStore
from maildrop.storage.memory.store import MemoryStore


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    state = tmp_path / "state"
    return Stores(str(state), str(state / "home"), OwnRights(os.geteuid()))


def account(location: str, home: str = "") -> Account:
    return Account("ann", home, location)


def test_a_maildir_is_a_maildir(stores: Stores, tmp_path: Path) -> None:
    store = stores(account(f"maildir:{tmp_path}/Maildir"))
    assert isinstance(store, MaildirStore)
    assert [entry.name for entry in store.entries()] == ["INBOX"]
    store.close()


def test_an_mbox_has_its_control_files_below_state(
    stores: Stores, tmp_path: Path
) -> None:
    store = stores(account(f"mbox:{tmp_path}/inbox:{tmp_path}/mail"))
    assert isinstance(store, MboxStore)
    control = tmp_path / "state/mailboxes/ann"
    assert control.stat().st_mode & 0o777 == 0o700
    store.close()


def test_an_mbox_alone_has_its_folders_in_the_home(
    stores: Stores, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    store = stores(account(f"mbox:{tmp_path}/inbox", str(home)))
    store.create("Work")
    assert (home / "mail/Work").exists()
    store.close()


def test_an_mbox_alone_needs_a_home(stores: Stores, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no home"):
        stores(account(f"mbox:{tmp_path}/inbox"))


def test_mail_in_memory_is_the_same_every_time(stores: Stores) -> None:
    store = stores(account("memory:"))
    assert isinstance(store, MemoryStore)
    assert stores(account("memory:")) is store


@pytest.mark.parametrize("location", ["maildir:", "mbox:", "mh:/x", ""])
def test_what_names_no_store_is_a_problem(stores: Stores, location: str) -> None:
    with pytest.raises(ConfigurationError, match="no store"):
        stores(account(location))


def test_only_homes_of_our_own_making_are_made(stores: Stores, tmp_path: Path) -> None:
    ours, other = tmp_path / "state/home/ann", tmp_path / "elsewhere/ann"
    stores(account("memory:", str(ours)))
    stores(account("memory:", str(other)))
    assert ours.stat().st_mode & 0o777 == 0o700
    assert not other.exists()
