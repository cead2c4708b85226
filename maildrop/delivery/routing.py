"""Routing: from a recipient's address to mailboxes.

In this file:
    Router       decides
    Recipient    an address that mail is taken for, and where it goes
    Target       one mailbox of one account
    Directory    who has an address: ``auth.users.Users``
    Names        further names: ``delivery.aliases.Aliases``

Order of search in a domain of ours (RFC 5321 section 2.3.11: only we may read a local
part): a user whose own name has a domain; an alias, of whatever domain of ours; a user
of the whole name; a user of the name before a separator, with the detail as the folder.
``postmaster`` (RFC 5321 section 4.5.1) is taken in every
domain of ours, without a domain and in any case, and goes to the configured user if
nobody is called so.

Errors: NoSuchUser for a name that nobody has; RelayDenied for a domain that is not
ours; AliasUnusable for an alias that asks for what is not done here.

Limits: aliases in a row, and mailboxes one of them may mean.

Security: nothing is ever taken for a domain that is not ours: this is what makes an
open relay impossible, whoever asks.  The detail is a wish: a folder of that name must
exist already, and the store checks the name.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import NoReturn, Protocol

from twisted.logger import Logger

from maildrop.delivery.address import canonical_domain, split_detail
from maildrop.delivery.aliases import AliasUnusable, is_foreign
from maildrop.errors import NoSuchUser, RelayDenied
from maildrop.mailbox.account import Account
from maildrop.smtp.wire.path import Path

INBOX = "INBOX"


class Owner(Protocol):
    """A user, as far as delivery knows."""

    @property
    def account(self) -> Account:
        """Whose mail it is."""


class Directory(Protocol):
    """Who has an address."""

    def address(self, local: str, domain: str) -> Owner | None:
        """The user with that address, None if nobody has it.

        Args:
            local: The local part.
            domain: One of our domains; empty for the hostname, and for a login name.
        """


class Names(Protocol):
    """Further names."""

    def values(self, name: str) -> tuple[str, ...] | None:
        """What a name stands for, None if it is no alias."""


@dataclass(frozen=True, slots=True)
class Target:
    """One mailbox of one account.

    Attributes:
        account: Whose.
        folder: Its name; INBOX if there is none of that name.
    """

    account: Account
    folder: str = INBOX


@dataclass(frozen=True, slots=True)
class Recipient:
    """An address that mail is taken for.

    Attributes:
        path: As the client named it, with our domain if it named none.
        targets: Where it goes; at least one.
    """

    path: Path
    targets: tuple[Target, ...]


class _Found:
    """What a search has found: mailboxes in order, and the aliases it went through."""

    __slots__ = ("aliases", "targets")

    def __init__(self) -> None:
        self.targets: dict[Target, None] = {}
        self.aliases: set[str] = set()

    def add(self, target: Target | None) -> bool:
        """Add a mailbox; False if it is none."""
        if target is not None:
            self.targets[target] = None
        return target is not None


class Router:
    """Decides for whom mail is taken.

    Args:
        users: Who has an address.
        domains: Those whose mail is delivered here; the first is that of addresses
            without one.  An address literal with its brackets may be among them.
        hostname: A domain of ours, too.
        aliases: Further names; None for none.
        postmaster: Login name or address of who gets the postmaster's mail; "" for
            nobody.
        separators: Characters between user and detail.
        depth: Aliases in a row.
        targets: Mailboxes an alias may mean.
    """

    _log = Logger()

    def __init__(
        self,
        users: Directory,
        domains: Collection[str],
        hostname: str,
        *,
        aliases: Names | None = None,
        postmaster: str = "",
        separators: str = "+",
        depth: int = 10,
        targets: int = 1000,
    ) -> None:
        self._users = users
        names = [canonical_domain(name) for name in (*domains, hostname)]
        self._mail_domains = frozenset(names[:-1])
        self._domains = frozenset(names)
        self._default = names[0]
        self._aliases = aliases
        self._postmaster = postmaster
        self._separators = separators
        self._depth = depth
        self._targets = targets

    def is_local(self, domain: str) -> bool:
        """Whether a domain is ours; no domain at all is."""
        return not domain or canonical_domain(domain) in self._domains

    def route(self, path: Path) -> Recipient:
        """Where mail for an address goes.

        Raises:
            RelayDenied: The domain is not ours.
            NoSuchUser: Nobody has the address.
            AliasUnusable: It is an alias that asks for what is not done here.
            StorageFailure: Users or aliases cannot be read.
        """
        domain = canonical_domain(path.domain) if path.domain else self._default
        if domain not in self._domains:
            raise RelayDenied(f"{domain} is not a domain of ours")
        found = _Found()
        self._collect(path.local, domain, (), found)
        if (
            not found.targets
            and path.local.lower() == "postmaster"
            and self._postmaster
        ):
            local, _, there = self._postmaster.partition("@")
            self._collect(local, canonical_domain(there), (), found)
        if not found.targets:
            raise NoSuchUser(f"nobody is called {path}")
        whole = path if path.domain else Path(path.local, domain)
        return Recipient(whole, tuple(found.targets))

    def _collect(
        self, local: str, domain: str, trail: tuple[str, ...], into: _Found
    ) -> bool:
        """Add what a local part stands for; False if nobody has it."""
        target = self._find(local, domain)
        values = None
        if self._aliases is not None and not _has_domain(target):
            values = self._values(self._aliases, local, trail)
        if values is None:
            return into.add(target)
        trail = (*trail, local.lower())
        if trail[-1] in into.aliases:
            return True
        into.aliases.add(trail[-1])
        if len(trail) > self._depth or len(into.targets) + len(values) > self._targets:
            self._unusable(trail, "means too much")
        found = [self._follow(value, trail, into) for value in values]
        return any(found)

    def _values(
        self, aliases: Names, local: str, trail: tuple[str, ...]
    ) -> tuple[str, ...] | None:
        """What an alias means, the detail left away if need be."""
        for name in (local, split_detail(local, self._separators)[0]):
            values = None if name.lower() in trail else aliases.values(name)
            if values is not None:
                return values
        return None

    def _follow(self, value: str, trail: tuple[str, ...], into: _Found) -> bool:
        """Add what a value of an alias stands for; False if nobody has it."""
        local, at, domain = value.rpartition("@")
        if not at:
            local, domain = value, ""
        elif not self.is_local(domain):
            self._unusable(trail, "has an address of another host")
        if is_foreign(value):
            self._unusable(trail, "has a command, a file or :include:")
        domain = canonical_domain(domain)
        if local.startswith("\\"):
            found = into.add(self._find(local[1:], domain))
        else:
            found = self._collect(local, domain, trail, into)
        if not found:
            self._log.warn(
                "alias {name}: nobody is {value}", name=trail[-1], value=value
            )
        return found

    def _unusable(self, trail: tuple[str, ...], reason: str) -> NoReturn:
        self._log.error("alias {name} {reason}", name=trail[-1], reason=reason)
        raise AliasUnusable(f"alias {trail[-1]} {reason}")

    def _find(self, local: str, domain: str) -> Target | None:
        if domain not in self._mail_domains:
            domain = ""  # our hostname or no domain: any user of ours
        user = self._users.address(local, domain)
        if user is not None:
            return Target(user.account)
        name, detail = split_detail(local, self._separators)
        if name == local:
            return None
        user = self._users.address(name, domain)
        return Target(user.account, detail or INBOX) if user is not None else None


def _has_domain(target: Target | None) -> bool:
    """Whether a user's own name has a domain: no alias of any domain hides it."""
    return target is not None and "@" in target.account.name
