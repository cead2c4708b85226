"""NAMESPACE: ask where mailboxes are (RFC 2342 section 5).

In this file:
    Namespace    the command
    parse        from octets
    response     the untagged response

Grammar: the word alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from maildrop.imap.wire import mailbox_name
from maildrop.imap.wire.arguments import Arguments
from maildrop.imap.wire.syntax import quoted

#: A prefix that names begin with, and the separator of levels in it (None: flat).
Prefix: TypeAlias = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Namespace:
    """NAMESPACE."""

    tag: bytes


def parse(tag: bytes, arguments: Arguments) -> Namespace:
    """Read what follows the command's name: nothing."""
    arguments.end()
    return Namespace(tag)


def response(
    personal: Sequence[Prefix],
    others: Sequence[Prefix] = (),
    shared: Sequence[Prefix] = (),
) -> bytes:
    """NAMESPACE: the user's own mailboxes, other users', and those of everybody."""
    kinds = (personal, others, shared)
    return b"* NAMESPACE %b %b %b\r\n" % tuple(map(_prefixes, kinds))


def _prefixes(prefixes: Sequence[Prefix]) -> bytes:
    if not prefixes:
        return b"NIL"
    return b"(%b)" % b"".join(
        b"(%b %b)"
        % (
            quoted(mailbox_name.encode(prefix)),
            b"NIL" if separator is None else quoted(separator.encode("ascii")),
        )
        for prefix, separator in prefixes
    )
