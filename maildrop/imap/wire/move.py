"""MOVE and UID MOVE: put messages into another mailbox instead (RFC 6851 section 3.1).

In this file:
    Move    either command
    parse   MOVE from octets
    uid     UID MOVE from octets

Grammar: move = "MOVE" SP sequence-set SP mailbox
"""

from dataclasses import dataclass

from maildrop.imap.wire.arguments import Arguments
from maildrop.message.sequence_set import SequenceSet


@dataclass(frozen=True, slots=True)
class Move:
    """MOVE; with ``uid`` the messages are named by UID."""

    tag: bytes
    messages: SequenceSet
    mailbox: str
    uid: bool = False


def parse(tag: bytes, arguments: Arguments) -> Move:
    """Read what follows MOVE."""
    return _move(tag, arguments, by_uid=False)


def uid(tag: bytes, arguments: Arguments) -> Move:
    """Read what follows UID MOVE."""
    return _move(tag, arguments, by_uid=True)


def _move(tag: bytes, arguments: Arguments, *, by_uid: bool) -> Move:
    arguments.space()
    messages = arguments.sequence_set()
    arguments.space()
    mailbox = arguments.mailbox()
    arguments.end()
    return Move(tag, messages, mailbox, by_uid)
