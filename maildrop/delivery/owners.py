"""Owners: whose rights a command or file has that a file of the administrator names.

In this file:
    Owners    finds them

aliases(5): the rights are those of the owner of the file, and where that is root, those
of a default user; nothing that a message started runs as root.  Where we are not root
there are no other rights than ours: root's files and our own are used with them, and
those of others are not (``delivery.commands`` refuses them).

The accounts made here have no location: they are no users of ours.
"""

import os
import pwd
from collections.abc import Callable

from maildrop.delivery.watched import Owner
from maildrop.mailbox.account import Account

#: Of uids that the system has no account for.
_NO_HOME = "/"


class Owners:
    """Finds whose rights are to be used.

    Args:
        default: Those for files of root.
        own_uid: Ours, None if we are root.
        entry: Finds an account of the system by number: getpwuid(3).
    """

    def __init__(
        self,
        default: Account,
        own_uid: int | None = None,
        entry: Callable[[int], pwd.struct_passwd] = pwd.getpwuid,
    ) -> None:
        self.default = default
        self._own_uid = own_uid
        self._entry = entry

    def of(self, owner: Owner) -> Account:
        """The rights of what a file names.

        Args:
            owner: Of the file.
        """
        if owner.uid == 0:
            return self.default
        return self.account(owner.uid, owner.gid)

    def account(self, uid: int, gid: int) -> Account:
        """The rights of a user of the system.

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
            found = os.getgrouplist(entry.pw_name, entry.pw_gid)
            groups = tuple(sorted({*found} - {entry.pw_gid}))
        return Account(entry.pw_name, entry.pw_dir, "", uid, entry.pw_gid, groups)
