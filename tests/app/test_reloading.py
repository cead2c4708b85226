"""What differs between two configurations."""

import pytest

from maildrop.app.config import parse
from maildrop.app.reloading import changed_keys


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("", []),
        ('hostname = "other.example.org"', ["hostname", "mail.domains"]),
        ("[limits]\nerrors = 7", ["limits.errors"]),
        ('[mail.special_use]\nsent = "Out"', ["mail.special_use.sent"]),
        ('[log]\nformat = "json"\nlevel = "debug"', []),
        ('[[listen]]\nprotocol = "imap"\nendpoint = "tcp:1"', ["listen"]),
    ],
)
def test_keys_that_need_a_restart_are_named(text: str, changed: list[str]) -> None:
    before = parse("", "/x/maildrop.toml").configuration
    now = parse(text, "/x/maildrop.toml").configuration
    assert changed_keys(before, now) == changed
