"""The control socket's server: a line in, a line out.

In this file:
    ControlConnection    one conversation, on the socket or with the parent process
    memory               octets of memory of this process

Grammar: one JSON object a line, in ASCII, LF at its end.  The server greets with one,
then answers each request, in order.

Limits: ``longest`` octets a request, ``most_bad`` of them that are no JSON.

Security: whoever can connect may do everything; the socket has mode 0600.
"""

import json
import os
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.interfaces import IReactorTime

from maildrop.control.commands import Control
from maildrop.net.connection import Limits, ServerConnection


def memory() -> int:
    """Octets of physical memory that this process has (resident set)."""
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class ControlConnection(ServerConnection[bytes]):
    """One conversation.

    Args:
        clock: Time.
        control: Answers.
        limits: What the connection is held to.
        longest: Octets a request may have.
        most_bad: Requests that are no JSON before it is closed.
        over: Called when the connection is gone; a worker ends then.
    """

    def __init__(
        self,
        clock: IReactorTime,
        control: Control,
        limits: Limits | None = None,
        *,
        longest: int = 1 << 16,
        most_bad: int = 3,
        over: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(clock, limits or Limits(idle=300.0))
        self._control = control
        self._longest = longest
        self._bad_left = most_bad
        self._when_over = over
        self._octets = b""

    def greet(self) -> None:
        """Say who this is."""
        self._say(self._control.greeting)

    def receive(self, octets: bytes) -> None:
        """Take octets of requests."""
        self._octets += octets

    def next_event(self) -> bytes | None:
        """The next request; an empty one stands for one that is too long."""
        while True:
            line, end, rest = self._octets.partition(b"\n")
            if len(line) > self._longest:
                self._octets = b""
                return b""
            if not end:
                return None
            self._octets = rest
            if line.strip():
                return line

    def handle(self, event: bytes) -> Coroutine[Any, Any, None] | None:
        """Answer it."""
        if not event:
            self._refuse(f"a request has at most {self._longest} octets")
            self.close()
            return None
        try:
            request = json.loads(event)
        except (ValueError, RecursionError):
            self._refuse("a request is a JSON object on a line")
            self._bad_left -= 1
            if not self._bad_left:
                self.close()
            return None
        return self._answer(request)

    async def _answer(self, request: object) -> None:
        self._say(await self._control.answer(request))

    def _refuse(self, error: str) -> None:
        self._say({"ok": False, "error": error})

    def _say(self, response: dict[str, Any]) -> None:
        self.write(json.dumps(response, separators=(",", ":")).encode() + b"\n")

    def broken(self) -> None:
        """An error of ours; it is logged."""
        self._refuse("an error in the server, see its log")

    def timed_out(self) -> None:
        """Nothing was asked for long."""
        self._refuse("idle for too long")

    def closed(self) -> None:
        """It is over."""
        if self._when_over is not None:
            self._when_over()
