"""``.forward`` files of users, and lists of members in files.

In this file:
    Forwards    the ``.forward`` files
    Forward     one of them
    Includes    the files that ``:include:`` names
    Members     one of them

A user's file is ``.forward+detail`` in the home for an address with a detail (``+`` is
the separator that the address has), else ``.forward``; one that is empty counts as
missing.  It is read with the rights of the user and only believed if the user or root
wrote it (``trusted``); if not, mail goes to the mailbox as if there was none, and the
log says why.

A list is read with the rights of the owner of the file that names it.  Its addresses
are used whoever wrote it; commands and files in it only if it is to be trusted.

What was found is remembered for a moment, and a list until it changes.  Most users have
no file: where there was none, a look tells that there still is none, and that needs no
thread.

Errors: StorageFailure, when the disk fails or a file is too large.

Limits: octets of the files, details, files remembered.
"""

import os
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from twisted.internet.interfaces import IReactorTime

from maildrop.delivery.trusted import read
from maildrop.delivery.values import Problem, Value, members
from maildrop.mailbox.account import Account

AsOwner = Callable[[Account], AbstractContextManager[object]]

#: Octets of a detail that names a file.
_DETAIL_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Forward:
    """A ``.forward`` file.

    Attributes:
        path: Where it is.
        values: What it says.
        problems: What is wrong in it.
        doubt: Why it is not believed; empty if it is.
    """

    path: str
    values: tuple[Value, ...] = ()
    problems: tuple[Problem, ...] = ()
    doubt: str = ""


class Forwards:
    """The ``.forward`` files.

    Args:
        as_owner: A context in which files are touched with somebody's rights.
        uid_of: The uid that an account's files have.
        clock: Time.
        group: The group may write them too.
        check_every: Seconds for which an answer is good.
        octets: Largest file read.
        keep: Answers remembered.
    """

    def __init__(
        self,
        as_owner: AsOwner,
        uid_of: Callable[[Account], int],
        clock: IReactorTime,
        *,
        group: bool = False,
        check_every: float = 1.0,
        octets: int = 1 << 18,
        keep: int = 10_000,
    ) -> None:
        self._as_owner = as_owner
        self._uid_of = uid_of
        self._clock = clock
        self._group = group
        self._check_every = check_every
        self._octets = octets
        self._keep = keep
        self._known: dict[tuple[str, str, str], tuple[float, Forward | None]] = {}

    def remembered(
        self, account: Account, extension: str
    ) -> tuple[Forward | None] | None:
        """An answer of a moment ago, or that no file came since; None if unknown.

        Who had no file is asked again with one stat(2) in a directory that was looked
        into before: a delivery makes several there, so it may be made while all wait.
        """
        key = account.name, account.home, extension
        known = self._known.get(key)
        if known is None:
            return None
        asked, found = known
        now = self._clock.seconds()
        if now - asked >= self._check_every:
            if found is not None or not self._none_came(account, extension):
                return None
            self._known[key] = now, None
        return (found,)

    def _none_came(self, account: Account, extension: str) -> bool:
        """Whether a user who had no file surely has none now."""
        if account.home in {"", "/"}:
            return True
        with self._as_owner(account):
            for name in _names(extension):
                try:
                    os.lstat(f"{account.home}/{name}")
                except FileNotFoundError:
                    continue
                except OSError:
                    pass
                return False
        return True

    def look(self, account: Account, extension: str) -> Forward | None:
        """The file for mail to a user; may wait for the disk.

        Args:
            account: The user's.
            extension: Separator and detail of the address, or nothing.

        Raises:
            StorageFailure: Nobody can say.
        """
        found = None
        if account.home not in {"", "/"}:
            with self._as_owner(account):
                for name in _names(extension):
                    found = self._read(f"{account.home}/{name}", account)
                    if found is not None:
                        break
        return found

    def remember(self, account: Account, extension: str, found: Forward | None) -> None:
        """Keep an answer; on the thread that asks for them."""
        if len(self._known) >= self._keep:
            self._known.clear()
        key = account.name, account.home, extension
        self._known[key] = self._clock.seconds(), found

    def _read(self, path: str, account: Account) -> Forward | None:
        uid = self._uid_of(account)
        file = read(path, uid, self._octets, group=self._group)
        if file is None:
            return None
        if file.doubt:
            return Forward(path, doubt=file.doubt)
        problems: list[Problem] = []
        text = file.octets.decode("utf-8", "replace")
        values = tuple(members(text, problems))
        return Forward(path, values, tuple(problems)) if values or problems else None


def _names(extension: str) -> list[str]:
    """Names of files, in the order in which they are looked for."""
    names = [".forward"]
    if 1 < len(extension) <= _DETAIL_MAX and "/" not in extension:
        if "\0" in extension:
            return names
        names.insert(0, f".forward{extension}")
        if extension != extension.lower():
            names.insert(1, f".forward{extension.lower()}")
    return names


@dataclass(frozen=True, slots=True)
class Members:
    """A list of members in a file.

    Attributes:
        values: The members; None for more than one wants to read now.
        uid: The owner of the file.
        gid: Its group.
        problems: What is wrong in it.
        doubt: What speaks against trusting it.
    """

    values: tuple[Value, ...] | None
    uid: int
    gid: int
    problems: tuple[Problem, ...] = ()
    doubt: str = ""


class Includes:
    """The files that ``:include:`` names.

    Args:
        as_owner: A context in which files are touched with somebody's rights.
        uid_of: The uid that an account's files have.
        group: The group may write them too.
        octets: Largest file read.
        eager: Largest file read while a client waits.
        keep: Lists remembered.
    """

    def __init__(
        self,
        as_owner: AsOwner,
        uid_of: Callable[[Account], int],
        *,
        group: bool = False,
        octets: int = 1 << 24,
        eager: int = 1 << 17,
        keep: int = 20,
    ) -> None:
        self._as_owner = as_owner
        self._uid_of = uid_of
        self._group = group
        self._octets = octets
        self._eager = eager
        self._keep = keep
        self._known: OrderedDict[str, tuple[tuple[int, ...], Members]] = OrderedDict()

    def look(
        self, path: str, reader: Account, user: Account | None, *, whole: bool
    ) -> Members | None:
        """The members of a list, None if there is no such file; may wait for the disk.

        Args:
            path: The file.
            reader: Whose rights it is read with.
            user: Who besides root is to have written it; None for its owner.
            whole: However long it is.

        Raises:
            StorageFailure: It cannot be read.
        """
        before = self._known.get(path)
        if before is not None and before[1].values is None and whole:
            before = None
        known = before[0] if before is not None else ()
        uid = None if user is None else self._uid_of(user)
        with self._as_owner(reader):
            file = read(
                path, uid, self._octets, group=self._group, known=known, always=True
            )
        if file is None:
            return None
        if before is not None and file.stamp == known:
            found = before[1]
            return Members(found.values, file.uid, file.gid, found.problems, file.doubt)
        problems: list[Problem] = []
        values = None
        if whole or len(file.octets) <= self._eager:
            text = file.octets.decode("utf-8", "replace")
            values = tuple(members(text, problems))
        found = Members(values, file.uid, file.gid, tuple(problems), file.doubt)
        self._known[path] = file.stamp, found
        while len(self._known) > self._keep:
            self._known.popitem(last=False)
        return found
