"""SRS: reverse paths of forwarded mail, so that reports find their way back.

In this file:
    SRS          writes and reads such addresses
    Forged       one that nobody here wrote, or that is too old

Mail that is sent on has another host than its sender's domain would have sent (SPF, RFC
7208), so it goes out with a reverse path of ours that holds the first one:

    SRS0 = "SRS0=" hash "=" day "=" domain "=" local "@" ours
    SRS1 = "SRS1=" hash "=" first "=" rest "@" ours     ; an SRS0 of the host "first"

``hash`` is a keyed digest of what follows, ``day`` counts days modulo 1024 in two
letters of base 32.  An address that is an SRS0 or SRS1 of another host is not wrapped
again: the SRS1 names the first host, to which a report goes at once.  After ``SRS0``
and ``SRS1`` other hosts may have ``+`` or ``-`` instead of ``=``.

Security: without the key nobody makes us send mail to a stranger; an address that was
seen can be used for some days, to send to that one address.  Several keys may be given:
the first writes, all read, so that a key can be changed.

Limits: days; octets of a local part (RFC 5321 section 4.5.3.1.1 wants 64 at least, most
take more): beyond that the sender is left as it is.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from typing import Final

from maildrop.errors import NoSuchUser
from maildrop.smtp.wire.path import PART_MAX, Path

_BASE32: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_DAY: Final = 86400.0
_CYCLE: Final = 1024
#: Letters of the digest: 40 bits.
_DIGEST: Final = 8
_SRS0: Final = re.compile(
    r"SRS0[=+-]([^=]+)=([A-Z2-7]{2})=([^=]+)=(.+)", re.IGNORECASE | re.DOTALL
)
_SRS1: Final = re.compile(r"SRS1[=+-]([^=]+)=([^=]+)=(.+)", re.IGNORECASE | re.DOTALL)
_ANY: Final = re.compile(r"SRS([01])([=+-].*)", re.IGNORECASE | re.DOTALL)


class Forged(NoSuchUser):
    """Nobody here wrote that address, or too long ago."""


class SRS:
    """Writes and reads addresses.

    Args:
        keys: Secrets; the first is used for writing.
        domain: Ours, in the addresses.
        now: Seconds since 1970 UTC.
        days: For how long an address is good.
    """

    def __init__(
        self,
        keys: Sequence[bytes],
        domain: str,
        now: Callable[[], float],
        days: int = 21,
    ) -> None:
        self._keys = tuple(keys)
        self._domain = domain
        self._now = now
        self._days = days

    @staticmethod
    def is_one(path: Path) -> bool:
        """Whether an address looks as if somebody had written it so."""
        return _ANY.match(path.local) is not None

    def forward(self, sender: Path) -> Path:
        """The reverse path for mail that is sent on."""
        found = _ANY.fullmatch(sender.local)
        if found is None:
            rest = f"{self._today()}={sender.domain}={sender.local}"
            local = f"SRS0={self._hash(rest, self._keys[0])}={rest}"
        elif found[1] == "0":
            rest = f"{sender.domain}={found[2]}"
            local = f"SRS1={self._hash(rest, self._keys[0])}={rest}"
        else:
            inner = _SRS1.fullmatch(sender.local)
            if inner is None:
                return sender
            rest = f"{inner[2]}={inner[3]}"
            local = f"SRS1={self._hash(rest, self._keys[0])}={rest}"
        if len(local.encode()) > PART_MAX:
            return sender
        return Path(local, self._domain)

    def reverse(self, path: Path) -> Path:
        """The address that one of ours was made of.

        Raises:
            Forged: It is none of ours, or too old.
        """
        found = _SRS0.fullmatch(path.local)
        if found is not None:
            self._check(found[1], f"{found[2]}={found[3]}={found[4]}", path)
            if self._age(found[2]) > self._days:
                raise Forged(f"{path} is older than {self._days} days")
            return Path(found[4], found[3])
        found = _SRS1.fullmatch(path.local)
        if found is None:
            raise Forged(f"{path} is no SRS address of ours")
        self._check(found[1], f"{found[2]}={found[3]}", path)
        return Path(f"SRS0{found[3]}", found[2])

    def _check(self, given: str, rest: str, path: Path) -> None:
        good = [
            hmac.compare_digest(given.lower().encode(), self._hash(rest, key).encode())
            for key in self._keys
        ]
        if not any(good):
            raise Forged(f"{path} was not written here")

    def _today(self) -> str:
        day = int(self._now() // _DAY) % _CYCLE
        return _BASE32[day >> 5] + _BASE32[day & 31]

    def _age(self, day: str) -> int:
        """Days since a day."""
        high, low = (_BASE32.index(letter) for letter in day.upper())
        return (int(self._now() // _DAY) - (high << 5 | low)) % _CYCLE

    @staticmethod
    def _hash(rest: str, key: bytes) -> str:
        """Without regard to case: some hosts change it."""
        digest = hmac.digest(key, rest.lower().encode(), hashlib.sha256)
        return base64.b32encode(digest)[:_DIGEST].decode().lower()
