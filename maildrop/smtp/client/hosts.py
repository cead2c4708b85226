"""Which hosts take the mail of a domain, in the order in which they are tried.

In this file:
    Resolver      asks the DNS
    Exchanger     an MX record
    Host          a host and one of its addresses
    Unroutable    there is none
    NoSuchName, NoAnswer    what a resolver raises
    exchangers    the hosts of a domain
    addresses     the addresses of one host

RFC 5321 section 5.1, with the status of RFC 3463 and RFC 7505:

    an address literal                  that address
    MX records                          by preference, equals in random order
    one MX record with the name "."     the domain takes no mail: 5.1.10
    no MX record, but an address        the domain itself
    we are among the exchangers         only those of lower preference; none: 5.4.6
    no such domain                      5.1.2
    exchangers without any address      5.4.4
    the DNS does not answer             4.4.3, if nothing else was found

An alias (CNAME) of the domain is followed by whoever answers the question.  Of a host
the addresses are tried IPv6 first, as RFC 6724 orders them, then one of each kind by
turns: who has no way to one kind comes to the other before all tries are spent.

Security: an address of this machine's own (loopback, unspecified) from the DNS is
ourselves, whoever says it.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from random import Random
from typing import Final, Protocol

from maildrop.errors import PermanentError, TemporaryError
from maildrop.smtp.wire.verdict import Verdict, later, never

#: Exchangers whose addresses are looked up.
_EXCHANGERS_MAX: Final = 20


class NoSuchName(PermanentError):
    """The DNS says that there is no such name."""


class NoAnswer(TemporaryError):
    """The DNS does not answer, or not what can be understood."""


class Unroutable(Exception):
    """No host takes the mail.

    Attributes:
        verdict: Why.
    """

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.text)
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Exchanger:
    """An MX record.

    Attributes:
        preference: Lower is tried first.
        name: The host; empty for the "." of RFC 7505.
    """

    preference: int
    name: str


@dataclass(frozen=True, slots=True)
class Host:
    """A host and one of its addresses.

    Attributes:
        name: Its name, for certificates and reports.
        address: IPv4, IPv6, or the path of a UNIX socket.
    """

    name: str
    address: str


class Resolver(Protocol):
    """Asks the DNS; keeps answers as long as they may be kept."""

    async def exchangers(self, domain: str) -> Sequence[Exchanger]:
        """The MX records of a domain, empty if it has none.

        Raises:
            NoSuchName, NoAnswer: as they say.
        """

    async def addresses(self, host: str) -> Sequence[str]:
        """The addresses of a host, IPv6 first; empty if it has none.

        Raises:
            NoSuchName, NoAnswer: as they say.
        """


def literal(text: str) -> str:
    """The address that a literal or an address without brackets is; else nothing."""
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if inner[:5].upper() == "IPV6:":
        inner = inner[5:]
    try:
        return str(ipaddress.ip_address(inner))
    except ValueError:
        return ""


def is_own(address: str) -> bool:
    """Whether an address is this machine's, wherever one is."""
    found = ipaddress.ip_address(address)
    mapped = getattr(found, "ipv4_mapped", None) or found
    return bool(mapped.is_loopback or mapped.is_unspecified)


def ascii_domain(domain: str) -> str:
    """A domain in A-labels, as the DNS wants it.

    Raises:
        Unroutable: It is none.
    """
    name = domain.rstrip(".").lower()
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        raise Unroutable(never("5.1.2", f"{domain} is no domain")) from None


async def addresses(resolver: Resolver, name: str) -> list[Host]:
    """The addresses of a host that was configured.

    Raises:
        Unroutable: It has none, or the DNS does not say.
    """
    if name.startswith("/"):
        return [Host("localhost", name)]
    address = literal(name)
    if address:
        return [Host(address, address)]
    try:
        found = await resolver.addresses(ascii_domain(name))
    except NoAnswer as error:
        raise Unroutable(later("4.4.3", f"address of {name}: {error}")) from None
    except NoSuchName:
        found = ()
    if not found:
        # An administrator wrote the name: mail waits until somebody mends it.
        raise Unroutable(later("4.4.4", f"{name} has no address"))
    return _hosts(name, found)


def _hosts(name: str, found: Sequence[str]) -> list[Host]:
    """A host's addresses, each kind by turns, in the order in which kinds come."""
    kinds: dict[bool, list[Host]] = {}
    for address in found:
        kinds.setdefault(":" in address, []).append(Host(name, address))
    turns = zip_longest(*kinds.values())
    return [host for turn in turns for host in turn if host is not None]


async def exchangers(
    resolver: Resolver,
    domain: str,
    random: Random,
    own_names: Iterable[str] = (),
) -> list[Host]:
    """The hosts of a domain, in the order in which they are tried.

    Args:
        resolver: Asks the DNS.
        domain: A domain, or an address literal.
        random: Orders equals.
        own_names: What this host is called.

    Raises:
        Unroutable: There is none.
    """
    address = literal(domain)
    if address:
        if is_own(address):
            raise Unroutable(never("5.4.6", f"{domain} is this server: a loop"))
        return [Host(domain, address)]
    search = _Search(resolver, ascii_domain(domain), own_names)
    return await search.hosts(random)


class _Search:
    """A search for the hosts of a domain, and what went wrong so far."""

    def __init__(
        self, resolver: Resolver, domain: str, own_names: Iterable[str]
    ) -> None:
        self._resolver = resolver
        self._domain = domain
        self._names = {name.rstrip(".").lower() for name in own_names}
        self._unanswered = ""
        self._loops = False

    async def hosts(self, random: Random) -> list[Host]:
        """What was found, best first."""
        records, implicit = await self._records()
        ranked = sorted(
            records,
            key=lambda each: (each.preference, random.random()),
        )[:_EXCHANGERS_MAX]
        found: list[Host] = []
        for at, record in enumerate(ranked):
            of_it = await self._of(record.name)
            if self._loops:
                lower = {
                    each.name
                    for each in ranked[:at]
                    if each.preference < record.preference
                }
                found = [host for host in found if host.name in lower]
                break
            found += of_it
        if found:
            return found
        raise Unroutable(self._reason(implicit=implicit))

    async def _records(self) -> tuple[list[Exchanger], bool]:
        """MX records, and whether the one there is stands for the domain itself."""
        domain = self._domain
        try:
            records = await self._resolver.exchangers(domain)
        except NoSuchName:
            raise Unroutable(never("5.1.2", f"there is no domain {domain}")) from None
        except NoAnswer as error:
            raise Unroutable(later("4.4.3", f"MX of {domain}: {error}")) from None
        if not records:
            return [Exchanger(0, domain)], True
        named = [record for record in records if record.name not in {"", "."}]
        if not named:
            raise Unroutable(never("5.1.10", f"{domain} takes no mail (null MX)"))
        return named, False

    async def _of(self, name: str) -> list[Host]:
        """The addresses of an exchanger; none if it has none or is ourselves."""
        if name.rstrip(".").lower() in self._names:
            self._loops = True
            return []
        try:
            found = await self._resolver.addresses(name)
        except NoSuchName:
            return []
        except NoAnswer as error:
            self._unanswered = f"address of {name}: {error}"
            return []
        if any(map(is_own, found)):
            self._loops = True
            return []
        return _hosts(name, found)

    def _reason(self, *, implicit: bool) -> Verdict:
        domain = self._domain
        if self._loops:
            return never("5.4.6", f"mail for {domain} loops back to this server")
        if self._unanswered:
            return later("4.4.3", self._unanswered)
        if implicit:
            return never("5.1.2", f"{domain} has neither MX nor address")
        return never("5.4.4", f"no mail exchanger of {domain} has an address")
