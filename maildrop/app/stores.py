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
from collections.abc import Iterable, Sequence

from maildrop.app.privileges import Rights, make_directory
from maildrop.app.threads import patient
from maildrop.errors import ConfigurationError
from maildrop.mailbox.account import Account
from maildrop.mailbox.interfaces import Store
from maildrop.mailbox.keeping import Keeping
from maildrop.storage.findings import Part
from maildrop.storage.index.host import Host
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.maildir.check import MaildirInspect
from maildrop.storage.maildir.store import MaildirStore
from maildrop.storage.mbox.check import MboxInspect
from maildrop.storage.mbox.check_account import Account as MboxAccount
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
        self._locks = tuple(locks)
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
        host = self._here()
        kind, _, paths = account.location.partition(":")
        self._make_home(account)
        if kind == "memory":
            if self._memory is None:
                self._memory = MemoryStores(host.clock)
            return self._memory(account)
        if kind == "maildir" and paths:
            return self._maildir(account, paths, host)
        if kind == "mbox" and paths:
            return self._mbox(account, paths, host)
        raise ConfigurationError(f"{account.name}: no store for {account.location}")

    def _here(self) -> Host:
        host = self._host
        if host is None:  # not before we have our own process number
            host = self._host = Host.here(sleep=patient)
        return host

    def parts(self, account: Account) -> Iterable[Part]:
        """What of an account can be checked; called with its rights.

        Nothing is made or changed before a part is repaired.

        Raises:
            ConfigurationError: Its location names no store.
        """
        kind, _, paths = account.location.partition(":")
        owner = self._rights.owner_of(account)
        uid = None if owner is None else owner[0]
        host = self._here()
        if kind == "maildir" and paths:
            return MaildirInspect(
                paths, host, uid, lambda: self._maildir(account, paths, host)
            ).parts()
        if kind == "mbox" and paths:
            inbox, folders, control = self._mbox_paths(account, paths)
            return MboxInspect(
                MboxAccount(
                    inbox,
                    folders,
                    control,
                    host,
                    lambda: self._mbox(account, paths, host),
                    self._locks,
                    uid,
                )
            ).parts()
        if kind == "memory":
            return ()
        raise ConfigurationError(f"{account.name}: no store for {account.location}")

    def _maildir(self, account: Account, path: str, host: Host) -> MaildirStore:
        self._make_home(account)
        return MaildirStore(path, host, self._remembered)

    def _mbox_paths(self, account: Account, paths: str) -> tuple[str, str, str]:
        """Inbox, directory of the others, directory of the control files."""
        inbox, _, folders = paths.partition(":")
        if not folders:
            if not account.home:
                raise ConfigurationError(f"{account.name}: no home for other mailboxes")
            folders = os.path.join(account.home, "mail")
        return inbox, folders, os.path.join(self._control, account.name)

    def _mbox(self, account: Account, paths: str, host: Host) -> MboxStore:
        inbox, folders, control = self._mbox_paths(account, paths)
        make_directory(control, self._rights, account=account)
        owner = self._rights.owner_of(account)
        return MboxStore(
            inbox,
            folders,
            control,
            host,
            self._remembered,
            self._locks,
            None if owner is None else owner[0],
        )

    def _make_home(self, account: Account) -> None:
        """Make a home of our own making; any other is the administrator's."""
        if account.home.startswith(self._homes) and not os.path.isdir(account.home):
            make_directory(account.home, self._rights, account=account)
