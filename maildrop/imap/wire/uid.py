"""UID: the commands that name messages by UID (RFC 3501 section 6.4.8).

In this file:
    COMMANDS    what may follow UID
    parse       from octets

Grammar:

    uid = "UID" SP (copy / fetch / search / store / uid-expunge / move)
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from maildrop.imap.wire import copy, expunge, fetch, move, search, store
from maildrop.imap.wire.arguments import Arguments, UnknownCommand

Command: TypeAlias = (
    copy.Copy | expunge.Expunge | fetch.Fetch | move.Move | search.Search | store.Store
)

#: Name -> what reads its arguments.
COMMANDS: Final[dict[bytes, Callable[[bytes, Arguments], Command]]] = {
    b"COPY": copy.uid,
    b"EXPUNGE": expunge.uid,
    b"FETCH": fetch.uid,
    b"MOVE": move.uid,
    b"SEARCH": search.uid,
    b"STORE": store.uid,
}


def parse(tag: bytes, arguments: Arguments) -> Command:
    """Read what follows UID."""
    arguments.space()
    read = COMMANDS.get(arguments.word())
    if read is None:
        raise UnknownCommand("no such command after UID")
    return read(tag, arguments)
