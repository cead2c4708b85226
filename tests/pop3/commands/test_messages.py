"""LIST, UIDL, RETR, TOP, DELE, RSET and QUIT: RFC 1939 sections 5 to 7."""

import pytest
from twisted.logger import capturedLogs

from maildrop.errors import AccessDenied, StorageFailure
from maildrop.mailbox.flags import SEEN, FlagChange, Operation
from tests.pop3.conftest import MESSAGES, Served


def sizes(count: int) -> bytes:
    return b"".join(b"%d 4\r\n" % number for number in range(1, count + 1))


def test_what_arrives_after_the_login_does_not_show(pop3: Served) -> None:
    """RFC 1939 section 4."""
    client = pop3.login()
    pop3.add(b"A: b\r\n\r\n")
    assert client.lines(b"STAT", b"RETR 4") == b"+OK 3 174\r\n-ERR No such message\r\n"
    assert client.lines(b"LIST").count(b"\r\n") == 5
    assert client.lines(b"UIDL").count(b"\r\n") == 5
    client.lines(b"QUIT")
    assert pop3.login().lines(b"STAT") == b"+OK 4 182\r\n"


def test_a_message_removed_meanwhile_keeps_its_number_and_is_an_error(
    pop3: Served,
) -> None:
    client = pop3.login()
    pop3.inbox.expunge([2], None)
    with capturedLogs() as events:
        assert client.lines(b"RETR 2", b"TOP 2 0", b"UIDL 2") == (
            b"-ERR Message was removed by another program\r\n" * 3
        )
    assert len(events) == 3
    assert client.lines(b"STAT", b"LIST 3", b"RETR 3").startswith(
        b"+OK 3 174\r\n+OK 3 21\r\n+OK 21 octets\r\nSubject: three"
    )
    listed = client.lines(b"UIDL").splitlines()
    assert [line.split()[0] for line in listed[1:-1]] == [b"1", b"3"]


def test_unique_ids_stay_the_same_from_session_to_session(pop3: Served) -> None:
    client = pop3.login()
    before = client.lines(b"UIDL 2", b"DELE 1", b"QUIT").splitlines()[0]
    after = pop3.login().lines(b"UIDL 1").rstrip()
    assert before.split()[2] == after.split()[2]


def test_unique_ids_of_removed_messages_are_not_mixed_up(pop3: Served) -> None:
    client = pop3.login()
    third = client.lines(b"UIDL 3")
    client.lines(b"QUIT")
    client = pop3.login()
    pop3.inbox.expunge([1], None)
    assert client.lines(b"UIDL 3") == third


@pytest.mark.parametrize("octets", MESSAGES)
def test_a_message_comes_back_octet_for_octet(pop3: Served, octets: bytes) -> None:
    client = pop3.login()
    said = client.lines(b"RETR %d" % (MESSAGES.index(octets) + 1))
    status, _, rest = said.partition(b"\r\n")
    assert status == b"+OK %d octets" % len(octets)
    assert rest.endswith(b"\r\n.\r\n")
    assert rest[:-3].replace(b"\r\n..", b"\r\n.") == octets


def test_deleted_messages_are_gone_for_the_session_until_rset(pop3: Served) -> None:
    client = pop3.login()
    assert client.lines(b"DELE 2") == b"+OK Marked\r\n"
    for line in (b"DELE 2", b"LIST 2", b"UIDL 2", b"RETR 2", b"TOP 2 0"):
        assert client.lines(line) == b"-ERR No such message\r\n"
    assert client.lines(b"LIST").count(b"\r\n") == 4
    assert client.lines(b"UIDL").count(b"\r\n") == 4
    assert client.lines(b"RSET", b"LIST 2") == b"+OK 3 messages\r\n+OK 2 118\r\n"
    client.lines(b"QUIT")
    assert len(pop3.inbox.table) == 3


@pytest.mark.parametrize("number", [b"0", b"4", b"4294967296"])
def test_numbers_of_no_message_are_an_error(pop3: Served, number: bytes) -> None:
    client = pop3.login()
    for verb in (b"LIST", b"UIDL", b"RETR", b"DELE"):
        said = client.lines(verb + b" " + number)
        assert said == b"-ERR No such message\r\n"
    assert client.lines(b"TOP " + number + b" 0") == b"-ERR No such message\r\n"


def test_quit_removes_what_was_deleted_and_marks_what_was_read(pop3: Served) -> None:
    """RFC 1939 section 6."""
    client = pop3.login()
    client.lines(b"RETR 1", b"RETR 2", b"TOP 3 0", b"DELE 1")
    assert pop3.inbox.table.unseen == 3
    assert client.lines(b"QUIT") == b"+OK Bye\r\n"
    table = pop3.inbox.table
    assert list(table.uids) == [2, 3]
    assert list(table.flags) == [SEEN, 0]


def test_messages_deleted_here_and_removed_elsewhere_are_no_failure(
    pop3: Served,
) -> None:
    client = pop3.login()
    client.lines(b"DELE 1", b"DELE 2")
    pop3.inbox.expunge([1], None)
    assert client.lines(b"QUIT") == b"+OK Bye\r\n"
    assert list(pop3.inbox.table.uids) == [3]


@pytest.mark.parametrize("error", [StorageFailure("disk"), AccessDenied("read-only")])
def test_what_cannot_be_removed_is_told_at_quit(
    pop3: Served, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """RFC 1939 section 6."""

    def fail(uids: object, by: object, *, keep: bool = True) -> None:
        raise error

    client = pop3.login()
    client.lines(b"RETR 3", b"DELE 1")
    monkeypatch.setattr(pop3.inbox, "expunge", fail)
    with capturedLogs() as events:
        assert client.lines(b"QUIT") == (
            b"-ERR [SYS/TEMP] Some deleted messages not removed\r\n"
        )
    assert len(events) == 1
    assert client.closed
    assert pop3.inbox.table.unseen == 2
    monkeypatch.undo()
    pop3.login()


def test_flags_that_cannot_be_set_do_not_fail_quit(
    pop3: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(uids: object, change: object, by: object) -> None:
        raise StorageFailure("disk")

    client = pop3.login()
    client.lines(b"RETR 3", b"DELE 1")
    monkeypatch.setattr(pop3.inbox, "change_flags", fail)
    with capturedLogs():
        assert client.lines(b"QUIT") == b"+OK Bye\r\n"
    assert len(pop3.inbox.table) == 2


def test_a_read_only_mailbox_is_not_marked(
    pop3: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = pop3.login()
    monkeypatch.setattr(pop3.inbox, "read_only", True)
    assert client.lines(b"RETR 3", b"QUIT").endswith(b"+OK Bye\r\n")
    assert pop3.inbox.table.unseen == 3


def test_flags_set_by_others_are_kept(pop3: Served) -> None:
    client = pop3.login()
    client.lines(b"RETR 1")
    pop3.inbox.change_flags([1], FlagChange(Operation.ADD, 4, ("$Junk",)), None)
    client.lines(b"QUIT")
    assert pop3.inbox.table.flags[0] == SEEN | 4


def test_a_long_listing_lets_others_have_a_turn(pop3: Served) -> None:
    pop3.set(piece=10)
    pop3.inbox.expunge([1, 2, 3], None)
    pop3.add(*[b"\r\n\r\n"] * 25)
    client = pop3.login()
    said = client.lines(b"LIST", b"NOOP")
    assert said == b"+OK 25 messages (100 octets)\r\n" + sizes(10)
    pop3.clock.advance(0)
    pop3.clock.advance(0)
    assert said + client.read() == (
        b"+OK 25 messages (100 octets)\r\n" + sizes(25) + b".\r\n+OK Nothing done\r\n"
    )
