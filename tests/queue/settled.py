"""Hears what relays settle while they go on."""

from collections.abc import Sequence

from maildrop.queue.entry import Result


class Settled:
    """Remembers it, in order; ``queue.relay.Job.settled``."""

    def __init__(self) -> None:
        self.results: list[Result] = []

    async def __call__(self, results: Sequence[Result]) -> None:
        self.results += results
