"""PLAIN: name and password in one message (RFC 4616).

In this file:
    Plain    the exchange
    parse    the message

Grammar: RFC 4616 section 2:

    message   = [authzid] UTF8NUL authcid UTF8NUL passwd

Limits: octets of a name and of a password.
"""

from maildrop.errors import AuthenticationFailed, LimitExceeded, ProtocolSyntaxError
from maildrop.sasl.exchange import Credentials, Step
from maildrop.sasl.saslprep import prepared, saslprep


def name_text(octets: bytes, limit: int) -> str:
    """A user name, prepared (RFC 4013).

    Raises:
        ProtocolSyntaxError: It is empty, not UTF-8 or has a prohibited character.
        LimitExceeded: It is longer than ``limit`` octets.
    """
    if len(octets) > limit:
        raise LimitExceeded(f"user name over {limit} octets")
    try:
        name = saslprep(octets.decode())
    except UnicodeDecodeError:
        raise ProtocolSyntaxError("user name is not UTF-8") from None
    if not name:
        raise ProtocolSyntaxError("no user name")
    return name


def password_text(octets: bytes, limit: int) -> str:
    """A password, prepared; octets that are not UTF-8 are kept as surrogates.

    Raises:
        ProtocolSyntaxError: It is empty or has a NUL, which crypt(3) would cut it at.
        LimitExceeded: It is longer than ``limit`` octets.
    """
    if len(octets) > limit:
        raise LimitExceeded(f"password over {limit} octets")
    if not octets or b"\0" in octets:
        raise ProtocolSyntaxError("no password, or NUL in it")
    return prepared(octets.decode("utf-8", "surrogateescape"))


def credentials(
    name: bytes, password: bytes, *, name_octets: int = 255, password_octets: int = 1024
) -> Credentials:
    """A name and a password that came as they are: POP3 USER and PASS, IMAP LOGIN.

    Raises:
        ProtocolSyntaxError, LimitExceeded: See ``name_text`` and ``password_text``.
    """
    text = name_text(name, name_octets)
    return Credentials(text, text, password_text(password, password_octets))


def parse(
    message: bytes, *, name_octets: int = 255, password_octets: int = 1024
) -> Credentials:
    """What a PLAIN message says.

    Raises:
        ProtocolSyntaxError, LimitExceeded: It is not one, or a part is too long.
        AuthenticationFailed: It asks to act for another user.
    """
    parts = message.split(b"\0")
    if len(parts) != 3:
        raise ProtocolSyntaxError("PLAIN has three parts")
    found = credentials(
        parts[1],
        parts[2],
        name_octets=name_octets,
        password_octets=password_octets,
    )
    # mutt and mbsync name themselves here too; acting for others is not offered.
    if parts[0] and name_text(parts[0], name_octets) != found.authentication:
        raise AuthenticationFailed("may not act for another user")
    return found


class Plain:
    """PLAIN, RFC 4616.

    Args:
        initial: The message if it came with the command, else None.
        name_octets: Longest name.
        password_octets: Longest password.
    """

    def __init__(
        self,
        initial: bytes | None,
        *,
        name_octets: int = 255,
        password_octets: int = 1024,
    ) -> None:
        self._name_octets = name_octets
        self._password_octets = password_octets
        self.step: Step = b""
        if initial is not None:
            self.respond(initial)

    def respond(self, octets: bytes) -> Step:
        """Take the message."""
        self.step = parse(
            octets,
            name_octets=self._name_octets,
            password_octets=self._password_octets,
        )
        return self.step
