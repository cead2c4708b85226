"""EXPUNGE and UID EXPUNGE (RFC 3501 section 6.4.3, RFC 4315)."""

import pytest

from tests.imap.conftest import MESSAGE, Client, Served


@pytest.fixture
def client(imap: Served) -> Client:
    """A client in a mailbox with three messages, none recent."""
    imap.fill(MESSAGE, MESSAGE, MESSAGE)
    imap.mailbox().claim_recent()
    return imap.selected()


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
