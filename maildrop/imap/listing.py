r"""The names that LIST and LSUB show.

In this file:
    Pattern      a name with "%" and "*", and what it matches
    Listed       one line of an answer
    mailboxes    the mailboxes and subscribed names with what is known of them
    attributes   what is said of one

Matching: RFC 3501 section 6.3.8: "*" stands for anything, "%" for anything but the
separator.  All places in the name that the pattern can have come to are followed at
once, as bits of a number, so that the time is the pattern's length whatever it holds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from maildrop.mailbox.interfaces import MailboxEntry
from maildrop.mailbox.names import INBOX, SEPARATOR


class Pattern:
    """What LIST asks for.

    Args:
        text: Names with wildcards, as the client wrote it.
        separator: Between levels.

    Attributes:
        levels: It has a "%".
    """

    __slots__ = ("_separator", "_text", "_upper", "levels")

    def __init__(self, text: str, separator: str) -> None:
        # INBOX is INBOX in any case (RFC 3501 section 5.1).
        first, mark, rest = text.partition(separator)
        if first.upper() == INBOX:
            text = INBOX + mark + rest
        self._text = _collapsed(text)
        self._upper = self._text.upper()
        self._separator = separator
        self.levels = "%" in self._text

    def matches(self, name: str) -> bool:
        """Whether a name, as it is written, is asked for."""
        if self._text == "*":
            return True
        # Section 6.3.8: INBOX is compared without regard to case.
        return self._follow(name, self._upper if name == INBOX else self._text)

    def _follow(self, name: str, text: str) -> bool:
        places: dict[str, int] = {}  # character -> bits of the places behind it
        for at, character in enumerate(name, 1):
            places[character] = places.get(character, 0) | 1 << at
        everywhere = (2 << len(name)) - 1
        level = everywhere & ~places.get(self._separator, 0)
        reached = 1
        for character in text:
            if character == "*":
                reached = everywhere & -(reached & -reached)
            elif character == "%":
                reached = _spread(reached, level, len(name))
            else:
                reached = reached << 1 & places.get(character, 0)
            if not reached:
                return False
        return bool(reached >> len(name) & 1)


def _collapsed(text: str) -> str:
    """Without repeated wildcards: those next to each other are "*" if one is."""
    pieces: list[str] = []
    for character in text:
        if character in "*%" and pieces and pieces[-1] in "*%":
            if character == "*":
                pieces[-1] = "*"
        else:
            pieces.append(character)
    return "".join(pieces)


def _spread(reached: int, open_: int, length: int) -> int:
    """Go on from every bit through neighbouring bits of ``open_``."""
    step = 1
    while step <= length:
        reached |= open_ & reached << step
        open_ &= open_ << step
        step <<= 1
    return reached


@dataclass(frozen=True, slots=True)
class Listed:
    r"""One line of an answer.

    Attributes:
        name: The mailbox, levels joined by "/".
        exists: There is such a mailbox or level.
        selectable: It holds messages.
        children: It has mailboxes below it.
        special_use: RFC 6154 attributes.
        subscribed: It is subscribed to.
        below: Some mailbox below it is subscribed to.
    """

    name: str
    exists: bool = True
    selectable: bool = True
    children: bool = False
    special_use: tuple[str, ...] = ()
    subscribed: bool = False
    below: bool = False


def mailboxes(
    entries: Iterable[MailboxEntry], subscriptions: Iterable[str]
) -> dict[str, Listed]:
    """The mailboxes, subscribed names that do not exist, and the levels above those.

    Args:
        entries: The mailboxes.
        subscriptions: The subscribed names.

    Returns:
        Name -> what is known of it, in the order of the names.
    """
    found = {
        entry.name: Listed(
            entry.name,
            selectable=entry.selectable,
            children=entry.children,
            special_use=entry.special_use,
        )
        for entry in entries
    }
    for name in subscriptions:
        known = found.get(name) or Listed(name, exists=False, selectable=False)
        found[name] = replace(known, subscribed=True)
        levels = name.split(SEPARATOR)
        for depth in range(1, len(levels)):
            above = SEPARATOR.join(levels[:depth])
            known = found.get(above) or Listed(above, exists=False, selectable=False)
            if not known.below:
                found[above] = replace(known, below=True)
    return dict(sorted(found.items()))


def attributes(listed: Listed, *, extended: bool, subscribed: bool) -> list[bytes]:
    r"""The attributes of one line (RFC 3501 section 7.2.2, RFC 3348, 5258, 6154).

    Args:
        listed: The mailbox.
        extended: The client knows RFC 5258.
        subscribed: It wants to know of subscriptions.
    """
    said = []
    if not listed.exists:
        said.append(b"\\NonExistent" if extended else b"\\Noselect")
    elif not listed.selectable:
        said.append(b"\\Noselect")
    children = listed.children or (not listed.exists and listed.below)
    said.append(b"\\HasChildren" if children else b"\\HasNoChildren")
    said += [use.encode("ascii", "replace") for use in listed.special_use]
    if subscribed and listed.subscribed:
        said.append(b"\\Subscribed")
    return said
