"""Mechanisms from the client's side, for servers that want to know who we are.

In this file:
    Login       a name and a password
    Client      one exchange
    choose      the best mechanism of those offered
    begin       an exchange with it
    MECHANISMS  those there are, the best first
    CLEARTEXT   those that show the password to the server and to whoever listens

Grammar: RFC 4616 (PLAIN), RFC 5802 section 7 and RFC 7677 (SCRAM, without channel
binding); LOGIN is two answers, whatever the challenges say.

Limits: iterations of SCRAM; a server that wants more wants our time.

Security: SCRAM ends well only if the server proves to know the password too.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from maildrop.errors import ProtocolSyntaxError
from maildrop.sasl.encoding import decode, encode
from maildrop.sasl.saslprep import prepared

_DIGESTS: Final = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1"}
MECHANISMS: Final = (*_DIGESTS, "PLAIN", "LOGIN")
CLEARTEXT: Final = frozenset({"PLAIN", "LOGIN"})
#: RFC 7677 section 4 asks for 4096; today's advice goes up to 600,000.
ITERATIONS_MAX: Final = 2_000_000

_FIRST: Final = re.compile(
    rb"r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/=]+),i=([0-9]{1,7})(?:,.*)?"
)


@dataclass(frozen=True, slots=True)
class Login:
    """A name and a password."""

    name: str
    password: str = field(repr=False)


class Client(Protocol):
    """One exchange.

    Attributes:
        slow: An answer takes long to be computed.
        satisfied: The server has shown what it must; else its success is none.
    """

    slow: bool

    @property
    def satisfied(self) -> bool:
        """Whether the server's success can be believed."""

    def initial(self) -> bytes | None:
        """What goes with the command; None when the server begins."""

    def respond(self, challenge: bytes) -> bytes:
        """The answer to a challenge.

        Args:
            challenge: In base64.

        Raises:
            ProtocolSyntaxError: It is no challenge of this mechanism.
        """


class Plain:
    """PLAIN, RFC 4616."""

    slow = False
    satisfied = True

    def __init__(self, login: Login) -> None:
        self._message = f"\0{login.name}\0{login.password}".encode()

    def initial(self) -> bytes:
        """All there is to say."""
        return self._message

    def respond(self, challenge: bytes) -> bytes:
        """Nothing is left to be said."""
        raise ProtocolSyntaxError("PLAIN has one message")


class LoginMechanism:
    """LOGIN: the name, then the password."""

    slow = False
    satisfied = True

    def __init__(self, login: Login) -> None:
        self._answers = [login.password.encode(), login.name.encode()]

    def initial(self) -> None:
        """The server begins."""

    def respond(self, challenge: bytes) -> bytes:
        """The next of the two."""
        del challenge
        if not self._answers:
            raise ProtocolSyntaxError("LOGIN has two messages")
        return self._answers.pop()


class Scram:
    """SCRAM-SHA-1 and SCRAM-SHA-256.

    Args:
        algorithm: As ``hashlib`` names it.
        login: The name and the password.
        nonce: Our part of the nonce: printable, no comma, never used twice.
    """

    slow = True

    def __init__(self, algorithm: str, login: Login, nonce: bytes) -> None:
        self._algorithm = algorithm
        self._password = prepared(login.password).encode()
        name = prepared(login.name).replace("=", "=3D").replace(",", "=2C")
        self._nonce = nonce
        self._bare = b"n=%b,r=%b" % (name.encode(), nonce)
        self._signature = b""
        self.satisfied = False

    def initial(self) -> bytes:
        """The first message."""
        return b"n,," + self._bare

    def respond(self, challenge: bytes) -> bytes:
        """The final message; then nothing, if the server is right."""
        octets = decode(challenge)
        if self._signature:
            proof = b"v=" + encode(self._signature)
            if self.satisfied or not hmac.compare_digest(octets, proof):
                raise ProtocolSyntaxError("the server does not know the password")
            self.satisfied = True
            return b""
        return self._final(octets)

    def _final(self, first: bytes) -> bytes:
        found = _FIRST.fullmatch(first)
        if found is None or not found[1].startswith(self._nonce):
            raise ProtocolSyntaxError("not a first message of a SCRAM server")
        iterations = int(found[3])
        if not 0 < iterations <= ITERATIONS_MAX or found[1] == self._nonce:
            raise ProtocolSyntaxError("iterations or nonce that are not taken")
        salted = hashlib.pbkdf2_hmac(
            self._algorithm, self._password, decode(found[2]), iterations
        )
        client_key = self._hmac(salted, b"Client Key")
        without_proof = b"c=biws,r=" + found[1]
        signed = b",".join((self._bare, first, without_proof))
        stored_key = hashlib.new(self._algorithm, client_key).digest()
        signature = self._hmac(stored_key, signed)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._signature = self._hmac(self._hmac(salted, b"Server Key"), signed)
        return without_proof + b",p=" + encode(proof)

    def _hmac(self, key: bytes, octets: bytes) -> bytes:
        return hmac.digest(key, octets, self._algorithm)


def choose(offered: Sequence[str], *, cleartext: bool) -> str | None:
    """The best mechanism of those offered, None if none can be used.

    Args:
        offered: Names in upper case.
        cleartext: The password may be shown.
    """
    for name in MECHANISMS:
        if name in offered and (cleartext or name not in CLEARTEXT):
            return name
    return None


def begin(mechanism: str, login: Login, nonce: Callable[[], bytes]) -> Client:
    """An exchange with one of ``MECHANISMS``."""
    if mechanism in _DIGESTS:
        return Scram(_DIGESTS[mechanism], login, nonce())
    return Plain(login) if mechanism == "PLAIN" else LoginMechanism(login)
