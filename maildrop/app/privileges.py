"""Rights: whose files are touched with whose permissions.

In this file:
    Identity        user, group and supplementary groups
    Kernel          the system calls
    RootRights      started as root: every account's files with its own rights
    OwnRights       not root: all files as ourselves
    rights          the one that fits this process

Started as root the process stays root, for only root can take on others' rights, but no
file is touched as root: each thread's *file system* user, group and supplementary
groups (credentials(7)) are those of the account ``user``, and those of a mail user
while that user's files are worked on.  They belong to the thread, so pool threads and
the reactor thread do not disturb each other; the C library's setgroups changes all
threads, hence the bare system call.

The calls are dear (each makes the kernel copy the thread's credentials), so none is
made that changes nothing.  Most users have one group, and for those there is no need to
change the supplementary groups either, for the file system group counts as well.

Security: setfsuid(2) does not tell failure (a uid that has no place in a user
namespace, say); so the first time for each identity it is asked what it did, and work
with the wrong rights never starts.
"""

import contextlib
import ctypes
import os
import platform
import pwd
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol

from twisted.logger import Logger

from maildrop.errors import AccessDenied, ConfigurationError
from maildrop.mailbox.account import Account

#: Number of the system call setgroups with 32 bits, by machine.
_SETGROUPS: Final = {
    "x86_64": 116,
    "aarch64": 159,
    "riscv64": 159,
    "loongarch64": 159,
    "ppc64le": 81,
    "s390x": 206,
    "i686": 206,
    "armv7l": 206,
}


#: Not a user: the calls change nothing and answer who it is.
_ASK: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Identity:
    """Rights on files.

    Attributes:
        uid: User.
        gid: Group.
        groups: Supplementary groups without ``gid``, sorted.
    """

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


class Kernel:
    """The system calls, for the calling thread alone."""

    def __init__(self) -> None:
        # PyDLL: these calls are over before another thread could get the GIL.
        self._libc = ctypes.PyDLL(None)
        self._setfsuid = self._libc.setfsuid
        self._setfsgid = self._libc.setfsgid
        self._setfsuid.argtypes = self._setfsgid.argtypes = [ctypes.c_uint]
        self._number = _SETGROUPS.get(platform.machine())
        self._arrays: dict[tuple[int, ...], ctypes.Array[ctypes.c_uint]] = {}

    def set_user(self, uid: int) -> None:
        """Set the file system user; says nothing of success."""
        self._setfsuid(uid)

    def set_group(self, gid: int) -> None:
        """Set the file system group; says nothing of success."""
        self._setfsgid(gid)

    def has(self, uid: int, gid: int) -> bool:
        """Whether these are the file system user and group now."""
        return bool(self._setfsuid(_ASK) == uid and self._setfsgid(_ASK) == gid)

    def set_groups(self, groups: tuple[int, ...]) -> bool:
        """Set the supplementary groups; whether it was done."""
        if self._number is None:
            return not groups
        array = self._arrays.get(groups)
        if array is None:
            array = self._arrays[groups] = (ctypes.c_uint * len(groups))(*groups)
        return bool(self._libc.syscall(self._number, len(groups), array) == 0)


class Rights(Protocol):
    """How files of accounts are touched."""

    def as_owner(self, account: Account) -> AbstractContextManager[object]:
        """A context in which files are touched as their owner."""

    def as_root(self) -> AbstractContextManager[object]:
        """A context for files of the administrator: keys, the users' file."""

    def owner_of(self, account: Account | None) -> tuple[int, int] | None:
        """User and group for files of an account, or ours; None to leave them alone."""

    def settle(self) -> None:
        """The ports are open: from now on this thread has the default rights."""

    def unsettle(self) -> None:
        """All is closed: this thread has its first rights back, to tidy up."""


class _Borrowed:
    """Other rights for a while; one object each time, for they may nest."""

    __slots__ = ("_before", "_rights", "_wanted")

    def __init__(self, rights: "RootRights", wanted: Identity) -> None:
        self._rights = rights
        self._wanted = wanted
        self._before = rights.default

    def __enter__(self) -> None:
        self._before = self._rights.current()
        if self._before is not self._wanted:  # equal ones change nothing
            self._rights.become(self._wanted)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._before is not self._wanted:
            self._rights.become(self._before)


class RootRights:
    """Started as root: each account's files are touched with its own rights.

    Args:
        default: The rights of all else.
        kernel: The system calls.
    """

    def __init__(self, default: Identity, kernel: Kernel) -> None:
        self.default = default
        self._kernel = kernel
        self._root = Identity(0, 0)
        self._thread = threading.local()
        self._thread.identity = self._root  # until ``settle``
        self._proven: set[tuple[int, int]] = set()
        self._identities: dict[tuple[int | None, int | None, str], Identity] = {}

    def as_owner(self, account: Account) -> AbstractContextManager[object]:
        """See ``Rights``."""
        return _Borrowed(self, self._identity(account))

    def as_root(self) -> AbstractContextManager[object]:
        """See ``Rights``."""
        return _Borrowed(self, self._root)

    def owner_of(self, account: Account | None) -> tuple[int, int] | None:
        """See ``Rights``."""
        identity = self.default if account is None else self._identity(account)
        return identity.uid, identity.gid

    def settle(self) -> None:
        """See ``Rights``."""
        os.setgroups(self.default.groups)  # the whole process, threads to come included
        self.become(self.default)

    def unsettle(self) -> None:
        """See ``Rights``."""
        self.become(self._root)

    def current(self) -> Identity:
        """The rights of this thread."""
        try:
            found: Identity = self._thread.identity
        except AttributeError:  # a new thread has its maker's rights, whatever they are
            self.become(self.default)
            return self.default
        return found

    def become(self, wanted: Identity) -> None:
        """Give this thread other rights.

        Raises:
            AccessDenied: The kernel refused; the thread has no rights worth having.
        """
        before: Identity | None = getattr(self._thread, "identity", None)
        kernel = self._kernel
        done = True
        if before is None or before.gid != wanted.gid:
            kernel.set_group(wanted.gid)
        if before is None or before.groups != wanted.groups:
            done = kernel.set_groups(wanted.groups)
        if before is None or before.uid != wanted.uid:
            kernel.set_user(wanted.uid)
        if (wanted.uid, wanted.gid) not in self._proven:
            done = done and kernel.has(wanted.uid, wanted.gid)
            if done:
                self._proven.add((wanted.uid, wanted.gid))
        if not done:
            self._thread.__dict__.pop("identity", None)
            raise AccessDenied(f"cannot take on the rights of uid {wanted.uid}")
        self._thread.identity = wanted

    def _identity(self, account: Account) -> Identity:
        if account.uid is None:
            return self.default
        key = account.uid, account.gid, account.name
        identity = self._identities.get(key)
        if identity is None:
            if len(self._identities) > 100_000:
                self._identities.clear()
                self._proven.clear()
            identity = _identity_of(account, self.default.gid)
            self._identities[key] = identity
        return identity


class OwnRights:
    """Not root: every file is touched as ourselves.

    Args:
        uid: Who we are.
    """

    _log = Logger()

    def __init__(self, uid: int) -> None:
        self._uid = uid
        self._warned: set[str] = set()
        self._nothing = contextlib.nullcontext()

    def as_owner(self, account: Account) -> AbstractContextManager[object]:
        """See ``Rights``; the first time, an account of another user is told of."""
        if account.uid not in {None, self._uid} and account.name not in self._warned:
            if len(self._warned) < 1000:
                self._warned.add(account.name)
            self._log.warn(
                "{user} has uid {uid}, but maildrop is not root: its mail is touched "
                "as uid {own}",
                user=account.name,
                uid=account.uid,
                own=self._uid,
            )
        return self._nothing

    def as_root(self) -> AbstractContextManager[object]:
        """See ``Rights``."""
        return self._nothing

    def owner_of(self, account: Account | None) -> tuple[int, int] | None:
        """See ``Rights``."""
        return None

    def settle(self) -> None:
        """See ``Rights``."""

    def unsettle(self) -> None:
        """See ``Rights``."""


def _identity_of(account: Account, default_gid: int) -> Identity:
    uid = account.uid if account.uid is not None else 0
    gid = account.gid
    if gid is None:
        try:
            gid = pwd.getpwuid(uid).pw_gid
        except KeyError:
            gid = default_gid
    return Identity(uid, gid, tuple(sorted({*account.groups} - {gid})))


def account_identity(name: str) -> Identity:
    """The rights of an account of the system, by name or number.

    Raises:
        ConfigurationError: There is none.
    """
    try:
        entry = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except KeyError:
        raise ConfigurationError(f'the system has no account "{name}"') from None
    groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
    groups = sorted({*groups} - {entry.pw_gid})
    return Identity(entry.pw_uid, entry.pw_gid, tuple(groups))


def rights(user: str, effective_uid: int) -> Rights:
    """The rights that fit this process.

    Args:
        user: The account to work as when we are root.
        effective_uid: Who we are.

    Raises:
        ConfigurationError: The system has no such account.
    """
    if effective_uid != 0:
        return OwnRights(effective_uid)
    return RootRights(account_identity(user), Kernel())


def make_directory(
    path: str, rights: Rights, mode: int = 0o700, account: Account | None = None
) -> None:
    """Make a directory if it is not there, and those above it.

    Args:
        path: The directory.
        rights: To make it with.
        mode: Its mode; those above it can be passed through by all.
        account: Whose it is to be; None for the default account.
    """
    if os.path.isdir(path):
        return
    with rights.as_root():
        owner = rights.owner_of(account)
        missing = []
        while not os.path.isdir(path):
            missing.append(path)
            path = os.path.dirname(path)
        for each in reversed(missing):
            last = each == missing[0]
            with contextlib.suppress(FileExistsError):
                os.mkdir(each, mode if last else 0o711)
                if owner is not None:
                    os.chown(
                        each,
                        *(owner if last else rights.owner_of(None) or owner),
                        follow_symlinks=False,
                    )
