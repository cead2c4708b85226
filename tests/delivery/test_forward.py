"""``.forward`` files and lists as they are read and remembered."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as File

import pytest
from twisted.internet.task import Clock

from maildrop.delivery.forward import Forward, Forwards, Includes
from maildrop.errors import StorageFailure
from maildrop.mailbox.account import Account

UID = os.geteuid()


class Rights:
    """Notes with whose rights files are read."""

    def __init__(self) -> None:
        self.used: list[str] = []

    @contextmanager
    def __call__(self, account: Account) -> Iterator[None]:
        self.used.append(account.name)
        yield


@pytest.fixture
def bob(tmp_path: File) -> Account:
    home = tmp_path / "bob"
    home.mkdir()
    (home / ".forward").write_text("ann\n")
    return Account("bob", str(home), "memory:", UID)


def test_a_file_is_read_with_the_rights_of_the_user(bob: Account) -> None:
    rights = Rights()
    forwards = Forwards(rights, lambda _: UID, Clock())
    found = forwards.look(bob, "")
    assert found is not None
    assert (found.path, [value.text for value in found.values]) == (
        f"{bob.home}/.forward",
        ["ann"],
    )
    assert rights.used == ["bob"]


@pytest.mark.parametrize("home", ["", "/"])
def test_who_has_no_home_has_no_file(home: str) -> None:
    forwards = Forwards(Rights(), lambda _: UID, Clock())
    assert forwards.look(Account("eve", home, "memory:"), "") is None


@pytest.mark.parametrize(
    ("extension", "name"),
    [
        ("+x", ".forward+x"),
        ("+X", ".forward+X"),
        ("+Y", ".forward+y"),
        ("+z", ".forward"),
        ("+", ".forward"),
        ("+../bob/.forward+x", ".forward"),
        ("+\0", ".forward"),
        ("+" + "x" * 300, ".forward"),
    ],
)
def test_which_file_counts(bob: Account, extension: str, name: str) -> None:
    for each in ("x", "X", "y"):
        (File(bob.home) / f".forward+{each}").write_text("ann\n")
    found = Forwards(Rights(), lambda _: UID, Clock()).look(bob, extension)
    assert found is not None
    assert found.path == f"{bob.home}/{name}"


def test_what_is_not_trusted_says_so_and_nothing_else(bob: Account) -> None:
    (File(bob.home) / ".forward").chmod(0o666)
    found = Forwards(Rights(), lambda _: UID, Clock()).look(bob, "")
    assert found is not None
    assert "can be written by others" in found.doubt
    assert not found.values


def test_a_file_without_measure_is_a_temporary_error(bob: Account) -> None:
    forwards = Forwards(Rights(), lambda _: UID, Clock(), octets=3)
    with pytest.raises(StorageFailure):
        forwards.look(bob, "")


def test_an_answer_is_good_for_a_second(bob: Account) -> None:
    clock = Clock()
    forwards = Forwards(Rights(), lambda _: UID, clock, keep=2)
    assert forwards.remembered(bob, "") is None
    forward = Forward("/x")
    forwards.remember(bob, "", forward)
    forwards.remember(bob, "+x", None)
    assert forwards.remembered(bob, "") == (forward,)
    assert forwards.remembered(bob, "+x") == (None,)
    forwards.remember(bob, "+y", None)
    assert forwards.remembered(bob, "") is None
    forwards.remember(bob, "", forward)
    clock.advance(1)
    assert forwards.remembered(bob, "") is None


def test_who_had_no_file_is_known_to_have_none_until_there_is_one(
    bob: Account,
) -> None:
    clock, rights = Clock(), Rights()
    forwards = Forwards(rights, lambda _: UID, clock)
    (File(bob.home) / ".forward").unlink()
    assert forwards.remembered(bob, "+x") is None  # nobody has looked yet
    forwards.remember(bob, "+x", forwards.look(bob, "+x"))
    clock.advance(1)
    assert forwards.remembered(bob, "+x") == (None,)
    assert rights.used == ["bob", "bob"]
    assert forwards.remembered(bob, "+x") == (None,)
    assert rights.used == ["bob", "bob"]  # for a moment nobody looks
    for name in (".forward", ".forward+x"):
        (File(bob.home) / name).symlink_to("/nowhere")
        clock.advance(1)
        assert forwards.remembered(bob, "+x") is None
        (File(bob.home) / name).unlink()
    assert forwards.remembered(bob, "+x") == (None,)


def test_a_home_that_cannot_be_looked_into_is_left_to_a_thread(bob: Account) -> None:
    clock = Clock()
    forwards = Forwards(Rights(), lambda _: UID, clock)
    (File(bob.home) / ".forward").unlink()
    forwards.remember(bob, "", None)
    clock.advance(1)
    File(bob.home).rmdir()
    File(bob.home).symlink_to(bob.home)
    assert forwards.remembered(bob, "") is None


def look(includes: Includes, path: File, *, whole: bool = True) -> list[str] | None:
    reader = Account("nobody", "/", "")
    found = includes.look(str(path), reader, None, whole=whole)
    assert found is not None
    assert found.uid == UID
    return None if found.values is None else [value.text for value in found.values]


def test_a_list_is_remembered_until_it_changes(tmp_path: File) -> None:
    rights = Rights()
    includes = Includes(rights, lambda _: UID, keep=1)
    file, other = tmp_path / "list", tmp_path / "other"
    file.write_text("a\nb\n")
    other.write_text("c\n")
    assert look(includes, file) == look(includes, file) == ["a", "b"]
    file.write_text("d\n")
    os.utime(file, (1, 1))
    assert look(includes, file) == ["d"]
    assert look(includes, other) == ["c"]
    assert look(includes, file) == ["d"]
    assert set(rights.used) == {"nobody"}
    reader = Account("nobody", "/", "")
    assert includes.look(f"{file}x", reader, None, whole=True) is None


def test_a_long_list_is_not_read_while_somebody_waits(tmp_path: File) -> None:
    includes = Includes(Rights(), lambda _: UID, eager=3)
    file = tmp_path / "list"
    file.write_text("a\nb\n")
    assert look(includes, file, whole=False) is None
    assert look(includes, file) == ["a", "b"]
    assert look(includes, file, whole=False) == ["a", "b"]
