"""CREATE, DELETE, RENAME, SUBSCRIBE and what LIST and LSUB then show."""

from dataclasses import replace

import pytest

from maildrop.mailbox.names import Namespace
from tests.imap.conftest import MESSAGE, Client, Served


@pytest.fixture
def client(imap: Served) -> Client:
    """A client of an account without special mailboxes."""
    imap.site = replace(imap.site, special_use=())
    return imap.login()


def names(client: Client, line: bytes) -> list[bytes]:
    """What LIST or LSUB shows: attributes and name."""
    *untagged, tagged = client.say(b"a " + line)
    assert tagged.startswith(b"a OK"), tagged
    shown = [item.split(b" ", 2)[2] for item in untagged]
    return [item.replace(b' "/"', b"") for item in shown]


# -- making and removing


def test_create_makes_the_levels_above(client: Client) -> None:
    """RFC 3501 section 6.3.3."""
    assert client.say(b"a CREATE work/2026/mail") == [b"a OK Create completed"]
    assert names(client, b'LIST "" work*') == [
        b"(\\Noselect \\HasChildren) work",
        b"(\\Noselect \\HasChildren) work/2026",
        b"(\\HasNoChildren) work/2026/mail",
    ]


def test_a_separator_at_the_end_is_no_part_of_the_name(client: Client) -> None:
    client.say(b"a CREATE folder/")
    assert names(client, b'LIST "" f*') == [b"(\\HasNoChildren) folder"]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (b"INBOX", b"ALREADYEXISTS"),
        (b"inbox", b"ALREADYEXISTS"),
        (b"there", b"ALREADYEXISTS"),
        (b"../x", b"CANNOT"),
        (b"x/..", b"CANNOT"),
        (b"/x", b"CANNOT"),
        (b"x//y", b"CANNOT"),
        (b"x//", b"CANNOT"),
        (b"~root", b"CANNOT"),
        (b'""', b"CANNOT"),
        (b"/", b"CANNOT"),
        (b'"x&AAA-y"', b"CANNOT"),
        (b'"x\x7f"', b"CANNOT"),
        (b"x" * 256, b"CANNOT"),
        (b"x/" * 501 + b"x", b"CANNOT"),
    ],
)
def test_names_that_cannot_be_made(client: Client, name: bytes, code: bytes) -> None:
    client.say(b"a CREATE there")
    (answer,) = client.say(b"b CREATE " + name)
    assert answer.startswith(b"b NO [%b] " % code)


def test_names_beyond_ascii_come_back_as_they_were(client: Client) -> None:
    client.say(b"a CREATE Entw&APw-rfe")
    assert names(client, b'LIST "" E*') == [b"(\\HasNoChildren) Entw&APw-rfe"]


def test_create_with_a_use(client: Client) -> None:
    """RFC 6154 section 3."""
    client.say(b"a CREATE Bin (USE (\\trash))")
    assert names(client, b'LIST "" B*') == [b"(\\HasNoChildren \\Trash) Bin"]
    assert names(client, b'LIST (SPECIAL-USE) "" *') == [
        b"(\\HasNoChildren \\Trash) Bin"
    ]
    (answer,) = client.say(b"b CREATE Virtual (USE (\\All))")
    assert answer == b"b NO [USEATTR] That use is not known"
    assert names(client, b'LIST "" V*') == []


@pytest.mark.parametrize(
    ("name", "code"),
    [(b"INBOX", b"CANNOT"), (b"nothing", b"NONEXISTENT"), (b"level", b"CANNOT")],
)
def test_what_cannot_be_deleted(client: Client, name: bytes, code: bytes) -> None:
    """RFC 3501 section 6.3.4."""
    client.say(b"a CREATE level/below", b"b SELECT INBOX")
    (answer,) = client.say(b"c DELETE " + name)
    assert answer.startswith(b"c NO [%b] " % code)
    assert client.say(b"d CHECK") == [b"d OK Check completed"]


def test_a_mailbox_with_children_stays_as_a_level(client: Client) -> None:
    client.say(b"a CREATE top", b"b CREATE top/below", b"c DELETE top")
    assert names(client, b'LIST "" top*') == [
        b"(\\Noselect \\HasChildren) top",
        b"(\\HasNoChildren) top/below",
    ]


def test_rename_takes_the_children_along(client: Client) -> None:
    """RFC 3501 section 6.3.5."""
    client.say(b"a CREATE old", b"b CREATE old/below", b"c RENAME old new/name")
    assert names(client, b'LIST "" *e*') == [
        b"(\\Noselect \\HasChildren) new",
        b"(\\HasChildren) new/name",
        b"(\\HasNoChildren) new/name/below",
    ]


def test_renaming_inbox_moves_its_messages(imap: Served) -> None:
    imap.fill(MESSAGE, MESSAGE)
    client = imap.selected()
    assert client.say(b"a RENAME inbox old-mail") == [
        b"* 2 EXPUNGE",
        b"* 1 EXPUNGE",
        b"a OK Rename completed",
    ]
    assert len(imap.mailbox("old-mail").table) == 2


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"RENAME nothing new", b"NONEXISTENT"),
        (b"RENAME there INBOX", b"ALREADYEXISTS"),
        (b"RENAME there there/below", b"CANNOT"),
        (b"RENAME there ../x", b"CANNOT"),
    ],
)
def test_renames_that_fail(client: Client, line: bytes, code: bytes) -> None:
    client.say(b"a CREATE there")
    (answer,) = client.say(b"b " + line)
    assert answer.startswith(b"b NO [%b] " % code)


# -- LIST


def test_an_empty_pattern_asks_for_the_separator(client: Client) -> None:
    """RFC 3501 section 6.3.8."""
    for line in (b'LIST "" ""', b'LIST "any/thing" ""'):
        assert client.say(b"a " + line) == [
            b'* LIST (\\Noselect) "/" ""',
            b"a OK List completed",
        ]
    assert client.say(b'a LSUB "" ""')[0] == b'* LSUB (\\Noselect) "/" ""'


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (b'"" %', [b"INBOX", b"a"]),
        (b'"" *', [b"INBOX", b"a", b"a/b", b"a/b/c"]),
        (b'"" inbox', [b"INBOX"]),
        (b'"" iN%', [b"INBOX"]),
        (b'"" a/%', [b"a/b"]),
        (b"a/ %", [b"a/b"]),
        (b"a/ *", [b"a/b", b"a/b/c"]),
        (b'"" */c', [b"a/b/c"]),
        (b'"" %/%', [b"a/b"]),
        (b'"" A', []),
        (b'"" x*', []),
    ],
)
def test_patterns(client: Client, arguments: bytes, shown: list[bytes]) -> None:
    client.say(b"a CREATE a", b"b CREATE a/b", b"c CREATE a/b/c")
    said = names(client, b"LIST " + arguments)
    assert [name.rpartition(b" ")[2] for name in said] == shown


def test_a_pattern_that_is_too_long_is_over_a_limit(client: Client) -> None:
    (answer,) = client.say(b'a LIST "" ' + b"%x" * 600)
    assert answer == b"a BAD Over a limit of this server"


# -- subscriptions


def test_subscriptions_need_no_mailbox(client: Client) -> None:
    """RFC 3501 section 6.3.6."""
    client.say(b"a SUBSCRIBE INBOX", b"b SUBSCRIBE gone", b"c SUBSCRIBE gone")
    assert names(client, b'LSUB "" *') == [
        b"(\\HasNoChildren) INBOX",
        b"(\\Noselect \\HasNoChildren) gone",
    ]
    client.say(b"d UNSUBSCRIBE gone")
    assert names(client, b'LSUB "" *') == [b"(\\HasNoChildren) INBOX"]
    (answer,) = client.say(b"e SUBSCRIBE ../x")
    assert answer.startswith(b"e NO [CANNOT]")


def test_lsub_shows_levels_above_subscribed_names_for_percent(client: Client) -> None:
    """RFC 3501 section 6.3.9."""
    client.say(b"a CREATE top", b"b CREATE top/below", b"c SUBSCRIBE top/below")
    assert names(client, b'LSUB "" %') == [b"(\\Noselect \\HasChildren) top"]
    assert names(client, b'LSUB "" *') == [b"(\\HasNoChildren) top/below"]


def test_extended_list_chooses_subscribed_names(client: Client) -> None:
    """RFC 5258 section 3.1."""
    client.say(b"a CREATE a", b"b CREATE a/b", b"c SUBSCRIBE a/b", b"d SUBSCRIBE gone")
    assert names(client, b'LIST (SUBSCRIBED) "" *') == [
        b"(\\HasNoChildren \\Subscribed) a/b",
        b"(\\NonExistent \\HasNoChildren \\Subscribed) gone",
    ]
    assert names(client, b'LIST "" (% a/%) RETURN (SUBSCRIBED)') == [
        b"(\\HasNoChildren) INBOX",
        b"(\\HasChildren) a",
        b"(\\HasNoChildren \\Subscribed) a/b",
    ]


def test_recursive_match_tells_of_those_below(client: Client) -> None:
    """RFC 5258 section 4."""
    client.say(b"a CREATE a", b"b CREATE a/b", b"c SUBSCRIBE a/b")
    assert names(client, b'LIST (SUBSCRIBED RECURSIVEMATCH) "" %') == [
        b'(\\HasChildren) a ("CHILDINFO" ("SUBSCRIBED"))'
    ]


# -- another namespace


def test_another_separator_and_prefix(imap: Served) -> None:
    """RFC 2342."""
    namespace = Namespace(prefix="INBOX.", separator=".")
    imap.site = replace(imap.site, special_use=(), namespace=namespace)
    client = imap.login()
    assert client.say(b"a NAMESPACE")[0] == b'* NAMESPACE (("INBOX." ".")) NIL NIL'
    client.say(b"b CREATE INBOX.work.mail", b"c CREATE INBOX.a/b")
    assert client.say(b'd LIST "" *') == [
        b'* LIST (\\HasNoChildren) "." INBOX',
        b'* LIST (\\HasNoChildren) "." INBOX.a/b',
        b'* LIST (\\Noselect \\HasChildren) "." INBOX.work',
        b'* LIST (\\HasNoChildren) "." INBOX.work.mail',
        b"d OK List completed",
    ]
    assert imap.mailbox("work/mail").name == "work/mail"
    assert imap.mailbox("a.b").name == "a.b"
    (answer,) = client.say(b"e SELECT outside")
    assert answer.startswith(b"e NO [NONEXISTENT]")
