"""What two servers say of the same mail, and where they differ."""

from array import array
from collections.abc import Iterable
from dataclasses import replace

import pytest

from maildrop.migration import comparing
from maildrop.migration.comparing import Difference
from maildrop.migration.facts import Listed, Maildrop, Numbers, Row
from maildrop.migration.responses import Value

ROW = Row(7, ("$Label1", "\\Seen"), 1_000_000_000, 300, 50)
NUMBERS = Numbers(1, 8, 3, 50, frozenset({"\\seen", "\\*"}))


def listed(name: str, *attributes: str) -> Listed:
    return Listed(name.encode(), name, frozenset(attributes))


def whats(found: Iterable[Difference]) -> list[str]:
    return [difference.what for difference in found]


def test_a_difference_is_one_line() -> None:
    found = Difference("FLAGS", "(\\Seen)", "", "INBOX", 7)
    assert str(found) == "imap INBOX uid 7: FLAGS: old (\\Seen), new nothing"


def test_mailboxes_are_compared_by_name_kind_and_use() -> None:
    old = [
        listed("INBOX"),
        listed("gone"),
        listed("level", "\\noselect"),
        listed("s", "\\sent", "\\hasnochildren"),
        listed("same", "\\trash", "\\marked"),
    ]
    new = [
        listed("INBOX", "\\unmarked"),
        listed("level"),
        listed("more"),
        listed("s"),
        listed("same", "\\trash"),
    ]
    found, pairs = comparing.account(old, new)
    assert [(it.mailbox, it.what, it.old, it.new) for it in found] == [
        ("gone", "mailbox", "a mailbox", ""),
        ("level", "mailbox", "a name without messages", "a mailbox"),
        ("more", "mailbox", "", "a mailbox"),
        ("s", "special use", "\\sent", ""),
    ]
    assert [old.name for old, _ in pairs] == ["INBOX", "s", "same"]


def test_subscriptions_are_sets() -> None:
    found = list(comparing.subscriptions(["a", "b", "c"], ["c", "b", "d"]))
    assert [(it.mailbox, it.old, it.new) for it in found] == [
        ("a", "subscribed", ""),
        ("d", "", "subscribed"),
    ]


def test_prefix_and_delimiter_are_told_once() -> None:
    """RFC 2342."""
    assert whats(comparing.namespaces(("INBOX.", "."), ("", "/"))) == [
        "NAMESPACE prefix",
        "hierarchy delimiter",
    ]
    assert not whats(comparing.namespaces(("", "/"), ("", "/")))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"uid_validity": 2}, ["UIDVALIDITY"]),
        ({"uid_next": 9}, ["UIDNEXT"]),
        ({"messages": 2}, ["messages"]),
        ({"highest_mod_seq": 49}, ["HIGHESTMODSEQ"]),
        ({"highest_mod_seq": 51}, []),
        ({"highest_mod_seq": None}, []),
        ({"permanent_flags": frozenset({"\\*"})}, ["PERMANENTFLAGS"]),
        ({"permanent_flags": frozenset({"\\seen"})}, ["PERMANENTFLAGS"]),
        ({"permanent_flags": frozenset({"\\seen", "\\*", "x"})}, []),
        ({"permanent_flags": frozenset()}, []),
    ],
)
def test_numbers_of_a_mailbox(change: dict[str, object], expected: list[str]) -> None:
    """RFC 3501 section 2.3.1.1, RFC 7162 section 3.1.2.1."""
    new = replace(NUMBERS, **change)  # type: ignore[arg-type]
    assert whats(comparing.numbers("INBOX", NUMBERS, new)) == expected


def test_keywords_that_were_listed_need_not_be_where_any_keyword_goes() -> None:
    old = replace(NUMBERS, permanent_flags=frozenset({"\\seen", "work", "\\*"}))
    assert not whats(comparing.numbers("INBOX", old, NUMBERS))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"flags": ("$LABEL1", "\\SEEN")}, []),
        ({"flags": ("\\Seen", "$label1")}, []),
        ({"flags": ("\\Seen",)}, ["FLAGS"]),
        ({"date": 1_000_000_001}, ["INTERNALDATE"]),
        ({"date": None}, ["INTERNALDATE"]),
        ({"size": 301}, ["RFC822.SIZE"]),
        ({"mod_seq": 49}, ["MODSEQ"]),
        ({"mod_seq": 51}, []),
        ({"mod_seq": None}, []),
    ],
)
def test_messages_of_one_uid(change: dict[str, object], expected: list[str]) -> None:
    new = replace(ROW, **change)  # type: ignore[arg-type]
    assert whats(comparing.rows("INBOX", ROW, new)) == expected


def test_a_date_is_shown_as_imap_writes_it() -> None:
    (found,) = comparing.rows("INBOX", ROW, replace(ROW, date=1_000_000_060))
    assert found.old == " 9-Sep-2001 01:46:40 +0000"


def test_messages_are_paired_by_uid() -> None:
    def rows(*uids: int) -> list[Row]:
        return [replace(ROW, uid=uid) for uid in uids]

    pairs = comparing.paired(iter(rows(1, 2, 5, 9)), iter(rows(2, 3, 5)))
    assert [(a and a.uid, b and b.uid) for a, b in pairs] == [
        (1, None),
        (2, 2),
        (None, 3),
        (5, 5),
        (9, None),
    ]
    assert whats(comparing.rows("INBOX", ROW, None)) == ["message"]
    assert whats(comparing.rows("INBOX", None, ROW)) == ["message"]
    assert not whats(comparing.rows("INBOX", None, None))


@pytest.mark.parametrize(
    ("item", "old", "new", "expected"),
    [
        (b"BODY[]", b"a", b"a", []),
        (b"BODY[]", b"a", b"b", ["octets"]),
        (b"BODY[]", b"a", None, ["octets"]),
        (b"ENVELOPE", [b"a", None], [b"a", None], []),
        (b"ENVELOPE", [b"a", None], [b"A", None], ["ENVELOPE"]),
        (b"BODYSTRUCTURE", [b"TEXT", [b"a"]], [b"text", [b"A"]], []),
        (b"BODYSTRUCTURE", [b"TEXT", None], [b"text", b"x"], ["BODYSTRUCTURE"]),
        (b"UID", b"1", b"2", []),
    ],
)
def test_contents_of_one_uid(
    item: bytes, old: Value, new: Value, expected: list[str]
) -> None:
    assert whats(comparing.contents("INBOX", 7, {item: old}, {item: new})) == expected


def test_a_long_value_is_cut_where_it_is_shown() -> None:
    envelope: Value = [b"x" * 1000]
    (found,) = comparing.contents(
        "INBOX", 7, {b"ENVELOPE": envelope}, {b"ENVELOPE": None}
    )
    assert len(found.old) < 300
    assert found.new == "NIL"


def maildrop(*messages: tuple[bytes, int]) -> Maildrop:
    sizes = array("Q", [size for _, size in messages])
    return Maildrop(len(sizes), sum(sizes), sizes, [uidl for uidl, _ in messages])


def test_maildrops_are_compared_by_unique_id() -> None:
    """RFC 1939 sections 5 and 7."""
    old = maildrop((b"a", 1), (b"b", 2), (b"c", 3))
    assert not whats(comparing.maildrops(old, old))
    gone = maildrop((b"b", 2), (b"c", 3))
    assert whats(comparing.maildrops(old, gone)) == ["STAT", "UIDL a"]
    more = maildrop((b"a", 1), (b"b", 2), (b"c", 3), (b"d", 0))
    assert whats(comparing.maildrops(old, more)) == ["STAT", "UIDL d"]
    size = maildrop((b"a", 1), (b"b", 5), (b"c", 3))
    assert whats(comparing.maildrops(old, size)) == ["STAT", "LIST of b"]
    order = maildrop((b"b", 2), (b"a", 1), (b"c", 3))
    assert whats(comparing.maildrops(old, order)) == [
        "order of UIDL a",
        "order of UIDL b",
    ]


def test_a_server_without_uidl_is_compared_by_number() -> None:
    old = replace(maildrop((b"a", 1), (b"b", 2)), uidls=None)
    assert whats(comparing.maildrops(old, maildrop((b"x", 1), (b"y", 3)))) == [
        "STAT",
        "LIST 2",
    ]
    with_ids = maildrop((b"a", 1))
    without = replace(with_ids, uidls=None)
    assert whats(comparing.maildrops(with_ids, without)) == ["UIDL"]
