"""ID: who the client is, and who the server (RFC 2971).

In this file:
    Id          the command
    parse       from octets
    response    the untagged response

Grammar:

    id             = "ID" SP id-params-list
    id-params-list = "(" [string SP nstring *(SP string SP nstring)] ")" / nil

Limits: section 3.3 allows 30 pairs, names of 30 octets and values of 1024; more is
``LimitExceeded``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from maildrop.errors import LimitExceeded
from maildrop.imap.wire.arguments import Arguments
from maildrop.imap.wire.syntax import nstring, string

_PAIRS: Final = 30
_NAME: Final = 30
_VALUE: Final = 1024


@dataclass(frozen=True, slots=True)
class Id:
    """ID; ``fields`` are pairs of name and value, None for NIL, as the client wrote."""

    tag: bytes
    fields: tuple[tuple[bytes, bytes | None], ...] = ()


def parse(tag: bytes, arguments: Arguments) -> Id:
    """Read what follows the command's name."""
    arguments.space()
    fields: list[tuple[bytes, bytes | None]] = []
    if arguments.take(b"("):
        while not arguments.take(b")"):
            if fields:
                arguments.space()
            name = arguments.string()
            arguments.space()
            value = arguments.nstring()
            fields.append((name, value))
            if len(fields) > _PAIRS or len(name) > _NAME or len(value or b"") > _VALUE:
                raise LimitExceeded("more than RFC 2971 section 3.3 allows")
    elif arguments.word() != b"NIL":
        raise arguments.error("expected a list or NIL")
    arguments.end()
    return Id(tag, tuple(fields))


def response(fields: Mapping[bytes, bytes | None]) -> bytes:
    """ID: what the server says of itself; NIL when that is nothing."""
    if not fields:
        return b"* ID NIL\r\n"
    pairs = (b"%b %b" % (string(name), nstring(fields[name])) for name in fields)
    return b"* ID (%b)\r\n" % b" ".join(pairs)
