"""What takes messages out of the queue, as the queue sees it.

In this file:
    Relay    takes a message to some recipients
    Job      a message, and those of its recipients that are tried together

A relay is asked again until it says for each recipient that it is done with; what it
says is on disk before anything follows from it.  What goes on with others, while it is
settled for some, says so before that: a crash meanwhile repeats nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from maildrop.durable import Content
from maildrop.queue.entry import Entry, Result, Waiting


@dataclass(frozen=True, slots=True)
class Job:
    """A message, and those of its recipients that are tried together.

    Attributes:
        entry: The message's; not to be changed.
        recipients: Of one relay, one destination, one reverse path and one ``via``.
        content: Gives the message, CRLF line ends; the caller closes it.
        settled: Notes what became of some of the recipients, before others are tried
            further; it is on disk when this returns.
    """

    entry: Entry
    recipients: Sequence[Waiting]
    content: Callable[[], Content]
    settled: Callable[[Sequence[Result]], Awaitable[None]]

    @property
    def sender(self) -> str:
        """The reverse path, empty for ``<>``."""
        own = self.recipients[0].sender
        return self.entry.sender if own is None else own

    @property
    def via(self) -> str:
        """The address of ours that the message was sent on from, empty if none."""
        return self.recipients[0].via


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an attempt came to.

    Attributes:
        results: One for each recipient of the job that was not settled before, in any
            order.
        more: Recipients that expanded ones stand for now: address, relay, destination
            and parent are set, numbers are not.
        unreachable: Why the destination as a whole could not be had: others for it need
            not be tried for a while.
    """

    results: Sequence[Result]
    more: Sequence[Waiting] = ()
    unreachable: str = ""


class Relay(Protocol):
    """Takes a message to some recipients."""

    async def relay(self, job: Job) -> Attempt:
        """Try once."""
