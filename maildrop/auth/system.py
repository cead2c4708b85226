"""The system's own users and groups, for the numbers in the uid and gid fields.

In this file:
    Numbers    what is asked of the system
    System     the answers of the name service (passwd(5), group(5), LDAP ...)
"""

import grp
import os
import pwd
from typing import Protocol


class Numbers(Protocol):
    """Numbers of users and groups."""

    def uid(self, name: str) -> int:
        """The uid of a system user.

        Raises:
            KeyError: There is none of that name.
        """

    def gid(self, name: str) -> int:
        """The gid of a group.

        Raises:
            KeyError: There is none of that name.
        """

    def groups(self, uid: int, gid: int | None) -> tuple[int, ...]:
        """The groups of a uid; none if the system does not know it."""


class System:
    """The name service of this host."""

    def uid(self, name: str) -> int:
        """See ``Numbers.uid``."""
        return pwd.getpwnam(name).pw_uid

    def gid(self, name: str) -> int:
        """See ``Numbers.gid``."""
        return grp.getgrnam(name).gr_gid

    def groups(self, uid: int, gid: int | None) -> tuple[int, ...]:
        """See ``Numbers.groups``."""
        try:
            entry = pwd.getpwuid(uid)
        except KeyError:
            return ()
        primary = entry.pw_gid if gid is None else gid
        return tuple(os.getgrouplist(entry.pw_name, primary))
