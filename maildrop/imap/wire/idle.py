"""IDLE: be told of news until DONE (RFC 2177 section 3).

In this file:
    Idle    the command
    parse       from octets

Grammar: the word alone.
"""

from dataclasses import dataclass

from maildrop.imap.wire.arguments import Arguments


@dataclass(frozen=True, slots=True)
class Idle:
    """IDLE."""

    tag: bytes


def parse(tag: bytes, arguments: Arguments) -> Idle:
    """Read what follows the command's name: nothing."""
    arguments.end()
    return Idle(tag)
