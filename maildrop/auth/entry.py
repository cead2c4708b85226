"""One line of a passwd-style file.

In this file:
    Entry           the fields of a line
    Extra           what the last field says that has a meaning here
    parse           a line into an Entry
    parse_extra     a last field into an Extra
    is_user_name    which names a user may have

Format, passwd(5) with one field more, as Dovecot's passwd-file has it; fields missing
at the end are empty:

    name ":" password ":" uid ":" gid ":" gecos ":" home ":" shell ":" extra
    extra = *( key [ "=" value ] )          ; separated by blanks

The keys: ``mail`` (or ``userdb_mail``), ``quota`` and ``quota_messages`` (or
``userdb_quota_rule``), ``allow`` (services, by commas), ``allow_nets`` (networks, by
commas; ``local`` for connections without an address), ``disabled`` (or ``nologin``).  A
key that means nothing here is passed over; ``nopassword`` is one of them on purpose.

Errors: BadLine says what is wrong with a line.

Limits: octets of a name.

Security: a name becomes part of paths, so one with ``/``, a control character, or a
``.`` or ``..`` as a whole part is refused.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from maildrop.errors import ConfigurationError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Octets of a user's name; file systems take no longer file names.
NAME_OCTETS: Final = 255
_FIELDS: Final = 8
_FORBIDDEN: Final = re.compile(r'[\s/\\:"#<>]')
_SIZE: Final = re.compile(r"([0-9]{1,15})(B|[KMGT](?:i?B)?)?", re.IGNORECASE)
#: Digits of a number of messages.
_DIGITS: Final = 9
_POWERS: Final = {"B": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_NO: Final = frozenset({"no", "n", "false", "0", "off"})


class BadLine(ConfigurationError):
    """A line of a passwd-style file that cannot be used."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The fields of a line, as they stand."""

    name: str
    password: str = field(default="", repr=False)
    uid: str = ""
    gid: str = ""
    gecos: str = ""
    home: str = ""
    shell: str = ""
    extra: str = ""

    def __str__(self) -> str:
        """The line, without empty fields at its end."""
        fields = (
            self.name,
            self.password,
            self.uid,
            self.gid,
            self.gecos,
            self.home,
            self.shell,
            self.extra,
        )
        text = ":".join(fields).rstrip(":")
        return text if ":" in text else text + ":"


@dataclass(frozen=True, slots=True)
class Extra:
    """The last field, as far as it means something here.

    Attributes:
        mail: Template of the location; empty for the default.
        quota: Octets, 0 for no limit, None for the default.
        quota_messages: Messages, the same.
        allow: Services that may be used, None for all.
        networks: Where logins may come from, None for anywhere.
        local: Connections without an address are in ``networks``.
        disabled: No logins.
        unknown: Keys passed over.
    """

    mail: str = ""
    quota: int | None = None
    quota_messages: int | None = None
    allow: frozenset[str] | None = None
    networks: tuple[Network, ...] | None = None
    local: bool = False
    disabled: bool = False
    unknown: tuple[str, ...] = ()


def is_user_name(name: str) -> bool:
    """Whether a user may have this name."""
    return (
        0 < len(name.encode("utf-8", "replace")) <= NAME_OCTETS
        and name.isprintable()
        and _FORBIDDEN.search(name) is None
        and not any(part in {"", ".", ".."} for part in name.split("@"))
    )


def parse(line: bytes) -> Entry:
    """The fields of a line.

    Raises:
        BadLine: It is not UTF-8, has no password field or a name no user may have.
    """
    try:
        fields = line.decode().rstrip("\r").split(":", _FIELDS - 1)
    except UnicodeDecodeError:
        raise BadLine("not UTF-8") from None
    if not is_user_name(fields[0]):
        raise BadLine("no user may have this name")
    if len(fields) < 2:
        raise BadLine("no password field")
    return Entry(*fields)


def octets(text: str) -> int:
    """A size such as ``500M`` or ``1G``, in octets.

    Raises:
        BadLine: It is not one.
    """
    shape = _SIZE.fullmatch(text)
    if shape is None:
        raise BadLine(f"{text!r} is not a size such as 500M or 1G")
    unit = (shape.group(2) or "B")[0].upper()
    return int(shape.group(1)) << _POWERS[unit]


def _mail(extra: Extra, value: str) -> Extra:
    return replace(extra, mail=value)


def _quota(extra: Extra, value: str) -> Extra:
    return replace(extra, quota=octets(value))


def _quota_messages(extra: Extra, value: str) -> Extra:
    if not value.isdecimal() or len(value) > _DIGITS:
        raise BadLine(f"{value!r} is not a number of messages")
    return replace(extra, quota_messages=int(value))


def _quota_rule(extra: Extra, value: str) -> Extra:
    """Dovecot's rule; only those of ``*`` are meant for all mail."""
    target, *limits = value.split(":")
    if target != "*":
        return extra
    for limit in limits:
        kind, _, size = limit.partition("=")
        if kind == "storage" and size.isdecimal():
            size += "K"
        if kind in {"storage", "bytes"}:
            extra = replace(extra, quota=octets(size))
        elif kind == "messages":
            extra = _quota_messages(extra, size)
    return extra


def _allow(extra: Extra, value: str) -> Extra:
    services = (part.strip().lower() for part in value.split(","))
    return replace(extra, allow=frozenset(filter(None, services)))


def _allow_nets(extra: Extra, value: str) -> Extra:
    networks = list(extra.networks or ())
    local = extra.local
    for part in filter(None, value.split(",")):
        if part == "local":
            local = True
            continue
        try:
            networks.append(ipaddress.ip_network(part, strict=False))
        except ValueError:
            raise BadLine(f"{part!r} is not a network") from None
    return replace(extra, networks=tuple(networks), local=local)


def _disabled(extra: Extra, value: str) -> Extra:
    return replace(extra, disabled=value.lower() not in _NO)


_KEYS: Final[dict[str, Callable[[Extra, str], Extra]]] = {
    "mail": _mail,
    "userdb_mail": _mail,
    "quota": _quota,
    "quota_messages": _quota_messages,
    "userdb_quota_rule": _quota_rule,
    "allow": _allow,
    "allow_nets": _allow_nets,
    "disabled": _disabled,
    "nologin": _disabled,
}


def parse_extra(text: str) -> Extra:
    """What the last field says.

    Raises:
        BadLine: A value is not what its key wants.
    """
    extra = Extra()
    unknown = []
    for word in text.split():
        key, _, value = word.partition("=")
        take = _KEYS.get(key)
        if take is None:
            unknown.append(key)
        else:
            extra = take(extra, value)
    return replace(extra, unknown=tuple(unknown)) if unknown else extra
