r"""What servers tell of mail without having it read.

In this file:
    Listed      a mailbox in LIST
    Numbers     what EXAMINE tells of a mailbox
    Row         what FETCH tells of a message
    Maildrop    what STAT, LIST and UIDL of POP3 tell
"""

from array import array
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Listed:
    r"""A mailbox in LIST.

    Attributes:
        wire: The name as the server writes it.
        name: Levels joined by "/", without the namespace's prefix.
        attributes: In lower case: ``\noselect``, ``\sent`` ...
    """

    wire: bytes
    name: str
    attributes: frozenset[str] = frozenset()

    @property
    def selectable(self) -> bool:
        """Whether it holds messages."""
        return self.attributes.isdisjoint({"\\noselect", "\\nonexistent"})


@dataclass(frozen=True, slots=True)
class Numbers:
    r"""What EXAMINE tells of a mailbox.

    Attributes:
        uid_validity, uid_next: RFC 3501 section 2.3.1.1; None if not told.
        messages: How many there are.
        highest_mod_seq: RFC 7162 section 3.1.2.1; None without CONDSTORE.
        permanent_flags: In lower case; ``\*`` for any keyword.
    """

    uid_validity: int | None
    uid_next: int | None
    messages: int
    highest_mod_seq: int | None = None
    permanent_flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Row:
    r"""What is known of a message without reading it.

    Attributes:
        uid: Its UID.
        flags: Flags and keywords, as the server writes them, without ``\Recent``.
        date: INTERNALDATE, seconds since 1970 UTC; None if it makes no sense.
        size: RFC822.SIZE.
        mod_seq: None without CONDSTORE.
    """

    uid: int
    flags: tuple[str, ...]
    date: int | None
    size: int
    mod_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Maildrop:
    """What a POP3 session sees.

    Attributes:
        messages: STAT: how many.
        octets: STAT: their size.
        sizes: LIST, by message number.
        uidls: UIDL, by message number; None where the server has no UIDL.
    """

    messages: int
    octets: int
    sizes: "array[int]"
    uidls: list[bytes] | None
