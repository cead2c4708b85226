"""ENABLE: turn extensions on (RFC 5161 section 3.1).

In this file:
    Enable      the command
    parse       from octets
    enabled     the untagged response

Grammar: enable = "ENABLE" 1*(SP capability)    ; "UTF8=ACCEPT" too: they are atoms
"""

from collections.abc import Iterable
from dataclasses import dataclass

from maildrop.imap.wire.arguments import Arguments


@dataclass(frozen=True, slots=True)
class Enable:
    """ENABLE; names in upper case, known or not (the unknown are passed over)."""

    tag: bytes
    capabilities: tuple[bytes, ...]


def parse(tag: bytes, arguments: Arguments) -> Enable:
    """Read what follows the command's name."""
    capabilities = []
    arguments.space()
    while True:
        capabilities.append(arguments.atom().upper())
        arguments.check_items(len(capabilities))
        if arguments.at_end():
            return Enable(tag, tuple(capabilities))
        arguments.space()


def enabled(capabilities: Iterable[bytes]) -> bytes:
    """ENABLED: what is on now by this command (section 3.2)."""
    return b" ".join((b"* ENABLED", *capabilities)) + b"\r\n"
