"""LOGIN: name and password in a message each.

In this file:
    Login    the exchange

Never a standard; described in draft-murchison-sasl-login.  Outlook and some printers
know no other mechanism.  Clients do not read the challenges, but Outlook wants these
very words.
"""

from maildrop.sasl.exchange import Step
from maildrop.sasl.plain import credentials, name_text


class Login:
    """LOGIN.

    Args:
        initial: The name if it came with the command, else None.
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
        self._name: bytes | None = None
        self.step: Step = b"Username:"
        if initial:
            self.respond(initial)

    def respond(self, octets: bytes) -> Step:
        """Take the name, then the password."""
        if self._name is None:
            name_text(octets, self._name_octets)
            self._name = octets
            self.step = b"Password:"
        else:
            self.step = credentials(
                self._name,
                octets,
                name_octets=self._name_octets,
                password_octets=self._password_octets,
            )
        return self.step
