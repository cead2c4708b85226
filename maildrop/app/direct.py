"""The mail of users without a server between: what commands work on.

In this file:
    Direct    opens the stores of a configuration's users in this process

A server may run beside it: the store is made for several processes at once, and a
command is one more of them.

Errors: ``NoSuchUser`` for a name that the users' file does not have,
``ConfigurationError`` for a location that names no store or a system account that is
missing, and those of the store.
"""

import contextlib
import os
from collections.abc import Iterator

from maildrop.app.directory import Standing, open_users
from maildrop.app.privileges import Rights, rights
from maildrop.app.schema import Configuration
from maildrop.app.stores import Stores
from maildrop.errors import NoSuchUser
from maildrop.mailbox.account import Account
from maildrop.mailbox.interfaces import Store
from maildrop.mailbox.keeping import Keeping


class Direct:
    """Opens the stores of a configuration's users in this process.

    Started as root, files are touched with the rights of the user they belong to, as
    the server touches them.

    Args:
        configuration: Names the users and where their mail is.
        owners: How files of accounts are touched; None for what fits this process.

    Attributes:
        rights: How files of accounts are touched.
        stores: Opens a store; called with the account's rights.

    Raises:
        ConfigurationError: The system lacks the account to work as.
    """

    def __init__(
        self, configuration: Configuration, owners: Rights | None = None
    ) -> None:
        self.rights = owners or rights(configuration.user, os.geteuid())
        self._users = open_users(configuration, Standing(), reach=self.rights.as_root)
        homes = configuration.users.home.partition("%")[0].rstrip("/")
        state = configuration.state
        mail = configuration.mail
        self.stores = Stores(
            state,
            homes,
            self.rights,
            mail.locks,
            keeping=Keeping(mail.keep_expunged, mail.keep_expunged_octets),
        )

    def names(self) -> list[str]:
        """All users, as the file has them, sorted."""
        return sorted(self._users.names())

    def account(self, name: str) -> Account:
        """The account of a user.

        Raises:
            NoSuchUser: There is none of this name.
        """
        user = self._users.lookup(name)
        if user is None:
            raise NoSuchUser(f'no user "{name}"')
        return user.account

    @contextlib.contextmanager
    def store(self, account: Account) -> Iterator[Store]:
        """An account's store; within the block its files are touched as their owner."""
        with self.rights.as_owner(account):
            store = self.stores(account)
            try:
                yield store
            finally:
                store.close()

    def open(self, account: Account) -> Store:
        """An account's store; called with its rights, closed by the caller."""
        return self.stores(account)
