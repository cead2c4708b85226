"""A ledger with numbers that were given elsewhere; ``mailbox.numbering`` says what for.

In this file:
    renumber    another UIDVALIDITY, with all rows
    Numbered    what a mailbox with a ledger has of it

States of ``renumber`` on disk, the lock of log G held, and what a crash after each
leaves (``opening`` has how files are believed):

    1  snapshot with the new UIDVALIDITY    log G of the old one tells everything, or is
       written over the old                 no longer believed: the old state; or the
                                            new one, with numbers that jump
    2  log G+1 written over log G           done

And of a mailbox without messages, which begins anew:

    1  log G+1 written over log G           the snapshot is of another UIDVALIDITY, and
                                            the log follows on nothing: it counts
    2  snapshot removed                     done
"""

import abc
import contextlib
import os
from collections.abc import Sequence
from typing import Final

from maildrop.durable import translated
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.log import HEADER_SIZE
from maildrop.storage.index.opening import Files, open_ledger
from maildrop.storage.index.snapshot import Position, write_snapshot

#: As ``Ledger`` has it.
_MESSAGES_MAX: Final = 1 << 24


def renumber(directory: str, host: Host, uid_validity: int) -> None:
    """Give the ledger in a directory another UIDVALIDITY; made if there is none.

    Args:
        directory: The control directory; exists.
        host: Disk, lock waits.
        uid_validity: The new one.

    Raises:
        MailboxInUse, NoSpace, StorageFailure: It has the old one, or is as above.
    """
    files = Files(directory, host, lambda _: uid_validity, _MESSAGES_MAX)
    opened = open_ledger(files, keep_lock=True)
    try:
        if opened.table.uid_validity == uid_validity:
            return
        generation = opened.header.generation + 1
        if not len(opened.table):
            _begin(files, generation, uid_validity)
            return
        opened.table.uid_validity = uid_validity
        written = write_snapshot(opened.table, Position(generation, HEADER_SIZE))
        with translated(f"write {files.snapshot}"):
            files.replace_snapshot(written.pieces)
            before = Position(opened.header.generation, opened.offset)
            os.close(files.replace_log(generation, before, uid_validity)[0])
    finally:
        opened.close()


def _begin(files: Files, generation: int, uid_validity: int) -> None:
    with translated(f"write {files.log}"):
        os.close(files.replace_log(generation, Position(), uid_validity)[0])
        with contextlib.suppress(FileNotFoundError):
            files.host.disk.unlink(files.snapshot)


class Numbered(abc.ABC):
    """A mailbox with a ledger; see ``mailbox.numbering.NumberingMailbox``."""

    @property
    @abc.abstractmethod
    def numbers(self) -> Ledger:
        """Its ledger."""

    def reserve(self, uid_next: int, mod_seq: int = 0) -> None:
        """Raise UIDNEXT and HIGHESTMODSEQ; on disk when this returns."""
        ledger = self.numbers
        with ledger.locked():
            table = ledger.table
            if uid_next <= table.uid_next and mod_seq <= table.highest_mod_seq:
                return
            batch = ledger.batch(quiet=True)
            batch.mod_seq = max(batch.mod_seq, mod_seq)
            batch.uid_next(max(uid_next, table.uid_next))
            ledger.commit(batch)

    def fix_uidls(self, uids: Sequence[int], texts: Sequence[bytes]) -> None:
        """Keep POP3 unique ids that differ from what the format makes of a message."""
        ledger = self.numbers
        with ledger.locked():
            batch = ledger.batch(quiet=True)
            batch.uidls(uids, texts)
            batch.assigns = True  # who was told of one must not be told of another
            ledger.commit(batch)
