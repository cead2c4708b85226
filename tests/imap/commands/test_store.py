"""STORE and UID STORE (RFC 3501 section 6.4.6)."""

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
