"""Routing: from a recipient's address to mailboxes.

In this file:
    Router       decides
    Recipient    an address that mail is taken for, and where it goes
    Target       one mailbox of one account
    Directory    who has an address: ``auth.users.Users``

Order of search in a domain of ours (RFC 5321 section 2.3.11: only we may read a local
part): a user of the whole name; a user of the name before a separator, with the detail
as the folder.  ``postmaster`` (RFC 5321 section 4.5.1) is taken in every domain of
ours, without a domain and in any case, and goes to the configured user if no user is
called so.

Errors: NoSuchUser for a name that nobody has; RelayDenied for a domain that is not
ours.

Security: nothing is ever taken for a domain that is not ours: this is what makes an
open relay impossible, whoever asks.  The detail is a wish: a folder of that name must
exist already, and the store checks the name.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from maildrop.delivery.address import canonical_domain, split_detail
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


class Router:
    """Decides for whom mail is taken.

    Args:
        users: Who has an address.
        domains: Those whose mail is delivered here; the first is that of addresses
            without one.  An address literal with its brackets may be among them.
        hostname: A domain of ours, too.
        postmaster: Login name or address of who gets the postmaster's mail; "" for
            nobody.
        separators: Characters between user and detail.
    """

    def __init__(
        self,
        users: Directory,
        domains: Collection[str],
        hostname: str,
        *,
        postmaster: str = "",
        separators: str = "+",
    ) -> None:
        self._users = users
        names = [canonical_domain(name) for name in (*domains, hostname)]
        self._mail_domains = frozenset(names[:-1])
        self._domains = frozenset(names)
        self._default = names[0]
        self._postmaster = postmaster
        self._separators = separators

    def is_local(self, domain: str) -> bool:
        """Whether a domain is ours; no domain at all is."""
        return not domain or canonical_domain(domain) in self._domains

    def route(self, path: Path) -> Recipient:
        """Where mail for an address goes.

        Raises:
            RelayDenied: The domain is not ours.
            NoSuchUser: Nobody has the address.
        """
        domain = canonical_domain(path.domain) or self._default
        if domain not in self._domains:
            raise RelayDenied(f"{domain} is not a domain of ours")
        target = self._find(path.local, domain)
        if target is None and path.local.lower() == "postmaster" and self._postmaster:
            local, _, there = self._postmaster.partition("@")
            target = self._find(local, canonical_domain(there))
        if target is None:
            raise NoSuchUser(f"nobody is called {path}")
        return Recipient(path if path.domain else Path(path.local, domain), (target,))

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
