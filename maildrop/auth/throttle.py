"""Guessing made slow, without locking anybody out.

In this file:
    Throttle           what each source has done lately
    TooManyAttempts    a source has too many attempts waiting
    network            what counts as one source

Each *distinct* wrong password of a source doubles the time its wrong answers take, up
to a limit; a program that repeats one outdated password stays at the first step.  The
attempts of such a source are also checked one after the other, each that time after the
one before, so opening many connections does not help.

Never held back: a source without an address or on this host (a webmail program there
stands for many people), and a user who has logged in well lately from that source.
Others at a source from which anybody has logged in well lately wait a little, and are
not turned away.

Limits: sources and good logins remembered, the longest forgotten first out.
"""

import hashlib
import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from maildrop.errors import TemporaryError


class TooManyAttempts(TemporaryError):
    """So many attempts of one source wait that a further one is not taken."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How slow guessing is made.

    Attributes:
        first: Seconds a wrong answer takes after the first wrong password.
        longest: Seconds it takes at most.
        backlog: Seconds of waiting beyond which an attempt is not taken.
        shared: Seconds an attempt waits at most where others have logged in well.
        forget: Seconds after which wrong passwords are forgotten.
        trust: Seconds for which a good login counts.
        sources: Sources remembered.
        logins: Good logins remembered.
    """

    first: float = 1.0
    longest: float = 15.0
    backlog: float = 30.0
    shared: float = 5.0
    forget: float = 900.0
    trust: float = 86400.0
    sources: int = 50_000
    logins: int = 50_000


#: Distinct wrong passwords kept of a source; the delay has reached its limit by then.
_COUNTED: Final = 16


@dataclass(slots=True)
class _Offender:
    """A source that gave wrong passwords.

    Attributes:
        wrong: Digests of the distinct ones.
        last: When the last came.
        free: When its next attempt may be checked.
    """

    wrong: tuple[bytes, ...] = ()
    last: float = 0.0
    free: float = 0.0


def network(source: str) -> bytes | None:
    """What counts as one source: an IPv4 address, the /64 of an IPv6 address.

    Args:
        source: The address, or anything else for a connection that has none.

    Returns:
        None for a source on this host.
    """
    try:
        address = ipaddress.ip_address(source.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return None
    return address.packed[:8]


class Throttle:
    """What each source has done lately; all times are the caller's clock's.

    Args:
        key: Octets that nobody else knows; no digest leaves this process.
        pace: How slow guessing is made.
    """

    def __init__(self, key: bytes, pace: Pace | None = None) -> None:
        self._key = key
        self._pace = Pace() if pace is None else pace
        self._offenders: OrderedDict[bytes, _Offender] = OrderedDict()
        self._good: OrderedDict[bytes, float] = OrderedDict()

    def _digest(self, *parts: bytes) -> bytes:
        made = hashlib.blake2b(key=self._key, digest_size=8)
        for part in parts:
            made.update(len(part).to_bytes(4, "big") + part)
        return made.digest()

    def _offender(self, source: bytes, now: float) -> _Offender | None:
        offender = self._offenders.get(source)
        if offender is not None and now - offender.last > self._pace.forget:
            del self._offenders[source]
            return None
        return offender

    def _delay(self, wrong: int) -> float:
        return min(self._pace.longest, self._pace.first * (1 << max(wrong - 1, 0)))

    def _is_good(self, login: bytes, now: float) -> bool:
        return self._good.get(login, now) > now

    def before(self, source: str, name: str, now: float) -> float:
        """Seconds to wait before an attempt is checked.

        Raises:
            TooManyAttempts: It would be too long.
        """
        origin = network(source)
        offender = None if origin is None else self._offender(origin, now)
        if offender is None or origin is None:
            return 0.0
        login = self._digest(origin, name.lower().encode("utf-8", "replace"))
        if self._is_good(login, now):
            return 0.0
        wait = max(0.0, offender.free - now)
        if self._is_good(self._digest(origin), now):
            return min(wait, self._pace.shared)
        if wait > self._pace.backlog:
            raise TooManyAttempts("too many attempts wait")
        offender.free = now + wait + self._delay(len(offender.wrong))
        return wait

    def failed(self, source: str, evidence: str, now: float) -> float:
        """Note a wrong password.

        Args:
            source: Where it came from.
            evidence: Name and password: what tells one wrong password from another.
            now: The time.

        Returns:
            Seconds that the answer takes, counted from the attempt's check.
        """
        origin = network(source) or b""
        offender = self._offender(origin, now)
        if offender is None:
            offender = self._offenders[origin] = _Offender()
            while len(self._offenders) > self._pace.sources:
                self._offenders.popitem(last=False)
        self._offenders.move_to_end(origin)
        offender.last = now
        mark = self._digest(evidence.encode("utf-8", "surrogateescape"))
        if mark not in offender.wrong:
            offender.wrong = (*offender.wrong, mark)[-_COUNTED:]
        return self._delay(len(offender.wrong))

    def succeeded(self, source: str, name: str, now: float) -> None:
        """Note a good login."""
        origin = network(source)
        if origin is None:
            return
        until = now + self._pace.trust
        user = name.lower().encode("utf-8", "replace")
        for login in (self._digest(origin), self._digest(origin, user)):
            self._good[login] = until
            self._good.move_to_end(login)
        while len(self._good) > self._pace.logins:
            self._good.popitem(last=False)
