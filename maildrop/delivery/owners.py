"""Owners: whose rights a command or file has that a file of the administrator names.

In this file:
    Owners    finds them

aliases(5): the rights are those of the owner of the file, and where that is root, those
of a default user; nothing that a message started runs as root.  Where we are not root
there are no other rights than ours: root's files and our own are used with them, and
those of others are not (``delivery.commands`` refuses them).

The name service may ask the network, so its answers are kept for a while, and those
that are not there are found in a thread.

The accounts made here have no location: they are no users of ours.

Limits: accounts kept.
"""

import pwd
from collections.abc import Callable
from typing import Final

from maildrop.auth.system import groups_of
from maildrop.delivery.asking import Asking, ask
from maildrop.mailbox.account import Account

#: Of uids that the system has no account for.
_NO_HOME: Final = "/"
#: Seconds for which an answer counts.
_KEEP: Final = 60.0
_KEPT_MAX: Final = 1000


class Owners:
    """Finds whose rights are to be used.

    Args:
        default: Those for files of root.
        own_uid: Ours, None if we are root.
        entry: Finds an account of the system by number: getpwuid(3).
        now: Time, in seconds.
    """

    def __init__(
        self,
        default: Account,
        own_uid: int | None = None,
        entry: Callable[[int], pwd.struct_passwd] = pwd.getpwuid,
        now: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.default = default
        self._own_uid = own_uid
        self._entry = entry
        self._now = now
        self._kept: dict[tuple[int, int], tuple[float, Account]] = {}

    def of(self, uid: int, gid: int) -> Asking[Account]:
        """The rights of what a file names.

        Args:
            uid: Of the file.
            gid: The same.
        """
        if uid == 0:
            return self.default
        key, now = (uid, gid), self._now()
        until, account = self._kept.get(key, (0.0, self.default))
        if now < until:
            return account
        account = yield from ask(lambda: self.account(*key))
        if len(self._kept) >= _KEPT_MAX:
            self._kept.clear()
        self._kept[key] = now + _KEEP, account
        return account

    def account(self, uid: int, gid: int) -> Account:
        """The rights of a user of the system; it may take a while to find them.

        Args:
            uid: The user.
            gid: The group of one whom the system does not know.
        """
        try:
            entry = self._entry(uid)
        except KeyError:
            return Account(f"uid {uid}", _NO_HOME, "", uid, gid)
        groups: tuple[int, ...] = ()
        if self._own_uid is None:
            found = groups_of(entry.pw_name, entry.pw_gid)
            groups = tuple(sorted({*found} - {entry.pw_gid}))
        return Account(entry.pw_name, entry.pw_dir, "", uid, entry.pw_gid, groups)
