"""Keywords that another server kept beside a Maildir.

In this file:
    named_letters    the keyword of each letter

File ``dovecot-keywords``: lines of a number (0 for ``a``), a space, and a name.

Limits: a letter that nobody names, as after the loss of the ledger, means nothing until
a keyword gets it; then other programs that rename such a file give it that keyword.

Security: the file may say anything; what is no keyword is passed over.
"""

import os
from typing import Final

from maildrop.durable import open_to_read
from maildrop.mailbox.flags import is_keyword

_FILE: Final = "dovecot-keywords"
_LETTERS: Final = 26
_OCTETS_MAX: Final = 1 << 14


def named_letters(path: str) -> list[str]:
    """The keywords of the letters from ``a`` on; up to the first without a name."""
    try:
        fd = open_to_read(f"{path}/{_FILE}")
    except OSError:
        return []
    try:
        octets = os.read(fd, _OCTETS_MAX)
    finally:
        os.close(fd)
    names: dict[int, str] = {}
    for line in octets.splitlines():
        number, _, name = line.decode("ascii", "replace").partition(" ")
        if number.isdigit() and is_keyword(name) and name not in names.values():
            names[int(number)] = name
    found = []
    for letter in range(_LETTERS):
        if letter not in names:
            break
        found.append(names[letter])
    return found
