"""SEARCH and UID SEARCH (RFC 3501 section 6.4.4)."""

import pytest

from tests.imap.conftest import MESSAGE, Client, Served


@pytest.fixture
def client(imap: Served) -> Client:
    """A client in a mailbox with three messages, none recent."""
    imap.fill(MESSAGE, MESSAGE, MESSAGE)
    imap.mailbox().claim_recent()
    return imap.selected()


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
