"""Filters: who else has a say in what is taken.

In this file:
    Filter         something that judges mail; a milter will be one
    Examination    one connection of a client, as a filter sees it
    Client         who is at the other end
    Verdict        what a filter says
    Action         the kinds of verdict
    Chain          all filters in their order; a session asks only the chain
    Chained        one connection, as the chain sees it

A session asks at connection, hello, sender, each recipient and content.  The first
filter that refuses ends the question.  ACCEPT means that this filter has nothing more
to say about the message (at connection or hello: about the whole connection).
"""

import enum
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from maildrop.durable import Content
from maildrop.smtp.wire.path import Path


class Action(enum.Enum):
    """What a filter wants."""

    CONTINUE = enum.auto()
    ACCEPT = enum.auto()
    REFUSE = enum.auto()
    DISCARD = enum.auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a filter says.

    Attributes:
        action: What it wants.
        code: Reply code of a refusal; 4xx is temporary, 421 closes the connection.
        enhanced: Enhanced status code of a refusal.
        text: Text of a refusal, for the client.
        fields: Header fields to put before the message: names and values.
    """

    action: Action = Action.CONTINUE
    code: int = 550
    enhanced: str = "5.7.1"
    text: str = "Refused by a filter"
    fields: tuple[tuple[str, str], ...] = ()


CONTINUE = Verdict()


@dataclass(frozen=True, slots=True)
class Client:
    """Who is at the other end.

    Attributes:
        service: ``smtp``, ``submission`` or ``lmtp``.
        address: Its IP address, "unix" for a UNIX socket.
        port: Its port.
    """

    service: str
    address: str
    port: int


class Examination(Protocol):
    """One connection of a client, as a filter sees it."""

    async def connected(self) -> Verdict:
        """The client connected."""

    async def hello(self, name: str) -> Verdict:
        """It said EHLO, HELO or LHLO."""

    async def sender(self, path: Path | None) -> Verdict:
        """It said MAIL."""

    async def recipient(self, path: Path) -> Verdict:
        """It said RCPT, and the address is good."""

    async def content(self, trace_id: str, content: Content) -> Verdict:
        """The message is complete; what it was refused is forgotten."""

    def abort(self) -> None:
        """The transaction ended without a message."""

    def close(self) -> None:
        """The connection ended."""


class Filter(Protocol):
    """Something that judges mail."""

    def begin(self, client: Client) -> Examination:
        """A client connected."""


class Chain:
    """All filters in their order.

    Args:
        filters: The first is asked first.
    """

    def __init__(self, filters: Sequence[Filter] = ()) -> None:
        self._filters = tuple(filters)

    def begin(self, client: Client) -> "Chained | None":
        """A client connected; None when there is nobody to ask."""
        if not self._filters:
            return None
        return Chained([each.begin(client) for each in self._filters])


class Chained:
    """One connection, as the chain sees it."""

    def __init__(self, examinations: Sequence[Examination]) -> None:
        self._all = list(examinations)
        self._connection = list(examinations)
        self._message = list(examinations)

    async def connected(self) -> Verdict:
        """Ask at connection."""
        verdict = await self._ask(self._connection, lambda each: each.connected())
        self._message = list(self._connection)
        return verdict

    async def hello(self, name: str) -> Verdict:
        """Ask at EHLO, HELO or LHLO."""
        verdict = await self._ask(self._connection, lambda each: each.hello(name))
        self._message = list(self._connection)
        return verdict

    async def sender(self, path: Path | None) -> Verdict:
        """Ask at MAIL."""
        return await self._ask(self._message, lambda each: each.sender(path))

    async def recipient(self, path: Path) -> Verdict:
        """Ask at RCPT."""
        return await self._ask(self._message, lambda each: each.recipient(path))

    async def content(self, trace_id: str, content: Content) -> Verdict:
        """Ask when the message is complete."""
        verdict = await self._ask(
            self._message, lambda each: each.content(trace_id, content)
        )
        self._message = list(self._connection)
        return verdict

    def abort(self) -> None:
        """The transaction ended without a message."""
        for each in self._message:
            each.abort()
        self._message = list(self._connection)

    def close(self) -> None:
        """The connection ended."""
        for each in self._all:
            each.close()

    async def _ask(
        self,
        examinations: list[Examination],
        question: Callable[[Examination], Awaitable[Verdict]],
    ) -> Verdict:
        """Ask all; those that accept are asked no more."""
        fields: list[tuple[str, str]] = []
        for each in list(examinations):
            verdict = await question(each)
            if verdict.action in {Action.REFUSE, Action.DISCARD}:
                return verdict
            fields += verdict.fields
            if verdict.action is Action.ACCEPT:
                examinations.remove(each)
        return Verdict(fields=tuple(fields)) if fields else CONTINUE
