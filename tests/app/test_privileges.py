"""Whose files are touched with whose rights; the kernel is one that remembers."""

import os
import threading
from pathlib import Path

import pytest

from maildrop.app.privileges import (
    Identity,
    Kernel,
    OwnRights,
    RootRights,
    account_identity,
    make_directory,
    rights,
)
from maildrop.errors import AccessDenied, ConfigurationError
from maildrop.mailbox.account import Account

ROOT = (0, 0, ())
OURS = Identity(500, 500)
ANN = Account("ann", "/home/ann", "maildir:/home/ann/Maildir", 1001, 100, (8, 100))
BOB = Account("bob", "/home/bob", "maildir:/home/bob/Maildir", 1002, 100, (100,))
VIRTUAL = Account("carol", "/home/carol", "maildir:/home/carol/Maildir")


class Remembering(Kernel):
    """The identity of each thread; refuses what it is told to."""

    def __init__(self, refused: int = -1) -> None:
        self.refused = refused
        self.calls = 0
        self._local = threading.local()

    def now(self) -> tuple[int, int, tuple[int, ...]]:
        return getattr(self._local, "now", ROOT)

    def _set(self, uid: int, gid: int, groups: tuple[int, ...]) -> None:
        self.calls += 1
        self._local.now = uid, gid, groups

    def set_user(self, uid: int) -> None:
        if uid != self.refused:
            self._set(uid, *self.now()[1:])

    def set_group(self, gid: int) -> None:
        self._set(self.now()[0], gid, self.now()[2])

    def set_groups(self, groups: tuple[int, ...]) -> bool:
        self._set(*self.now()[:2], groups)
        return True

    def has(self, uid: int, gid: int) -> bool:
        return self.now()[:2] == (uid, gid)


@pytest.fixture
def kernel() -> Remembering:
    return Remembering()


@pytest.fixture
def settled(kernel: Remembering) -> RootRights:
    made = RootRights(OURS, kernel)
    made.become(OURS)
    return made


def test_files_of_an_account_are_touched_as_the_account(
    settled: RootRights, kernel: Remembering
) -> None:
    with settled.as_owner(ANN):
        assert kernel.now() == (1001, 100, (8,))
    assert kernel.now() == (500, 500, ())


def test_an_account_without_a_uid_is_ours(
    settled: RootRights, kernel: Remembering
) -> None:
    before = kernel.calls
    with settled.as_owner(VIRTUAL):
        assert kernel.now() == (500, 500, ())
    assert kernel.calls == before


def test_nothing_is_asked_of_the_kernel_that_changes_nothing(
    settled: RootRights, kernel: Remembering
) -> None:
    with settled.as_owner(BOB):
        pass
    before = kernel.calls
    with settled.as_owner(BOB):
        assert kernel.now() == (1002, 100, ())
        with settled.as_owner(BOB):
            pass
    assert kernel.calls == before + 4  # group and user, there and back


def test_rights_may_be_nested(settled: RootRights, kernel: Remembering) -> None:
    with settled.as_owner(ANN):
        with settled.as_owner(BOB), settled.as_owner(BOB):
            assert kernel.now()[0] == 1002
        assert kernel.now() == (1001, 100, (8,))
        with settled.as_root():
            assert kernel.now() == ROOT
        assert kernel.now() == (1001, 100, (8,))
    assert kernel.now()[0] == 500


def test_rights_come_back_after_an_error(
    settled: RootRights, kernel: Remembering
) -> None:
    with pytest.raises(KeyError), settled.as_owner(ANN):
        raise KeyError
    assert kernel.now()[0] == 500


def test_what_the_kernel_refuses_is_not_worked_with() -> None:
    kernel = Remembering(refused=1001)
    settled = RootRights(OURS, kernel)
    settled.become(OURS)
    with pytest.raises(AccessDenied), settled.as_owner(ANN):
        raise AssertionError("worked with the wrong rights")
    with settled.as_owner(BOB):
        assert kernel.now()[0] == 1002
    assert kernel.now()[0] == 500


def test_a_new_thread_has_the_default_rights(
    settled: RootRights, kernel: Remembering
) -> None:
    found: list[object] = []

    def job() -> None:
        with settled.as_owner(ANN):
            found.append(kernel.now())
        found.append(kernel.now())

    with settled.as_owner(BOB):
        thread = threading.Thread(target=job)
        thread.start()
        thread.join()
        assert kernel.now()[0] == 1002
    assert found == [(1001, 100, (8,)), (500, 500, ())]


def test_before_the_ports_are_open_we_are_root(kernel: Remembering) -> None:
    made = RootRights(OURS, kernel)
    with made.as_root():
        assert kernel.now()[0] == 0
    assert kernel.now()[0] == 0


def test_at_the_end_we_are_root_again(settled: RootRights, kernel: Remembering) -> None:
    settled.unsettle()
    assert kernel.now() == ROOT


def test_files_we_make_belong_to_whom_they_are_for(settled: RootRights) -> None:
    assert settled.owner_of(None) == (500, 500)
    assert settled.owner_of(ANN) == (1001, 100)


def test_not_root_all_is_touched_as_ourselves() -> None:
    own = OwnRights(500)
    with own.as_owner(ANN), own.as_owner(VIRTUAL), own.as_root():
        own.settle()
    own.unsettle()
    assert own.owner_of(ANN) is None


def test_rights_fit_who_we_are() -> None:
    name = "root"
    assert isinstance(rights(name, 500), OwnRights)
    assert isinstance(rights(name, 0), RootRights)


def test_an_account_that_is_not_there_is_a_problem() -> None:
    with pytest.raises(ConfigurationError, match="no account"):
        account_identity("no-such-account-here")
    with pytest.raises(ConfigurationError, match="no account"):
        account_identity("3999999999")


def test_the_identity_of_an_account_is_the_systems() -> None:
    assert account_identity("root").uid == 0
    assert account_identity("0").gid == 0


def test_directories_are_made_once_with_their_mode(tmp_path: Path) -> None:
    own = OwnRights(os.geteuid())
    made = tmp_path / "a/b"
    make_directory(str(made), own)
    make_directory(str(made), own, 0o777)
    assert made.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o711
