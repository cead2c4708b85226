"""Plain counters: what happened since the process began.

In this file:
    Counters    names and how often

Whoever counts is given the ``Counters`` of its process; ``status`` sums those of all
processes.  A name is lower-case words with ``_``: ``messages_delivered``.
"""

from collections import Counter


class Counters:
    """Counts by name; a name that was never counted is 0."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str, amount: int = 1) -> None:
        """Count ``amount`` more of ``name``."""
        self._counts[name] += amount

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def counts(self) -> dict[str, int]:
        """All that were counted."""
        return dict(self._counts)
