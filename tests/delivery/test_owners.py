"""Owners: whose rights a file of the administrator gives."""

import os
import pwd

from maildrop.delivery.owners import Owners
from maildrop.delivery.watched import Owner
from maildrop.mailbox.account import Account

DEFAULT = Account("nobody", "/", "", 65534, 65534)


def entry(uid: int) -> pwd.struct_passwd:
    if uid != 70001:
        raise KeyError(uid)
    found = pwd.getpwuid(os.geteuid())
    return pwd.struct_passwd((found.pw_name, "x", uid, 70002, "", "/home/list", ""))


def test_roots_files_have_the_default_users() -> None:
    owners = Owners(DEFAULT, entry=entry)
    assert owners.of(Owner(0, 0, writable=False)) is DEFAULT


def test_others_have_their_owners() -> None:
    found = Owners(DEFAULT, 70001, entry=entry).of(Owner(70001, 5, writable=False))
    assert (found.uid, found.gid, found.home, found.location) == (
        70001,
        70002,
        "/home/list",
        "",
    )
    assert found.groups == ()


def test_with_the_groups_the_system_knows() -> None:
    found = Owners(DEFAULT, entry=entry).of(Owner(70001, 5, writable=False))
    name = pwd.getpwuid(os.geteuid()).pw_name
    assert set(found.groups) == {*os.getgrouplist(name, 70002)} - {70002}


def test_who_is_not_known_has_the_group_of_the_file() -> None:
    found = Owners(DEFAULT, entry=entry).of(Owner(70003, 5, writable=False))
    assert found == Account("uid 70003", "/", "", 70003, 5)
