"""The control socket's conversation: lines of JSON, errors, limits."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from maildrop.control.commands import Control, Process
from maildrop.control.server import ControlConnection, memory
from maildrop.metrics import Counters
from maildrop.net.sessions import Sessions


def control(clock: Clock) -> Control:
    return Control(
        Process(
            version="1.0",
            pid=10,
            clock=clock,
            started=0.0,
            sessions=Sessions(),
            counters=Counters(),
            memory=memory,
        )
    )


def connected(**limits: Any) -> tuple[ControlConnection, StringTransport]:  # noqa: ANN401
    clock = Clock()
    connection = ControlConnection(clock, control(clock), **limits)
    transport = StringTransport()
    connection.makeConnection(transport)
    return connection, transport


def said(transport: StringTransport) -> list[dict[str, Any]]:
    lines = transport.value().split(b"\n")
    assert lines.pop() == b""
    return [json.loads(line) for line in lines]


CONVERSATION = b'{"command":"who"}\n\n  {"command": "who"}\r\nx\n{"command":"format"}\n'


@pytest.mark.parametrize("cut", range(len(CONVERSATION)))
def test_cut_anywhere_the_responses_are_the_same(cut: int) -> None:
    connection, transport = connected()
    connection.dataReceived(CONVERSATION[:cut])
    connection.dataReceived(CONVERSATION[cut:])
    greeting, *responses = said(transport)
    assert greeting == {"maildrop": "1.0", "pid": 10}
    assert [response["ok"] for response in responses] == [True, True, False, False]


def test_a_request_has_a_limit() -> None:
    connection, transport = connected(longest=100)
    connection.dataReceived(b'{"command":"' + b"x" * 100)
    assert said(transport)[-1] == {
        "ok": False,
        "error": "a request has at most 100 octets",
    }
    assert transport.disconnecting


def test_after_some_nonsense_it_is_closed() -> None:
    connection, transport = connected(most_bad=3)
    connection.dataReceived(b"GET / HTTP/1.1\nHost: x\n")
    assert not transport.disconnecting
    connection.dataReceived(b"[" * 5000 + b"\n")
    assert transport.disconnecting
    assert len(said(transport)) == 4


def test_ten_thousand_empty_lines_are_nothing() -> None:
    connection, transport = connected()
    connection.dataReceived(b"\n" * 10_000 + b'{"command":"who"}\n')
    assert len(said(transport)) == 2


def test_the_end_is_told() -> None:
    told: list[str] = []
    connection, _ = connected(over=lambda: told.append("over"))
    connection.connectionLost(Failure(ConnectionDone()))
    assert told == ["over"]


def test_memory_is_that_of_a_python_process() -> None:
    assert 5 << 20 < memory() < 5 << 30


@given(st.lists(st.binary(max_size=30), max_size=5))
def test_any_octets_are_answered(pieces: list[bytes]) -> None:
    connection, transport = connected(most_bad=100)
    for piece in pieces:
        connection.dataReceived(piece)
    connection.dataReceived(b'\n{"command":"who"}\n')
    assert said(transport)[-1]["ok"]
