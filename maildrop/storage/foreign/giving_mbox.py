r"""Giving an mbox back: UIDs and flags written into it, as other servers want them.

In this file:
    to_mbox    write them into one mailbox

The whole file is written anew, through the journal of all rewriting
(``mbox.rewrite``): the messages in the order of their UIDs, for other servers believe
UIDs only where they ascend, each with ``X-UID``, ``Status``, ``X-Status`` and
``X-Keywords``, the first with ``X-IMAPbase``.  A mailbox without messages gets the one
that UW-IMAP and Pine have for that, with ``X-IMAP``, or UIDVALIDITY would be forgotten.

Dovecot's index speaks of the time before, and is begun anew (``giving.begin_index``).
"""

import os
import time
from collections.abc import Callable, Iterator
from typing import Final

from maildrop.durable import translated
from maildrop.mailbox.flags import ALL_SYSTEM
from maildrop.storage.foreign import mbox_fields
from maildrop.storage.foreign.giving import Given, begin_index
from maildrop.storage.foreign.taking import note_release
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.table import IndexTable
from maildrop.storage.mbox import intent
from maildrop.storage.mbox.file import MboxFile, gap
from maildrop.storage.mbox.format import (
    content,
    metadata,
    status_fields,
    with_status,
)
from maildrop.storage.mbox.layout import Layout
from maildrop.storage.mbox.places import Places
from maildrop.storage.uidl_form import UidlForm

_NO_MESSAGE: Final = (
    b"From MAILER-DAEMON %b\n"
    b"Date: %b\n"
    b"From: Mail System Internal Data <MAILER-DAEMON@localhost>\n"
    b"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n"
    b"Message-ID: <%d@localhost>\n"
    b"%b"
    b"Status: RO\n"
    b"\n"
    b"Mail programs keep here what they know of this mailbox. It is no message.\n"
    b"\n"
)


def to_mbox(
    name: str,
    file: MboxFile,
    control: str,
    index: str,
    host: Host,
    new_uid_validity: Callable[[int], int],
    *,
    dry_run: bool,
) -> Given | None:
    """Write UIDs and flags into one mailbox.

    Args:
        name: Its name.
        file: Its file.
        control: Directory of its control files; exists.
        index: Directory of Dovecot's index of it.
        host: Disk, clock, chance.
        new_uid_validity: Gives a UIDVALIDITY above its argument.
        dry_run: Only say what would be written.

    Returns:
        What was; None when there is no file.

    Raises:
        MailboxInUse: Another program holds the mailbox.
    """
    ledger = Ledger(control, host, new_uid_validity)
    try:
        with file.writing() as fd:
            intent.end_append(fd, file, ledger)
            places = Places(ledger, control, host, file.path)
            places.synchronize(fd)
            table = ledger.table
            given = _given(name, table, dry_run=dry_run)
            if dry_run:
                return given
            file.replace_tail(fd, 0, _pieces(fd, places.layout, table, host))
            if os.path.isdir(index):
                with translated(f"write {index}"):
                    begin_index(index, table.highest_mod_seq, host)
            with ledger.locked():
                note_release(ledger)
            return given
    except FileNotFoundError:
        return None
    finally:
        ledger.close()


def _given(name: str, table: IndexTable, *, dry_run: bool) -> Given:
    remarks = []
    if name == "INBOX" and UidlForm.of(table) is None:
        remarks.append(
            "POP3 unique ids are those of UW-IMAP; Dovecot makes the same with"
            " pop3_uidl_format = %08Xv%08Xu"
        )
    return Given(
        name,
        "would be" if dry_run else "written",
        table.uid_validity,
        table.uid_next,
        len(table),
        tuple(table.keyword_names),
        remarks=tuple(remarks),
    )


def _pieces(fd: int, layout: Layout, table: IndexTable, host: Host) -> Iterator[bytes]:
    """What will stand in the file."""
    base = mbox_fields.Base(
        table.uid_validity, table.uid_next - 1, tuple(table.keyword_names)
    )
    first = True
    for place, uid in enumerate(layout.uids):
        row = table.row(uid)
        if row is None:
            continue
        raw = os.pread(fd, layout.lengths[place], layout.starts[place])
        begin = raw.find(b"\n") + 1
        stored = content(raw)
        fields = (base.field() if first else b"") + b"X-UID: %d\n" % uid
        fields += status_fields(
            table.flags[row] & ALL_SYSTEM,
            tuple(table.keywords_of(table.keywords[row])),
            old=uid < table.first_recent,
            unterminated=metadata(stored).unterminated,
        )
        raw = raw[:begin] + with_status(stored, fields) + raw[begin + len(stored) :]
        yield raw + gap(raw[-3:], len(raw))
        first = False
    if first and table.uid_next > 1:
        yield _no_message(base, host)


def _no_message(base: mbox_fields.Base, host: Host) -> bytes:
    now = time.gmtime(host.clock())
    return _NO_MESSAGE % (
        time.asctime(now).encode(),
        time.strftime("%a, %d %b %Y %H:%M:%S +0000", now).encode(),
        int(host.clock()),
        base.field(b"X-IMAP"),
    )
