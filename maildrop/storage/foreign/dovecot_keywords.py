r"""``dovecot-keywords``: which keyword each small letter in a file name is.

In this file:
    parse      the keywords, from letter ``a`` on
    written    the octets of the file

Format: lines of a number (0 for ``a``, 25 for ``z``), a space and a keyword.  A letter
that is not named, between others that are, stands for a keyword that nobody knows any
more; it gets a name of its own, so that the letters behind it keep their place.

Security: what is no keyword of IMAP is an error, not a flag.
"""

from collections.abc import Sequence
from typing import Final

from maildrop.mailbox.flags import is_keyword
from maildrop.storage.foreign.facts import Unreadable

FILE: Final = "dovecot-keywords"
#: Letters there are for keywords in a file name.
LETTERS: Final = 26
#: Longest file, in octets.
OCTETS_MAX: Final = 1 << 16


def parse(octets: bytes, path: str) -> list[str]:
    """The keywords, from letter ``a`` on.

    Args:
        octets: What the file holds.
        path: Its name, for errors.

    Raises:
        Unreadable: A line is not as the format has it.
    """
    names: dict[int, str] = {}
    for at, line in enumerate(octets.splitlines(), 1):
        digits, _, octets_of_name = line.partition(b" ")
        name = octets_of_name.decode("ascii", "replace")
        if not digits.isdigit() or int(digits[:9]) >= LETTERS or not is_keyword(name):
            said = line[:60]
            raise Unreadable(f"{path}, line {at}: no keyword of a letter: {said!r}")
        if name.lower() in map(str.lower, names.values()):
            raise Unreadable(f"{path}, line {at}: {name!r} has a letter already")
        names[int(digits)] = name
    last = max(names, default=-1)
    return [names.get(n) or _unknown(n) for n in range(last + 1)]


def _unknown(letter: int) -> str:
    return f"$UnknownLetter-{chr(97 + letter)}"


def written(names: Sequence[str]) -> bytes:
    """The octets of the file.

    Args:
        names: From letter ``a`` on; those beyond the last letter are left out.
    """
    lines = [f"{n} {name}\n" for n, name in enumerate(names[:LETTERS])]
    return "".join(lines).encode("ascii")
