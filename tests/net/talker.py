"""A small server over lines, for tests of the pump and what lies under it."""

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from maildrop.net.connection import Limits, ServerConnection


class Talker(ServerConnection[bytes]):
    """Answers ``echo X``; ``wait X`` answers when ``waits`` fires; see ``handle``."""

    def __init__(self, clock: Clock, limits: Limits | None = None) -> None:
        super().__init__(clock, limits or Limits())
        self.octets = b""
        self.values: list[object] = []
        self.waits: list[Deferred[Any]] = []
        self.log: list[str] = []
        self.greeting = b"hello\r\n"

    def greet(self) -> None:
        if not self.greeting:
            raise ValueError("no greeting")
        self.write(self.greeting)

    def receive(self, octets: bytes) -> None:
        self.octets += octets

    def next_event(self) -> bytes | None:
        line, end, rest = self.octets.partition(b"\r\n")
        if not end:
            return None
        self.octets = rest
        return line

    def handle(self, event: bytes) -> Coroutine[Any, Any, None] | None:
        verb, _, argument = event.partition(b" ")
        self.log.append(event.decode())
        match verb:
            case b"echo":
                self.write(argument + b"\r\n")
            case b"quit":
                self.write(b"bye\r\n")
                self.close()
            case b"fail":
                raise ValueError(argument.decode())
            case b"long":
                self.spend(float(argument))
                self.write(b"done\r\n")
            case b"now":
                return self.at_once(argument)
            case b"wait":
                return self.wait(argument)
            case b"waitfail":
                return self.wait_and_fail()
            case b"big":
                return self.big(int(argument))
        return None

    def spend(self, seconds: float) -> None:
        assert isinstance(self.clock, Clock)
        self.clock.advance(seconds)

    async def at_once(self, argument: bytes) -> None:
        self.write(argument + b"\r\n")

    async def wait(self, argument: bytes) -> None:
        values = []
        for _ in range(2):
            turn: Deferred[object] = Deferred()
            self.waits.append(turn)
            values.append(await turn)
        self.write(argument + b"\r\n")
        self.values = values
        self.log.append("waited")

    async def wait_and_fail(self) -> None:
        turn: Deferred[None] = Deferred()
        self.waits.append(turn)
        await turn
        raise ValueError("after waiting")

    async def big(self, pieces: int) -> None:
        try:
            for _ in range(pieces):
                self.write(b"x" * 1000)
                await self.drained()
        finally:
            self.log.append("big ended")

    def broken(self) -> None:
        self.write(b"broken\r\n")

    def timed_out(self) -> None:
        self.write(b"too slow\r\n")

    def closed(self) -> None:
        self.log.append("closed")
