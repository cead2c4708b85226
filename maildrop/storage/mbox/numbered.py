"""The ledger of an mbox, for who gives it numbers, and who asks for keys.

In this file:
    MboxNumbered    see ``storage.index.numbering`` and ``storage.index.keyed``
"""

import abc
from contextlib import AbstractContextManager

from maildrop.durable import translated
from maildrop.storage.index.host import Host
from maildrop.storage.index.keyed import Keyed
from maildrop.storage.index.ledger import Ledger


class MboxNumbered(Keyed):
    """A mailbox whose ledger is ``_ledger``."""

    name: str
    _ledger: Ledger
    _host: Host

    @property
    def numbers(self) -> Ledger:
        """Its ledger."""
        return self._ledger

    @abc.abstractmethod
    def _writing(self) -> AbstractContextManager[int]:
        """The file, locked; what a crash left half appended is cut off or taken in."""

    def make_sure(self) -> None:
        """See ``Keyed``: who died may not have waited for the disk."""
        with self._writing() as fd, translated(f"sync {self.name}"):
            self._host.disk.synchronize(fd)
            self._host.disk.synchronize(self._ledger.written)
