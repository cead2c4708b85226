r"""Giving a Maildir back: the files that another server wants, written for it.

In this file:
    Given         what was written for one mailbox, or would be
    to_dovecot    Dovecot's files of a mailbox
    to_courier    Courier's
    begin_index   an empty index of Dovecot's
    whole_store   what a server keeps once for all mailboxes
    rename_to_utf8    names of folders as Courier has them

All of it is written with the ledger locked, each file replaced whole, and can be done
again: a crash leaves some files new and some old.  Nothing is taken from our own files;
maildrop may go on serving, but nobody writes down for the other server what happens
from then on, so it should have been stopped.

For Dovecot, file names get the letters of all keywords (we write ``P`` for $Forwarded
and no letter of its own).  Its index is removed: it speaks of the time before.  In its
place comes an empty log that begins at our HIGHESTMODSEQ, so that no MODSEQ that a
client knows comes again for something else (RFC 7162 section 3.1).

A unique id of POP3 that the other server would not make by itself is written down for
the message.  Courier has room for its own form and for names of files only.
"""

import contextlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from maildrop.durable import translated
from maildrop.errors import PermanentError
from maildrop.storage.foreign import courier_files, dovecot, dovecot_keywords
from maildrop.storage.foreign.courier_files import Sized, SizeList, UidDb
from maildrop.storage.foreign.dovecot_log import FILE as LOG, fresh_log
from maildrop.storage.foreign.dovecot_uidlist import (
    FILE as UIDLIST,
    Entry,
    Uidlist,
    parse as parse_uidlist,
)
from maildrop.storage.foreign.facts import Unreadable, octets_of
from maildrop.storage.foreign.taking import note_release
from maildrop.storage.index.host import Host
from maildrop.storage.index.opening import still
from maildrop.storage.index.table import IndexTable
from maildrop.storage.maildir.layout import directory_of
from maildrop.storage.maildir.mailbox import MaildirMailbox
from maildrop.storage.maildir.names import base_of
from maildrop.storage.maildir.scan import split
from maildrop.storage.uidl_form import UidlForm

_INDEX_FILES: Final = (
    "dovecot.index",
    "dovecot.index.backup",
    "dovecot.index.cache",
    "dovecot.index.log.2",
)
_LIST_FILES: Final = ("dovecot.list.index", "dovecot.list.index.log")
_COURIER_ID: Final = re.compile(rb"UID([1-9]\d{0,9})(?:-([1-9]\d{0,9}))?")
_VALIDITY: Final = "dovecot-uidvalidity"


@dataclass(frozen=True, slots=True)
class Given:
    """What was written for one mailbox, or would be.

    Attributes:
        mailbox: Its name.
        state: ``written`` or ``would be``.
        uid_validity, uid_next: As the other server will have them.
        messages: How many.
        keywords: That they have.
        unique_ids: POP3 unique ids written down.
        losses: What the other server cannot keep, in words.
        remarks: What the administrator should know, in words.
    """

    mailbox: str
    state: str
    uid_validity: int
    uid_next: int
    messages: int
    keywords: tuple[str, ...] = ()
    unique_ids: int = 0
    losses: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def to_dovecot(
    mailbox: MaildirMailbox, host: Host, *, dry_run: bool, accept_loss: bool
) -> Given:
    """Write Dovecot's files of a mailbox.

    Args:
        mailbox: The mailbox, as it is now.
        host: Disk, clock, chance.
        dry_run: Only say what would be written.
        accept_loss: Go on where Dovecot cannot keep everything.

    Raises:
        PermanentError: Dovecot cannot keep everything.
    """
    with mailbox.ledger.locked():
        table = mailbox.table
        letters = dovecot_keywords.LETTERS
        losses = _without_letter(table, letters)
        given = _given(mailbox, losses, dry_run=dry_run)
        _refuse(given, dry_run=dry_run, accept_loss=accept_loss)
        before = _uidlist_before(mailbox.path)
        entries = list(_entries(mailbox, before))
        marked = sum(b"P" in entry.fields for entry in entries)
        given = _with_ids(given, marked)
        if dry_run:
            return given
        guid = dict(before.fields) if before is not None else {}
        if before is None or before.uid_validity != table.uid_validity:
            guid = {b"G": host.random(16).hex().encode()}
        _put_letters(mailbox, host)
        names = dovecot_keywords.written(table.keyword_names)
        uidlist = Uidlist(table.uid_validity, table.uid_next, tuple(entries), guid)
        with translated(f"write Dovecot's files in {mailbox.path}"):
            if table.keyword_names:
                host.disk.replace_file(f"{mailbox.path}/{dovecot_keywords.FILE}", names)
            host.disk.replace_file(f"{mailbox.path}/{UIDLIST}", bytes(uidlist))
            begin_index(mailbox.path, table.highest_mod_seq, host)
    mailbox.look()
    with mailbox.ledger.locked():
        note_release(mailbox.ledger)
    return given


def begin_index(directory: str, mod_seq: int, host: Host) -> None:
    """Put an empty log in the place of Dovecot's index.

    Args:
        directory: Of the index; exists.
        mod_seq: Every MODSEQ from now on will be above it.
        host: Disk, clock, chance.
    """
    for name in _INDEX_FILES:
        with contextlib.suppress(FileNotFoundError):
            host.disk.unlink(f"{directory}/{name}")
    created = int(host.clock())
    number = int.from_bytes(host.random(4), "little") | 1
    log = fresh_log(number, created, mod_seq)
    host.disk.replace_file(f"{directory}/{LOG}", log)


def _given(mailbox: MaildirMailbox, losses: Sequence[str], *, dry_run: bool) -> Given:
    table = mailbox.table
    return Given(
        mailbox.name,
        "would be" if dry_run else "written",
        table.uid_validity,
        table.uid_next,
        len(table),
        tuple(table.keyword_names),
        losses=tuple(losses),
    )


def _with_ids(given: Given, count: int) -> Given:
    return replace(given, unique_ids=count)


def _refuse(given: Given, *, dry_run: bool, accept_loss: bool) -> None:
    if given.losses and not (dry_run or accept_loss):
        raise PermanentError(
            f"mailbox {given.mailbox}: " + "; ".join(given.losses) + "."
            " Give --accept-loss to write the rest"
        )


def _without_letter(table: IndexTable, letters: int) -> list[str]:
    """Keywords of messages that have no letter, in words."""
    losses = []
    for bit, name in enumerate(table.keyword_names[letters:], letters):
        count = sum(1 for keywords in table.keywords if keywords >> bit & 1)
        if count:
            losses.append(
                f"keyword {name} of {count} messages: Dovecot keeps {letters} in file"
                " names, and others in its index, which cannot be written"
            )
    return losses


def _uidlist_before(path: str) -> Uidlist | None:
    octets = octets_of(f"{path}/{UIDLIST}")
    try:
        return None if octets is None else parse_uidlist(octets, UIDLIST)
    except Unreadable:
        return None


def _entries(mailbox: MaildirMailbox, before: Uidlist | None) -> Iterable[Entry]:
    table = mailbox.table
    known = {}
    if before is not None and before.uid_validity == table.uid_validity:
        known = {(entry.uid, entry.name): entry.fields for entry in before.entries}
    texts: Sequence[bytes] = ()
    form = UidlForm(dovecot.UIDL_FORM, table.uid_validity)
    if mailbox.name == "INBOX":
        texts = mailbox.uidls()
        kept = UidlForm.of(table)
        if kept is not None and (kept.shift, kept.validity) == (0, table.uid_validity):
            form = kept
    pattern = form.pattern()
    for row, (uid, name) in enumerate(zip(table.uids, table.names.all(), strict=True)):
        fields = dict(known.get((uid, name), {}))
        fields.pop(b"P", None)
        if texts and texts[row] != pattern % uid:
            fields[b"P"] = texts[row]
        fields[b"W"] = b"%d" % table.sizes[row]
        yield Entry(uid, name, fields)


def _put_letters(mailbox: MaildirMailbox, host: Host) -> None:
    """Give file names the letters of all keywords."""
    table, folder = mailbox.table, mailbox.folder
    for row, keywords in enumerate(table.keywords):
        name, in_new = split(mailbox.path_of(row))
        if in_new or not keywords:
            continue
        there = name.partition(b":2,")[2]
        wanted = {
            *there,
            *(97 + n for n in range(dovecot_keywords.LETTERS) if keywords >> n & 1),
        }
        if wanted == {*there}:
            continue
        renamed = base_of(name) + b":2," + bytes(sorted(wanted))
        fd = folder.fd_of(in_new)
        with translated(f"rename {name!r}"), contextlib.suppress(FileNotFoundError):
            host.disk.rename(name, renamed, source_fd=fd, target_fd=fd)
    with translated(f"sync {mailbox.path}"):
        host.disk.synchronize_directory(folder.cur_fd)


def to_courier(
    mailbox: MaildirMailbox, host: Host, *, dry_run: bool, accept_loss: bool
) -> Given:
    """Write Courier's files of a mailbox; see ``to_dovecot``."""
    with mailbox.ledger.locked():
        table, path = mailbox.table, mailbox.path
        names = table.names.all()
        sized, losses = None, []
        if mailbox.name == "INBOX":
            sized, lost = _sized(mailbox, names)
            if lost:
                losses.append(
                    f"POP3 unique ids of {lost} messages: Courier makes others"
                )
        given = _given(mailbox, losses, dry_run=dry_run)
        _refuse(given, dry_run=dry_run, accept_loss=accept_loss)
        given = _with_ids(given, len(sized.messages) if sized is not None else 0)
        if dry_run:
            return given
        uids = UidDb(
            table.uid_validity,
            table.uid_next,
            dict(zip(names, table.uids, strict=True)),
        )
        keywords = {
            name: table.keywords_of(bits)
            for name, bits in zip(names, table.keywords, strict=True)
            if bits
        }
        _move_to_cur(mailbox, host)
        with translated(f"write Courier's files in {path}"):
            _replace_keywords(f"{path}/{courier_files.KEYWORDS}", keywords, host)
            host.disk.replace_file(f"{path}/{courier_files.UIDS}", bytes(uids))
            if sized is not None:
                host.disk.replace_file(f"{path}/{courier_files.SIZES}", bytes(sized))
    mailbox.look()
    with mailbox.ledger.locked():
        note_release(mailbox.ledger)
    return given


def _move_to_cur(mailbox: MaildirMailbox, host: Host) -> None:
    """Move all messages to cur/: to one in new/ Courier gives another UID."""
    folder = mailbox.folder
    for row in range(len(mailbox.table)):
        name, in_new = split(mailbox.path_of(row))
        if not in_new:
            continue
        moved = base_of(name) + b":2,"
        source, target = folder.fd_of(in_new), folder.fd_of(0)
        with translated(f"rename {name!r}"), contextlib.suppress(FileNotFoundError):
            host.disk.rename(name, moved, source_fd=source, target_fd=target)
    with translated(f"sync {mailbox.path}"):
        host.disk.synchronize_directory(folder.cur_fd)
        host.disk.synchronize_directory(folder.new_fd)


def _sized(mailbox: MaildirMailbox, names: Sequence[bytes]) -> tuple[SizeList, int]:
    """What POP3 is to know, and how many unique ids it cannot have."""
    table = mailbox.table
    messages, lost = [], 0
    for name, size, text in zip(names, table.sizes, mailbox.uidls(), strict=True):
        found = _COURIER_ID.fullmatch(text)
        one = Sized(name, size)
        if found is not None:
            one = Sized(name, size, int(found[1]), int(found[2] or 0))
        lost += one.unique_id != text
        messages.append(one)
    form = UidlForm.of(table)
    validity = form.validity if form is not None else table.uid_validity
    shift = form.shift if form is not None else 0
    highest = max((one.number for one in messages), default=0)
    return SizeList(max(highest + 1, table.uid_next + shift), validity, messages), lost


def _replace_keywords(
    directory: str, keywords: dict[bytes, list[str]], host: Host
) -> None:
    """Write the list, and remove what is newer than the last one."""
    if not keywords and not os.path.isdir(directory):
        return
    with contextlib.suppress(FileExistsError):
        host.disk.make_directory(directory)
    octets = courier_files.written_keywords(keywords)
    host.disk.replace_file(f"{directory}/{courier_files.KEYWORD_LIST}", octets)
    for name in os.listdir(directory):
        if name != courier_files.KEYWORD_LIST:
            with contextlib.suppress(FileNotFoundError):
                host.disk.unlink(f"{directory}/{name}")


def rename_to_utf8(root: str, names: Iterable[str], host: Host) -> None:
    """Give folders the names that Courier gives them from version 5 on.

    We find them again when they are adopted.

    Args:
        root: The Maildir.
        names: Of all mailboxes.
        host: Disk.
    """
    for name in names:
        before = directory_of(name)
        after = "".join([f".{level}" for level in name.split("/")])
        if name == "INBOX" or before == after or "." in name:
            continue
        with translated(f"rename {root}/{before}"), still(f"{root}/{before}", host):
            host.disk.rename(f"{root}/{before}", f"{root}/{after}")
    with translated(f"sync {root}"):
        host.disk.synchronize_directory(root)


def whole_store(
    root: str,
    server: str,
    validity: int,
    subscribed: Iterable[str],
    host: Host,
    *,
    utf8: bool,
) -> None:
    """Write what a server keeps once for all mailboxes.

    Args:
        root: The Maildir.
        server: ``dovecot`` or ``courier``.
        validity: The largest UIDVALIDITY given.
        subscribed: Names of mailboxes.
        host: Disk.
        utf8: Courier has names of mailboxes in UTF-8, as from version 5 on.
    """
    with translated(f"write {root}"):
        if server == "courier":
            lines = [courier_files.written_name(name, utf8=utf8) for name in subscribed]
            octets = b"".join([line + b"\n" for line in lines])
            host.disk.replace_file(f"{root}/{courier_files.SUBSCRIBED}", octets)
            return
        for name in os.listdir(root):
            if name.startswith(f"{_VALIDITY}.") or name in _LIST_FILES:
                with contextlib.suppress(FileNotFoundError):
                    host.disk.unlink(f"{root}/{name}")
        host.disk.replace_file(f"{root}/{_VALIDITY}.{validity:08x}", b"")
        host.disk.replace_file(f"{root}/{_VALIDITY}", b"%08x" % validity)
