"""A connection of IMAP: greeting, bad input, time, TLS, ends (RFC 3501)."""

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from maildrop.errors import StorageFailure
from maildrop.imap.limits import IMAPLimits
from maildrop.imap.server import IMAPConnection, IMAPFactory
from maildrop.net.connection import Limits
from tests.imap.conftest import ALICE, MESSAGE, Client, Served


def test_the_greeting_has_the_capabilities(imap: Served) -> None:
    """RFC 3501 section 7.1.1; section 7.1 has the code."""
    assert imap.connect().greeting == (
        b"* OK [CAPABILITY IMAP4rev1 LITERAL+ ID ENABLE IDLE SASL-IR STARTTLS"
        b" AUTH=PLAIN AUTH=LOGIN] mail.example.org IMAP server ready\r\n"
    )


def test_no_passwords_are_offered_where_they_can_be_overheard(imap: Served) -> None:
    """RFC 3501 section 6.2.3."""
    greeting = imap.connect("192.0.2.1").greeting
    assert b" STARTTLS LOGINDISABLED] " in greeting
    assert b"AUTH=" not in greeting


def test_capabilities_change_with_login(imap: Served) -> None:
    client = imap.connect()
    assert b"AUTH=PLAIN" in client.send(b"a CAPABILITY\r\n")
    answer = client.send(b"b LOGIN alice secret\r\n")
    assert b"b OK [CAPABILITY IMAP4rev1 " in answer
    assert b"AUTH=" not in answer
    assert b"NAMESPACE UIDPLUS UNSELECT CHILDREN MOVE SPECIAL-USE" in answer
    untagged, _ = client.say(b"c CAPABILITY")
    assert untagged[2:] == answer[answer.index(b"[") + 1 : answer.index(b"]")]


def test_the_factory_makes_connections_that_share_a_site(imap: Served) -> None:
    factory = IMAPFactory(imap.site, imap.clock)
    first, second = factory.buildProtocol(None), factory.buildProtocol(None)
    assert isinstance(first, IMAPConnection)
    assert first is not second
    assert first.site is second.site


# -- bad input


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"a FROBNICATE", b"a BAD Unknown command"),
        (b"a", b"a BAD Syntax error"),
        (b"\x00", b"* BAD Syntax error"),
        (b"", None),
        (b"a NOOP now", b"a BAD Syntax error at octet 6"),
        (b"a SELECT", b"a BAD Syntax error at octet 8"),
        (b"* NOOP", b"* BAD Syntax error"),
        (b"a LOGIN " + b"x" * 9000, b"a BAD Over a limit of this server"),
        (
            b"a SEARCH CHARSET X-KLINGON ALL",
            b"a NO [BADCHARSET (ASCII US-ASCII UTF-8)]",
        ),
    ],
)
def test_what_is_no_command_is_answered_and_the_session_goes_on(
    imap: Served, line: bytes, answer: bytes | None
) -> None:
    client = imap.connect()
    said = client.say(line)
    assert len(said) == (answer is not None)
    assert all(it.startswith(answer or b"") for it in said)
    assert client.say(b"z NOOP") == [b"z OK Noop completed"]


def test_too_many_bad_commands_in_a_row_end_the_connection(imap: Served) -> None:
    imap.limit(IMAPLimits(bad=4, bad_before_login=2))
    client = imap.login()
    assert len(client.say(b"a X", b"a X", b"a X")) == 3
    assert client.say(b"a NOOP") == [b"a OK Noop completed"]
    assert len(client.say(b"a X", b"a X", b"a X")) == 3
    assert not client.closed
    assert client.say(b"a X", b"b NOOP")[1:] == [b"* BYE Too many bad commands"]
    assert client.closed


def test_before_login_fewer_are_taken(imap: Served) -> None:
    imap.limit(IMAPLimits(bad=4, bad_before_login=2))
    client = imap.connect()
    assert client.say(b"GET / HTTP/1.1", b"Host: mail.example.org")[-1].startswith(
        b"* BYE"
    )
    assert client.closed


def test_a_bug_is_logged_whole_and_the_session_goes_on(
    imap: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = imap.login()

    def broken() -> list[object]:
        raise ZeroDivisionError("the bug")

    monkeypatch.setattr(imap.stores(ALICE), "entries", broken)
    with capturedLogs() as events:
        answer = client.say(b'a LIST "" *')
    assert answer == [b"a NO [SERVERBUG] Internal error, it was logged"]
    (event,) = [event for event in events if event.get("log_failure")]
    assert event["log_failure"].check(ZeroDivisionError)
    assert client.say(b"b NOOP") == [b"b OK Noop completed"]


def test_a_failing_disk_is_the_servers_fault_and_temporary(
    imap: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = imap.login()

    def failing() -> list[object]:
        raise StorageFailure("read /secret/path: input/output error")

    monkeypatch.setattr(imap.stores(ALICE), "entries", failing)
    assert client.say(b'a LIST "" *') == [
        b"a NO [UNAVAILABLE] Storage failed, try again later"
    ]


# -- time and ends


def test_who_does_not_log_in_is_sent_away(imap: Served) -> None:
    client = imap.connect()
    imap.clock.advance(59)
    client.say(b"a NOOP")
    assert not client.closed
    imap.clock.advance(1)
    assert client.news() == [b"* BYE Nobody logged in for too long"]
    assert client.closed


def test_who_is_silent_for_half_an_hour_is_logged_out(imap: Served) -> None:
    """RFC 3501 section 5.4."""
    client = imap.login()
    imap.clock.advance(1799)
    assert not client.closed
    imap.clock.advance(1)
    assert client.news() == [b"* BYE Nothing heard for too long"]
    assert client.closed


def test_silence_is_a_limit_of_the_connection(imap: Served) -> None:
    client = imap.connect(limits=Limits(idle=10))
    client.say(b"a LOGIN alice secret")
    imap.clock.advance(10)
    assert client.closed


def test_the_administrator_can_end_a_session(imap: Served) -> None:
    client = imap.login()
    (live,) = imap.site.sessions
    live.kick()
    assert client.news() == [b"* BYE Closed by the administrator"]
    assert client.closed


def test_nothing_is_said_after_bye(imap: Served) -> None:
    client = imap.login()
    assert client.say(b"a LOGOUT", b"b NOOP") == [
        b"* BYE Logging out",
        b"a OK Logout completed",
    ]
    assert client.closed


def test_the_registry_knows_user_and_mailbox(imap: Served) -> None:
    client = imap.connect()
    (live,) = imap.site.sessions
    assert (live.service, live.user, live.mailbox) == ("imap", "", "")
    client.say(b"a LOGIN alice secret", b"b SELECT Sent")
    assert (live.user, live.mailbox) == ("alice", "Sent")
    client.say(b"c UNSELECT")
    assert live.mailbox == ""
    client.lose()
    assert len(imap.site.sessions) == 0


def test_login_and_logout_are_logged_with_user_and_peer(imap: Served) -> None:
    with capturedLogs() as events:
        client = imap.selected()
        client.say(b"a NOOP")
        client.lose()
    login, logout = [event for event in events if "peer" in event]
    assert (login["user"], login["peer"]) == ("alice", "127.0.0.1:4321")
    assert logout["log_format"].startswith("{id}: logout of {user} from {peer}")
    assert logout["commands"] == 3
    assert logout["octets_in"] > 30
    assert not any("secret" in str(event) for event in (login, logout))


def test_a_lost_connection_lets_go_of_its_mailbox(imap: Served) -> None:
    imap.fill(MESSAGE)
    first, second = imap.selected(), imap.selected()
    first.lose()
    for _ in range(10):
        second.say(b"a STORE 1 +FLAGS (\\Seen)", b"b STORE 1 -FLAGS (\\Seen)")
    # What no session has still to hear is forgotten.
    assert len(imap.mailbox().table.journal.entries) <= 1


def test_a_connection_lost_while_a_command_works_ends_after_it(imap: Served) -> None:
    client = imap.login()
    imap.threads.slow = True
    client.send(b'a LIST "" *\r\n')
    client.lose()
    assert len(imap.site.sessions) == 1
    imap.threads.finish()
    assert len(imap.site.sessions) == 0


# -- STARTTLS


def test_tls_begins_after_ok_and_offers_passwords(imap: Served) -> None:
    """RFC 3501 section 6.2.1."""
    client = imap.connect("192.0.2.1")
    assert client.say(b"a STARTTLS") == [b"a OK Begin TLS now"]
    assert client.transport.encrypted
    (untagged, _) = client.say(b"b CAPABILITY")
    assert b"STARTTLS" not in untagged
    assert b"LOGINDISABLED" not in untagged
    assert client.say(b"c LOGIN alice secret")[0].startswith(b"c OK")


def test_octets_in_clear_behind_starttls_end_the_connection(imap: Served) -> None:
    client = imap.connect("192.0.2.1")
    answer = client.say(b"a STARTTLS", b"b LOGIN mallory secret")
    assert answer == [b"* BYE Octets in clear behind STARTTLS"]
    assert client.closed
    assert not client.transport.encrypted


def test_tls_is_begun_once(imap: Served) -> None:
    client = imap.connect()
    client.say(b"a STARTTLS")
    assert client.say(b"b STARTTLS") == [b"b BAD Not possible now"]


# -- fairness


class Hurried(Clock):
    """A clock on which every look costs time."""

    step = 0.0

    def seconds(self) -> float:
        self.rightNow += self.step
        return self.rightNow


def test_a_long_answer_gives_others_a_turn(imap: Served) -> None:
    imap.fill(*[MESSAGE] * 3)
    imap.clock = clock = Hurried()
    client = imap.selected()
    clock.step = 0.02
    first = client.send(b"a FETCH 1:3 (FLAGS)\r\n")
    assert b"a OK" not in first
    clock.step = 0.0
    clock.advance(0)
    assert client.heard().endswith(b"a OK Fetch completed\r\n")


def test_commands_sent_ahead_give_others_a_turn(imap: Served) -> None:
    imap.clock = clock = Hurried()
    client = imap.selected()
    clock.step = 0.001
    said = client.send(b"a NOOP\r\n" * 100)
    assert 2 < said.count(b"OK") < 50
    while clock.getDelayedCalls()[0].getTime() <= clock.rightNow:
        clock.advance(0)
        said += client.heard()
    assert said == b"a OK Noop completed\r\n" * 100


def test_nobody_works_for_a_client_that_is_gone(imap: Served) -> None:
    imap.fill(*[MESSAGE] * 3)
    imap.clock = clock = Hurried()
    client = imap.selected()
    clock.step = 0.02
    client.send(b"a FETCH 1:3 (FLAGS)\r\n")
    client.lose()
    assert len(imap.site.sessions) == 1
    clock.step = 0.0
    clock.advance(0)
    assert len(imap.site.sessions) == 0


def test_a_client_that_does_not_read_is_waited_for(imap: Served) -> None:
    imap.fill(*[MESSAGE] * 600)
    client = imap.selected()
    client.server.pauseProducing()
    first = client.send(b"a FETCH 1:* (UID)\r\n")
    assert first.count(b"FETCH") == 500
    client.server.resumeProducing()
    assert client.heard().count(b" FETCH (") == 100


def test_answers_to_commands_sent_ahead_do_not_pile_up(imap: Served) -> None:
    imap.fill(b"Subject: large\r\n\r\n" + b"x" * 10_000)
    client = imap.connect(limits=Limits(behind=30_000))
    client.say(b"a LOGIN alice secret", b"b SELECT INBOX")
    client.server.pauseProducing()
    fetches = [b"c FETCH 1 BODY.PEEK[]"] * 20
    first = client.send(b"".join(line + b"\r\n" for line in fetches))
    assert first.count(b"c OK") == 3
    client.server.resumeProducing()
    assert client.heard().count(b"c OK") == 17


def test_ten_thousand_pipelined_commands_are_one_answer_each(imap: Served) -> None:
    client: Client = imap.selected()
    answer = client.send(b"a NOOP\r\n" * 10_000)
    assert answer == b"a OK Noop completed\r\n" * 10_000
