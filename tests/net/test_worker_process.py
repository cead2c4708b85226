"""The parent's end of a worker's channel: greeting, answers in order, silence."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from maildrop.net.worker_process import ANSWER, LONGEST_LINE, Channel, Spawned

CONVERSATION = b'{"maildrop":"1.0"}\n{"ok":true,"n":1}\n{"ok":true,"n":2}\nnonsense\n'


class Bench:
    """A channel and what came of it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.told: list[object] = []
        self.channel = Channel(self.clock, lambda: self.told.append("up"))
        self.transport = StringTransport()
        self.channel.makeConnection(self.transport)

    def ask(self) -> None:
        asked: Deferred[Any] = self.channel.ask({"command": "status"})
        asked.addCallbacks(
            lambda answer: self.told.append(answer["n"]),
            lambda failure: self.told.append(str(failure.value)),
        )


@pytest.mark.parametrize("cut", range(len(CONVERSATION)))
def test_cut_anywhere_the_answers_are_the_same(cut: int) -> None:
    bench = Bench()
    for _ in range(3):
        bench.ask()
    bench.channel.dataReceived(CONVERSATION[:cut])
    bench.channel.dataReceived(CONVERSATION[cut:])
    assert bench.told == ["up", 1, 2, "worker sent no JSON"]
    assert bench.transport.value() == b'{"command": "status"}\n' * 3


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next() -> None:
    bench = Bench()
    bench.channel.dataReceived(b"{}\n")
    bench.ask()
    bench.clock.advance(ANSWER)
    assert bench.told == ["up", "worker did not answer within 10 s"]
    bench.ask()
    bench.channel.dataReceived(b'{"n":1}\n{"n":2}\n{"n":3}\n')
    assert bench.told[2:] == [2]


def test_the_end_is_the_answer_to_everything() -> None:
    bench = Bench()
    bench.ask()
    bench.channel.connectionLost(Failure(ConnectionDone()))
    bench.ask()
    assert bench.told == ["worker is gone", "worker is gone"]


def test_an_answer_has_a_limit() -> None:
    bench = Bench()
    bench.channel.dataReceived(bytes(LONGEST_LINE + 1))
    assert bench.transport.disconnecting


@pytest.mark.parametrize(
    ("status", "number", "how"),
    [(0, None, "ended with status 0"), (None, 9, "killed by signal 9")],
)
def test_the_end_of_a_process_has_a_reason(
    status: int | None, number: int | None, how: str
) -> None:
    bench = Bench()
    told: list[str] = []
    process = Spawned(bench.channel, told.append)
    process.terminate()
    process.processEnded(Failure(ProcessTerminated(status, number)))
    assert told == [how]
    assert process.pid == 0
