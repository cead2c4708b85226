"""Pieces made from cached pieces, remembered in memory for the whole process.

In this file:
    Remembered    by mailbox and key; the oldest go when the room is used up
"""

import threading
from collections import OrderedDict
from typing import Final

#: What an entry costs beside its octets: the objects and their place in a dict.
_OVERHEAD: Final = 150


class Remembered:
    """Pieces by UID, for each mailbox and key.

    Args:
        octets_max: Memory that all of them may take.
    """

    def __init__(self, octets_max: int = 1 << 25) -> None:
        self._octets_max = octets_max
        self._octets = 0
        self._lock = threading.Lock()
        self._sets: OrderedDict[tuple[object, bytes], tuple[dict[int, bytes], int]] = (
            OrderedDict()
        )

    def pieces(self, mailbox: object, key: bytes) -> dict[int, bytes]:
        """What is remembered of a mailbox under ``key``; not to be changed."""
        with self._lock:
            found = self._sets.get((mailbox, key))
            if found is None:
                return {}
            self._sets.move_to_end((mailbox, key))
            return found[0]

    def add(self, mailbox: object, key: bytes, pieces: dict[int, bytes]) -> None:
        """Remember more."""
        cost = sum(map(len, pieces.values())) + _OVERHEAD * len(pieces)
        with self._lock:
            known, before = self._sets.pop((mailbox, key), ({}, 0))
            known.update(pieces)
            self._sets[mailbox, key] = known, before + cost
            self._octets += cost
            while self._octets > self._octets_max and self._sets:
                _, (_, gone) = self._sets.popitem(last=False)
                self._octets -= gone

    def forget(self, mailbox: object) -> None:
        """The mailbox was closed."""
        with self._lock:
            for name in [name for name in self._sets if name[0] == mailbox]:
                self._octets -= self._sets.pop(name)[1]
