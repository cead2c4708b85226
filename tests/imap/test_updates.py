"""Sessions on one mailbox hear of each other (RFC 3501 sections 5.2 and 7.4.1)."""

import pytest

from maildrop.errors import NoSpace
from maildrop.mailbox.flags import SEEN, FlagChange, Operation
from tests.imap.conftest import MESSAGE, Client, Served


@pytest.fixture
def pair(imap: Served) -> tuple[Client, Client]:
    """Two clients in a mailbox with four messages, none recent."""
    imap.fill(*[MESSAGE] * 4)
    imap.mailbox().claim_recent()
    return imap.selected(), imap.selected()


Pair = tuple[Client, Client]

#: What one client does, and what the other hears of it.
DONE_AND_HEARD = [
    (
        [b"a STORE 2 +FLAGS (\\Flagged)"],
        [b"* 2 FETCH (UID 2 FLAGS (\\Flagged))"],
    ),
    (
        [b"a STORE 2:3 +FLAGS.SILENT (\\Seen)"],
        [
            b"* 2 FETCH (UID 2 FLAGS (\\Seen))",
            b"* 3 FETCH (UID 3 FLAGS (\\Seen))",
        ],
    ),
    ([b"a FETCH 4 BODY[]"], [b"* 4 FETCH (UID 4 FLAGS (\\Seen))"]),
    ([b"a FETCH 4 BODY.PEEK[]"], []),
    (
        [b"a STORE 1 FLAGS ($Forwarded)"],
        [
            b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded)",
            b"* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft"
            b" $Forwarded \\*)] Flags that can be changed",
            b"* 1 FETCH (UID 1 FLAGS ($Forwarded))",
        ],
    ),
    (
        [b"a STORE 2,4 +FLAGS.SILENT (\\Deleted)", b"b EXPUNGE"],
        [b"* 4 EXPUNGE", b"* 2 EXPUNGE"],
    ),
    (
        [b"a STORE 1 +FLAGS.SILENT (\\Deleted)", b"b CLOSE"],
        [b"* 1 EXPUNGE"],
    ),
    (
        [b"a STORE 1:2 +FLAGS.SILENT (\\Deleted)", b"b UID EXPUNGE 2:9"],
        [b"* 2 EXPUNGE", b"* 1 FETCH (UID 1 FLAGS (\\Deleted))"],
    ),
    ([b"a MOVE 1:2 Trash"], [b"* 2 EXPUNGE", b"* 1 EXPUNGE"]),
    ([b"a COPY 1 Trash"], []),
    ([b"a COPY 1 INBOX"], [b"* 5 EXISTS", b"* 1 RECENT"]),
    ([b"a APPEND INBOX {1+}\r\nx"], [b"* 5 EXISTS", b"* 1 RECENT"]),
    (
        [b"a APPEND INBOX {1+}\r\nx", b"b UID STORE 5 FLAGS (\\Seen \\Deleted)",
         b"c STORE 3 +FLAGS (\\Answered)", b"d EXPUNGE"],
        [b"* 3 FETCH (UID 3 FLAGS (\\Answered))"],
    ),
    (
        [b"a STORE 3 +FLAGS (\\Deleted)", b"b EXPUNGE", b"c APPEND INBOX {1+}\r\nx"],
        [b"* 3 EXPUNGE", b"* 4 EXISTS", b"* 1 RECENT"],
    ),
    ([b"a RENAME INBOX old"], [b"* %d EXPUNGE" % at for at in (4, 3, 2, 1)]),
]  # fmt: skip


@pytest.mark.parametrize(("done", "heard"), DONE_AND_HEARD)
@pytest.mark.parametrize("asked", [b"NOOP", b"CHECK", b"UID FETCH 99 FLAGS"])
def test_the_other_hears_with_its_next_command(
    pair: Pair, done: list[bytes], heard: list[bytes], asked: bytes
) -> None:
    one, other = pair
    one.say(*done)
    assert other.news() == []
    assert other.say(b"z " + asked)[:-1] == heard
    assert len(other.say(b"z NOOP")) == 1


@pytest.mark.parametrize(("done", "heard"), DONE_AND_HEARD)
def test_the_other_hears_at_once_in_idle(
    pair: Pair, done: list[bytes], heard: list[bytes]
) -> None:
    """RFC 2177."""
    one, other = pair
    assert other.say(b"z IDLE") == [b"+ Idling"]
    for line in done:
        one.say(line)
    news = other.news()
    assert set(heard) <= set(news)  # and of what was between the steps
    assert other.say(b"DONE") == [b"z OK Idle completed"]


@pytest.mark.parametrize(("done", "heard"), DONE_AND_HEARD)
@pytest.mark.parametrize(
    "asked", [b"FETCH 1 (UID)", b"STORE 1 +FLAGS.SILENT (\\Draft)", b"SEARCH SUBJECT x"]
)
def test_no_expunge_is_told_with_fetch_store_and_search(
    pair: Pair, done: list[bytes], heard: list[bytes], asked: bytes
) -> None:
    """RFC 3501 section 7.4.1; with the next NOOP all of it is."""
    one, other = pair
    one.say(*done)
    told = other.say(b"z " + asked)
    assert not any(b"EXPUNGE" in line and b"ISSUED" not in line for line in told)
    told += other.say(b"z NOOP")
    expunged = [line for line in heard if b"EXPUNGE" in line]
    assert [line for line in told if line.endswith(b" EXPUNGE")] == expunged


def test_numbers_stay_until_the_expunge_is_told(pair: Pair) -> None:
    one, other = pair
    one.say(b"a STORE 1 +FLAGS.SILENT (\\Deleted)", b"b EXPUNGE")
    assert other.say(b"c FETCH 2:4 (UID)") == [
        b"* 2 FETCH (UID 2)",
        b"* 3 FETCH (UID 3)",
        b"* 4 FETCH (UID 4)",
        b"c OK Fetch completed",
    ]
    assert other.say(b"d NOOP")[0] == b"* 1 EXPUNGE"
    assert other.say(b"e FETCH 1 (UID)")[0] == b"* 1 FETCH (UID 2)"


def test_new_messages_are_not_told_before_the_expunge_they_follow(pair: Pair) -> None:
    one, other = pair
    one.say(b"a STORE 1 +FLAGS.SILENT (\\Deleted)", b"b EXPUNGE")
    one.say(b"c APPEND INBOX {1+}\r\nx")
    assert other.say(b"d FETCH 2 (UID)") == [
        b"* 2 FETCH (UID 2)",
        b"d OK Fetch completed",
    ]
    assert other.say(b"e NOOP")[:-1] == [
        b"* 1 EXPUNGE",
        b"* 4 EXISTS",
        b"* 1 RECENT",
    ]


def test_ones_own_changes_are_not_echoed(pair: Pair) -> None:
    one, _ = pair
    assert one.say(b"a STORE 1 +FLAGS (\\Seen)") == [
        b"* 1 FETCH (FLAGS (\\Seen))",
        b"a OK Store completed",
    ]
    assert one.say(b"b STORE 1 -FLAGS.SILENT (\\Seen)") == [b"b OK Store completed"]
    assert one.say(b"c NOOP") == [b"c OK Noop completed"]


def test_changes_by_others_are_told_with_a_silent_store(pair: Pair) -> None:
    one, other = pair
    one.say(b"a STORE 2 +FLAGS (\\Answered)")
    assert other.say(b"b STORE 1 +FLAGS.SILENT (\\Seen)") == [
        b"* 2 FETCH (UID 2 FLAGS (\\Answered))",
        b"b OK Store completed",
    ]


def test_changes_by_delivery_and_other_programs_are_heard(
    imap: Served, pair: Pair
) -> None:
    imap.mailbox().change_flags([2], FlagChange(Operation.ADD, SEEN), None)
    for client in pair:
        assert client.say(b"a NOOP")[0] == b"* 2 FETCH (UID 2 FLAGS (\\Seen))"


def test_only_the_first_session_sees_a_message_as_recent(imap: Served) -> None:
    """RFC 3501 section 2.3.2."""
    imap.fill(MESSAGE)
    assert b"* 1 RECENT" in imap.login().say(b"a EXAMINE INBOX")
    first = imap.login()
    assert b"* 1 RECENT" in first.say(b"a SELECT INBOX")
    assert b"* 0 RECENT" in imap.login().say(b"a SELECT INBOX")
    assert first.say(b"b FETCH 1 FLAGS")[0] == b"* 1 FETCH (FLAGS (\\Recent))"


def test_new_messages_told_are_not_recent_for_who_comes_later(imap: Served) -> None:
    first = imap.selected()
    imap.fill(MESSAGE)
    assert first.say(b"a NOOP")[:2] == [b"* 1 EXISTS", b"* 1 RECENT"]
    assert b"* 0 RECENT" in imap.login().say(b"a SELECT INBOX")


def test_reading_goes_on_when_recent_cannot_be_noted(
    imap: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    imap.fill(MESSAGE)

    def full() -> None:
        raise NoSpace("claim recent")

    monkeypatch.setattr(imap.mailbox(), "claim_recent", full)
    assert imap.login().say(b"a SELECT INBOX")[-1].startswith(b"a OK [READ-WRITE]")


# -- a mailbox that vanishes


@pytest.mark.parametrize("gone", [b"DELETE box", b"RENAME box other"])
def test_sessions_in_a_mailbox_that_vanishes_are_closed(
    imap: Served, gone: bytes
) -> None:
    owner = imap.login()
    owner.say(b"a CREATE box")
    other, idler = imap.selected(b"box"), imap.selected(b"box")
    idler.say(b"a IDLE")
    assert owner.say(b"b " + gone)[-1].startswith(b"b OK")
    bye = b"* BYE The selected mailbox was deleted or replaced by someone else"
    assert idler.news() == [bye]
    assert idler.closed
    assert other.say(b"c NOOP") == [b"c OK Noop completed", bye]
    assert other.closed
    assert not owner.closed


def test_a_fetch_in_a_mailbox_that_vanished_fails(imap: Served) -> None:
    imap.login().say(b"a CREATE box")
    imap.fill(MESSAGE, mailbox=b"box")
    client = imap.selected(b"box")
    imap.login().say(b"a DELETE box")
    said = client.say(b"b FETCH 1 BODY[]", b"c NOOP")
    assert said[0].startswith(b"b NO [UNAVAILABLE] ")
    assert said[1].startswith(b"* BYE ")
    assert len(said) == 2


def test_who_deletes_the_selected_mailbox_leaves_it(imap: Served) -> None:
    client = imap.login()
    client.say(b"a CREATE box", b"b CREATE box/below", b"c SELECT box/below")
    assert client.say(b"d DELETE box/below") == [
        b"* OK [CLOSED] Previous mailbox closed",
        b"d OK Delete completed",
    ]
    assert client.say(b"e CHECK") == [b"e BAD No mailbox is selected"]


# -- idle


def test_idle_without_a_mailbox_waits_for_done(imap: Served) -> None:
    client = imap.login()
    assert client.say(b"a IDLE") == [b"+ Idling"]
    assert client.say(b"done") == [b"a OK Idle completed"]


def test_idle_begins_with_what_happened_before(pair: Pair) -> None:
    one, other = pair
    one.say(b"a STORE 1 +FLAGS (\\Seen)")
    assert other.say(b"b IDLE") == [
        b"+ Idling",
        b"* 1 FETCH (UID 1 FLAGS (\\Seen))",
    ]


def test_anything_but_done_ends_idle_with_bad(pair: Pair) -> None:
    one, other = pair
    other.say(b"b IDLE")
    assert other.say(b"c NOOP") == [b"b BAD Syntax error"]
    one.say(b"a STORE 1 +FLAGS (\\Seen)")
    assert other.news() == []
    assert len(other.say(b"d NOOP")) == 2


def test_nothing_is_pushed_after_done(pair: Pair) -> None:
    one, other = pair
    other.say(b"b IDLE", b"DONE")
    one.say(b"a STORE 1 +FLAGS (\\Seen)")
    assert other.news() == []


def test_a_client_in_idle_that_does_not_read_hears_all_when_it_does(pair: Pair) -> None:
    one, other = pair
    other.say(b"b IDLE")
    other.server.pauseProducing()
    for _ in range(5):
        one.say(b"a STORE 1 FLAGS (\\Seen)", b"a STORE 1 FLAGS ()")
    assert other.news() == []
    other.server.resumeProducing()
    assert other.news() == [b"* 1 FETCH (UID 1 FLAGS ())"]


def test_news_wait_for_a_store_at_work(imap: Served, pair: Pair) -> None:
    one, other = pair
    other.say(b"b IDLE")
    imap.threads.slow = True
    one.send(b"a APPEND INBOX {1+}\r\nx\r\n")
    assert other.news() == []
    imap.threads.finish()
    assert other.news() == [b"* 5 EXISTS", b"* 1 RECENT"]
    assert one.news()[-1].startswith(b"a OK [APPENDUID ")
    assert other.say(b"DONE") == [b"b OK Idle completed"]
    other.lose()
    one.lose()
