"""An exchange in the base64 lines that IMAP, POP3 and SMTP share.

In this file:
    Dialogue    wraps an exchange

Grammar: each line is base64, ``*`` alone cancels (RFC 9051 section 6.2.2, RFC 5034
section 4, RFC 4954 section 4); as the initial response ``=`` stands for no octets.

Limits: octets of a line.
"""

from typing import Final

from maildrop.sasl import encoding
from maildrop.sasl.exchange import Cancelled, Exchange, Step


def initial_response(argument: bytes, octets: int = encoding.OCTETS_MAX) -> bytes:
    """The octets of an initial response given with the command.

    Raises:
        ProtocolSyntaxError, LimitExceeded: It is not base64, or too long.
    """
    return b"" if argument == b"=" else encoding.decode(argument, octets)


class Dialogue:
    """An exchange whose responses come as lines of base64.

    Args:
        exchange: What was begun by ``mechanisms.start``.
        mechanism: Its name, for the log.
        octets: Longest line taken.
    """

    CANCEL: Final = b"*"

    def __init__(
        self,
        exchange: Exchange,
        mechanism: str = "",
        *,
        octets: int = encoding.OCTETS_MAX,
    ) -> None:
        self.exchange = exchange
        self.mechanism = mechanism
        self.octets = octets

    @property
    def step(self) -> Step:
        """What to do now: send ``challenge()``, or judge the outcome."""
        return self.exchange.step

    def challenge(self) -> bytes:
        """The challenge to send, in base64; only while ``step`` is ``bytes``."""
        step = self.exchange.step
        return encoding.encode(step) if isinstance(step, bytes) else b""

    def respond(self, line: bytes) -> Step:
        """Take a line, without its end.

        Raises:
            Cancelled: It is ``*``.
            ProtocolSyntaxError, LimitExceeded: Not base64, too long, or refused by
                the mechanism.
            AuthenticationFailed: See ``exchange.Exchange.respond``.
        """
        if line == self.CANCEL:
            raise Cancelled("cancelled by the client")
        return self.exchange.respond(encoding.decode(line, self.octets))
