"""Messages in memory that were expunged and can come back."""

import itertools

from maildrop.mailbox.keeping import Freed, Keeping, Kept


class Shelf:
    """What is kept of one account.

    Attributes:
        keeping: What is to be kept.
        kept: What is, the oldest first.
    """

    def __init__(self) -> None:
        self.keeping = Keeping()
        self.kept: dict[str, tuple[Kept, bytes]] = {}
        self._places = map(str, itertools.count())

    def place(self) -> str:
        """A place that was not used yet."""
        return next(self._places)

    def put(self, kept: Kept, octets: bytes) -> None:
        """Keep a message, if any are kept."""
        if self.keeping.seconds:
            self.kept[kept.place] = kept, octets

    def give_up(self, before: float, octets: int) -> Freed:
        """See ``keeping.KeepingStore``."""
        freed = Freed()
        left = sum(len(message) for _, message in self.kept.values())
        for place, (kept, message) in list(self.kept.items()):
            if kept.expunged < before or (octets and left > octets):
                del self.kept[place]
                left -= len(message)
                freed += Freed(1, len(message))
        return freed
