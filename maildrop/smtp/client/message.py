"""A message of the queue, read for a relay.

In this file:
    Message      its octets in pieces, and what has to be known of them
    read         reads one
    seven_bit    rewrites one for a server that takes no octets above 127

Small messages are read where they are needed; large ones on a thread, which copies them
out of the queue and looks at each octet once.

What one of our files sent on gets the address that it came by in a Delivered-To field
(RFC 9228): when it comes back to that address, it goes in a circle.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from maildrop.durable import Content
from maildrop.message import seven_bit as rewriting
from maildrop.queue.relay import Job
from maildrop.smtp.wire.stuffing import Facts, facts, outgoing

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]

#: Octets sent at once; also what is read without a thread.
PIECE: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Message:
    """A message.

    Attributes:
        content: Its octets; whoever has it closes it.
        before: A header field that is sent before them, or nothing.
        facts: What has to be known of both.
    """

    content: Content
    before: bytes
    facts: Facts

    def octets(self, *, dots: bool) -> Iterator[bytes]:
        """What is sent, in pieces.

        Args:
            dots: By DATA.
        """
        pieces = _pieces(self.before, self.content)
        return outgoing(pieces, clean=self.facts.clean, dots=dots)

    def close(self) -> None:
        """Let go of memory and file."""
        self.content.close()


def _pieces(before: bytes, content: Content) -> Iterator[bytes]:
    if before:
        yield before
    octets = content.octets() if content.size else b""
    for at in range(0, content.size, PIECE):
        yield octets[at : at + PIECE]


def _read(job: Job) -> Message:
    before = f"Delivered-To: {job.via}\r\n".encode() if job.via else b""
    content = job.content()
    try:
        return Message(content, before, facts(_pieces(before, content)))
    except BaseException:
        content.close()
        raise


async def read(job: Job, in_thread: InThread) -> Message:
    """Read the message of a job.

    Raises:
        StorageFailure, NoSpace: It cannot be.
    """
    if job.entry.size <= PIECE:
        return _read(job)
    message: Message = await in_thread(lambda: _read(job))
    return message


async def seven_bit(message: Message, in_thread: InThread) -> Message:
    """A message without octets above 127 (RFC 6152 section 3); itself if it has to be.

    Who has it closes both.
    """

    def rewrite() -> Message:
        octets = rewriting.seven_bit(message.content.octets())
        if octets is None:
            return message
        content = Content.of(octets)
        return Message(content, message.before, facts(_pieces(message.before, content)))

    found: Message = await in_thread(rewrite)
    return found
