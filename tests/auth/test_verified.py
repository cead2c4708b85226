"""Credentials found right a short while ago."""

from dataclasses import replace

from maildrop.auth.users import User
from maildrop.auth.verified import Verified
from maildrop.mailbox.account import Account

BOB = User(Account("bob", "/home/bob", "memory:"), "{PLAIN}x")
KEY = b"k" * 32


def test_what_was_right_is_known_for_its_time() -> None:
    verified = Verified(KEY, 300)
    assert not verified.knows(BOB, "x", 0.0)
    verified.remember(BOB, "x", 0.0)
    assert verified.knows(BOB, "x", 299.9)
    assert not verified.knows(BOB, "y", 299.9)
    assert not verified.knows(BOB, "x", 300.0)


def test_another_password_field_makes_it_unknown() -> None:
    verified = Verified(KEY)
    verified.remember(BOB, "x", 0.0)
    assert not verified.knows(replace(BOB, password="{PLAIN}y"), "x", 0.0)
    assert verified.knows(BOB, "x", 0.0)


def test_a_failure_makes_it_unknown() -> None:
    verified = Verified(KEY)
    verified.remember(BOB, "x", 0.0)
    verified.forget(BOB)
    assert not verified.knows(BOB, "x", 0.0)


def test_nothing_is_remembered_for_no_time() -> None:
    verified = Verified(KEY, 0)
    verified.remember(BOB, "x", 0.0)
    assert not verified.knows(BOB, "x", 0.0)


def test_users_remembered_are_bounded() -> None:
    verified = Verified(KEY, users=2)
    people = [User(Account(name, "/", "memory:"), "{PLAIN}x") for name in "abc"]
    for user in people:
        verified.remember(user, "x", 0.0)
    assert [verified.knows(user, "x", 0.0) for user in people] == [False, True, True]
