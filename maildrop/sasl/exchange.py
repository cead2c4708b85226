"""An exchange of challenges and responses, and what it can end in.

In this file:
    Exchange       one conversation of a mechanism
    Step           what the server does next: send a challenge, or judge an outcome
    Credentials    outcome: a name and a password, to be checked
    Proven         outcome: the client has proven to know the name's password
    Refused        outcome: the client failed to prove it
    Cancelled      the client gave up
"""

from dataclasses import dataclass, field
from typing import Protocol

from maildrop.errors import PermanentError


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client says it is, to be checked against the password file.

    Attributes:
        authorization: On whose behalf it wants to act; the same as
            ``authentication``, always: anything else was refused.
        authentication: Whose password it is.
        password: The password; octets that are not UTF-8 are kept as surrogates.
    """

    authorization: str
    authentication: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Proven:
    """The client has proven to know the password of ``authentication``."""

    authentication: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The client's proof for ``authentication`` was wrong.

    Attributes:
        authentication: The name.
        evidence: What tells one wrong attempt from another; no secret.
    """

    authentication: str
    evidence: str = ""


Outcome = Credentials | Proven | Refused
#: ``bytes`` is a challenge, to be sent (it may be empty); the rest ends the exchange.
Step = bytes | Outcome


class Exchange(Protocol):
    """One conversation of a mechanism, from the server's side."""

    @property
    def step(self) -> Step:
        """What to do now."""

    def respond(self, octets: bytes) -> Step:
        """Take the client's response to the last challenge; gives the new ``step``.

        Raises:
            ProtocolSyntaxError: The mechanism's grammar does not allow it.
            LimitExceeded: A part is too long.
            AuthenticationFailed: It asks to act for another user.
        """


class Cancelled(PermanentError):
    """The client sent ``*``: it does not want to go on (RFC 4422 section 3.5)."""
