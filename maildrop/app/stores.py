"""Which store an account's location names.

In this file:
    Stores    opens the store of an account

Locations: ``mailbox.account.Account.location``.
"""

import os
from collections.abc import Callable

from maildrop.app.privileges import Rights, make_directory
from maildrop.durable import Disk
from maildrop.errors import ConfigurationError
from maildrop.mailbox.account import Account
from maildrop.mailbox.interfaces import Store
from maildrop.storage.memory.store import MemoryStores


class Stores:
    """Opens the stores of accounts.

    Args:
        disk: The disk.
        state: Directory of control files that do not lie beside the mail.
        homes: Directory of the homes that we make ourselves.
        rights: To make them with.
        now: Seconds since 1970 UTC.
    """

    def __init__(
        self,
        disk: Disk,
        state: str,
        homes: str,
        rights: Rights,
        now: Callable[[], float],
    ) -> None:
        self._disk = disk
        self._state = state
        self._homes = homes
        self._rights = rights
        self._memory = MemoryStores(now)

    def __call__(self, account: Account) -> Store:
        """The store of an account; called with its rights."""
        kind, _, _paths = account.location.partition(":")
        self._make_home(account)
        if kind == "memory":
            return self._memory(account)
        raise ConfigurationError(f"{account.name}: no store for {account.location}")

    def _make_home(self, account: Account) -> None:
        """Make a home of our own making; any other is the administrator's."""
        above = self._homes + os.sep
        if account.home.startswith(above) and not os.path.isdir(account.home):
            make_directory(account.home, self._rights, account=account)
