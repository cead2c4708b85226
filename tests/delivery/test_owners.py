"""Owners: whose rights a file of the administrator gives."""

import os
import pwd

import pytest

from maildrop.delivery.owners import Owners
from maildrop.mailbox.account import Account
from maildrop.mailbox.steps import finished

DEFAULT = Account("nobody", "/", "", 65534, 65534)


def entry(uid: int) -> pwd.struct_passwd:
    if uid != 70001:
        raise KeyError(uid)
    found = pwd.getpwuid(os.geteuid())
    return pwd.struct_passwd((found.pw_name, "x", uid, 70002, "", "/home/list", ""))


def test_roots_files_have_the_default_users() -> None:
    owners = Owners(DEFAULT, entry=entry)
    assert finished(owners.of(0, 0)) is DEFAULT


def test_others_have_their_owners() -> None:
    found = finished(Owners(DEFAULT, 70001, entry=entry).of(70001, 5))
    assert (found.uid, found.gid, found.home, found.location) == (
        70001,
        70002,
        "/home/list",
        "",
    )
    assert found.groups == ()


def test_with_the_groups_the_system_knows() -> None:
    found = finished(Owners(DEFAULT, entry=entry).of(70001, 5))
    name = pwd.getpwuid(os.geteuid()).pw_name
    assert set(found.groups) == {*os.getgrouplist(name, 70002)} - {70002}


def test_who_is_not_known_has_the_group_of_the_file() -> None:
    found = finished(Owners(DEFAULT, entry=entry).of(70003, 5))
    assert found == Account("uid 70003", "/", "", 70003, 5)


def test_the_system_is_asked_where_it_may_take_a_while_and_once_a_minute() -> None:
    """The name service may ask the network."""
    asked: list[int] = []
    now = [0.0]

    def counted(uid: int) -> pwd.struct_passwd:
        asked.append(uid)
        return entry(uid)

    owners = Owners(DEFAULT, entry=counted, now=lambda: now[0])
    search = owners.of(70001, 5)
    question = next(search)
    assert asked == []
    question()
    with pytest.raises(StopIteration):
        next(search)
    assert asked == [70001]
    finished(owners.of(70001, 5))
    assert asked == [70001]
    now[0] = 60.0
    finished(owners.of(70001, 5))
    assert asked == [70001, 70001]
