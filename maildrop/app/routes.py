"""Routing as the configuration says, for server and commands alike.

In this file:
    open_router     where mail for an address goes
    Files           the aliases and virtual aliases that it looks up
    forwards_of     the ``.forward`` files of users
    default_owner   whose rights commands and files of root's files have
    srs_keys        the secrets of the addresses that we write, made if missing
"""

import os
import pwd
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from twisted.internet.interfaces import IReactorTime

from maildrop.app.privileges import Rights, account_identity
from maildrop.app.schema import Configuration
from maildrop.delivery.aliases import Aliases
from maildrop.delivery.forward import Forwards, Includes
from maildrop.delivery.owners import Owners
from maildrop.delivery.routing import Router
from maildrop.delivery.sources import Directory, Limits
from maildrop.delivery.srs import SRS
from maildrop.delivery.virtual import Virtual
from maildrop.durable import Disk
from maildrop.mailbox.account import Account
from maildrop.mailbox.gate import InThread

#: The secrets of the addresses that we write, below state.
SRS_KEYS: Final = "srs.keys"
_KEY_OCTETS = 32


@dataclass(frozen=True, slots=True)
class Files:
    """The aliases and virtual aliases of a configuration."""

    aliases: Aliases
    virtual: Virtual

    @classmethod
    def of(
        cls, configuration: Configuration, clock: IReactorTime, rights: Rights
    ) -> "Files":
        """Those of a configuration.

        Args:
            configuration: Names them.
            clock: Time.
            rights: To read them with.
        """
        delivery = configuration.delivery
        return cls(
            Aliases(delivery.aliases, clock, reach=rights.as_root),
            Virtual(delivery.virtual, clock, reach=rights.as_root),
        )


def default_owner(configuration: Configuration, rights: Rights) -> Account:
    """Whose rights commands and files of root's files have.

    Raises:
        ConfigurationError: The system has no such account.
    """
    if rights.owner_of(None) is None:  # not root: there is nobody else to be
        return _ourselves()
    name = configuration.delivery.default_user
    found = account_identity(name)
    return Account(name, "/", "", found.uid, found.gid, found.groups)


def _ourselves() -> Account:
    uid = os.geteuid()
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(f"uid {uid}", "/", "", uid, os.getegid())
    return Account(entry.pw_name, entry.pw_dir, "", uid, entry.pw_gid)


def srs_keys(configuration: Configuration, rights: Rights) -> list[bytes]:
    """The secrets, one a line of ``srs.keys`` below state; made if missing.

    Who adds a line at the top changes the key, and what was written with the others
    stays good.  Nothing is given to whoever may not read the file.
    """
    path = os.path.join(configuration.state, SRS_KEYS)
    with rights.as_root():
        try:
            with open(path, "rb") as file:
                return [line for line in file.read().split() if len(line) >= 16]
        except FileNotFoundError:
            if not os.access(configuration.state, os.W_OK | os.X_OK):
                return []  # a command of somebody's, or before the first start
            key = os.urandom(_KEY_OCTETS).hex().encode()
            Disk().replace_file(path, key + b"\n", owner=rights.owner_of(None))
            return [key]
        except PermissionError:
            return []


def _uid_of(rights: Rights) -> Callable[[Account], int]:
    """The uid that an account's files have."""

    def uid_of(account: Account) -> int:
        owner = rights.owner_of(account)
        if owner is not None:
            return owner[0]
        return os.geteuid() if account.uid is None else account.uid

    return uid_of


def forwards_of(
    configuration: Configuration, clock: IReactorTime, rights: Rights
) -> Forwards:
    """The ``.forward`` files of a configuration's users.

    Args:
        configuration: Says who may write them.
        clock: Time.
        rights: To read them with.
    """
    group = configuration.delivery.group_writable
    return Forwards(rights.as_owner, _uid_of(rights), clock, group=group)


def open_router(
    configuration: Configuration,
    users: Directory,
    clock: IReactorTime,
    rights: Rights,
    *,
    files: Files | None = None,
    in_thread: InThread | None = None,
    now: Callable[[], float] | None = None,
) -> Router:
    """The router of a configuration.

    Args:
        configuration: Says all.
        users: Who has an address.
        clock: Time.
        rights: With which files are read.
        files: Aliases, if somebody has them already.
        in_thread: Where files are read; None reads them at once.
        now: Seconds since 1970 UTC; None for the clock.

    Raises:
        ConfigurationError: The system lacks the default user.
    """
    delivery, mail = configuration.delivery, configuration.mail
    files = files or Files.of(configuration, clock, rights)
    own_uid = None if rights.owner_of(None) is not None else os.geteuid()
    srs = None
    if delivery.srs:
        domain = (mail.domains or (configuration.hostname,))[0]
        keys = srs_keys(configuration, rights)
        srs = SRS(keys, domain, now or clock.seconds) if keys else None
    return Router(
        users,
        mail.domains,
        configuration.hostname,
        in_thread=in_thread,
        aliases=files.aliases,
        virtual=files.virtual,
        forwards=forwards_of(configuration, clock, rights)
        if delivery.forward
        else None,
        includes=Includes(
            rights.as_owner, _uid_of(rights), group=delivery.group_writable
        ),
        owners=Owners(default_owner(configuration, rights), own_uid, now=clock.seconds),
        srs=srs,
        postmaster=mail.postmaster,
        separators=mail.separator,
        allowed=delivery.programs,
        limits=Limits(members=delivery.members),
    )
