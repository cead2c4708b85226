"""Placing: who takes mail for an action, or for an address, out of the queue.

In this file:
    Placing    makes recipients that wait in the queue
    Toward     says which relay takes mail for a domain: ``smtp.client.policy``
    by_domain  every domain is its own destination
"""

from collections.abc import Callable
from typing import Protocol

from maildrop.delivery.actions import LOCAL, SMTP, Action, as_waiting
from maildrop.errors import ProtocolSyntaxError
from maildrop.queue.entry import Waiting
from maildrop.smtp.wire.path import Path, path_of


class Toward(Protocol):
    """Says which relay takes mail for a domain."""

    def __call__(self, domain: str, /) -> tuple[str, str]:
        """The relay, and the destination: mail for the same one goes together."""


def by_domain(domain: str) -> tuple[str, str]:
    """Every domain is its own destination."""
    return SMTP, domain.lower()


class Placing:
    """Makes recipients that wait in the queue; their numbers are to be set.

    Args:
        is_local: Whether a domain is ours.
        toward: Says which relay takes mail for others.
    """

    def __init__(
        self, is_local: Callable[[str], bool], toward: Toward = by_domain
    ) -> None:
        self._is_local = is_local
        self._toward = toward

    def action(self, action: Action, recipient: Path, parent: int = -1) -> Waiting:
        """For an action; see ``actions.as_waiting``."""
        waiting = as_waiting(action, recipient, parent)
        if waiting.relay == SMTP:
            domain = waiting.address.rpartition("@")[2]
            waiting.relay, waiting.destination = self._toward(domain)
        return waiting

    def address(self, address: str) -> Waiting:
        """For an address; one of ours is still to be routed."""
        try:
            domain = path_of(address).domain
        except ProtocolSyntaxError:  # it was taken by others: let the relay judge it
            domain = address.rpartition("@")[2]
        if self._is_local(domain):
            return Waiting(0, address, LOCAL, "")
        return Waiting(0, address, *self._toward(domain))
