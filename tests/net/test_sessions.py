"""The registry of sessions: numbers, counts, search, and waiting for the last."""

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from maildrop.decisions.recorder import Notebook
from maildrop.decisions.trace import TraceIds
from maildrop.net.sessions import Session, Sessions
from tests.net.talker import Talker


def session(sessions: Sessions, service: str = "imap", user: str = "") -> Session:
    talker = Talker(Clock())
    talker.makeConnection(StringTransport())
    added = sessions.add(Session(service, talker, since=12.0))
    added.user = user
    return added


def test_sessions_are_numbered_and_numbers_never_return() -> None:
    sessions = Sessions()
    first, second = session(sessions), session(sessions)
    sessions.remove(second)
    sessions.remove(second)
    third = session(sessions)
    assert (first.id, second.id, third.id) == (1, 2, 3)
    assert list(sessions) == [first, third]
    assert len(sessions) == 2
    assert sessions.get(1) is first
    assert sessions.get(2) is None


def test_services_are_counted_now_and_ever() -> None:
    sessions = Sessions()
    session(sessions)
    sessions.remove(session(sessions))
    session(sessions, "pop3")
    assert sessions.counts() == {"imap": 1, "pop3": 1}
    assert sessions.begun == {"imap": 2, "pop3": 1}


def test_a_session_asks_its_connection() -> None:
    live = session(Sessions())
    live.connection.octets_in += 7
    assert (live.octets_in, live.octets_out) == (7, len(b"hello\r\n"))
    assert live.peer.address == "192.168.1.1"


def test_kick_ends_the_connection() -> None:
    live = session(Sessions())
    live.kick()
    connection = live.connection
    assert isinstance(connection, Talker)
    assert connection.transport.disconnecting


def test_matching_sessions_fit_everything_that_is_asked() -> None:
    sessions = Sessions()
    alice, bob = session(sessions, user="alice"), session(sessions, user="bob")
    assert sessions.matching() == [alice, bob]
    assert sessions.matching(user="bob") == [bob]
    assert sessions.matching(number=1) == [alice]
    assert sessions.matching(number=1, user="bob") == []
    assert sessions.matching(address="192.168.1.1", user="alice") == [alice]
    assert sessions.matching(address="192.0.2.1") == []


def test_the_registry_tells_when_it_is_empty() -> None:
    sessions = Sessions()
    told: list[str] = []
    sessions.when_empty().addCallback(lambda _: told.append("at once"))
    one, two = session(sessions), session(sessions)
    sessions.when_empty().addCallback(lambda _: told.append("after the last"))
    sessions.remove(one)
    assert told == ["at once"]
    sessions.remove(two)
    assert told == ["at once", "after the last"]


def test_the_end_of_a_session_is_noted_once_with_its_reason() -> None:
    notebook = Notebook(TraceIds(lambda: 0.0, bytes), lambda: 99.0)
    sessions = Sessions(notebook)
    live = session(sessions, "pop3", "ann")
    live.ending = "nothing heard for too long"
    sessions.remove(live)
    sessions.remove(live)
    [(at, trace, kind, facts)] = notebook.notes
    assert (at, trace, kind) == (99.0, live.trace, "closed")
    assert facts["user"] == "ann"
    assert facts["service"] == "pop3"
    assert facts["since"] == 12.0
    assert facts["why"] == "nothing heard for too long"


def test_who_is_kicked_was_ended_by_the_administrator() -> None:
    notebook = Notebook(TraceIds(lambda: 0.0, bytes), lambda: 0.0)
    sessions = Sessions(notebook)
    live = session(sessions)
    live.kick()
    sessions.remove(live)
    assert "administrator" in str(notebook.notes[0][3]["why"])


def test_a_decision_about_a_message_names_its_connection() -> None:
    notebook = Notebook(TraceIds(lambda: 0.0, bytes), lambda: 0.0)
    live = session(Sessions(notebook))
    live.note_message("M1", "message", size=3)
    [(_, trace, kind, facts)] = notebook.notes
    assert (trace, kind) == ("M1", "message")
    assert facts == {"session": live.trace, "size": 3}
