r"""STORE and UID STORE: change flags (RFC 3501 section 6.4.6).

In this file:
    Store    either command
    parse    STORE from octets
    uid      UID STORE from octets

Grammar:

    store           = "STORE" SP sequence-set SP store-att-flags
    store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP
                      (flag-list / (flag *(SP flag)))

The untagged response is FETCH's (``fetch.response``).
"""

import re
from dataclasses import dataclass
from typing import Final

from maildrop.imap.wire.arguments import Arguments
from maildrop.message.flags import SYSTEM_FLAGS, FlagChange, Operation
from maildrop.message.sequence_set import SequenceSet

_OPERATIONS: Final = {
    b"FLAGS": (Operation.REPLACE, False),
    b"+FLAGS": (Operation.ADD, False),
    b"-FLAGS": (Operation.REMOVE, False),
    b"FLAGS.SILENT": (Operation.REPLACE, True),
    b"+FLAGS.SILENT": (Operation.ADD, True),
    b"-FLAGS.SILENT": (Operation.REMOVE, True),
}
#: A command that changes one system flag, and how it does.
_SIMPLE: Final = re.compile(rb" ([\d:,*]+) ([+-]?[A-Za-z.]+ \(\\[A-Za-z]+\))")
_CHANGES: Final = {
    b"%b (%b)" % (item, name.upper().encode("ascii")): (
        FlagChange(operation, bit),
        silent,
    )
    for item, (operation, silent) in _OPERATIONS.items()
    for name, bit in SYSTEM_FLAGS.items()
}


@dataclass(frozen=True, slots=True)
class Store:
    """STORE; with ``uid`` the messages are named by UID.

    Attributes:
        tag: The command's.
        messages: Which.
        change: What to do to their flags.
        silent: The client wants no FETCH response for its own change.
        uid: The command was UID STORE.
    """

    tag: bytes
    messages: SequenceSet
    change: FlagChange
    silent: bool = False
    uid: bool = False


def parse(tag: bytes, arguments: Arguments) -> Store:
    """Read what follows STORE."""
    return _store(tag, arguments, by_uid=False)


def uid(tag: bytes, arguments: Arguments) -> Store:
    """Read what follows UID STORE."""
    return _store(tag, arguments, by_uid=True)


def _store(tag: bytes, arguments: Arguments, *, by_uid: bool) -> Store:
    simple = arguments.rest_as(_SIMPLE)
    if simple is not None and (known := _CHANGES.get(simple[2].upper())):
        return Store(tag, arguments.simple_set(simple), *known, by_uid)
    arguments.space()
    messages = arguments.sequence_set()
    arguments.space()
    item = arguments.atom().upper()
    if item not in _OPERATIONS:
        raise arguments.error("expected FLAGS, +FLAGS or -FLAGS")
    operation, silent = _OPERATIONS[item]
    arguments.space()
    flags, keywords = arguments.flag_list()
    arguments.end()
    change = FlagChange(operation, flags, keywords)
    return Store(tag, messages, change, silent, by_uid)
