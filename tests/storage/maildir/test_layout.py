"""Names of mailboxes and directories."""

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import MailboxNameInvalid
from maildrop.storage.maildir.layout import directory_of, name_of


@pytest.mark.parametrize(
    ("name", "directory"),
    [
        ("INBOX", ""),
        ("Sent", ".Sent"),
        ("Work/2024", ".Work.2024"),
        ("Entwürfe", ".Entw&APw-rfe"),
        ("a&b", ".a&-b"),
        ("v1.2/x", ".v1&AC4-2.x"),
        ("INBOX/child", ".INBOX.child"),
        ("日本/語", ".&ZeVnLA-.&ip4-"),
    ],
)
def test_names_have_one_directory(name: str, directory: str) -> None:
    assert directory_of(name) == directory
    if directory:
        assert name_of(directory) == name


@pytest.mark.parametrize(
    "directory",
    ["", "cur", "..", ".", ".a..b", ".a.", ".bad&", ".&AGE-", "maildrop.x", ".INBOX"],
)
def test_other_directories_are_no_mailboxes(directory: str) -> None:
    assert name_of(directory) is None


@given(st.text(max_size=60))
def test_what_is_a_mailbox_is_one_component_below_the_root(name: str) -> None:
    try:
        directory = directory_of(name)
    except MailboxNameInvalid:
        return
    if name == "INBOX":
        return
    assert directory.isascii()
    assert directory.isprintable()
    assert directory[0] == "."
    assert directory[1] != "."
    assert "/" not in directory
    assert len(directory) <= 255
    assert name_of(directory) == name


@given(st.text(alphabet=".&-,AC4abé~", max_size=12))
def test_a_directory_has_one_name(directory: str) -> None:
    name = name_of(directory)
    if name is not None:
        assert directory_of(name) == directory
