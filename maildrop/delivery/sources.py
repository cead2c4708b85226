"""Sources: where routing looks up names and addresses, and how far it goes.

In this file:
    Sources      users, aliases, files
    Directory    who has an address: ``auth.users.Users``
    Holder       a user, as far as delivery knows
    Limits       how far an expansion goes
    Trail        what led to where a search is
    Place        where values stand
"""

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Protocol

from maildrop.delivery.actions import Reason
from maildrop.delivery.address import split_detail
from maildrop.delivery.aliases import Aliases
from maildrop.delivery.forward import Forwards, Includes
from maildrop.delivery.owners import Owners
from maildrop.delivery.srs import SRS
from maildrop.delivery.virtual import Virtual
from maildrop.mailbox.account import Account
from maildrop.smtp.wire.path import Path

#: Where values stand.
ALIASES: Final = "aliases"
FORWARD: Final = "forward"
INCLUDED: Final = "include"


class Holder(Protocol):
    """A user, as far as delivery knows."""

    @property
    def account(self) -> Account:
        """Whose mail it is."""


class Directory(Protocol):
    """Who has an address."""

    def address(self, local: str, domain: str) -> Holder | None:
        """The user with that address, None if nobody has it.

        Args:
            local: The local part.
            domain: One of our domains; empty for the hostname, and for a login name.
        """


@dataclass(frozen=True, slots=True)
class Sources:
    """Where an expansion searches.

    Attributes:
        users: Who has an address.
        domains: Those whose users may have them in their name.
        hostname: A domain of ours, too.
        default: The domain of names without one.
        aliases: Further names.
        virtual: Addresses that stand for others.
        forwards: ``.forward`` files; None for none.
        includes: Lists in files; None for none.
        owners: Whose rights a file of the administrator gives.
        srs: Writes reverse paths; None to leave them.
        separators: Characters between user and detail.
        allowed: Where commands and files may be named.
        has_postmaster: Somebody gets the postmaster's mail.
    """

    users: Directory
    domains: frozenset[str]
    hostname: str
    default: str
    aliases: Aliases | None = None
    virtual: Virtual | None = None
    forwards: Forwards | None = None
    includes: Includes | None = None
    owners: Owners | None = None
    srs: SRS | None = None
    separators: str = "+"
    allowed: frozenset[str] = frozenset({ALIASES, FORWARD})
    has_postmaster: bool = False

    def is_local(self, domain: str) -> bool:
        """Whether a domain in canonical form is ours."""
        return (
            domain in self.domains
            or domain == self.hostname
            or (self.virtual is not None and self.virtual.is_domain(domain))
        )

    def without_forwards(self) -> "Sources":
        """The same, but that users' own files are left aside."""
        return dataclasses.replace(self, forwards=None)

    def find(self, local: str, domain: str) -> tuple[Account, str] | None:
        """The user of a name, and separator with detail."""
        if domain not in self.domains:
            domain = ""  # our hostname or no domain: any user of ours
        user = self.users.address(local, domain)
        if user is not None:
            return user.account, ""
        name = split_detail(local, self.separators)[0]
        if name == local:
            return None
        user = self.users.address(name, domain)
        return (user.account, local[len(name) :]) if user is not None else None

    def is_somebody(self, local: str, domain: str) -> bool:
        """Whether an address is somebody's without the catch-all of its domain."""
        if domain not in self.domains and domain != self.hostname:
            return False
        name = split_detail(local, self.separators)[0]
        aliases = self.aliases
        return (
            (aliases is not None and any(map(aliases.find, (local, name))))
            or self.find(local, domain) is not None
            or (self.has_postmaster and local.lower() == "postmaster")
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """How far an expansion goes.

    Attributes:
        depth: Names in a row.
        targets: Actions that are found while a client waits.
        members: Actions at all.
    """

    depth: int = 20
    targets: int = 1000
    members: int = 200_000


@dataclass(frozen=True, slots=True)
class Trail:
    """What led to where the search is.

    Attributes:
        names: What was looked up: not again.
        why: The steps.
        sender: The reverse path from here on.
        folders: Users whose files were followed, and the folder each asked for.
        forwarded: One of our files led here.
    """

    names: tuple[str, ...] = ()
    why: tuple[Reason, ...] = ()
    sender: Path | None = None
    folders: tuple[tuple[str, str], ...] = ()
    forwarded: bool = False

    def further(self, name: str, reason: Reason) -> "Trail":
        """The trail below a name of one of our files."""
        return Trail(  # of long lists this is made for each member
            (*self.names, name),
            (*self.why, reason),
            self.sender,
            self.folders,
            True,
        )

    def because(self, *reasons: Reason) -> tuple[Reason, ...]:
        """All steps, with the last ones."""
        return (*self.why, *reasons)


@dataclass(frozen=True, slots=True)
class Place:
    """Where values stand.

    Attributes:
        kind: ``ALIASES``, ``FORWARD`` or ``INCLUDED``.
        file: The file.
        name: What it is about, for people.
        rights: Whose commands and files these would be; None if nobody knows.
        user: The user whose own file led here, None for the administrator's.
        doubt: Why commands and files in it are not used.
        detail: Of the address.
    """

    kind: str
    file: str
    name: str
    rights: Account | None
    user: Account | None = None
    doubt: str = ""
    detail: str = ""

    def objection(self, allowed: Collection[str]) -> str:
        """Why commands and files are not taken from here; empty if they are.

        Args:
            allowed: The kinds of places from which they are.
        """
        if self.kind not in allowed:
            return f"not allowed in {self.kind}"
        if self.doubt:
            return self.doubt
        return "nobody to run it as" if self.rights is None else ""
