"""FETCH of one message after the other, as clients do that carry a mailbox away."""

from collections.abc import Sequence

import pytest

from maildrop.imap.server import LOOK
from maildrop.net.connection import Limits
from tests.imap.conftest import Client, Served

BODIES = [b"Subject: %d\r\n\r\nbody\r\n" % uid for uid in range(1, 13)]


@pytest.fixture
def client(imap: Served) -> Client:
    imap.fill(*BODIES)
    imap.mailbox().claim_recent()
    return imap.selected()


def answer(uid: int) -> bytes:
    octets = BODIES[uid - 1]
    return b"* %d FETCH (UID %d BODY[] {%d}\r\n%b)\r\na OK Fetch completed\r\n" % (
        uid,
        uid,
        len(octets),
        octets,
    )


@pytest.mark.parametrize("command", [b"UID FETCH", b"FETCH"])
def test_each_is_what_it_is_and_the_store_is_asked_for_several(
    imap: Served, client: Client, monkeypatch: pytest.MonkeyPatch, command: bytes
) -> None:
    reads: list[Sequence[int]] = []
    read = imap.mailbox().read_at_once

    def counted(uids: Sequence[int]) -> list[bytes | None] | None:
        reads.append(list(uids))
        return read(uids)

    monkeypatch.setattr(imap.mailbox(), "read_at_once", counted)
    for uid in range(1, 13):
        line = b"a %b %d (UID BODY.PEEK[])\r\n" % (command, uid)
        assert client.send(line) == answer(uid)
    assert [len(uids) for uids in reads] == [1, 4, 7]
    assert client.server.session.counts.fetched == 12


def test_sent_ahead_they_are_answered_in_order(client: Client) -> None:
    lines = [b"a UID FETCH %d (UID BODY.PEEK[])\r\n" % uid for uid in range(1, 13)]
    assert client.send(b"".join(lines)) == b"".join(map(answer, range(1, 13)))


def test_news_come_with_a_message_that_was_read_ahead(
    imap: Served, client: Client
) -> None:
    other = imap.selected()
    for uid in (1, 2, 3):
        assert client.send(b"a UID FETCH %d (UID BODY.PEEK[])\r\n" % uid) == answer(uid)
    other.say(b"o STORE 9 +FLAGS (\\Flagged)")
    heard = client.send(b"a UID FETCH 4 (UID BODY.PEEK[])\r\n").splitlines()
    assert b"* 9 FETCH (UID 9 FLAGS (\\Flagged))" in heard
    assert heard[0].startswith(b"* 4 FETCH (UID 4 BODY[]")
    assert client.send(b"a UID FETCH 5 (UID BODY.PEEK[])\r\n") == answer(5)


def test_a_message_that_is_expunged_after_it_was_read_ahead_is_not_sent(
    imap: Served, client: Client
) -> None:
    other = imap.selected()
    for uid in (1, 2):
        client.send(b"a UID FETCH %d (UID BODY.PEEK[])\r\n" % uid)
    other.say(b"o STORE 4 +FLAGS (\\Deleted)", b"o EXPUNGE")
    assert client.say(b"a UID FETCH 4 (UID BODY.PEEK[])") == [
        b"* 4 EXPUNGE",
        b"a OK Fetch completed",
    ]


def test_reading_that_marks_as_seen_does_so_for_each(client: Client) -> None:
    for uid in range(1, 13):
        heard = client.send(b"a UID FETCH %d (BODY[])\r\n" % uid)
        assert b"FLAGS (\\Seen)" in heard
        assert BODIES[uid - 1] in heard


def test_a_number_that_is_none_is_refused_as_ever(client: Client) -> None:
    for uid in (1, 2):
        client.send(b"a UID FETCH %d (UID BODY.PEEK[])\r\n" % uid)
    assert client.say(b"a FETCH 13 (BODY.PEEK[])")[-1].startswith(b"a BAD")
    assert client.send(b"a UID FETCH 3 (UID BODY.PEEK[])\r\n") == answer(3)


def test_nothing_read_ahead_is_held_while_the_client_waits(client: Client) -> None:
    selected = client.server.session.selected
    assert selected is not None
    for command in (b"NOOP", b"IDLE"):
        for uid in (1, 2):
            client.send(b"a UID FETCH %d (UID BODY.PEEK[])\r\n" % uid)
        assert selected.reading.holds
        client.say(b"b " + command)
        assert not selected.reading.holds


def test_other_programs_are_looked_after_now_and_then(
    imap: Served, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for uid in (1, 2):
        client.send(b"a UID FETCH %d (UID BODY.PEEK[])\r\n" % uid)
    looks: list[int] = []
    unchanged = imap.mailbox().unchanged

    def counted(*, thorough: bool) -> bool:
        looks.append(uid)
        return unchanged(thorough=thorough)

    monkeypatch.setattr(imap.mailbox(), "unchanged", counted)
    for uid in (3, 4):
        assert client.send(b"a UID FETCH %d (UID BODY.PEEK[])\r\n" % uid) == answer(uid)
    imap.clock.advance(LOOK)
    uid = 5
    assert client.send(b"a UID FETCH %d (UID BODY.PEEK[])\r\n" % uid) == answer(uid)
    assert looks == [3, 5]


def test_a_mailbox_where_somebody_is_at_work_is_waited_for(
    imap: Served, client: Client
) -> None:
    for uid in (1, 2):
        client.send(b"a UID FETCH %d (UID BODY.PEEK[])\r\n" % uid)
    other = imap.selected()
    imap.threads.slow = True
    uids = b",".join(b"%d" % uid for uid in range(1, 13))
    heard = other.send(b"o UID COPY %b INBOX\r\n" % uids)
    assert heard == b""
    assert b"a OK" not in client.send(b"a UID FETCH 3 (UID BODY.PEEK[])\r\n")
    imap.threads.finish()
    assert client.news()[-1] == b"a OK Fetch completed"


def test_a_client_that_reads_too_slowly_is_waited_for(
    imap: Served, client: Client
) -> None:
    for uid in (1, 2):
        client.send(b"a UID FETCH %d (UID BODY.PEEK[])\r\n" % uid)
    client.server.limits = Limits(behind=10)
    client.server.pauseProducing()
    assert client.send(b"a UID FETCH 3 (UID BODY.PEEK[])\r\n") == b""
    client.server.resumeProducing()
    assert client.heard() == answer(3)
