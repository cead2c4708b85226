r"""Endpoint strings: what can be said of them before anything is opened.

In this file:
    Place       what an endpoint string names
    parse       reads one
    collide     whether two name the same port or socket

Format: ``net.listeners``; what passes here passes there, too, but here is said what to
write instead.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from maildrop.app.kinds import Unfit, nearest

_NUMBER: Final = re.compile(r"[0-9]{1,5}\Z")
_SPLIT: Final = re.compile(r"((?:[^:\\]|\\.)*)(?::|\Z)")
#: Arguments by kind of endpoint; the first may stand without its name.
_ARGUMENTS: Final = {
    "tcp": ("port", "interface", "backlog"),
    "tcp6": ("port", "interface", "backlog"),
    "unix": ("address", "mode", "backlog", "lockfile"),
    "systemd": ("domain", "index", "name"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """What an endpoint string names.

    Attributes:
        kind: ``tcp``, ``tcp6``, ``unix`` or ``systemd``.
        port: TCP port, 0 for one that the kernel chooses.
        interface: Address to listen on, empty for all.
        path: Path of a Unix socket.
        name: What a systemd socket is known by.
    """

    kind: str
    port: int = 0
    interface: str = ""
    path: str = ""
    name: str = ""

    @property
    def local(self) -> bool:
        """Only this machine can reach it."""
        if self.kind == "unix":
            return True
        try:
            return ipaddress.ip_address(self.interface).is_loopback
        except ValueError:
            return False


def parse(text: str) -> Place:
    """Read an endpoint string.

    Raises:
        Unfit: It is none that can be listened on.
    """
    pieces = [re.sub(r"\\(.)", r"\1", piece) for piece in _pieces(text)]
    kind, rest = pieces[0], pieces[1:]
    if kind in {"ssl", "tls"}:
        raise Unfit(
            f'"{text}": TLS has a key of its own',
            'write "tcp:..." and tls = "implicit"',
        )
    if kind not in _ARGUMENTS:
        if kind.isdigit():
            raise Unfit(f'"{text}" lacks its kind', f'write "tcp:{text}"')
        raise Unfit(f'"{text}" is no endpoint', nearest(kind, tuple(_ARGUMENTS)))
    given = _arguments(text, kind, rest)
    if kind == "unix":
        return _unix(text, given)
    if kind == "systemd":
        if "domain" not in given:
            raise Unfit(f'"{text}" lacks domain=', 'such as "domain=INET"')
        if len({"index", "name"} & set(given)) != 1:
            raise Unfit(f'"{text}" needs either index= or name=', 'such as "index=0"')
        if not _NUMBER.match(given.get("index", "0")):
            raise Unfit(f'"{text}": index must be a number')
        return Place(kind, name=given.get("name", "#" + given.get("index", "")))
    return _tcp(text, kind, given)


def _pieces(text: str) -> list[str]:
    found = _SPLIT.findall(text)
    return found[:-1] if len(found) > 1 and not text.endswith(":") else found


def _arguments(text: str, kind: str, pieces: list[str]) -> dict[str, str]:
    names = _ARGUMENTS[kind]
    given: dict[str, str] = {}
    for at, piece in enumerate(pieces):
        name, equals, value = piece.partition("=")
        if not equals:
            name, value = (names[0] if at == 0 else ""), piece
        if name not in names:
            raise Unfit(f'"{text}": unknown argument "{piece}"', nearest(name, names))
        if not value or name in given:
            raise Unfit(f'"{text}": {name} needs one value')
        given[name] = value
    backlog = given.get("backlog", "1")
    if not _NUMBER.match(backlog) or int(backlog) > 65536:
        raise Unfit(f'"{text}": backlog must be a number up to 65536')
    return given


def _tcp(text: str, kind: str, given: dict[str, str]) -> Place:
    port = given.get("port", "")
    if not _NUMBER.match(port) or int(port) > 65535:
        raise Unfit(f'"{text}" has no port from 0 to 65535', 'such as "tcp:143"')
    interface = given.get("interface", "")
    if interface:
        try:
            interface = str(ipaddress.ip_address(interface))
        except ValueError:
            raise Unfit(
                f'"{text}": "{interface}" is no IP address',
                'such as "interface=127.0.0.1" or "interface=\\\\:\\\\:1"',
            ) from None
    return Place(kind, int(port), interface)


def _unix(text: str, given: dict[str, str]) -> Place:
    path = given.get("address", "")
    if not path.startswith("/"):
        raise Unfit(f'"{text}" must name a full path', 'such as "unix:/run/lmtp.sock"')
    if len(path.encode()) > 107:
        raise Unfit(f'"{text}": a socket\'s path has at most 107 octets')
    if not re.match(r"0?[0-7]{3}\Z", given.get("mode", "666")):
        raise Unfit(f'"{text}": mode must be octal', 'such as "mode=660"')
    return Place("unix", path=path)


def collide(one: Place, other: Place) -> bool:
    """Whether both cannot be listened on at the same time."""
    if one.kind in {"unix", "systemd"} or other.kind in {"unix", "systemd"}:
        return one == other
    if one.port != other.port or one.port == 0:
        return False
    wild = {"", "0.0.0.0", "::"}  # noqa: S104
    return (
        one.interface == other.interface
        or (one.interface in wild and one.kind == other.kind)
        or (other.interface in wild and one.kind == other.kind)
    )
