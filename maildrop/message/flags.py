r"""Flags of a message: system flags as bits of one octet, keywords as bits of 32.

In this file:
    SEEN ... DRAFT    the system flags of RFC 3501 section 2.3.2 as bits
    SYSTEM_FLAGS      their names
    FlagChange        what STORE asks for
    combined          what a message has after a change
    is_keyword        which names may become keywords

``\Recent`` is no flag here: it is a fact about a session (``view.View.recent``).
"""

import enum
from dataclasses import dataclass
from typing import Final

SEEN: Final = 1
ANSWERED: Final = 2
FLAGGED: Final = 4
DELETED: Final = 8
DRAFT: Final = 16

#: Every system flag that is stored; bits above belong to the storage format.
ALL_SYSTEM: Final = 31

SYSTEM_FLAGS: Final[dict[str, int]] = {
    "\\Answered": ANSWERED,
    "\\Flagged": FLAGGED,
    "\\Deleted": DELETED,
    "\\Seen": SEEN,
    "\\Draft": DRAFT,
}

#: Keywords a mailbox can hold: the bits of its keyword column.
KEYWORDS_MAX: Final = 32
#: Longest keyword taken, in octets.
KEYWORD_LENGTH_MAX: Final = 255

_ATOM_SPECIALS: Final = frozenset('(){ %*"\\]')


class Operation(enum.Enum):
    """How STORE combines what it names with what is there (RFC 3501 section 6.4.6)."""

    REPLACE = "FLAGS"
    ADD = "+FLAGS"
    REMOVE = "-FLAGS"


@dataclass(frozen=True, slots=True)
class FlagChange:
    """One change of flags, for any number of messages.

    Attributes:
        operation: Replace, add or remove.
        flags: System flags as bits.
        keywords: Keyword names, case kept as the client wrote them; compared
            without regard to ASCII case.
    """

    operation: Operation
    flags: int = 0
    keywords: tuple[str, ...] = ()


def is_keyword(name: str) -> bool:
    """Whether ``name`` may be a keyword: an atom that is no system flag.

    RFC 3501 section 9, ``flag-keyword``.
    """
    return (
        0 < len(name) <= KEYWORD_LENGTH_MAX
        and name.isascii()
        and name.isprintable()
        and not _ATOM_SPECIALS.intersection(name)
    )


def combined(
    before: tuple[int, int], operation: Operation, named: tuple[int, int]
) -> tuple[int, int]:
    """Flags and keywords after a change.

    Args:
        before: Flag bits and keyword bits there are.
        operation: Replace, add or remove.
        named: Flag bits and keyword bits that the change names.
    """
    flags, keywords = before
    if operation is Operation.ADD:
        return flags | named[0], keywords | named[1]
    if operation is Operation.REMOVE:
        return flags & ~named[0], keywords & ~named[1]
    return flags & ~ALL_SYSTEM | named[0], named[1]
