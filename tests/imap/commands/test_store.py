"""STORE, EXPUNGE, SEARCH as a session sees them (RFC 3501 section 6.4)."""

import pytest

from tests.imap.conftest import MESSAGE, Client, Served


@pytest.fixture
def client(imap: Served) -> Client:
    """A client in a mailbox with three messages, none recent."""
    imap.fill(MESSAGE, MESSAGE, MESSAGE)
    imap.mailbox().claim_recent()
    return imap.selected()


@pytest.mark.parametrize(
    ("steps", "flags"),
    [
        ([b"FLAGS (\\Seen)"], b"\\Seen"),
        ([b"FLAGS \\Seen"], b"\\Seen"),
        ([b"FLAGS (\\Seen)", b"FLAGS (\\Draft)"], b"\\Draft"),
        ([b"FLAGS (\\Seen)", b"+FLAGS (\\Draft)"], b"\\Seen \\Draft"),
        ([b"FLAGS (\\Seen \\Draft)", b"-FLAGS (\\Draft)"], b"\\Seen"),
        ([b"FLAGS (\\Seen k)", b"FLAGS ()"], b""),
        ([b"FLAGS (k)", b"+FLAGS (K \\Flagged)"], b"\\Flagged k"),
        ([b"+FLAGS (a b)", b"-FLAGS (a unknown)"], b"b"),
    ],
)
def test_flags_after_stores(client: Client, steps: list[bytes], flags: bytes) -> None:
    """RFC 3501 section 6.4.6."""
    for step in steps:
        said = client.say(b"a STORE 2 " + step)
    assert said[-2:] == [b"* 2 FETCH (FLAGS (%b))" % flags, b"a OK Store completed"]
    assert client.say(b"b FETCH 2 FLAGS")[0] == said[-2]


def test_uid_store_tells_the_uid(client: Client) -> None:
    assert client.say(b"a UID STORE 2:3 +FLAGS (\\Seen)") == [
        b"* 2 FETCH (UID 2 FLAGS (\\Seen))",
        b"* 3 FETCH (UID 3 FLAGS (\\Seen))",
        b"a OK Store completed",
    ]
    assert client.say(b"b UID STORE 9 +FLAGS (\\Seen)") == [b"b OK Store completed"]


def test_what_is_the_same_already_is_answered_too(client: Client) -> None:
    client.say(b"a STORE 1 +FLAGS (\\Seen)")
    assert client.say(b"b STORE 1:2 +FLAGS (\\Seen)")[:-1] == [
        b"* 1 FETCH (FLAGS (\\Seen))",
        b"* 2 FETCH (FLAGS (\\Seen))",
    ]


def test_store_on_expunged_messages(imap: Served, client: Client) -> None:
    """RFC 2180 section 4.2."""
    imap.mailbox().expunge([2], None)
    assert client.say(b"a STORE 1:2 +FLAGS (\\Seen)") == [
        b"* 1 FETCH (FLAGS (\\Seen))",
        b"a NO [EXPUNGEISSUED] Some of the messages no longer exist",
    ]
    assert client.say(b"b STORE 1:2 -FLAGS.SILENT (\\Seen)") == [
        b"b OK Store completed"
    ]
    assert client.say(b"c STORE 4 +FLAGS (\\Seen)") == [
        b"c BAD There are not that many messages"
    ]


# -- EXPUNGE


def test_expunge_tells_numbers_as_they_are_after_each(client: Client) -> None:
    """RFC 3501 section 6.4.3."""
    client.say(b"a STORE 1,3 +FLAGS.SILENT (\\Deleted)")
    assert client.say(b"b EXPUNGE") == [
        b"* 3 EXPUNGE",
        b"* 1 EXPUNGE",
        b"b OK Expunge completed",
    ]
    assert client.say(b"c FETCH 1:* (UID)")[:-1] == [b"* 1 FETCH (UID 2)"]
    assert client.say(b"d EXPUNGE") == [b"d OK Expunge completed"]


def test_uid_expunge_removes_only_what_is_deleted_and_named(client: Client) -> None:
    """RFC 4315 section 2.1."""
    client.say(b"a STORE 1:2 +FLAGS.SILENT (\\Deleted)")
    assert client.say(b"b UID EXPUNGE 2:3") == [
        b"* 2 EXPUNGE",
        b"b OK Expunge completed",
    ]


def test_messages_that_were_not_told_of_are_not_removed(
    imap: Served, client: Client
) -> None:
    other = imap.selected()
    other.say(b"a APPEND INBOX (\\Deleted) {1+}", b"x")
    client.say(b"b STORE 1 +FLAGS.SILENT (\\Deleted)", b"c NOOP")
    late = imap.selected()
    other.say(b"d APPEND INBOX (\\Deleted) {1+}", b"x")
    said = late.say(b"e EXPUNGE")
    assert said[:3] == [b"* 4 EXPUNGE", b"* 1 EXPUNGE", b"* 3 EXISTS"]
    assert list(imap.mailbox().table.uids) == [2, 3, 5]


# -- SEARCH


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        (b"ALL", b" 1 2 3"),
        (b"SEEN", b" 2"),
        (b"NOT SEEN", b" 1 3"),
        (b"UNSEEN SUBJECT one", b" 1 3"),
        (b"SUBJECT subject", b""),
        (b"OR SEEN 3", b" 2 3"),
        (b"2:*", b" 2 3"),
        (b"UID 1,3:9", b" 1 3"),
        (b"KEYWORD k", b" 3"),
        (b"TEXT HELLO BODY ell", b" 1 2 3"),
        (b"CHARSET UTF-8 SUBJECT {3+}\r\none", b" 1 2 3"),
        (b"SINCE 1-Jan-2027", b""),
        (b"FROM a@example.org LARGER 10", b" 1 2 3"),
        (b"RECENT", b""),
    ],
)
def test_search(client: Client, asked: bytes, numbers: bytes) -> None:
    """RFC 3501 section 6.4.4."""
    client.say(b"a STORE 2 +FLAGS.SILENT (\\Seen)", b"b STORE 3 +FLAGS.SILENT (k)")
    for command in (b"SEARCH ", b"UID SEARCH "):
        assert client.say(b"c " + command + asked) == [
            b"* SEARCH" + numbers,
            b"c OK Search completed",
        ]


def test_search_tells_numbers_and_uid_search_uids(client: Client) -> None:
    client.say(b"a STORE 1 +FLAGS (\\Deleted)", b"b EXPUNGE")
    assert client.say(b"c SEARCH ALL")[0] == b"* SEARCH 1 2"
    assert client.say(b"d UID SEARCH ALL")[0] == b"* SEARCH 2 3"


def test_search_in_few_of_many(imap: Served) -> None:
    imap.fill(*[MESSAGE] * 100)
    client = imap.selected()
    client.say(b"a STORE 1 +FLAGS (\\Deleted)", b"b EXPUNGE")
    client.say(b"c STORE 50 +FLAGS (\\Seen)")
    assert client.say(b"d SEARCH SEEN")[0] == b"* SEARCH 50"
    assert client.say(b"e UID SEARCH SEEN")[0] == b"* SEARCH 51"


def test_search_in_an_empty_mailbox(imap: Served) -> None:
    client = imap.selected()
    for asked in (b"ALL", b"TEXT x", b"UID *", b"NOT SEEN"):
        assert client.say(b"a SEARCH " + asked)[0] == b"* SEARCH"
