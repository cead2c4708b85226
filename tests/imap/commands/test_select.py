"""SELECT, EXAMINE, CLOSE, UNSELECT, STATUS (RFC 3501 sections 6.3 and 6.4)."""

import pytest

from tests.imap.conftest import MESSAGE, Served


def test_what_is_told_of_a_mailbox(imap: Served) -> None:
    """RFC 3501 section 6.3.1."""
    imap.fill(MESSAGE, MESSAGE, MESSAGE)
    imap.selected().say(b"a STORE 1 +FLAGS.SILENT (\\Seen $Label)")
    assert imap.login().say(b"a SELECT inbox") == [
        b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Label)",
        b"* 3 EXISTS",
        b"* 0 RECENT",
        b"* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Label"
        b" \\*)] Flags that can be changed",
        b"* OK [UNSEEN 2] First unseen",
        b"* OK [UIDVALIDITY 1790000000] UIDs valid",
        b"* OK [UIDNEXT 4] Predicted next UID",
        b"a OK [READ-WRITE] Mailbox opened",
    ]


def test_examine_changes_nothing(imap: Served) -> None:
    """RFC 3501 section 6.3.2."""
    imap.fill(MESSAGE)
    client = imap.login()
    said = client.say(b"a EXAMINE INBOX")
    assert b"* OK [PERMANENTFLAGS ()] Read-only" in said
    assert said[-1] == b"a OK [READ-ONLY] Mailbox opened"
    assert client.say(b"b FETCH 1 BODY[TEXT]")[-1] == b"b OK Fetch completed"
    for line in (b"STORE 1 FLAGS (\\Seen)", b"EXPUNGE", b"MOVE 1 Trash"):
        assert client.say(b"c " + line) == [b"c NO [NOPERM] No permission to do that"]
    assert imap.mailbox().table.flags == b"\0"
    assert b"* 1 RECENT" in imap.login().say(b"d SELECT INBOX")


def test_a_mailbox_that_may_not_be_changed_is_read_only(
    imap: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    imap.fill(MESSAGE)
    monkeypatch.setattr(imap.mailbox(), "read_only", True)
    client = imap.login()
    assert client.say(b"a SELECT INBOX")[-1] == b"a OK [READ-ONLY] Mailbox opened"
    answer = client.say(b"b APPEND INBOX {1}")
    assert answer == [b"b NO [NOPERM] No permission to do that"]


def test_there_is_no_star_when_keywords_have_no_room(imap: Served) -> None:
    imap.fill(MESSAGE)
    client = imap.selected()
    names = b" ".join(b"k%d" % at for at in range(32))
    client.say(b"a STORE 1 FLAGS.SILENT (%b)" % names)
    said = client.say(b"b SELECT INBOX")
    assert sum(b"\\*" in line for line in said) == 0
    assert client.say(b"c STORE 1 +FLAGS (one-more)") == [
        b"c NO [LIMIT] The mailbox can have no further keyword"
    ]


def test_another_select_closes_the_first_mailbox_without_expunge(imap: Served) -> None:
    imap.fill(MESSAGE)
    client = imap.selected()
    client.say(b"a STORE 1 +FLAGS (\\Deleted)")
    said = client.say(b"b SELECT Sent")
    assert said[0] == b"* OK [CLOSED] Previous mailbox closed"
    assert said[2] == b"* 0 EXISTS"
    assert len(imap.mailbox().table) == 1


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (b"nothing", b"NONEXISTENT"),
        (b"../INBOX", b"CANNOT"),
        (b"~root", b"CANNOT"),
        (b"/etc/passwd", b"CANNOT"),
        (b"a//b", b"CANNOT"),
        (b'""', b"CANNOT"),
        (b"a" * 256, b"CANNOT"),
        (b"level", b"NONEXISTENT"),
    ],
)
def test_a_failing_select_leaves_no_mailbox_selected(
    imap: Served, name: bytes, code: bytes
) -> None:
    client = imap.selected()
    client.say(b"a CREATE level/below")
    said = client.say(b"b SELECT " + name)
    assert said[0] == b"* OK [CLOSED] Previous mailbox closed"
    assert said[-1].startswith(b"b NO [%b] " % code)
    assert client.say(b"c CHECK") == [b"c BAD No mailbox is selected"]


def test_unknown_parameters_are_bad_and_change_nothing(imap: Served) -> None:
    client = imap.selected()
    assert client.say(b"a SELECT Sent (X-NEW)") == [b"a BAD Unknown parameter"]
    assert client.say(b"b CHECK") == [b"b OK Check completed"]


def test_close_removes_without_a_word(imap: Served) -> None:
    """RFC 3501 section 6.4.2."""
    imap.fill(MESSAGE, MESSAGE)
    client = imap.selected()
    client.say(b"a STORE 1 +FLAGS (\\Deleted)")
    assert client.say(b"b CLOSE") == [b"b OK Close completed"]
    assert list(imap.mailbox().table.uids) == [2]
    assert client.say(b"c CHECK") == [b"c BAD No mailbox is selected"]


@pytest.mark.parametrize(
    ("opened", "left"), [(b"EXAMINE", b"CLOSE"), (b"SELECT", b"UNSELECT")]
)
def test_ways_to_leave_that_remove_nothing(
    imap: Served, opened: bytes, left: bytes
) -> None:
    """RFC 3501 section 6.4.2, RFC 3691."""
    imap.fill(MESSAGE)
    imap.selected().say(b"a STORE 1 +FLAGS (\\Deleted)")
    client = imap.selected(command=opened)
    assert client.say(b"b " + left)[-1].startswith(b"b OK")
    assert len(imap.mailbox().table) == 1


def test_status_gives_the_numbers_asked_for_in_their_order(imap: Served) -> None:
    """RFC 3501 section 6.3.10."""
    imap.fill(MESSAGE, MESSAGE)
    client = imap.login()
    assert client.say(
        b"a STATUS inbox (UNSEEN MESSAGES RECENT UIDNEXT UIDVALIDITY)"
    ) == [
        b"* STATUS INBOX (UNSEEN 2 MESSAGES 2 RECENT 2 UIDNEXT 3"
        b" UIDVALIDITY 1790000000)",
        b"a OK Status completed",
    ]


def test_status_of_the_selected_mailbox_is_that_of_the_store(imap: Served) -> None:
    client = imap.selected()
    imap.fill(MESSAGE)
    assert client.say(b"a STATUS INBOX (MESSAGES RECENT)") == [
        b"* STATUS INBOX (MESSAGES 1 RECENT 1)",
        b"* 1 EXISTS",
        b"* 1 RECENT",
        b"a OK Status completed",
    ]


@pytest.mark.parametrize("name", [b"nothing", b"a/../b"])
def test_status_of_what_is_not_there(imap: Served, name: bytes) -> None:
    (answer,) = imap.login().say(b"a STATUS %b (MESSAGES)" % name)
    assert answer.startswith(b"a NO [")


def test_check_does_what_the_store_has_put_off(
    imap: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 3501 section 6.4.1."""
    client = imap.selected()
    done = []
    box = imap.mailbox()
    monkeypatch.setattr(box, "settle", lambda: done.append("settled"))
    client.say(b"a CHECK")
    assert done == []
    monkeypatch.setattr(box, "unsettled", True)
    assert client.say(b"b CHECK") == [b"b OK Check completed"]
    assert done == ["settled"]
