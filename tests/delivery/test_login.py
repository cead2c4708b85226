"""Accounts of this host, by number."""

import pwd

from maildrop.delivery.login import login_name


def test_an_account_has_a_name_or_a_number() -> None:
    assert login_name(0) == "root"
    used = {each.pw_uid for each in pwd.getpwall()}
    free = next(uid for uid in range(70_000, 80_000) if uid not in used)
    assert login_name(free) == str(free)
