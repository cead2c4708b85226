"""COPY and UID COPY: put messages into another mailbox too (RFC 3501 section 6.4.7).

In this file:
    Copy    either command
    parse   COPY from octets
    uid     UID COPY from octets

Grammar: copy = "COPY" SP sequence-set SP mailbox
"""

from dataclasses import dataclass

from maildrop.imap.wire.arguments import Arguments
from maildrop.message.sequence_set import SequenceSet


@dataclass(frozen=True, slots=True)
class Copy:
    """COPY; with ``uid`` the messages are named by UID."""

    tag: bytes
    messages: SequenceSet
    mailbox: str
    uid: bool = False


def parse(tag: bytes, arguments: Arguments) -> Copy:
    """Read what follows COPY."""
    return _copy(tag, arguments, by_uid=False)


def uid(tag: bytes, arguments: Arguments) -> Copy:
    """Read what follows UID COPY."""
    return _copy(tag, arguments, by_uid=True)


def _copy(tag: bytes, arguments: Arguments, *, by_uid: bool) -> Copy:
    arguments.space()
    messages = arguments.sequence_set()
    arguments.space()
    mailbox = arguments.mailbox()
    arguments.end()
    return Copy(tag, messages, mailbox, by_uid)
