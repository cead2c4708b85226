"""CAPABILITY: ask what the server can do (RFC 3501 section 6.1.1).

In this file:
    Capability    the command
    parse         from octets
    response      the untagged response

Grammar: the word alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from maildrop.imap.wire.arguments import Arguments


@dataclass(frozen=True, slots=True)
class Capability:
    """CAPABILITY."""

    tag: bytes


def parse(tag: bytes, arguments: Arguments) -> Capability:
    """Read what follows the command's name: nothing."""
    arguments.end()
    return Capability(tag)


def response(names: Iterable[bytes]) -> bytes:
    """CAPABILITY: what there is (section 7.2.1); IMAP4rev1 is one of the names."""
    return b"* CAPABILITY %b\r\n" % b" ".join(names)
