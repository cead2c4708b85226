"""The mail of users without a server between."""

import os
from pathlib import Path

import pytest

from maildrop.app.config import parse
from maildrop.app.direct import Direct
from maildrop.app.privileges import OwnRights
from maildrop.app.schema import Configuration
from maildrop.errors import NoSuchUser
from tests.storage.contract import add, message, opened, uids

TEXT = """
state = "state"
[users]
passwd = "passwd"
[mail]
domains = ["example.org"]
location = "maildir:{home}/%n"
"""


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    (tmp_path / "passwd").write_text("bob:{PLAIN}b::::::\nann:{PLAIN}a::::::\n")
    text = TEXT.replace("{home}", str(tmp_path))
    return parse(text, str(tmp_path / "maildrop.toml")).configuration


def direct(configuration: Configuration) -> Direct:
    return Direct(configuration, OwnRights(os.geteuid()))


def test_all_users_are_named(configuration: Configuration) -> None:
    assert direct(configuration).names() == ["ann", "bob"]


def test_an_unknown_user_is_said_to_be_unknown(configuration: Configuration) -> None:
    with pytest.raises(NoSuchUser, match='no user "eve"'):
        direct(configuration).account("eve")


def test_what_one_puts_in_the_next_finds(
    configuration: Configuration, tmp_path: Path
) -> None:
    first = direct(configuration)
    ann = first.account("ann")
    with first.store(ann) as store:
        add(opened(store), message("a"))
    assert len(list((tmp_path / "ann/new").iterdir())) == 1
    with direct(configuration).store(ann) as store:
        assert uids(opened(store)) == [1]
