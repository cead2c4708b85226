r"""Subscriptions and special uses as other servers leave them.

In this file:
    subscriptions       the names that have to be taken over, of a Maildir
    listed_by_uw        the same, of mbox files
    list_for_uw         write them for UW-IMAP
    special_uses        which mailboxes are the drafts, the sent mail ...
    keep_special_uses   write that down

Dovecot's ``subscriptions`` of a Maildir is the file that we use ourselves: it needs no
taking over.  Courier's has a line for each name, in modified UTF-7 or (from version 5)
UTF-8, with INBOX as the first level of all.

No server keeps special uses (RFC 6154) beside the mail: Dovecot has them in its
configuration, Courier knows the name Trash alone.  So they go by name.  Mailboxes that
an account lacks are not made: its clients have what they are used to.
"""

import os
from collections.abc import Iterable, Sequence
from typing import Final

from maildrop.durable import translated
from maildrop.errors import MailboxNameInvalid, ProtocolSyntaxError
from maildrop.imap.wire.mailbox_name import encode, level as read_level
from maildrop.mailbox.names import check
from maildrop.storage.foreign import courier_files
from maildrop.storage.foreign.facts import octets_of
from maildrop.storage.index.host import Host
from maildrop.storage.name_lists import NameList

_OCTETS_MAX: Final = 1 << 22
#: What clients call these mailboxes, the commonest first.
_USUAL: Final[dict[str, tuple[str, ...]]] = {
    "\\Drafts": ("Drafts",),
    "\\Sent": ("Sent", "Sent Messages", "Sent Items", "Sent Mail", "sent-mail"),
    "\\Trash": ("Trash", "Deleted Messages", "Deleted Items"),
    "\\Junk": ("Junk", "Spam", "Junk E-mail", "Junk Email"),
    "\\Archive": ("Archive", "Archives"),
}


def special_uses(
    names: Iterable[str], configured: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Mailboxes with a special use.

    Args:
        names: Of all mailboxes.
        configured: Pairs of name and attribute that the configuration has.
    """
    there = {name.lower(): name for name in names}
    found = []
    for name, use in configured:
        for usual in (name, *_USUAL.get(use, ())):
            if usual.lower() in there:
                found.append((there[usual.lower()], use))
                break
    return found


def keep_special_uses(path: str, pairs: Iterable[tuple[str, str]], host: Host) -> None:
    """Write special uses down, if nobody did before.

    Args:
        path: The file (``NameList``); its being there says that no mailbox is missing.
        pairs: Name and attribute.
        host: Disk, and the longest wait for the lock.
    """
    kept = NameList(path, host)
    if kept.exists():
        return
    for name, use in pairs:
        kept.add(name, use)
    if not kept.exists():
        with translated(f"write {path}"):
            host.disk.replace_file(path, b"")


def subscriptions(root: str, server: str) -> list[str]:
    """The subscribed names that have to be taken over.

    Args:
        root: The Maildir.
        server: Whose they are.
    """
    if server != "courier":
        return []
    octets = octets_of(f"{root}/{courier_files.SUBSCRIBED}", _OCTETS_MAX)
    if octets is None:
        return []
    found = []
    for line in courier_files.subscribed(octets):
        name = _name(line)
        if name is not None:
            found.append(name)
    return sorted(set(found))


def listed_by_uw(home: str, folders: str) -> list[str]:
    """The subscribed names in UW-IMAP's ``.mailboxlist``.

    It names files relative to the home; those of the folder directory are mailboxes.

    Args:
        home: The user's home directory.
        folders: The folder directory.
    """
    octets = octets_of(os.path.join(home, ".mailboxlist"), _OCTETS_MAX)
    if octets is None:
        return []
    prefix = os.path.relpath(folders, home).encode() + b"/"
    found = set()
    for whole in octets.split(b"\n"):
        line = whole.strip(b"\r").removeprefix(b"~/")
        if line.upper() == b"INBOX":
            found.add("INBOX")
        elif line.startswith(prefix):
            name = _decoded(line[len(prefix) :], b"/")
            if name is not None:
                found.add(name)
    return sorted(found)


def _name(line: bytes) -> str | None:
    return _decoded(line, b".") if line else "INBOX"


def _decoded(line: bytes, separator: bytes) -> str | None:
    try:
        name = "/".join([read_level(level) for level in line.split(separator)])
        check(name)
    except (ProtocolSyntaxError, MailboxNameInvalid):
        return None
    return "INBOX" if name.upper() == "INBOX" else name


def list_for_uw(home: str, folders: str, names: Iterable[str], host: Host) -> None:
    """Write subscribed names for UW-IMAP.

    Args:
        home: The user's home directory.
        folders: The folder directory.
        names: The subscribed names.
        host: Disk.
    """
    path = os.path.join(home, ".mailboxlist")
    if not os.path.isdir(home):
        return
    prefix = os.path.relpath(folders, home).encode() + b"/"
    lines = [
        b"INBOX" if name == "INBOX" else prefix + b"/".join(map(encode, levels))
        for name, levels in ((name, name.split("/")) for name in names)
    ]
    with translated(f"write {path}"):
        host.disk.replace_file(path, b"".join([line + b"\n" for line in lines]))
