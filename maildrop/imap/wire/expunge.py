"""EXPUNGE (RFC 3501 section 6.4.3) and UID EXPUNGE (RFC 4315 section 2.1).

In this file:
    Expunge    either command
    parse      EXPUNGE from octets
    uid        UID EXPUNGE from octets
    response   the untagged response

Grammar:

    expunge     = "EXPUNGE"
    uid-expunge = "UID" SP "EXPUNGE" SP sequence-set
"""

from dataclasses import dataclass

from maildrop.imap.wire.arguments import Arguments
from maildrop.message.sequence_set import SequenceSet


@dataclass(frozen=True, slots=True)
class Expunge:
    r"""EXPUNGE; with ``uids`` only those of the ``\Deleted`` messages go."""

    tag: bytes
    uids: SequenceSet | None = None


def parse(tag: bytes, arguments: Arguments) -> Expunge:
    """Read what follows EXPUNGE: nothing."""
    arguments.end()
    return Expunge(tag)


def uid(tag: bytes, arguments: Arguments) -> Expunge:
    """Read what follows UID EXPUNGE."""
    arguments.space()
    uids = arguments.sequence_set()
    arguments.end()
    return Expunge(tag, uids)


def response(number: int) -> bytes:
    """EXPUNGE: the message with that number is gone (RFC 3501 section 7.4.1)."""
    return b"* %d EXPUNGE\r\n" % number
