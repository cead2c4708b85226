"""The mechanisms by name.

In this file:
    start             begins an exchange
    MECHANISMS        the names, the best first
    CLEARTEXT         those that show the password to whoever listens
    UnknownMechanism  there is none of that name
"""

from collections.abc import Callable
from typing import Final

from maildrop.errors import PermanentError
from maildrop.sasl.exchange import Exchange
from maildrop.sasl.login import Login
from maildrop.sasl.plain import Plain

_STARTS: Final[dict[str, Callable[[bytes | None], Exchange]]] = {
    "PLAIN": Plain,
    "LOGIN": Login,
}

MECHANISMS: Final = tuple(_STARTS)
CLEARTEXT: Final = frozenset({"PLAIN", "LOGIN"})


class UnknownMechanism(PermanentError):
    """No mechanism has that name, or it is not offered here."""


def start(name: str, initial: bytes | None) -> Exchange:
    """Begin an exchange; its ``step`` says what to do first.

    Args:
        name: The mechanism, in any case.
        initial: The initial response, decoded; None if the client sent none.

    Raises:
        UnknownMechanism: There is none of that name.
        ProtocolSyntaxError, LimitExceeded, AuthenticationFailed: As
            ``exchange.Exchange.respond``, about the initial response.
    """
    begin = _STARTS.get(name.upper())
    if begin is None:
        raise UnknownMechanism("no such mechanism")
    return begin(initial)
