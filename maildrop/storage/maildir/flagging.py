r"""Flags of messages in one Maildir: letters in file names, bits in the ledger.

In this file:
    Flagging    changes them

The steps, with the ledger locked, and what a crash leaves:

    change          1 each file renamed     flags changed, found by the next scan
                    2 record in the log     done
    claim_recent    1 files go from new/    moved, found by the next scan
                      to cur/
                    2 record in the log     done

Nothing is synced: after a power cut a flag may be as it was.
"""

from collections.abc import Sequence
from typing import Final

from maildrop.durable import translate
from maildrop.mailbox.flags import ALL_SYSTEM, FlagChange, Operation, combined
from maildrop.storage.index.batch import Batch
from maildrop.storage.maildir.linked import Linked
from maildrop.storage.maildir.names import Letters
from maildrop.storage.maildir.reconcile import Reconciler, note_of
from maildrop.storage.maildir.scan import split

#: Messages that claim_recent moves at a time.
_MOVED: Final = 64


class Flagging:
    """Changes flags.

    Args:
        mailbox: Where.
        reconciler: Knows where files are.
    """

    __slots__ = ("_letters", "_mailbox", "_reconciler", "_renamed", "_table")

    def __init__(self, mailbox: Linked, reconciler: Reconciler) -> None:
        self._mailbox = mailbox
        self._reconciler = reconciler
        self._table = mailbox.ledger.table
        self._letters = Letters(self._table.keyword_names)
        self._renamed = 0

    @property
    def unclaimed(self) -> bool:
        """Whether ``claim_recent`` has something to do."""
        table, ledger = self._table, self._mailbox.ledger
        if table.first_recent < table.uid_next:
            return True
        return not ledger.read_only and self._reconciler.has_new

    def claim_recent(self) -> None:
        """All messages there are now have been in a session."""
        table, ledger = self._table, self._mailbox.ledger
        if ledger.read_only:
            table.first_recent = table.uid_next
            return
        if not self.unclaimed:
            return
        with self._mailbox.changing():
            batch = ledger.batch(quiet=True)
            batch.first_recent(table.uid_next)
            uids = [
                table.uids[row]
                for row in self._reconciler.rows_in_new(_MOVED)
                if self._rename(row, table.flags[row], table.keywords[row], batch)
            ]
            if uids:
                batch.mark(uids, bytes(len(uids)))
                self._mailbox.note_source(batch)
            ledger.commit(batch)

    def change(
        self, uids: Sequence[int], change: FlagChange, by: object | None
    ) -> Sequence[int]:
        """Change flags and keywords."""
        with self._mailbox.changing():
            changed, lost = self._change(uids, change, by)
        if lost:
            # Renamed or removed by somebody else meanwhile: find out, and once more.
            self._mailbox.look()
            with self._mailbox.changing():
                again, _ = self._change(lost, change, by)
            changed = sorted({*changed, *again})
        return changed

    def _change(
        self, uids: Sequence[int], change: FlagChange, by: object | None
    ) -> tuple[list[int], list[int]]:
        """Returns the UIDs changed, and those whose file was not there."""
        table = self._table
        renamed = self._renamed
        adding = change.operation is not Operation.REMOVE
        asked = (
            change.flags & ALL_SYSTEM,
            table.keyword_bits(change.keywords, create=adding),
        )
        self._mailbox.ledger.keep_keywords()
        batch = self._mailbox.ledger.batch()
        changed: list[int] = []
        lost: list[int] = []
        bits = bytearray()
        keywords = []
        for row in table.rows(uids):
            before = table.flags[row] & ALL_SYSTEM, table.keywords[row]
            after = combined(before, change.operation, asked)
            if after == before:
                continue
            if not self._rename(row, *after, batch):
                lost.append(table.uids[row])
                continue
            changed.append(table.uids[row])
            bits.append(after[0])
            keywords.append(after[1])
        if self._renamed == renamed:
            self._mailbox.left_alone()
        if changed:
            batch.change_flags(changed, bytes(bits), keywords)
            self._mailbox.note_source(batch)
            self._mailbox.ledger.commit(batch, by)
        return changed, lost

    def _rename(self, row: int, flags: int, keywords: int, batch: Batch) -> bool:
        """Give a file the name for other flags, in cur/; whether it was there."""
        name, mark = split(self._reconciler.path_of(row))
        wanted = self._table.names.name(row)
        wanted += self._letters.end(flags & ALL_SYSTEM, keywords)
        noted = note_of(self._table.uids[row])
        if noted in self._table.notes:
            unknown = self._letters.parse(name, 0)[2]
            wanted += unknown
            batch.note(noted, wanted if unknown else b"")
        if wanted == name and not mark:
            return True
        folder = self._mailbox.folder
        try:
            self._mailbox.host.disk.rename(
                name,
                wanted,
                source_fd=folder.new_fd if mark else folder.cur_fd,
                target_fd=folder.cur_fd,
            )
        except FileNotFoundError:
            return False
        except OSError as error:
            raise translate(error, f"rename in {folder.path}") from error
        self._renamed += 1
        return True
