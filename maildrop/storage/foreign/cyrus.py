r"""Mail copied out of a Cyrus spool, with its UIDs.

In this file:
    Spooled     a mailbox in the spool
    spooled     the mailboxes of a user
    message     a message in the spool
    copy        a mailbox's messages put into a Maildir
    facts_of    what Cyrus knows of them

Cyrus keeps a file for each message, ``UID.`` with CRLF line ends, in a directory for
each mailbox, with ``cyrus.header`` and ``cyrus.index`` beside them.  Nobody can share
that, so the messages are copied into a Maildir, under names that follow from
UIDVALIDITY and UID: a copy that was interrupted goes on where it stopped.  Then the
Maildir is taken over as any other (``maildir.adopt``).  The spool is only read.

    step                                      a crash after it leaves
    1  file in tmp/, synced, dated            a file in tmp/ that is written anew
    2  renamed into cur/, with its letters    a message that is found when repeated
    3  ledger made                            done

What is not in the spool is not copied: subscriptions (USER.sub), and before version 12
of the index which messages are ``\Seen`` (USER.seen).

In names of directories "." is "^".  From version 3.6 on directories have numbers for
names, and the header says the mailbox's.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from maildrop.durable import translated
from maildrop.errors import PermanentError, ProtocolSyntaxError
from maildrop.imap.wire.mailbox_name import level as read_level
from maildrop.storage.foreign.cyrus_files import (
    HEADER,
    INDEX,
    Header,
    Index,
    Record,
    parse_header,
    parse_index,
)
from maildrop.storage.foreign.facts import Facts, octets_of
from maildrop.storage.index.host import Host
from maildrop.storage.maildir.names import Letters, base_of

_MESSAGE_MAX: Final = 1 << 29
_DEPTH_MAX: Final = 32
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Spooled:
    """A mailbox in the spool.

    Attributes:
        name: Levels joined by "/".
        path: Its directory.
        header, index: What Cyrus keeps of it.
    """

    name: str
    path: str
    header: Header
    index: Index


def spooled(root: str, user: str) -> list[Spooled]:
    """The mailboxes of a user.

    Args:
        root: The user's directory in the spool; or, where directories have numbers for
            names, one that holds them.
        user: The user, as Cyrus calls him.

    Raises:
        PermanentError: There is none.
    """
    found = {}
    for path in _directories(root):
        header_octets = octets_of(f"{path}/{HEADER}")
        index_octets = octets_of(f"{path}/{INDEX}")
        if header_octets is None or index_octets is None:
            continue
        header = parse_header(header_octets, f"{path}/{HEADER}")
        name = _name(header.name, os.path.relpath(path, root), user)
        if name is not None:
            index = parse_index(index_octets, f"{path}/{INDEX}")
            found[name] = Spooled(name, path, header, index)
    if not found:
        raise PermanentError(f"{root} holds no mailbox of {user} that Cyrus left")
    return [found[name] for name in sorted(found)]


def _directories(root: str, depth: int = 0) -> Iterator[str]:
    yield root
    with translated(f"list {root}"), os.scandir(root) as listed:
        below = [e.path for e in listed if e.is_dir(follow_symlinks=False)]
    for path in sorted(below) if depth < _DEPTH_MAX else ():
        yield from _directories(path, depth + 1)


def _name(said: str, relative: str, user: str) -> str | None:
    """The name of a mailbox; None for one of somebody else."""
    levels = [] if relative == "." else relative.split(os.sep)
    if said:
        said_levels = said.rpartition("!")[2].split(".")
        if said_levels[:2] != ["user", user.replace(".", "^")]:
            return None
        levels = said_levels[2:]
    try:
        read = [read_level(level.replace("^", ".").encode()) for level in levels]
    except ProtocolSyntaxError:
        raise PermanentError(f"no mailbox can be called {said or relative}") from None
    return "/".join(read) or "INBOX"


def facts_of(mailbox: Spooled) -> Facts:
    """What Cyrus knows of a mailbox; file names have the system flags."""
    index = mailbox.index
    facts = Facts("cyrus", index.uid_validity, index.uid_next)
    facts.uidl_form = b"%v.%u" if index.with_validity else b"%u"
    facts.uidl_validity = index.uid_validity
    facts.highest_mod_seq = index.mod_seq
    facts.first_recent = index.recent + 1 if index.recent else 0
    names = mailbox.header.keywords
    for record in index.records:
        facts.uids[_base(mailbox, record)] = record.uid
        facts.mod_seqs[record.uid] = record.mod_seq
        facts.flags[record.uid] = record.flags
        facts.keywords[record.uid] = tuple(
            name for n, name in enumerate(names) if name and record.keywords >> n & 1
        )
    if not index.knows_seen:
        facts.losses.append(
            f"which messages were read: an index of version {index.version} does not"
            " say"
        )
    if mailbox.name == "INBOX":
        facts.remarks.append("subscriptions are not in the spool")
    return facts


def _base(mailbox: Spooled, record: Record) -> bytes:
    validity = mailbox.index.uid_validity
    return b"%d.M%dP%dQ1.cyrus" % (record.date, record.uid % 1_000_000, validity) + (
        b"U%d" % record.uid
    )


def message(mailbox: Spooled, uid: int) -> bytes:
    """The octets of a message, as they stand in the spool.

    Raises:
        PermanentError: It has no file.
    """
    file = f"{mailbox.path}/{uid}."
    octets = octets_of(file, _MESSAGE_MAX)
    if octets is None:
        raise PermanentError(f"{file} is missing; run `reconstruct` of Cyrus first")
    return octets


def copy(
    mailbox: Spooled,
    maildir: str,
    read: Callable[[Spooled, int], bytes],
    host: Host,
    progress: Progress,
) -> None:
    """Put a mailbox's messages into a Maildir.

    Args:
        mailbox: In the spool.
        maildir: The Maildir; its three directories exist.
        read: Reads a message; ``message``, with the rights that takes.
        host: Disk.
        progress: Told how many messages are done.

    """
    disk = host.disk
    with translated(f"list {maildir}/cur"):
        listed = os.listdir(os.fsencode(f"{maildir}/cur"))
    there = {base_of(name) for name in listed}
    letters = Letters(())
    for done, record in enumerate(mailbox.index.records, 1):
        base = _base(mailbox, record)
        if base in there:
            continue
        octets = read(mailbox, record.uid)
        if b"\r\r\n" not in octets:
            octets = octets.replace(b"\r\n", b"\n")
        temporary = os.path.join(maildir, "tmp", os.fsdecode(base))
        target = f"{maildir}/cur/{os.fsdecode(base + letters.end(record.flags, 0))}"
        with translated(f"write {target}"):
            disk.replace_file(temporary, octets)
            disk.set_times(temporary, record.date)
            disk.rename(temporary, target)
        progress(done)
    with translated(f"sync {maildir}"):
        disk.synchronize_directory(f"{maildir}/cur")
