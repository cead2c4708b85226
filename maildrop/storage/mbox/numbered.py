"""The ledger of an mbox, for who gives it numbers.

In this file:
    MboxNumbered    see ``storage.index.numbering.Numbered``
"""

from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.numbering import Numbered


class MboxNumbered(Numbered):
    """A mailbox whose ledger is ``_ledger``."""

    _ledger: Ledger

    @property
    def numbers(self) -> Ledger:
        """Its ledger."""
        return self._ledger
