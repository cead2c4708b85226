"""Keys of messages, kept as notes of the ledger; ``mailbox.keyed`` says what for.

In this file:
    KEY      what names of such notes begin with
    CAME     their value once the message is there
    has      whether a key is noted
    Keyed    what a mailbox with a ledger has of it
"""

import abc
from collections.abc import Sequence
from typing import Final

from maildrop.storage.index.numbering import Numbered
from maildrop.storage.index.table import IndexTable

KEY: Final = b"key/"
CAME: Final = b"1"


def has(table: IndexTable, key: bytes) -> bool:
    """Whether a key is noted."""
    return table.notes.get(KEY + key) == CAME


class Keyed(Numbered):
    """A mailbox with a ledger; see ``mailbox.keyed.KeyedMailbox``."""

    @abc.abstractmethod
    def refresh(self) -> None:
        """See ``StoredMailbox``."""

    @abc.abstractmethod
    def make_sure(self) -> None:
        """Finish what a crash interrupted, and wait until all is on disk."""

    def came(self, key: bytes) -> bool:
        """Whether a message with a key was added."""
        self.refresh()
        if not has(self.numbers.table, key):
            return False
        self.make_sure()
        return True

    def keys(self) -> Sequence[bytes]:
        """All keys that are kept."""
        return [
            name.removeprefix(KEY)
            for name in self.numbers.table.notes
            if name.startswith(KEY)
        ]

    def forget_keys(self, keys: Sequence[bytes]) -> None:
        """Nobody will ask for these any more."""
        ledger = self.numbers
        with ledger.locked():
            batch = ledger.batch(quiet=True)
            for key in keys:
                batch.note(KEY + key, b"")
            if batch:
                ledger.commit(batch)
