r"""What another server keeps of one mailbox, whatever its format.

In this file:
    Facts         UIDVALIDITY, UIDs, flags, keywords, MODSEQs, POP3 UIDLs
    Unreadable    a control file says what its format does not allow
    octets_of     a control file, if there is one

A message is named by its key: the base name of its file in a Maildir, its number in an
mbox (``b"1"`` for the first).  UIDs are given by key, all else by UID, as the formats
have it.

Security: control files may be written by whoever owns the mail.  No file is read that
is longer than its limit; every number is checked to be one that IMAP allows; a line
that breaks the grammar is an error which names file and line, never a guess.
"""

import os
from dataclasses import dataclass, field
from typing import Final

from maildrop.durable import open_to_read, translated
from maildrop.errors import LimitExceeded, PermanentError
from maildrop.storage.index.uid_validity import NUMBER_MAX

#: Longest control file, in octets: some millions of messages.
OCTETS_MAX: Final = 1 << 29
#: Longest line of a control file, in octets: a name, and some numbers.
LINE_MAX: Final = 1 << 14


class Unreadable(PermanentError):
    """A control file cannot be read; the text says which, where and why."""


@dataclass(slots=True)
class Facts:
    r"""What another server keeps of one mailbox.

    Attributes:
        server: Whose it is: ``dovecot``, ``courier``, ``uw`` or ``cyrus``.
        uid_validity: 0 if it has none.
        uid_next: Above all UIDs given away; 0 if it has none.
        uids: Key of a message -> UID.
        letters: Keywords by their letter in file names, from ``a`` on.
        flags: UID -> system flags, of messages whose mail file does not hold them.
        keywords: UID -> keywords, of messages whose mail file does not hold them.
        more_keywords: UID -> keywords beside those that the mail file holds.
        mod_seqs: UID -> MODSEQ, as far as kept.
        highest_mod_seq: 0 if none is kept.
        first_recent: Messages with this UID or more are ``\Recent``; 0 if not kept.
        uidls: UID -> POP3 unique id, of those that are not as ``uidl_form`` has it.
        uidl_form: How the others are made (``uidl``); empty for as this store does.
        uidl_validity: What ``%v`` stands for in it.
        uidl_shift: What is added to a UID for ``%u`` in it.
        losses: What cannot be taken over, in words.
        remarks: What the administrator should know, in words.
    """

    server: str
    uid_validity: int = 0
    uid_next: int = 0
    uids: dict[bytes, int] = field(default_factory=dict)
    letters: list[str] = field(default_factory=list)
    flags: dict[int, int] = field(default_factory=dict)
    keywords: dict[int, tuple[str, ...]] = field(default_factory=dict)
    more_keywords: dict[int, tuple[str, ...]] = field(default_factory=dict)
    mod_seqs: dict[int, int] = field(default_factory=dict)
    highest_mod_seq: int = 0
    first_recent: int = 0
    uidls: dict[int, bytes] = field(default_factory=dict)
    uidl_form: bytes = b""
    uidl_validity: int = 0
    uidl_shift: int = 0
    losses: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def octets_of(path: str, octets_max: int = OCTETS_MAX) -> bytes | None:
    """What a control file holds; None when there is none.

    Args:
        path: The file.
        octets_max: A longer one is not read.

    Raises:
        LimitExceeded: It is longer.
        StorageFailure, AccessDenied: It is there and cannot be read.
    """
    try:
        with translated(f"read {path}"):
            fd = open_to_read(path)
    except FileNotFoundError:
        return None
    with open(fd, "rb") as file, translated(f"read {path}"):
        if os.fstat(fd).st_size > octets_max:
            raise LimitExceeded(f"{path} is longer than {octets_max} octets")
        return file.read(octets_max)


def number(octets: bytes, what: str, least: int = 1) -> int:
    """A decimal number that may be a UID or UIDVALIDITY (RFC 3501 section 9).

    Args:
        octets: Its digits.
        what: What it is, with file and line, for the error.
        least: The smallest one allowed.

    Raises:
        Unreadable: It is none.
    """
    if octets.isdigit() and len(octets) <= 10:
        found = int(octets)
        if least <= found <= NUMBER_MAX:
            return found
    raise Unreadable(f"{what} is {octets[:40]!r} and no number up to {NUMBER_MAX}")
