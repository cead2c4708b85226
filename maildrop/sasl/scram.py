"""SCRAM: proof of a password that the wire never shows (RFC 5802, RFC 7677).

In this file:
    ScramKeys    what a server keeps of a password
    Scram        the exchange

Grammar, RFC 5802 section 7; nothing optional is sent:

    client-first = ( "n" / "y" ) "," [ "a=" authzid ] "," "n=" name "," "r=" nonce
    server-first = "r=" nonce ",s=" salt ",i=" iterations
    client-final = "c=" base64(its gs2-header) ",r=" nonce ",p=" proof
    server-final = "v=" signature           ; the client answers with nothing

Channel binding (the ``-PLUS`` mechanisms) is not offered, so a client that asks for it
(``p=``) is refused, and one that could (``y``) is not.

Limits: octets of a message and of a nonce.

Security: for a name that nobody has the keys are made up by whoever gives them, always
the same salt for a name; the proof is compared in constant time.
"""

import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from maildrop.errors import AuthenticationFailed, LimitExceeded, ProtocolSyntaxError
from maildrop.sasl.encoding import decode, encode
from maildrop.sasl.exchange import Proven, Refused, Step
from maildrop.sasl.plain import name_text

_NONCE: Final = rb"[\x21-\x2b\x2d-\x7e]+"  # printable, no comma
_FIRST: Final = re.compile(
    rb"([ny],(?:a=([^,]+))?,)(n=([^,]+),r=(" + _NONCE + rb")(?:,[A-Za-z]=[^,]+)*)"
)
_FINAL: Final = re.compile(
    rb"(c=([A-Za-z0-9+/=]+),r=(" + _NONCE + rb")(?:,[A-Za-z]=[^,]+)*),p=([^,]+)"
)
_ESCAPE: Final = re.compile(rb"=(2C|3D|)")
#: Octets of an iteration count on the wire; more is no count that anybody uses.
_ITERATIONS_MAX: Final = 1 << 31


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """What a server keeps of a password (RFC 5802 section 3).

    Attributes:
        algorithm: ``sha1`` or ``sha256``.
        iterations: Of PBKDF2.
        salt: Its salt.
        stored_key: H(ClientKey).
        server_key: HMAC(SaltedPassword, "Server Key").
    """

    algorithm: str
    iterations: int
    salt: bytes
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    @classmethod
    def of(
        cls, algorithm: str, password: bytes, salt: bytes, iterations: int
    ) -> "ScramKeys":
        """The keys of a password."""
        salted = hashlib.pbkdf2_hmac(algorithm, password, salt, iterations)
        client_key = hmac.digest(salted, b"Client Key", algorithm)
        return cls(
            algorithm,
            iterations,
            salt,
            hashlib.new(algorithm, client_key).digest(),
            hmac.digest(salted, b"Server Key", algorithm),
        )

    @classmethod
    def parse(cls, algorithm: str, stored: str) -> "ScramKeys | None":
        """The keys that stand in a password file, None if malformed."""
        parts = stored.split(",")
        if len(parts) != 4 or not parts[0].isdecimal():
            return None
        iterations = int(parts[0])
        try:
            salt, stored_key, server_key = (
                binascii.a2b_base64(part, strict_mode=True) for part in parts[1:]
            )
        except ValueError:
            return None
        size = hashlib.new(algorithm).digest_size
        if (
            not 0 < iterations < _ITERATIONS_MAX
            or len(stored_key) != size
            or len(server_key) != size
        ):
            return None
        return cls(algorithm, iterations, salt, stored_key, server_key)

    def __str__(self) -> str:
        """As it stands in a password file."""
        parts = (self.salt, self.stored_key, self.server_key)
        encoded = (encode(octets).decode() for octets in parts)
        return ",".join((str(self.iterations), *encoded))


class Scram:
    """SCRAM-SHA-1 and SCRAM-SHA-256, without channel binding.

    Args:
        keys: Gives the keys of a name, made-up ones for a name that nobody has.
        nonce: Our part of the nonce, printable and never used twice.
        initial: The client's first message if it came with the command, else None.
        name_octets: Longest name.
        message_octets: Longest message.
    """

    def __init__(
        self,
        keys: Callable[[str], ScramKeys],
        nonce: bytes,
        initial: bytes | None,
        *,
        name_octets: int = 255,
        message_octets: int = 2048,
    ) -> None:
        self._keys_of = keys
        self._own_nonce = nonce
        self._name_octets = name_octets
        self._message_octets = message_octets
        self._name = ""
        self._header = b""
        self._nonce = b""
        self._messages = b""
        self._keys: ScramKeys | None = None
        self._proven = False
        self.step: Step = b""
        if initial is not None:
            self.respond(initial)

    def respond(self, octets: bytes) -> Step:
        """Take the client's next message."""
        if len(octets) > self._message_octets:
            raise LimitExceeded(f"SCRAM message over {self._message_octets} octets")
        if self._keys is None:
            self.step = self._first(octets)
        elif not self._proven:
            self.step = self._final(octets, self._keys)
        elif octets:
            raise ProtocolSyntaxError("octets behind the end of SCRAM")
        else:
            self.step = Proven(self._name)
        return self.step

    def _first(self, octets: bytes) -> Step:
        found = _FIRST.fullmatch(octets)
        if found is None:
            raise ProtocolSyntaxError("not a first message of SCRAM")
        self._header, authorization, bare, name, nonce = found.groups()
        self._name = self._text(name)
        if authorization and self._text(authorization) != self._name:
            raise AuthenticationFailed("may not act for another user")
        keys = self._keys = self._keys_of(self._name)
        self._nonce = nonce + self._own_nonce
        challenge = b"r=%b,s=%b,i=%d" % (
            self._nonce,
            encode(keys.salt),
            keys.iterations,
        )
        self._messages = bare + b"," + challenge + b","
        return challenge

    def _text(self, escaped: bytes) -> str:
        """A ``saslname``: ``=2C`` is a comma, ``=3D`` an equals sign."""

        def unescaped(found: re.Match[bytes]) -> bytes:
            if not found[1]:
                raise ProtocolSyntaxError("stray = in a name")
            return b"," if found[1] == b"2C" else b"="

        return name_text(_ESCAPE.sub(unescaped, escaped), self._name_octets)

    def _final(self, octets: bytes, keys: ScramKeys) -> Step:
        found = _FINAL.fullmatch(octets)
        if found is None:
            raise ProtocolSyntaxError("not a final message of SCRAM")
        without_proof, binding, nonce, encoded = found.groups()
        if decode(binding) != self._header or nonce != self._nonce:
            raise ProtocolSyntaxError("SCRAM messages do not belong together")
        proof = decode(encoded)
        signed = self._messages + without_proof
        signature = hmac.digest(keys.stored_key, signed, keys.algorithm)
        if len(proof) != len(signature):
            raise ProtocolSyntaxError("SCRAM proof of another length")
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        found_key = hashlib.new(keys.algorithm, client_key).digest()
        if not hmac.compare_digest(found_key, keys.stored_key):
            # One wrong password gives another proof each time: they count as many.
            return Refused(self._name, encoded.decode())
        self._proven = True
        return b"v=" + encode(hmac.digest(keys.server_key, signed, keys.algorithm))
