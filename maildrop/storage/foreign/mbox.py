r"""Taking over a mailbox in an mbox, in place.

In this file:
    adopt        take one over
    read         what is known of it
    index_path   where Dovecot's index of it is
    local_date   the date of a From_ line, as servers on this host take it

UW-IMAP and Pine keep all they know in header fields (``mbox_fields``).  Dovecot does
so too, but puts it off: until a file is rewritten, UIDs and flags of messages are in
its index alone, which says at what offset each message begins.  So, of a message:

    its UID          X-UID if there is one, else the index, if the file is as the index
                     knew it up to the place where the message begins
    its flags        the fields, but for those that the index has marked as not written

UIDs that do not ascend through the file are not believed; such a message gets a new
one, as Dovecot and UW-IMAP would do.

Dates of From_ lines are local time for other servers, unless they tell a zone.

POP3: Dovecot's unique ids are made of UID and UIDVALIDITY, UW-IMAP's like ours.
Qpopper keeps its own in ``X-UIDL``; they are taken if most messages have one.

Nothing is written into the file: the fields stay until flags are changed, which
rewrites it as ours are written.
"""

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from maildrop.errors import MailboxInUse, PermanentError
from maildrop.mailbox.flags import is_keyword
from maildrop.storage.foreign import dovecot, dovecot_index, mbox_fields
from maildrop.storage.foreign.dovecot_index import Index, system_flags
from maildrop.storage.foreign.facts import Facts
from maildrop.storage.foreign.mbox_fields import Base
from maildrop.storage.foreign.taking import Keywords, Placed, Taken, take
from maildrop.storage.index.host import Host
from maildrop.storage.index.table import IndexTable
from maildrop.storage.mbox.file import MboxFile
from maildrop.storage.mbox.format import content, split_header
from maildrop.storage.mbox.scan import Found, examine, is_pseudo, raw_messages

_ZONE: Final = re.compile(
    rb"\d\d:\d\d(?::\d\d)? +(?:\d{4} +)?([+-])(\d\d)(\d\d)(?= |\r|\n|\Z)"
)
Progress = Callable[[int], None]


@dataclass(slots=True)
class _Read:
    """What is known of a mailbox.

    Attributes:
        facts: Of the other server; keys are numbers of messages.
        messages: By key.
    """

    facts: Facts
    messages: dict[bytes, Found] = field(default_factory=dict)


def adopt(
    name: str,
    file: MboxFile,
    control: str,
    index: str,
    host: Host,
    new_uid_validity: Callable[[int], int],
    *,
    server: str = "auto",
    dry_run: bool = False,
    accept_loss: bool = False,
    uidl: bytes = b"",
    progress: Progress = lambda _: None,
) -> Taken:
    """Take over one mailbox.

    Args:
        name: Its name.
        file: Its file.
        control: Directory of its control files.
        index: Directory of Dovecot's index.
        host: Disk, clock, lock waits.
        new_uid_validity: Gives a UIDVALIDITY above its argument.
        server: ``auto``, ``dovecot`` or ``uw``.
        dry_run: Only say what would be taken over.
        accept_loss: Go on where not everything can be kept.
        uidl: Form of POP3 unique ids, where it is not the server's default.
        progress: Told how many messages are done.

    Raises:
        AlreadyServed: It has a ledger that clients may know.
        PermanentError: Something would be lost.
        MailboxInUse: Another program holds the mailbox.
    """
    if os.path.lexists(f"{file.path}.lock"):
        raise MailboxInUse(
            f"{file.path}.lock is there: another program is at work. Stop it first; if"
            " it is stopped, remove the file"
        )
    try:
        with file.reading() as fd:
            found = read(fd, file.path, index, server, progress)
            return _take(
                name,
                found,
                control,
                host,
                new_uid_validity,
                dry_run=dry_run,
                accept_loss=accept_loss,
                uidl=uidl,
            )
    except FileNotFoundError:
        return Taken(name, "nothing known")


def _take(
    name: str,
    found: _Read,
    control: str,
    host: Host,
    new_uid_validity: Callable[[int], int],
    *,
    dry_run: bool,
    accept_loss: bool,
    uidl: bytes,
) -> Taken:
    facts = found.facts
    if not facts.uid_validity:
        return Taken(name, "nothing known", remarks=tuple(facts.remarks))
    if uidl:
        facts.uidl_form, facts.uidl_validity = uidl, facts.uid_validity
    names = Keywords(list(facts.letters))
    rows = list(_rows(found, names))
    losses = tuple(facts.losses + names.losses())
    report = Taken(
        name,
        "would be",
        facts.server,
        facts.uid_validity,
        facts.uid_next,
        len(rows),
        len(found.messages) - len(rows),
        tuple(names.names),
        len(facts.uidls),
        facts.highest_mod_seq,
        losses,
        tuple(facts.remarks),
    )
    if dry_run:
        return report
    if losses and not accept_loss:
        raise PermanentError(
            f"mailbox {name}: " + "; ".join(losses) + "."
            " Give --accept-loss to take over the rest"
        )
    host.disk.make_directories(control)

    def placed(_: IndexTable) -> tuple[Sequence[Placed], Sequence[str]]:
        return rows, names.names

    written = take(control, host, new_uid_validity, facts, placed)
    return replace(report, state="taken over" if written else "was before")


def _rows(found: _Read, names: Keywords) -> Iterator[Placed]:
    facts = found.facts
    for key, message in found.messages.items():
        uid = facts.uids.get(key)
        if uid is None:
            continue
        keywords = facts.keywords.get(uid, message.metadata.keywords)
        yield Placed(
            uid,
            message.digest,
            message.size,
            message.date,
            facts.flags.get(uid, message.metadata.flags),
            names.bits(keywords),
        )


def index_path(name: str, path: str, folders: str) -> str:
    """The directory of Dovecot's index of a mailbox.

    Args:
        name: The mailbox.
        path: Its file.
        folders: The folder directory.
    """
    if name == "INBOX":
        return os.path.join(folders, ".imap", "INBOX")
    return os.path.join(os.path.dirname(path), ".imap", os.path.basename(path))


def read(
    fd: int,
    path: str,
    index_path: str,
    server: str = "auto",
    progress: Progress = lambda _: None,
) -> _Read:
    """What is known of a mailbox.

    Args:
        fd: The file, locked.
        path: Its name, for errors.
        index_path: Directory of Dovecot's index.
        server: ``auto``, ``dovecot`` or ``uw``.
        progress: Told how many messages are read.

    Raises:
        StorageFailure: The file is no mbox.
    """
    facts = Facts("uw" if server == "auto" else server)
    found = _Read(facts)
    start: Base | None = None
    fields: list[mbox_fields.Fields] = []
    size = os.fstat(fd).st_size
    for offset, raw in raw_messages(fd, 0, size, path):
        stored = content(raw)
        header = stored[: split_header(stored)]
        if offset == 0 and is_pseudo(raw):
            start = mbox_fields.base(header)
            continue
        if not fields and start is None:
            start = mbox_fields.base(header)
        fields.append(mbox_fields.fields(header))
        message = examine(offset, raw)
        date = local_date(raw[: raw.find(b"\n")], message.date)
        found.messages[b"%d" % len(fields)] = replace(message, date=date)
        if not len(fields) % 100:
            progress(len(fields))
    if start is not None:
        facts.uid_validity, facts.uid_next = start.uid_validity, start.last_uid + 1
        facts.letters = list(filter(is_keyword, dict.fromkeys(start.keywords)))
    index = None
    if facts.server == "dovecot" or (server == "auto" and os.path.isdir(index_path)):
        index = dovecot.usable_index(index_path, facts)
    if index is not None:
        _take_index(facts, index)
    _give_uids(found, fields, index, os.fstat(fd))
    _take_uidls(found, fields)
    old = [u for k, u in facts.uids.items() if found.messages[k].metadata.old]
    facts.first_recent = max(facts.first_recent, max(old, default=0) + 1)
    return found


def _take_index(facts: Facts, index: Index) -> None:
    facts.server = "dovecot"
    validity = index.number(dovecot_index.UID_VALIDITY)
    facts.uid_validity = facts.uid_validity or validity
    facts.uid_next = max(facts.uid_next, index.number(dovecot_index.NEXT_UID))
    facts.uidl_form = dovecot.UIDL_FORM
    facts.uidl_validity = facts.uid_validity
    dovecot.take_common(facts, index)
    for uid in index.pending:
        row = index.rows[uid]
        facts.flags[uid] = system_flags(row.flags)
        facts.keywords[uid] = tuple(filter(is_keyword, index.names_of(row)))


def _give_uids(
    found: _Read,
    fields: Sequence[mbox_fields.Fields],
    index: Index | None,
    file: os.stat_result,
) -> None:
    facts = found.facts
    known, same = _by_offset(index, file)
    last = 0
    for (key, message), said in zip(found.messages.items(), fields, strict=True):
        there = known.get(message.start, 0)
        for uid in (there, said.uid) if same else (said.uid, there):
            if last < uid < facts.uid_next:
                facts.uids[key] = last = uid
                break


def _by_offset(
    index: Index | None, file: os.stat_result
) -> tuple[dict[int, int], bool]:
    """UIDs by the offset of their message, and whether the file is as it was."""
    if index is None:
        return {}, False
    size, modified = 0, 0
    for extension in index.extensions:
        if extension.name == b"mbox" and len(extension.data) >= 12:
            size = int.from_bytes(extension.data[:8], "little")
            modified = int.from_bytes(extension.data[8:12], "little")
    if size > file.st_size:
        return {}, False
    offsets = {
        row.offset: uid
        for uid, row in index.rows.items()
        if row.offset is not None and row.offset < size
    }
    return offsets, size == file.st_size and modified == int(file.st_mtime)


def _take_uidls(found: _Read, fields: Sequence[mbox_fields.Fields]) -> None:
    """Qpopper's unique ids, if it was qpopper."""
    facts = found.facts
    given = [said.uidl for said in fields if said.uidl]
    if facts.server != "uw" or 2 * len(given) <= len(fields):
        return
    for key, said in zip(found.messages, fields, strict=True):
        if key in facts.uids and said.uidl and given.count(said.uidl) == 1:
            facts.uidls[facts.uids[key]] = said.uidl
    facts.remarks.append(f"{len(facts.uidls)} unique ids of POP3 are those of X-UIDL")


def local_date(line: bytes, as_utc: int) -> int:
    """The date of a From_ line, as servers on this host take it.

    Args:
        line: The line.
        as_utc: Its date if it were in UTC; 0 for none.

    Returns:
        Seconds since 1970 UTC.
    """
    if not as_utc:
        return 0
    zone = _ZONE.search(line)
    if zone is not None:
        offset = int(zone[2]) * 3600 + int(zone[3]) * 60
        return max(0, as_utc - offset if zone[1] == b"+" else as_utc + offset)
    broken = time.gmtime(as_utc)
    return max(0, int(time.mktime((*broken[:8], -1))))
