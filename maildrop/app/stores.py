"""Which store an account's location names.

In this file:
    Stores    opens the store of an account

Locations, variables filled in (``mailbox.account.Account.location``):

    maildir:PATH            a Maildir with Maildir++ folders
    mbox:INBOX[:FOLDERS]    an mbox, and a directory of others; ``mail`` in the home
                            unless it is named
    memory:                 gone at the end

Control files of an mbox lie in ``mailboxes/USER`` below the state directory.
"""

import os
from collections.abc import Sequence

from maildrop.app.patience import patient
from maildrop.app.privileges import Rights, make_directory
from maildrop.errors import ConfigurationError
from maildrop.mailbox.account import Account
from maildrop.mailbox.interfaces import Store
from maildrop.mailbox.keeping import Keeping
from maildrop.storage.index.host import Host
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.maildir.store import MaildirStore
from maildrop.storage.mbox.locks import METHODS
from maildrop.storage.mbox.store import MboxStore
from maildrop.storage.memory.store import MemoryStores


class Stores:
    """Opens the stores of accounts.

    Args:
        state: Directory of control files that do not lie beside the mail.
        homes: Directory of the homes that we make ourselves.
        rights: To make them with.
        locks: How mbox files are locked.
        host: The machine and this process.
        keeping: How expunged messages are kept.

    Attributes:
        locks: How mbox files are locked.
    """

    def __init__(
        self,
        state: str,
        homes: str,
        rights: Rights,
        locks: Sequence[str] = METHODS,
        host: Host | None = None,
        keeping: Keeping | None = None,
    ) -> None:
        self._control = os.path.join(state, "mailboxes")
        self._homes = homes + os.sep
        self._rights = rights
        self.locks = tuple(locks)
        self._host = host
        self._keeping = keeping or Keeping()
        self._remembered = Remembered()
        self._memory: MemoryStores | None = None

    def __call__(self, account: Account) -> Store:
        """The store of an account; called with its rights.

        Raises:
            ConfigurationError: Its location names none.
        """
        store = self._open(account)
        store.keep(self._keeping)
        store.limit(account.quota)
        return store

    def has_mail(self, account: Account) -> bool:
        """Whether there is anything of an account; called with its rights."""
        kind, _, paths = account.location.partition(":")
        if kind == "maildir":
            return os.path.isdir(paths)
        return os.path.isdir(os.path.join(self._control, account.name))

    def _open(self, account: Account) -> Store:
        kind, _, paths = account.location.partition(":")
        self._make_home(account)
        if kind == "memory":
            if self._memory is None:
                self._memory = MemoryStores(self.here().clock)
            return self._memory(account)
        if kind == "maildir" and paths:
            return self.maildir(account, paths)
        if kind == "mbox" and paths:
            return self.mbox(account, paths)
        raise ConfigurationError(f"{account.name}: no store for {account.location}")

    def here(self) -> Host:
        """The machine and this process."""
        host = self._host
        if host is None:  # not before we have our own process number
            host = self._host = Host.here(sleep=patient)
        return host

    def maildir(self, account: Account, path: str) -> MaildirStore:
        """The store of a Maildir."""
        self._make_home(account)
        return MaildirStore(path, self.here(), self._remembered)

    def mbox_paths(self, account: Account, paths: str) -> tuple[str, str, str]:
        """Inbox, directory of the others, directory of the control files."""
        inbox, _, folders = paths.partition(":")
        if not folders:
            if not account.home:
                raise ConfigurationError(f"{account.name}: no home for other mailboxes")
            folders = os.path.join(account.home, "mail")
        return inbox, folders, os.path.join(self._control, account.name)

    def mbox(self, account: Account, paths: str) -> MboxStore:
        """The store of an mbox and its directory of others."""
        inbox, folders, control = self.mbox_paths(account, paths)
        make_directory(control, self._rights, account=account)
        return MboxStore(
            inbox,
            folders,
            control,
            self.here(),
            self._remembered,
            self.locks,
            self.uid(account),
        )

    def uid(self, account: Account) -> int | None:
        """The owner of an account's files; None if they are not given to anybody."""
        owner = self._rights.owner_of(account)
        return None if owner is None else owner[0]

    def _make_home(self, account: Account) -> None:
        """Make a home of our own making; any other is the administrator's."""
        if account.home.startswith(self._homes) and not os.path.isdir(account.home):
            make_directory(account.home, self._rights, account=account)
