"""The mechanisms by name.

In this file:
    start             begins an exchange
    MECHANISMS        the names, the best first
    CLEARTEXT         those that show the password to whoever listens
    SCRAM             those that do not, with their digests
    ScramSource       what they need beside the client's messages
    UnknownMechanism  there is none of that name
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from maildrop.errors import PermanentError
from maildrop.sasl.exchange import Exchange
from maildrop.sasl.login import Login
from maildrop.sasl.plain import Plain
from maildrop.sasl.scram import Scram, ScramKeys

#: The names, the best first.
MECHANISMS: Final = ("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN")
CLEARTEXT: Final = frozenset({"PLAIN", "LOGIN"})
#: The digest of each SCRAM mechanism, as ``hashlib`` names it.
SCRAM: Final = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1"}

_CLEARTEXT_STARTS: Final[dict[str, Callable[[bytes | None], Exchange]]] = {
    "PLAIN": Plain,
    "LOGIN": Login,
}


class UnknownMechanism(PermanentError):
    """No mechanism has that name, or it is not offered here."""


@dataclass(frozen=True, slots=True)
class ScramSource:
    """What SCRAM needs beside the client's messages.

    Attributes:
        keys: Gives the keys for an algorithm and a name, made-up ones for a name
            that nobody has.
        nonce: Gives printable octets without a comma, never the same twice.
    """

    keys: Callable[[str, str], ScramKeys]
    nonce: Callable[[], bytes]


def start(
    name: str, initial: bytes | None, scram: ScramSource | None = None
) -> Exchange:
    """Begin an exchange; its ``step`` says what to do first.

    Args:
        name: The mechanism, in any case.
        initial: The initial response, decoded; None if the client sent none.
        scram: What SCRAM needs; None where it is not offered.

    Raises:
        UnknownMechanism: There is none of that name.
        ProtocolSyntaxError, LimitExceeded, AuthenticationFailed: As
            ``exchange.Exchange.respond``, about the initial response.
    """
    name = name.upper()
    begin = _CLEARTEXT_STARTS.get(name)
    if begin is not None:
        return begin(initial)
    algorithm = SCRAM.get(name)
    if algorithm is None or scram is None:
        raise UnknownMechanism("no such mechanism")
    return Scram(partial(scram.keys, algorithm), scram.nonce(), initial)
