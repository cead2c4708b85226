"""Names of mailboxes (RFC 3501 section 5.1, RFC 2342)."""

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import MailboxNameInvalid, MailboxNotFound
from maildrop.mailbox.names import LEVEL_MAX, NAME_MAX, Namespace, check

INVALID = [
    "",
    "/",
    "/etc/passwd",
    "a/",
    "a//b",
    ".",
    "..",
    "../x",
    "a/../b",
    "a/./b",
    "a/..",
    "~",
    "~root/x",
    "a\0b",
    "a\nb",
    "a\x7fb",
    "a\x85b",
    "a\u2028b",
    "\udc80",
    "x" * (LEVEL_MAX + 1),
    "a/" + "x" * (LEVEL_MAX + 1),
    "ä" * 128,
    "x/" * (NAME_MAX // 2) + "x",
]
VALID = [
    "INBOX",
    "a",
    "a/b/c",
    "...",
    ".hidden",
    "a~b",
    "Entwürfe",
    "a b",
    "50% off *",
    "x" * LEVEL_MAX,
    "x/" * (NAME_MAX // 2 - 1) + "xx",
]


@pytest.mark.parametrize("name", INVALID)
def test_names_that_no_mailbox_may_have(name: str) -> None:
    with pytest.raises(MailboxNameInvalid):
        check(name)
    with pytest.raises(MailboxNameInvalid):
        Namespace().name(name)


@pytest.mark.parametrize("name", VALID)
def test_names_that_a_mailbox_may_have(name: str) -> None:
    check(name)
    assert Namespace().name(name) == name
    assert Namespace().written(name) == name


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("inbox", "INBOX"),
        ("Inbox/Work", "INBOX/Work"),
        ("inboxes", "inboxes"),
        ("a/inbox", "a/inbox"),
    ],
)
def test_inbox_is_inbox_in_any_case(written: str, name: str) -> None:
    assert Namespace().name(written) == name


COURIER = Namespace(prefix="INBOX.", separator=".")


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("INBOX", "INBOX"),
        ("inbox", "INBOX"),
        ("INBOX.Sent", "Sent"),
        ("inbox.Sent.2026", "Sent/2026"),
        ("INBOX.a/b", "a.b"),
    ],
)
def test_prefix_and_separator(written: str, name: str) -> None:
    assert COURIER.name(written) == name
    assert COURIER.written(name).upper() == written.upper()


def test_names_outside_of_the_prefix_are_not_found() -> None:
    with pytest.raises(MailboxNotFound):
        COURIER.name("Sent")


@pytest.mark.parametrize("written", ["INBOX...", "INBOX.//", "INBOX.a..b", "INBOX."])
def test_a_separator_hides_no_invalid_name(written: str) -> None:
    with pytest.raises(MailboxNameInvalid):
        COURIER.name(written)


@given(st.text(max_size=40))
def test_whatever_is_written_has_one_name_and_comes_back(written: str) -> None:
    for namespace in (Namespace(), Namespace(separator="."), COURIER):
        try:
            name = namespace.name(written)
        except (MailboxNameInvalid, MailboxNotFound):
            continue
        check(name)
        assert namespace.name(namespace.written(name)) == name


def test_prefix_and_separator_may_be_one_text() -> None:
    assert Namespace.of("INBOX.") == Namespace("INBOX.", ".")
    assert Namespace.of(".") == Namespace("", ".")
    assert Namespace.of("/") == Namespace()
