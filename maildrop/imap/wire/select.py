r"""SELECT and EXAMINE: open a mailbox (RFC 3501 sections 6.3.1 and 6.3.2).

In this file:
    Select      either command
    parse       SELECT from octets
    examine     EXAMINE from octets
    exists, recent, expunge, flags    the untagged responses of an open mailbox

Grammar (the parameters are RFC 4466's, section 2.4):

    select       = "SELECT" SP mailbox [select-params]
    select-params = SP "(" select-param *(SP select-param) ")"
    select-param = atom [SP value]         ; such as CONDSTORE, QRESYNC (1 2)
"""

from collections.abc import Iterable
from dataclasses import dataclass

from maildrop.imap.wire.arguments import Arguments


@dataclass(frozen=True, slots=True)
class Select:
    """SELECT, or EXAMINE when ``read_only``.

    Attributes:
        tag: The command's.
        mailbox: As the client wrote it, decoded.
        read_only: The command was EXAMINE.
        parameters: Names in upper case, each with its value as written (empty when it
            has none); the session says which it knows.
    """

    tag: bytes
    mailbox: str
    read_only: bool = False
    parameters: tuple[tuple[bytes, bytes], ...] = ()


def parse(tag: bytes, arguments: Arguments) -> Select:
    """Read what follows SELECT."""
    return _select(tag, arguments, read_only=False)


def examine(tag: bytes, arguments: Arguments) -> Select:
    """Read what follows EXAMINE."""
    return _select(tag, arguments, read_only=True)


def _select(tag: bytes, arguments: Arguments, *, read_only: bool) -> Select:
    arguments.space()
    mailbox = arguments.mailbox()
    parameters: tuple[tuple[bytes, bytes], ...] = ()
    if arguments.take(b" ("):
        parameters = arguments.parameters()
    arguments.end()
    return Select(tag, mailbox, read_only, parameters)


def exists(messages: int) -> bytes:
    """EXISTS: how many messages there are (section 7.3.1)."""
    return b"* %d EXISTS\r\n" % messages


def recent(messages: int) -> bytes:
    r"""RECENT: how many are ``\Recent`` (section 7.3.2)."""
    return b"* %d RECENT\r\n" % messages


def flags(names: Iterable[bytes]) -> bytes:
    """FLAGS: those that messages of the mailbox may have (section 7.2.6)."""
    return b"* FLAGS (%b)\r\n" % b" ".join(names)
