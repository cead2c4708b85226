"""The system's own users and groups."""

import os
import pwd

import pytest

from maildrop.auth import system
from maildrop.auth.system import System, groups_of


def test_groups_are_those_that_the_system_knows() -> None:
    for entry in pwd.getpwall():
        found = groups_of(entry.pw_name, entry.pw_gid)
        assert set(found) == set(os.getgrouplist(entry.pw_name, entry.pw_gid))


def test_many_groups_have_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "_GROUPS", 0)
    assert groups_of("root", 0)[0] == 0


def test_who_is_not_known_has_the_group_that_was_given() -> None:
    assert groups_of("no such account", 4711) == (4711,)
    assert System().groups(4_000_000_001, 5) == ()
