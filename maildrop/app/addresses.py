"""Addresses of a configuration, looked up without a server.

In this file:
    Addresses    what they mean, and what is wrong in the files that say so
    Named        a line of such a file

Files are read with the rights that the server would use.
"""

import os
from collections.abc import Iterator
from typing import NamedTuple

from twisted.internet.task import Clock

from maildrop.app.directory import open_users
from maildrop.app.privileges import Rights, rights
from maildrop.app.routes import Files, forwards_of, open_router
from maildrop.app.schema import Configuration
from maildrop.auth.users import Users
from maildrop.delivery.actions import Recipient
from maildrop.delivery.address import split_detail
from maildrop.delivery.aliases import AliasUnusable
from maildrop.delivery.routing import Router
from maildrop.errors import MaildropError, MailLoop
from maildrop.mailbox.account import Account
from maildrop.smtp.wire.path import Path, path_of

#: Values of one name that are listed.
_SHOWN = 20


class Named(NamedTuple):
    """A line of such a file.

    Attributes:
        name: What is looked up.
        values: What it stands for; of a long list the beginning.
        file: The file.
        line: The line in it.
    """

    name: str
    values: tuple[str, ...]
    file: str
    line: int


class Addresses:
    """What the addresses of a configuration mean.

    Args:
        configuration: Names users and files.

    Raises:
        ConfigurationError: The system lacks an account that is named.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        clock = Clock()
        self._rights: Rights = rights(configuration.user, os.geteuid())
        self._users: Users = open_users(
            configuration, clock, reach=self._rights.as_root
        )
        self._files = Files.of(configuration, clock, self._rights)
        self._clock = clock
        self._router: Router = open_router(
            configuration, self._users, clock, self._rights, files=self._files
        )

    def means(self, name: str, sender: str = "") -> Recipient:
        """What is done with mail for an address, or for a name of ours.

        Args:
            name: The address.
            sender: The reverse path of the mail, empty for none.

        Raises:
            MaildropError: Nobody has it, or it cannot be used.
        """
        path = path_of(name) if "@" in name else Path(name, "")
        reverse = path_of(sender) if sender else None
        return self._router.route_here(path, sender=reverse, whole=True)

    def all(self) -> Iterator[Named]:
        """Every line of the files of aliases, virtual ones first.

        Raises:
            StorageFailure: A file cannot be read.
        """
        self._files.virtual.load()
        self._files.aliases.load()
        for found in self._files.virtual.all():
            yield Named(found.pattern, found.values[:_SHOWN], found.file, found.line)
        for alias in self._files.aliases.all():
            values = tuple(value.text for value in alias.values[:_SHOWN])
            yield Named(alias.name, values, alias.file, alias.line)

    def problems(self) -> Iterator[str]:
        """Everything wrong with aliases and users' files, a line of text each."""
        separators = self._configuration.mail.separator

        def is_user(name: str) -> bool:
            if self._users.lookup(name) is not None:
                return True
            return self._users.lookup(split_detail(name, separators)[0]) is not None

        told = [
            *self._files.virtual.problems(),
            *self._files.aliases.problems(is_user),
        ]
        yield from told
        lines = {":".join(line.split(":", 2)[:2]) for line in told}
        try:
            names = list(self.all())
        except MaildropError:  # told already
            return
        for named in names:
            if f"{named.file}:{named.line}" not in lines:
                yield from self._problem(named)
        if self._configuration.delivery.forward:
            yield from self._forwards()

    def _problem(self, named: Named) -> Iterator[str]:
        """What is wrong with a name beyond what its own line shows."""
        if named.name.startswith("@") or ("." in named.name and "@" not in named.name):
            return
        try:
            self.means(named.name)
        except (MailLoop, AliasUnusable) as error:
            yield f"{named.file}:{named.line}: {named.name}: {error}"
        except MaildropError:
            return  # a value that is nobody is told with its line

    def _forwards(self) -> Iterator[str]:
        forwards = forwards_of(self._configuration, self._clock, self._rights)
        for name in sorted(self._users.names()):
            user = self._users.lookup(name)
            if user is None:
                continue
            account: Account = user.account
            try:
                found = forwards.look(account, "")
            except MaildropError as error:
                yield f"{account.home}/.forward: {error}"
                continue
            if found is None:
                continue
            if found.doubt:
                yield f"{found.path}: not followed: {found.doubt}"
            for problem in found.problems:
                yield f"{found.path}:{problem.line}: {problem.reason}"
