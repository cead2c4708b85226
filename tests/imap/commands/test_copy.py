"""COPY and MOVE (RFC 3501 section 6.4.7, RFC 6851)."""

import pytest

from maildrop.errors import OverQuota
from tests.imap.conftest import MESSAGE, Client, Served

TRY_CREATE = b"a NO [TRYCREATE] No such mailbox"


@pytest.fixture
def client(imap: Served) -> Client:
    """A client in a mailbox with three messages, none recent."""
    imap.fill(MESSAGE, MESSAGE, MESSAGE)
    imap.mailbox().claim_recent()
    client = imap.selected()
    client.say(b"a STORE 2 FLAGS.SILENT (\\Flagged k)", b"b CREATE box")
    return client


def validity(imap: Served, name: str = "box") -> int:
    return imap.mailbox(name).table.uid_validity


def test_copies_have_flags_keywords_and_date(imap: Served, client: Client) -> None:
    answer = client.say(b"a COPY 2:3 box")
    code = b"[COPYUID %d 2:3 1:2]" % validity(imap)
    assert answer == [b"a OK %b Copy completed" % code]
    client.say(b"b EXAMINE box")
    assert client.say(b"c FETCH 1 (FLAGS INTERNALDATE)")[0] == (
        b"* 1 FETCH (FLAGS (\\Flagged \\Recent k) INTERNALDATE"
        b' "21-Sep-2026 14:13:20 +0000")'
    )


def test_a_move_tells_copyuid_then_expunge(imap: Served, client: Client) -> None:
    """RFC 6851 section 4.3."""
    code = b"[COPYUID %d 1,3 1:2]" % validity(imap)
    assert client.say(b"a MOVE 1,3 box") == [
        b"* OK %b Moved" % code,
        b"* 3 EXPUNGE",
        b"* 1 EXPUNGE",
        b"a OK Move completed",
    ]
    assert list(imap.mailbox().table.uids) == [2]
    assert len(imap.mailbox("box").table) == 2


def test_by_uid(imap: Served, client: Client) -> None:
    client.say(b"a STORE 1 +FLAGS.SILENT (\\Deleted)", b"b EXPUNGE")
    code = b"[COPYUID %d 2 1]" % validity(imap)
    assert client.say(b"c UID COPY 1:2 box") == [b"c OK %b Copy completed" % code]
    code = b"[COPYUID %d 3 2]" % validity(imap)
    assert client.say(b"d UID MOVE 3 box")[0] == b"* OK %b Moved" % code


def test_into_the_same_mailbox(imap: Served, client: Client) -> None:
    code = b"[COPYUID %d 1 4]" % validity(imap, "INBOX")
    assert client.say(b"a MOVE 1 INBOX") == [
        b"* OK %b Moved" % code,
        b"* 1 EXPUNGE",
        b"* 3 EXISTS",
        b"* 1 RECENT",
        b"a OK Move completed",
    ]


@pytest.mark.parametrize("name", [b"COPY", b"MOVE", b"UID COPY", b"UID MOVE"])
def test_a_missing_target_may_be_created(client: Client, name: bytes) -> None:
    """RFC 3501 section 6.4.7."""
    assert client.say(b"a %b 1 missing" % name) == [TRY_CREATE]
    client.say(b"b CREATE level/below")
    assert client.say(b"a %b 1 level" % name) == [TRY_CREATE]
    (answer,) = client.say(b"a %b 1 ../x" % name)
    assert answer.startswith(b"a NO [CANNOT]")


@pytest.mark.parametrize(("name", "done"), [(b"COPY", b"copy"), (b"MOVE", b"move")])
def test_messages_that_are_not_there(
    imap: Served, client: Client, name: bytes, done: bytes
) -> None:
    assert client.say(b"a %b 9 box" % name)[0].startswith(b"a BAD")
    assert client.say(b"a UID %b 9 box" % name) == [b"a OK No messages to " + done]
    imap.mailbox().expunge([1], None)
    said = client.say(b"b %b 1 box" % name)
    assert said[-1] == b"b NO [EXPUNGEISSUED] Some of the messages no longer exist"
    said = client.say(b"c UID %b 1 box" % name)
    assert said[-1].startswith(b"c OK")
    assert len(imap.mailbox("box").table) == 0


def test_nothing_is_copied_over_quota(
    imap: Served, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OverQuota("box")

    monkeypatch.setattr(imap.mailbox(), "copy", full)
    assert client.say(b"a COPY 1 box") == [b"a NO [OVERQUOTA] Over quota"]
