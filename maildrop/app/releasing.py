"""Giving the mail of accounts back to other servers.

In this file:
    Releasing    does it, account by account
    Released     what became of an account
    Given        what became of a mailbox
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from maildrop.app.direct import Direct
from maildrop.app.schema import Configuration
from maildrop.errors import PermanentError
from maildrop.mailbox.account import Account
from maildrop.mailbox.interfaces import Store
from maildrop.storage.foreign import giving, lists, mbox
from maildrop.storage.foreign.detecting import refuse_busy
from maildrop.storage.foreign.giving import Given
from maildrop.storage.foreign.giving_mbox import to_mbox
from maildrop.storage.index.host import Host
from maildrop.storage.maildir.mailbox import MaildirMailbox
from maildrop.storage.mbox.store import MboxStore

__all__ = ["Back", "Given", "Released", "Releasing"]

#: What writes a mailbox's files, by server.
_WRITE: Final = {"dovecot": giving.to_dovecot, "courier": giving.to_courier}

#: Told of each mailbox that is done.
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Back:
    """How a release is to be.

    Attributes:
        server: ``dovecot``, ``courier`` or ``mbox``.
        dry_run: Only say what would be written.
        accept_loss: Go on where the other server cannot keep everything.
        utf8: Courier has names of mailboxes in UTF-8, as from version 5 on.
    """

    server: str
    dry_run: bool = False
    accept_loss: bool = False
    utf8: bool = True


@dataclass(slots=True)
class Released:
    """What became of an account.

    Attributes:
        account: Its name.
        mailboxes: What was written.
    """

    account: str
    mailboxes: list[Given] = field(default_factory=list)


class Releasing:
    """Gives mail back.

    Args:
        configuration: Names the users and where their mail is.
        direct: Opens their stores; made of the configuration if not given.
        host: Disk, clock, chance; this machine's if not given.
    """

    def __init__(
        self,
        configuration: Configuration,
        direct: Direct | None = None,
        host: Host | None = None,
    ) -> None:
        self._direct = direct or Direct(configuration)
        self._host = host or Host.here()

    def accounts(self) -> Iterator[Account]:
        """All accounts."""
        return map(self._direct.account, self._direct.names())

    def account(self, name: str) -> Account:
        """One account.

        Raises:
            NoSuchUser: There is none of this name.
        """
        return self._direct.account(name)

    def release(
        self, account: Account, back: Back, progress: Progress = lambda _: None
    ) -> Released:
        """Write for another server what it wants to know of an account's mail.

        Raises:
            PermanentError: It cannot keep everything, or has no such mail.
            MailboxInUse: It is at work on it.
        """
        kind, _, paths = account.location.partition(":")
        with self._direct.store(account) as store:
            if kind == "maildir" and back.server in _WRITE:
                return self._maildir(account, store, paths, back, progress)
            if isinstance(store, MboxStore) and back.server in {"mbox", "dovecot"}:
                return self._mbox(account, store, back, progress)
        raise PermanentError(
            f"{account.name}: mail in {kind} cannot be given to {back.server} as it"
            " lies; `maildrop export` writes it in another form"
        )

    def _maildir(
        self,
        account: Account,
        store: Store,
        root: str,
        back: Back,
        progress: Progress,
    ) -> Released:
        released = Released(account.name)
        names = [entry.name for entry in store.entries() if entry.selectable]
        for name in names:
            mailbox = store.open(name)
            try:
                if isinstance(mailbox, MaildirMailbox):
                    refuse_busy(mailbox.path)
                    mailbox.refresh()
                    given = _WRITE[back.server](
                        mailbox,
                        self._host,
                        dry_run=back.dry_run,
                        accept_loss=back.accept_loss,
                    )
                    released.mailboxes.append(given)
            finally:
                mailbox.close()
            progress(name)
        if not back.dry_run:
            validity = max(given.uid_validity for given in released.mailboxes)
            giving.whole_store(
                root,
                back.server,
                validity,
                store.subscriptions(),
                self._host,
                utf8=back.utf8,
            )
            if back.server == "courier" and back.utf8:
                giving.rename_to_utf8(root, names, self._host)
        return released

    def _mbox(
        self, account: Account, store: MboxStore, back: Back, progress: Progress
    ) -> Released:
        released = Released(account.name)
        folders = account.location.split(":")[2:]
        root = folders[0] if folders else os.path.join(account.home, "mail")
        for entry in store.entries():
            if not entry.selectable:
                continue
            store.open(entry.name).close()  # its control files are there from now on
            file, control = store.place(entry.name)
            given = to_mbox(
                entry.name,
                file,
                control,
                mbox.index_path(entry.name, file.path, root),
                self._host,
                store.next_uid_validity,
                dry_run=back.dry_run,
            )
            if given is not None:
                released.mailboxes.append(given)
            progress(entry.name)
        if back.server == "mbox" and not back.dry_run:
            lists.list_for_uw(account.home, root, store.subscriptions(), self._host)
        return released
