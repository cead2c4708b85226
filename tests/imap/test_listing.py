"""Patterns of LIST (RFC 3501 section 6.3.8)."""

import pytest
from hypothesis import given, strategies as st

from maildrop.imap.listing import Listed, Pattern, attributes, mailboxes
from maildrop.mailbox.interfaces import MailboxEntry


def slowly(pattern: str, name: str) -> bool:
    """The same by trying every possibility."""
    if not pattern:
        return not name
    if pattern[0] in "*%":
        if slowly(pattern[1:], name):
            return True
        blocked = not name or (pattern[0] == "%" and name[0] == "/")
        return not blocked and slowly(pattern, name[1:])
    return name[:1] == pattern[0] and slowly(pattern[1:], name[1:])


@given(st.text("ab/*%", max_size=7), st.text("ab/", max_size=7))
def test_matches_are_those_found_by_trying_everything(pattern: str, name: str) -> None:
    assert Pattern(pattern, "/").matches(name) == slowly(pattern, name)


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*", "", True),
        ("%", "a", True),
        ("%", "a/b", False),
        ("%/%", "a/b", True),
        ("a%c", "abbc", True),
        ("%%%", "abc", True),
        ("%*%", "a/b/c", True),
        ("a*", "b", False),
        ("inbox", "INBOX", True),
        ("iNb%", "INBOX", True),
        ("inbox/a", "INBOX/a", True),
        ("inbox/a", "INBOX/A", False),
        ("a/inbox", "a/INBOX", False),
        ("ü%", "üx", True),
    ],
)
def test_patterns(pattern: str, name: str, matches: bool) -> None:
    assert Pattern(pattern, "/").matches(name) is matches


@pytest.mark.parametrize("wildcard", ["*", "%"])
def test_hostile_patterns_end_soon(wildcard: str) -> None:
    pattern = Pattern(f"{wildcard}a" * 250 + wildcard + "b", "/")
    assert not pattern.matches("a" * 1000)
    assert pattern.matches("a" * 999 + "b")


def test_another_separator_bounds_percent() -> None:
    assert Pattern("%", ".").matches("a/b")
    assert not Pattern("%", ".").matches("a.b")


def test_subscribed_names_need_not_exist_and_mark_the_levels_above() -> None:
    known = mailboxes([MailboxEntry("a", children=True)], ["a/b/c", "z"])
    assert list(known) == ["a", "a/b", "a/b/c", "z"]
    assert [(it.exists, it.subscribed, it.below) for it in known.values()] == [
        (True, False, True),
        (False, False, True),
        (False, True, False),
        (False, True, False),
    ]


@pytest.mark.parametrize(
    ("listed", "extended", "said"),
    [
        (Listed("a"), False, b"\\HasNoChildren"),
        (Listed("a", children=True), False, b"\\HasChildren"),
        (Listed("a", selectable=False), False, b"\\Noselect \\HasNoChildren"),
        (Listed("a", exists=False), True, b"\\NonExistent \\HasNoChildren"),
        (Listed("a", exists=False), False, b"\\Noselect \\HasNoChildren"),
        (
            Listed("a", special_use=("\\Sent",), subscribed=True),
            True,
            b"\\HasNoChildren \\Sent \\Subscribed",
        ),
    ],
)
def test_attributes(listed: Listed, extended: bool, said: bytes) -> None:
    found = attributes(listed, extended=extended, subscribed=True)
    assert b" ".join(found) == said
