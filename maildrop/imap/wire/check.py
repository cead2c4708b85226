"""CHECK: ask for a checkpoint (RFC 3501 section 6.4.1).

In this file:
    Check    the command
    parse        from octets

Grammar: the word alone.
"""

from dataclasses import dataclass

from maildrop.imap.wire.arguments import Arguments


@dataclass(frozen=True, slots=True)
class Check:
    """CHECK."""

    tag: bytes


def parse(tag: bytes, arguments: Arguments) -> Check:
    """Read what follows the command's name: nothing."""
    arguments.end()
    return Check(tag)
