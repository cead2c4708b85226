"""The system's own users and groups, for the numbers in the uid and gid fields.

In this file:
    Numbers     what is asked of the system
    System      the answers of the name service (passwd(5), group(5), LDAP ...)
    groups_of   the groups of a user: getgrouplist(3)

The name service may ask the network: what is asked often, is remembered by who asks,
and asked in a thread where there is one.
"""

import ctypes
import grp
import pwd
from typing import Final, Protocol

#: Groups that there is room for at first, and at last: NGROUPS_MAX of Linux.
_GROUPS: Final = 64
_GROUPS_MAX: Final = 65536


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
        return groups_of(entry.pw_name, entry.pw_gid if gid is None else gid)


def groups_of(name: str, gid: int) -> tuple[int, ...]:
    """The groups of a user of the system, ``gid`` among them.

    That of ``os`` keeps all other threads waiting while the name service is asked.
    """
    libc = ctypes.CDLL(None)
    room = _GROUPS
    while room <= _GROUPS_MAX:
        found = (ctypes.c_uint * room)()
        count = ctypes.c_int(room)
        if (
            libc.getgrouplist(
                name.encode(), ctypes.c_uint(gid), found, ctypes.byref(count)
            )
            >= 0
        ):
            return tuple(found[: count.value])
        room = max(count.value, 2 * room)
    return (gid,)
