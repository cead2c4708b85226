"""What is answered to status, who, kick and the rest, alone and with workers."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from maildrop.control.commands import Control, Process
from maildrop.errors import ConfigurationError
from maildrop.metrics import Counters
from maildrop.net.sessions import Session, Sessions
from maildrop.net.workers import WorkerFailed
from tests.net.talker import Talker


class Server:
    """A process with sessions, and what it was told to do."""

    def __init__(self, pid: int = 10, workers: tuple["Asked", ...] = ()) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.sessions = Sessions()
        self.counters = Counters()
        self.told: list[str] = []
        self.control = Control(
            Process(
                version="1.0",
                pid=pid,
                clock=self.clock,
                started=900.0,
                sessions=self.sessions,
                counters=self.counters,
                memory=lambda: 50_000_000,
                services=lambda: [{"protocol": "imap", "endpoint": "tcp:143"}],
                workers=lambda: workers,
                reload=self.reload,
                stop=self.stop,
                facts=lambda: {"hostname": "mail.example.org"},
            )
        )

    async def reload(self) -> Sequence[str]:
        self.told.append("reload")
        return ["mail.separator"]

    async def stop(self) -> None:
        self.told.append("stop")

    def connect(self, service: str, user: str, since: float) -> Session:
        talker = Talker(self.clock)
        talker.makeConnection(StringTransport())
        session = self.sessions.add(Session(service, talker, since))
        session.user = user
        return session

    def ask(self, command: str, **more: object) -> dict[str, Any]:
        return ask(self.control, {"command": command, **more})


def ask(control: Control, request: object) -> dict[str, Any]:
    answers: list[dict[str, Any]] = []
    Deferred.fromCoroutine(control.answer(request)).addCallback(answers.append)
    return answers[0]


class Asked:
    """A worker: another server, asked as over its channel."""

    def __init__(self, server: Server, *, gone: bool = False) -> None:
        self.server = server
        self.gone = gone
        self.pid = 0

    def ask(self, request: Mapping[str, object]) -> Deferred[dict[str, object]]:
        if self.gone:
            return fail(WorkerFailed("gone"))
        return succeed(ask(self.server.control, json.loads(json.dumps(request))))

    def terminate(self) -> None:
        self.gone = True

    def kill(self) -> None:
        self.gone = True


def with_workers() -> tuple[Server, Server, Server]:
    one, two = Server(11), Server(12)
    gone = Asked(Server(13), gone=True)
    return Server(10, (Asked(one), gone, Asked(two))), one, two


# -- status


def test_status_tells_what_runs() -> None:
    server = Server()
    server.connect("imap", "alice", 950)
    server.sessions.remove(server.connect("imap", "alice", 950))
    server.counters.add("messages_delivered", 3)
    assert server.ask("status") == {
        "ok": True,
        "hostname": "mail.example.org",
        "version": "1.0",
        "pid": 10,
        "started": 900.0,
        "uptime": 100.0,
        "services": [{"protocol": "imap", "endpoint": "tcp:143"}],
        "sessions": {"imap": 1},
        "begun": {"imap": 2},
        "counters": {"messages_delivered": 3},
        "processes": [
            {"pid": 10, "memory": 50_000_000, "sessions": 1, "started": 900.0}
        ],
    }


def test_status_adds_up_the_workers() -> None:
    parent, one, two = with_workers()
    one.connect("imap", "alice", 1)
    two.connect("imap", "bob", 1)
    two.connect("pop3", "bob", 1)
    one.counters.add("messages_delivered")
    two.counters.add("messages_delivered")
    status = parent.ask("status")
    assert status["sessions"] == {"imap": 2, "pop3": 1}
    assert status["counters"] == {"messages_delivered": 2}
    assert [process["pid"] for process in status["processes"]] == [10, 11, 12]
    assert status["pid"] == 10


# -- who


def test_who_tells_of_each_session() -> None:
    server = Server()
    session = server.connect("imap", "alice", 950.0)
    session.mailbox = "INBOX"
    assert server.ask("who") == {
        "ok": True,
        "more": 0,
        "sessions": [
            {
                "session": "10.1",
                "service": "imap",
                "user": "alice",
                "address": "192.168.1.1",
                "port": 54321,
                "tls": "",
                "since": 950.0,
                "mailbox": "INBOX",
                "octets_in": 0,
                "octets_out": 7,
            }
        ],
    }


def test_who_shows_the_sessions_of_all_workers_oldest_first() -> None:
    parent, one, two = with_workers()
    one.connect("imap", "alice", 30)
    two.connect("imap", "bob", 10)
    one.connect("pop3", "carol", 20)
    who = parent.ask("who")["sessions"]
    assert [told["user"] for told in who] == ["bob", "carol", "alice"]
    assert [told["session"] for told in who] == ["12.1", "11.2", "11.1"]


@pytest.mark.parametrize(
    ("asked", "users"),
    [
        ({"user": "alice"}, ["alice"]),
        ({"service": "pop3"}, ["bob"]),
        ({"address": "192.0.2.1"}, []),
        ({"address": "192.168.1.1", "service": "imap"}, ["alice"]),
    ],
)
def test_who_selects(asked: dict[str, str], users: list[str]) -> None:
    parent, one, two = with_workers()
    one.connect("imap", "alice", 1)
    two.connect("pop3", "bob", 1)
    assert [told["user"] for told in parent.ask("who", **asked)["sessions"]] == users


def test_who_has_a_limit_and_says_how_many_more() -> None:
    parent, one, two = with_workers()
    for number in range(5):
        one.connect("imap", f"a{number}", number)
        two.connect("imap", f"b{number}", number)
    who = parent.ask("who", limit=3)
    assert [told["user"] for told in who["sessions"]] == ["a0", "b0", "a1"]
    assert who["more"] == 7


# -- kick


def test_kick_by_user_reaches_all_workers() -> None:
    parent, one, two = with_workers()
    kicked = [one.connect("imap", "alice", 1), two.connect("imap", "alice", 1)]
    spared = one.connect("imap", "bob", 1)
    assert parent.ask("kick", user="alice") == {"ok": True, "kicked": 2}
    assert all(session.connection.transport.disconnecting for session in kicked)  # type: ignore[attr-defined] # a Talker
    assert not spared.connection.transport.disconnecting  # type: ignore[attr-defined] # a Talker


def test_kick_by_session_reaches_one() -> None:
    parent, one, two = with_workers()
    one.connect("imap", "alice", 1)
    two.connect("imap", "alice", 1)
    assert parent.ask("kick", session="12.1") == {"ok": True, "kicked": 1}
    assert parent.ask("kick", session="13.1") == {"ok": True, "kicked": 0}
    assert parent.ask("kick", session="10.1") == {"ok": True, "kicked": 0}


def test_kick_needs_somebody() -> None:
    answer = Server().ask("kick")
    assert answer == {
        "ok": False,
        "error": "kick whom? session, user or address is needed",
    }


# -- the rest


def test_reload_and_stop_are_done() -> None:
    server = Server()
    assert server.ask("reload") == {"ok": True, "restart": ["mail.separator"]}
    assert server.ask("stop") == {"ok": True}
    assert server.told == ["reload", "stop"]


def test_a_reload_that_fails_says_why() -> None:
    class Wrong(Server):
        async def reload(self) -> Sequence[str]:
            raise ConfigurationError("maildrop.toml line 3: no such key")

    answer = Wrong().ask("reload")
    assert answer == {"ok": False, "error": "maildrop.toml line 3: no such key"}


def test_what_a_process_cannot_do_is_refused() -> None:
    assert not Server().ask("drain")["ok"]


@pytest.mark.parametrize(
    "request_",
    [
        None,
        [],
        "status",
        {},
        {"command": "format"},
        {"command": ["status"]},
        {"command": "who", "limit": "many"},
        {"command": "who", "limit": -1},
        {"command": "who", "limit": 10_001},
        {"command": "who", "user": 1},
        {"command": "who", "service": []},
        {"command": "kick", "session": "x"},
        {"command": "kick", "session": "1.2.3"},
        {"command": "kick", "session": "1." + "9" * 50},
        {"command": "kick", "user": {"a": "b"}},
    ],
)
def test_bad_requests_are_refused(request_: object) -> None:
    answer = ask(Server().control, request_)
    assert not answer["ok"]
    assert answer["error"]


def test_the_greeting_tells_version_and_process() -> None:
    assert Server().control.greeting == {"maildrop": "1.0", "pid": 10}
