"""What of an account's mail can be checked, wherever it lies.

In this file:
    parts    names it
"""

from collections.abc import Iterable

from maildrop.app.stores import Stores
from maildrop.errors import ConfigurationError
from maildrop.mailbox.account import Account
from maildrop.storage.findings import Part
from maildrop.storage.maildir.check import MaildirInspect
from maildrop.storage.mbox.check import MboxInspect
from maildrop.storage.mbox.check_account import Account as MboxAccount


def parts(stores: Stores, account: Account) -> Iterable[Part]:
    """What of an account can be checked; called with its rights.

    Nothing is made or changed before a part is repaired.

    Raises:
        ConfigurationError: Its location names no store.
    """
    kind, _, paths = account.location.partition(":")
    uid, host = stores.uid(account), stores.here()
    if kind == "maildir" and paths:
        return MaildirInspect(
            paths, host, uid, lambda: stores.maildir(account, paths)
        ).parts()
    if kind == "mbox" and paths:
        inbox, folders, control = stores.mbox_paths(account, paths)
        return MboxInspect(
            MboxAccount(
                inbox,
                folders,
                control,
                host,
                lambda: stores.mbox(account, paths),
                stores.locks,
                uid,
            )
        ).parts()
    if kind == "memory":
        return ()
    raise ConfigurationError(f"{account.name}: no store for {account.location}")
