"""A limit on the sessions of one user.

In this file:
    Uncrowded    an authenticator that admits a user only so often at once

Errors: TemporaryError when the user has as many sessions as may be; the password was
right, so a client may try again.
"""

from maildrop.auth.authenticator import Authenticator
from maildrop.decisions.recorder import SILENT, Noting
from maildrop.errors import TemporaryError
from maildrop.mailbox.account import Account
from maildrop.net.sessions import Sessions
from maildrop.sasl.exchange import Exchange, Outcome


class Uncrowded:
    """Admits a user only so often at once, in this process.

    Args:
        authenticator: Judges credentials.
        sessions: The sessions there are.
        most: Of one user, all services together.
    """

    def __init__(
        self, authenticator: Authenticator, sessions: Sessions, most: int
    ) -> None:
        self._authenticator = authenticator
        self._sessions = sessions
        self._most = most

    def allows_cleartext(self, secure: bool) -> bool:
        """See ``Authenticator``."""
        return self._authenticator.allows_cleartext(secure)

    def mechanisms(self, secure: bool) -> tuple[str, ...]:
        """See ``Authenticator``."""
        return self._authenticator.mechanisms(secure)

    def exchange(
        self, mechanism: str, initial: bytes | None, *, secure: bool
    ) -> Exchange:
        """See ``Authenticator``."""
        return self._authenticator.exchange(mechanism, initial, secure=secure)

    async def conclude(
        self, outcome: Outcome, *, service: str, source: str, note: Noting = SILENT
    ) -> Account:
        """See ``Authenticator``."""
        account = await self._authenticator.conclude(
            outcome, service=service, source=source, note=note
        )
        return self._admit(account, note)

    async def authenticate(
        self,
        name: str,
        password: str,
        *,
        service: str,
        source: str,
        note: Noting = SILENT,
    ) -> Account:
        """See ``Authenticator``."""
        account = await self._authenticator.authenticate(
            name, password, service=service, source=source, note=note
        )
        return self._admit(account, note)

    def _admit(self, account: Account, note: Noting) -> Account:
        if len(self._sessions.matching(user=account.name)) >= self._most:
            why = f"{account.name} has {self._most} sessions already"
            note("login refused", user=account.name, why=why)
            raise TemporaryError(why)
        return account
