r"""Maildir++: which directory a mailbox is, and which mailbox a directory.

In this file:
    directory_of    ".Work.2024" for "Work/2024"; "" for INBOX
    name_of         the other way; None for a directory that is no mailbox of ours

Every mailbox but INBOX is a directory beside the three of INBOX; its name is the levels
in modified UTF-7 (RFC 3501 section 5.1.3), each after a dot, as Courier and Dovecot
have it.  A dot inside a level is written as ``&AC4-``, which other servers and their
clients show as the dot it is.

Security: a name that comes out of here is one path component, begins with one dot and a
character that is no dot, and holds neither ``/`` nor NUL nor control characters.  There
is one directory for a name, and one name for a directory.
"""

from typing import Final

from maildrop.errors import MailboxNameInvalid, ProtocolSyntaxError
from maildrop.imap.wire.mailbox_name import encode, level as read_level

#: Longest directory name, in octets: what Linux's file systems have.
DIRECTORY_MAX: Final = 255
#: Most levels of a name.
LEVELS_MAX: Final = 32
_DOT: Final = "&AC4-"


def directory_of(name: str) -> str:
    """The directory of a mailbox, relative to INBOX.

    Raises:
        MailboxNameInvalid: No mailbox may have that name.
    """
    if name == "INBOX":
        return ""
    levels = name.split("/")
    if len(levels) > LEVELS_MAX:
        raise MailboxNameInvalid(f"{name[:100]!r} has more than {LEVELS_MAX} levels")
    directory = "".join([f".{_written(level)}" for level in levels])
    if len(directory) > DIRECTORY_MAX:
        raise MailboxNameInvalid(f"{name[:100]!r} is too long")
    if name.startswith("~"):
        raise MailboxNameInvalid(f"{name[:100]!r} looks like a home directory")
    return directory


def _written(level: str) -> str:
    refused = level in {"", ".", ".."} or any(c < " " or c == "\x7f" for c in level)
    try:
        if not refused:
            parts = [encode(part).decode("ascii") for part in level.split(".")]
            return _DOT.join(parts)
    except UnicodeError:
        pass
    raise MailboxNameInvalid(f"no level of a name may be {level[:100]!r}")


def name_of(directory: str) -> str | None:
    """The mailbox that a directory beside INBOX's is."""
    if not directory.startswith("."):
        return None
    try:
        levels = [_read(level) for level in directory[1:].split(".")]
        name = "/".join(levels)
        if levels[0].upper() == "INBOX" and levels[0] != "INBOX":
            return None  # to clients that is INBOX
        return name if directory_of(name) == directory else None
    except (ProtocolSyntaxError, MailboxNameInvalid, UnicodeError):
        return None


def _read(level: str) -> str:
    parts = level.split(_DOT)
    return ".".join([read_level(part.encode("ascii")) for part in parts])
