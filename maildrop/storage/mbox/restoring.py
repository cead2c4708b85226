"""Expunged messages of an account's mbox mailboxes: listed and brought back.

In this file:
    KeptMail     all of them
    Mailboxes    what that needs of the store

| step of bringing back | a crash after it |
|---|---|
| intent noted in the ledger, with the keys | the note is removed; kept still |
| appended to the mbox, synced | they stay, and the keys are noted as back |
| record in the ledger: UIDs, and the keys as back | back |
| marked in the keep file, synced | back |
| the keys removed from the ledger | done |

A message whose key is noted as back is not shown and not brought back again.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, Protocol

from maildrop.durable import Content
from maildrop.errors import MailboxNotFound, MailboxNotSelectable, MaildropError
from maildrop.mailbox.interfaces import MailboxEntry, NewMessage
from maildrop.mailbox.keeping import Kept, Restored
from maildrop.mailbox.quota import Counted
from maildrop.storage.index.host import Host
from maildrop.storage.index.locks import locked
from maildrop.storage.mbox.kept import KeepFile, key_of
from maildrop.storage.mbox.mailbox import MboxMailbox

#: What is brought back in one piece: messages, octets.
_MESSAGES: Final = 100
_OCTETS: Final = 1 << 24


class Mailboxes(Protocol):
    """What is needed of a store."""

    def entries(self) -> list[MailboxEntry]:
        """Every mailbox and level."""

    def open(self, name: str) -> MboxMailbox:
        """Open a mailbox."""

    def create(self, name: str) -> None:
        """Make a mailbox."""


class KeptMail:
    """The expunged messages of one account.

    Args:
        control: The account's control directory.
        host: Disk, time.
        file: The keep file.
        mailboxes: The store.
    """

    def __init__(
        self, control: str, host: Host, file: KeepFile, mailboxes: Mailboxes
    ) -> None:
        self._lock = os.path.join(control, "maildrop.restore.lock")
        self._host = host
        self._file = file
        self._mailboxes = mailboxes

    def all(self) -> list[Kept]:
        """All that can be brought back, the oldest first."""
        kept = {key_of(one.kept): one.kept for one in self._file.all()}
        if not kept:
            return []
        for entry in self._mailboxes.entries():
            if entry.selectable:
                for key in self._there(entry.name):
                    kept.pop(key, None)
        return sorted(kept.values(), key=lambda one: (one.expunged, one.uid))

    def _there(self, name: str) -> Iterator[bytes]:
        """Keys of messages that are in a mailbox, or were brought back to it."""
        try:
            mailbox = self._mailboxes.open(name)
        except MaildropError:
            return
        try:
            mailbox.refresh()
            table = mailbox.table
            yield from (b"%d/%d" % (table.uid_validity, uid) for uid in table.uids)
            yield from mailbox.brought_back()
        finally:
            mailbox.close()

    def restore(self, kept: Sequence[Kept]) -> list[Restored]:
        """Bring messages back; see ``keeping.KeepingStore``."""
        restored: list[Restored] = []
        with locked(self._lock, self._host):
            alive = {key_of(one) for one in self.all()}
            wanted = sorted(
                (one for one in kept if key_of(one) in alive),
                key=lambda one: one.mailbox,
            )
            for name, some in groupby(wanted, lambda one: one.mailbox):
                mailbox = self._target(name)
                try:
                    mailbox.refresh()
                    restored += self._restore(mailbox, list(some))
                finally:
                    mailbox.close()
        return restored

    def _target(self, name: str) -> MboxMailbox:
        try:
            return self._mailboxes.open(name)
        except (MailboxNotFound, MailboxNotSelectable):
            self._mailboxes.create(name)
            return self._mailboxes.open(name)

    def _restore(
        self, mailbox: MboxMailbox, kept: Sequence[Kept]
    ) -> Iterator[Restored]:
        by_key = {key_of(one): one for one in kept}
        self._file.mark(mailbox.brought_back())
        mailbox.forget_brought_back()
        for batch in self._batches(list(by_key.values())):
            back = mailbox.bring_back(batch)
            self._file.mark(back)
            mailbox.forget_brought_back()
            for key, uid in back.items():
                yield Restored(by_key[key], mailbox.name, uid)

    def _batches(self, kept: Sequence[Kept]) -> Iterator[dict[bytes, NewMessage]]:
        batch: dict[bytes, NewMessage] = {}
        octets = 0
        for one in kept:
            if batch and (len(batch) == _MESSAGES or octets + one.size > _OCTETS):
                yield batch
                batch, octets = {}, 0
            found = self._file.read(one)
            if found is not None:
                octets += len(found)
                batch[key_of(one)] = NewMessage(
                    Content.of(found),
                    flags=one.flags,
                    keywords=one.keywords,
                    date=one.date,
                    counted=Counted.MOVED,
                )
        if batch:
            yield batch
