"""The DNS, asked through twisted.names.

In this file:
    DNS    a Resolver

Whoever is asked follows aliases; what follows them not, in a hosts file or a cache, is
followed here.  Answers are kept, and for how long, by the resolver given.
"""

import codecs
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred, TimeoutError as DeferredTimeout
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import IResolver
from twisted.names import dns
from twisted.names.error import (
    AuthoritativeDomainError,
    DNSNameError,
    DNSQueryTimeoutError,
    DomainError,
    ResolverError,
)

from maildrop.smtp.client.hosts import Exchanger, NoAnswer, NoSuchName

Lookup = Callable[..., Awaitable[tuple[list[Any], list[Any], list[Any]]]]

#: Seconds after which a question is asked again, and then given up.
_PATIENCE: Final = (2, 5, 10)
#: RFC 1034 section 3.6.2 wants no chains; some are there.
_ALIASES_MAX: Final = 8
#: A label of RFC 1035 section 2.3.4.
_LABEL_MAX: Final = 63
_NAME_MAX: Final = 253


class DNS:
    """A Resolver.

    Args:
        open_resolver: Gives the resolver of twisted.names, when it is first needed.
        families: ``ipv6`` and ``ipv4``, or one of them, in the order of trying.
        hosts: The hosts file: of a name that stands there the DNS is not asked.
    """

    def __init__(
        self,
        open_resolver: Callable[[], IResolver],
        families: Sequence[str] = ("ipv6", "ipv4"),
        hosts: IResolver | None = None,
    ) -> None:
        codecs.lookup("idna")  # now: the interpreter's files may not be ours to read
        self._open = open_resolver
        self._opened: IResolver | None = None
        self._families = families
        self._hosts = hosts

    async def exchangers(self, domain: str) -> Sequence[Exchanger]:
        """See ``hosts.Resolver``."""
        resolver = self._resolver()
        found = await self._ask(resolver.lookupMailExchange, domain, dns.MX)
        return [
            Exchanger(payload.preference, payload.name.name.decode("ascii", "replace"))
            for payload in found
        ]

    async def addresses(self, host: str) -> Sequence[str]:
        """See ``hosts.Resolver``."""
        if self._hosts is not None:
            try:
                found = await self._addresses(self._hosts, host)
            except (NoSuchName, NoAnswer):
                found = []
            if found:
                return found
        return await self._addresses(self._resolver(), host)

    async def _addresses(self, resolver: Any, host: str) -> Sequence[str]:  # noqa: ANN401
        """All families are asked for at once."""
        lookups = {
            "ipv6": (resolver.lookupIPV6Address, dns.AAAA, socket.AF_INET6),
            "ipv4": (resolver.lookupAddress, dns.A, socket.AF_INET),
        }
        found: list[str] = []
        failure: NoAnswer | None = None
        missing = 0
        asked = [
            (
                lookups[family][2],
                Deferred.fromCoroutine(self._told(*lookups[family], host)),
            )
            for family in self._families
        ]
        for family, answer in asked:
            told = await answer
            if isinstance(told, NoAnswer):
                failure = told
            elif isinstance(told, NoSuchName):
                missing += 1
            else:
                found += [socket.inet_ntop(family, each.address) for each in told]
        if not found and failure is not None:
            raise failure
        if not found and missing == len(self._families):
            raise NoSuchName(f"there is no {host}")
        return found

    async def _told(
        self, lookup: Lookup, kind: int, _: int, host: str
    ) -> list[Any] | NoAnswer | NoSuchName:
        """What records of a kind say, or why nothing."""
        try:
            return await self._ask(lookup, host, kind)
        except (NoAnswer, NoSuchName) as error:
            return error

    def _resolver(self) -> Any:  # noqa: ANN401 (its lookups take any keywords)
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    async def _ask(self, lookup: Lookup, name: str, kind: int) -> list[Any]:
        """What records of a kind say."""
        for _ in range(_ALIASES_MAX):
            labels = name.rstrip(".").split(".")
            if len(name) > _NAME_MAX or not all(
                0 < len(x) <= _LABEL_MAX for x in labels
            ):
                raise NoSuchName(f"{name} is no name of the DNS")
            answers = await self._answers(lookup, name)
            found = [each.payload for each in answers if each.type == kind]
            if found:
                return found
            aliases = [each.payload for each in answers if each.type == dns.CNAME]
            if not aliases:
                return []
            name = aliases[-1].name.name.decode("ascii", "replace")
        raise NoAnswer("too long a chain of aliases")

    async def _answers(self, lookup: Lookup, name: str) -> list[Any]:
        try:
            answers, _, _ = await lookup(name, timeout=_PATIENCE)
        except DNSNameError:
            raise NoSuchName(f"there is no {name}") from None
        except AuthoritativeDomainError:
            return []  # no record of this kind: RFC 2308 section 2.2
        except (DNSQueryTimeoutError, DeferredTimeout, ConnectTimeout):
            raise NoAnswer("the DNS does not answer") from None
        except (DomainError, ResolverError, OSError) as error:
            raise NoAnswer(f"the DNS failed: {type(error).__name__}") from None
        return answers
