r"""Where the servers listen: endpoint strings to sockets, sockets to ports.

In this file:
    Listener       what to listen for: protocol, endpoint, TLS mode
    Bound          a listener and its socket
    bind_all       open the sockets; may need root
    inherit_all    take them from the parent process
    open_all       accept connections on them
    CannotListen   which of them cannot be opened, and why

Endpoints are written as Twisted writes them, a colon or backslash in a value as ``\:``
or ``\\``:

    tcp:PORT[:interface=ADDRESS][:backlog=N]
    tcp6:PORT[:interface=ADDRESS][:backlog=N]
    unix:PATH[:mode=OCTAL][:backlog=N]
    systemd:domain=INET:index=N  or  systemd:domain=INET:name=NAME

Limits: those of ``net.port.PortLimits``, per listener.

Errors: ``EndpointInvalid`` for a string; ``CannotListen`` with every problem at once,
after closing what could be opened.

Security: a UNIX socket is made with its mode, never wider for a moment; one that stands
in the way is removed only if it is a socket and nobody answers.
"""

import contextlib
import errno
import os
import re
import socket
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLContextFactory,
    IProtocolFactory,
)
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.systemd import ListenFDs

from maildrop.decisions.recorder import Recorder
from maildrop.errors import ConfigurationError, PermanentError
from maildrop.net.port import Port, PortLimits
from maildrop.net.proxy import Networks

BACKLOG: Final = 1024
MODE: Final = 0o666  # of a UNIX socket, as Twisted has it

_PIECE: Final = re.compile(r"(?:[^\\:]|\\.)*:", re.DOTALL)
_PIECES: Final = re.compile(r"(?:[^\\]|\\.)*", re.DOTALL)
_KEYS: Final = {
    "tcp": frozenset({"port", "interface", "backlog"}),
    "tcp6": frozenset({"port", "interface", "backlog"}),
    "unix": frozenset({"address", "mode", "backlog"}),
    "systemd": frozenset({"domain", "index", "name"}),
}
_FIRST: Final = {"tcp": "port", "tcp6": "port", "unix": "address", "systemd": "domain"}


class EndpointInvalid(ConfigurationError):
    """An endpoint string that cannot be understood."""


class CannotListen(PermanentError):
    """Sockets that cannot be opened.

    Attributes:
        problems: A line for each, naming the endpoint and the setting.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Listener:
    """What to listen for.

    Attributes:
        protocol: ``imap``, ``pop3`` ...
        endpoint: Where.
        tls: ``none``, ``starttls`` or ``implicit``.
        proxies: Networks from which a PROXY header is expected.
        setting: Where this is configured, for messages: "maildrop.toml line 12".
    """

    protocol: str
    endpoint: str
    tls: str = "none"
    proxies: tuple[str, ...] = ()
    setting: str = ""

    @property
    def name(self) -> str:
        """What distinguishes it from other listeners."""
        return f"{self.protocol} {self.tls} {self.endpoint}"


@dataclass(frozen=True, slots=True)
class Bound:
    """A listener and its listening socket.

    Attributes:
        listener: What it is for.
        socket: Listening.
        path: Of a UNIX socket that this process made and removes.
    """

    listener: Listener
    socket: socket.socket
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """An endpoint string, taken apart.

    Attributes:
        kind: ``tcp``, ``tcp6``, ``unix`` or ``systemd``.
        values: What it gives, by key; values are not empty.
    """

    kind: str
    values: Mapping[str, str]

    def number(self, key: str, default: int, base: int = 10) -> int:
        """A numeric value."""
        return int(self.values[key], base) if key in self.values else default


def parse(endpoint: str) -> Address:
    """Take an endpoint string apart.

    Raises:
        EndpointInvalid: It is not one of those above; the text says what is wrong.
    """
    kind, *pieces = _pieces(endpoint)
    if kind not in _KEYS:
        known = ", ".join(_KEYS)
        raise EndpointInvalid(f"{endpoint!r}: begins with none of {known}")
    values: dict[str, str] = {}
    for at, piece in enumerate(pieces):
        key, sign, value = piece.partition("=")
        if not sign and at == 0:
            key, value = _FIRST[kind], piece
        if key not in _KEYS[kind] and key != "lockfile":
            raise EndpointInvalid(f"{endpoint!r}: {kind} has no {key!r}")
        if not value or key in values:
            raise EndpointInvalid(f"{endpoint!r}: {key} needs one value")
        values[key] = re.sub(r"\\(.)", r"\1", value)
    address = Address(kind, values)
    _check(endpoint, address)
    return address


def _pieces(endpoint: str) -> list[str]:
    """The pieces between colons, still escaped."""
    if not _PIECES.fullmatch(endpoint):
        raise EndpointInvalid(f"{endpoint!r}: ends with a backslash")
    return [piece[:-1] for piece in _PIECE.findall(endpoint + ":")]


def _check(endpoint: str, address: Address) -> None:
    required = _FIRST[address.kind]
    if required not in address.values:
        raise EndpointInvalid(f"{endpoint!r}: {required} is missing")
    for key, base, largest in (
        ("port", 10, 65535),
        ("backlog", 10, 1 << 16),
        ("mode", 8, 0o777),
        ("index", 10, 1 << 16),
    ):
        try:
            good = 0 <= address.number(key, 0, base) <= largest
        except ValueError:
            good = False
        if not good:
            most = f"{largest:o}" if base == 8 else str(largest)
            raise EndpointInvalid(f"{endpoint!r}: {key} is no number up to {most}")
    if address.kind == "systemd" and len({"index", "name"} & set(address.values)) != 1:
        raise EndpointInvalid(f"{endpoint!r}: either index or name is needed")


# -- sockets


def bind_all(listeners: Iterable[Listener]) -> list[Bound]:
    """Open the sockets of all listeners.

    Raises:
        CannotListen: Not all could be opened; none is open.
    """
    bound: list[Bound] = []
    problems: list[str] = []
    for listener in listeners:
        try:
            bound.append(_bind(listener))
        except (OSError, EndpointInvalid) as error:
            problems.append(_problem(listener, error))
    if problems:
        close_all(bound)
        raise CannotListen(problems)
    return bound


def close_all(bound: Iterable[Bound]) -> None:
    """Close sockets that are not opened as ports, or not any more."""
    for one in bound:
        one.socket.close()
        if one.path is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(one.path)


def inherit_all(
    listeners: Iterable[Listener], descriptors: Mapping[str, int]
) -> list[Bound]:
    """Take over the sockets that the parent process opened.

    Args:
        listeners: What to listen for.
        descriptors: Those inherited, by ``Listener.name``.

    Raises:
        CannotListen: One is missing.
    """
    bound: list[Bound] = []
    problems: list[str] = []
    for listener in listeners:
        try:
            fd = descriptors[listener.name]
            bound.append(Bound(listener, socket.socket(fileno=fd)))
        except (KeyError, OSError):
            problems.append(f"{_where(listener)}: its socket was not inherited")
    if problems:
        close_all(bound)
        raise CannotListen(problems)
    return bound


def _bind(listener: Listener) -> Bound:
    address = parse(listener.endpoint)
    if address.kind == "systemd":
        return Bound(listener, _from_systemd(address))
    if address.kind == "unix":
        path = address.values["address"]
        return Bound(listener, _bind_unix(path, address), path)
    host = address.values.get("interface", "::" if address.kind == "tcp6" else "")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, address.number("port", 0)))
        opened.listen(address.number("backlog", BACKLOG))
    except OSError:
        opened.close()
        raise
    return Bound(listener, opened)


def _bind_unix(path: str, address: Address) -> socket.socket:
    _remove_stale(path)
    mode = address.number("mode", MODE, 8)
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~mode)
    try:
        opened.bind(path)
        opened.listen(address.number("backlog", BACKLOG))
    except OSError:
        opened.close()
        raise
    finally:
        os.umask(before)
    return opened


def _remove_stale(path: str) -> None:
    """Remove a socket that nobody listens on any more.

    Raises:
        OSError: Somebody does, or it is something else.
    """
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise OSError(errno.EEXIST, "there is a file that is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            return
        except OSError:
            pass  # a full queue is an answer too
    raise OSError(errno.EADDRINUSE, "in use")


def _from_systemd(address: Address) -> socket.socket:
    descriptors = ListenFDs.fromEnvironment()
    if "name" in address.values:
        found = descriptors.inheritedNamedDescriptors().get(address.values["name"])
    else:
        inherited = descriptors.inheritedDescriptors()
        index = address.number("index", 0)
        found = inherited[index] if index < len(inherited) else None
    if found is None:
        raise OSError(errno.EBADF, "systemd passed no such socket")
    return socket.socket(fileno=os.dup(found))


def _where(listener: Listener) -> str:
    where = f"{listener.protocol} on {listener.endpoint}"
    return f"{where} ({listener.setting})" if listener.setting else where


def _problem(listener: Listener, error: Exception) -> str:
    if not isinstance(error, OSError):
        return f"{_where(listener)}: {error}"
    if error.errno == errno.EADDRINUSE:
        reason = "another program listens there already"
    elif error.errno == errno.EACCES and listener.endpoint.startswith("tcp"):
        reason = "ports below 1024 need root, or CAP_NET_BIND_SERVICE"
    else:
        reason = error.strerror or str(error)
    return f"{_where(listener)}: {reason}"


# -- ports


def open_all(
    reactor: Any,  # noqa: ANN401 (IReactorTime and IReactorFDSet)
    bound: Iterable[Bound],
    factory: Callable[[Listener], IProtocolFactory],
    tls: IOpenSSLContextFactory | None = None,
    *,
    limits: PortLimits | None = None,
    stock: bool = False,
    recorder: Recorder | None = None,
) -> list[IListeningPort]:
    """Accept connections on bound sockets.

    Args:
        reactor: Where they are watched.
        bound: From ``bind_all`` or ``inherit_all``; the ports own the sockets now.
        factory: Gives the factory of protocols for a listener.
        tls: For listeners whose mode is ``implicit``.
        limits: What the connections of each port are held to.
        stock: Use Twisted's own ports, transports and TLS, without these limits, for
            comparison and in doubt.  PROXY headers and UNIX sockets need ours.
        recorder: Is told who was not let in.
    """
    ports: list[IListeningPort] = []
    for one in bound:
        made = factory(one.listener)
        context = tls if one.listener.tls == "implicit" else None
        if stock and one.socket.family != socket.AF_UNIX and not one.listener.proxies:
            ports.append(_stock(reactor, one, made, context))
            continue
        proxies = Networks(one.listener.proxies) if one.listener.proxies else None
        port = Port(
            one.socket,
            made,
            reactor,
            tls=context,
            proxies=proxies,
            limits=limits,
            path=one.path,
            recorder=recorder,
        )
        port.startListening()
        ports.append(port)
    return ports


def _stock(
    reactor: Any,  # noqa: ANN401 (IReactorSocket)
    bound: Bound,
    factory: IProtocolFactory,
    tls: IOpenSSLContextFactory | None,
) -> Any:  # noqa: ANN401 (IListeningPort)
    bound.socket.setblocking(False)
    bound.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls is not None:
        factory = TLSMemoryBIOFactory(tls, False, factory)
    port = reactor.adoptStreamPort(bound.socket.fileno(), bound.socket.family, factory)
    bound.socket.close()  # it was duplicated
    return port
