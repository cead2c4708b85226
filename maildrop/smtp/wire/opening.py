"""The beginning of a session with another server: greeting, EHLO, STARTTLS, AUTH.

In this file:
    Wanted     what a session is to be like
    Secured    what is known of TLS
    opening    the conversation

Order: RFC 5321 section 3.1, RFC 3207 section 4 (after STARTTLS everything begins anew),
RFC 4954 section 4.  EHLO that is not understood is followed by HELO; LHLO (RFC 2033
section 4.1) has nothing to follow.

Security: passwords go where nobody listens: over TLS with a verified certificate, or to
the own machine.  Elsewhere SCRAM proves to have one without showing it.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from maildrop.errors import ProtocolSyntaxError
from maildrop.sasl import encoding
from maildrop.sasl.client import CLEARTEXT, Client, Login, begin, choose
from maildrop.smtp.wire.capabilities import Capabilities, capabilities
from maildrop.smtp.wire.replies import Reply
from maildrop.smtp.wire.talk import Encrypt, Talk, Work, ask, hear
from maildrop.smtp.wire.verdict import (
    Answer,
    Broken,
    Phase,
    Verdict,
    later,
    never,
    verdict,
)

#: Challenges of an exchange.
_CHALLENGES_MAX: Final = 8
#: RFC 4954 section 4: an initial response must leave the line under 512 octets.
_LINE_MAX: Final = 510


class TLSPolicy(enum.Enum):
    """Whether TLS is used; the value is the word of the configuration.

    NONE: never.
    OPPORTUNISTIC: if it is offered, whoever the server is; else without.
    VERIFIED: always, and the certificate has to be right.
    """

    NONE = "none"
    OPPORTUNISTIC = "opportunistic"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a session is to be like.

    Attributes:
        name: How we call ourselves.
        lmtp: LHLO instead of EHLO.
        tls: Whether STARTTLS is used.
        encrypted: TLS stands already, from the first octet.
        private: Nobody can listen without TLS: the server is on this machine.
        login: Who we are there; None to stay anonymous.
        nonce: Makes one for SCRAM.
        looks_back: A server of our own name is ourselves: a loop.
    """

    name: str
    lmtp: bool = False
    tls: TLSPolicy = TLSPolicy.NONE
    encrypted: bool = False
    private: bool = False
    login: Login | None = None
    nonce: Callable[[], bytes] = bytes
    looks_back: bool = False


def opening(wanted: Wanted) -> Talk[Capabilities]:
    """Begin a session.

    Raises:
        Broken: It cannot be had as it is wanted.
    """
    greeting = yield from hear(Phase.GREETING)
    if not greeting.positive:
        raise Broken(verdict(greeting, Phase.GREETING))
    offered = yield from _hello(wanted)
    encrypted = wanted.encrypted
    if not encrypted and wanted.tls is not TLSPolicy.NONE:
        encrypted = yield from _starttls(wanted, offered)
        if encrypted:
            offered = yield from _hello(wanted)
    if wanted.login is not None:
        verified = encrypted and wanted.tls is TLSPolicy.VERIFIED
        private = verified or wanted.private
        yield from _auth(wanted, wanted.login, offered, private=private)
    return offered


def _hello(wanted: Wanted) -> Talk[Capabilities]:
    name = wanted.name.encode()
    verb = b"LHLO" if wanted.lmtp else b"EHLO"
    reply = yield from ask(Phase.HELLO, b"%s %s\r\n" % (verb, name))
    if reply.positive:
        offered = capabilities(reply)
    elif reply.permanent and not wanted.lmtp:
        reply = yield from ask(Phase.HELLO, b"HELO %s\r\n" % name)
        offered = Capabilities(capabilities(reply).name)
    if not reply.positive:
        raise Broken(verdict(reply, Phase.HELLO))
    if wanted.looks_back and offered.name == wanted.name.lower():
        raise Broken(never("5.4.6", "its mail exchanger is this server: a loop"))
    return offered


def _starttls(wanted: Wanted, offered: Capabilities) -> Talk[bool]:
    """Begin TLS; whether it stands."""
    refused = ""
    if offered.starttls:
        reply = yield from ask(Phase.STARTTLS, b"STARTTLS\r\n")
        if reply.positive:
            yield Encrypt()
            return True
        refused = f": {reply}"
    if wanted.tls is TLSPolicy.VERIFIED:
        raise Broken(later("4.7.4", f"it offers no TLS, which is demanded{refused}"))
    return False


def _auth(
    wanted: Wanted, login: Login, offered: Capabilities, *, private: bool
) -> Talk[None]:
    mechanism = _mechanism(offered, private=private)
    client = begin(mechanism, login, wanted.nonce)
    command = b"AUTH " + mechanism.encode()
    initial = client.initial()
    if initial is not None:
        encoded = encoding.encode(initial) or b"="
        if len(command) + 1 + len(encoded) <= _LINE_MAX:
            command += b" " + encoded
            initial = None
    reply = yield from ask(Phase.AUTH, command + b"\r\n")
    for _ in range(_CHALLENGES_MAX):
        if reply.code != 334:
            break
        if initial is not None:
            response, initial = initial, None
        else:
            response = yield from _respond(client, reply)
        reply = yield from ask(Phase.AUTH, encoding.encode(response) + b"\r\n")
    if reply.code != 235:
        raise Broken(_not_let_in(verdict(reply, Phase.AUTH)))
    if not client.satisfied:
        raise Broken(later("4.7.0", "AUTH: it did not prove to know the password"))


def _mechanism(offered: Capabilities, *, private: bool) -> str:
    mechanism = choose(offered.mechanisms, cleartext=private)
    if mechanism is not None:
        return mechanism
    if not offered.mechanisms:
        what = "it offers no AUTH"
    elif CLEARTEXT.intersection(offered.mechanisms) and not private:
        what = "it wants the password in clear, without verified TLS"
    else:
        what = f"no mechanism fits: it offers {' '.join(offered.mechanisms)}"
    raise Broken(later("4.7.0", what))


def _respond(client: Client, reply: Reply) -> Talk[bytes]:
    found: list[bytes] = []
    wrong: list[ProtocolSyntaxError] = []

    def compute() -> None:
        try:
            found.append(client.respond(reply.lines[-1].strip().encode()))
        except ProtocolSyntaxError as error:
            wrong.append(error)

    if client.slow:
        yield Work(compute)
    else:
        compute()
    for error in wrong:
        raise Broken(later("4.7.0", f"AUTH: {error}"))
    return found[0]


def _not_let_in(found: Verdict) -> Verdict:
    """A login that is refused is a fault of ours, which somebody mends: mail waits."""
    code = f"4{found.code[1:]}" if found.answer is not Answer.TAKEN else "4.5.0"
    return Verdict(Answer.LATER, code, f"AUTH: {found.text}", found.said)
