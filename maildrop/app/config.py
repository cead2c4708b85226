"""Loading the configuration file: all problems at once, each with its line.

In this file:
    load        the configuration of a file, or ``Unusable``
    read        configuration and problems, for ``maildrop config check``
    Problem     one thing wrong, where, and what to do
    Unusable    a file that cannot be used, with all its problems
    PLACES      where the file is looked for when none is named

Only the text of the file is judged here; ``surroundings`` looks at the machine.
"""

import dataclasses
import os
import socket
import tomllib
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from maildrop.app import endpoints
from maildrop.app.kinds import Unfit, domain, nearest
from maildrop.app.schema import (
    ARRAYS,
    KEYS,
    NOT_SERVED,
    PROTOCOLS,
    SECTIONS,
    Configuration,
    Listen,
)
from maildrop.app.schema_key import Key
from maildrop.app.schema_relay import problems
from maildrop.app.toml_lines import KeyPath, key_lines, syntax_error
from maildrop.errors import ConfigurationError

T = TypeVar("T")

#: Where the configuration is looked for, in this order.
PLACES: Final = ("conf/maildrop.toml", "/etc/maildrop/maildrop.toml")
#: Octets of the largest configuration file read.
SIZE_MAX: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a configuration.

    Attributes:
        file: The file.
        line: Its line, 0 if it is about no line.
        key: The key, dotted; empty if it is about none.
        what: What is wrong.
        proposal: What to do, empty if nobody can guess.
        fatal: The configuration cannot be used; else it is only doubtful.
    """

    file: str
    line: int
    key: str
    what: str
    proposal: str = ""
    fatal: bool = True

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        key = f" {self.key}:" if self.key else ""
        weight = "" if self.fatal else " (warning)"
        proposal = f"; {self.proposal}" if self.proposal else ""
        return f"{place}:{key} {self.what}{proposal}{weight}"


class Unusable(ConfigurationError):
    """A configuration that cannot be used.

    Attributes:
        problems: All that was found.
    """

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(slots=True)
class Reading:
    """What became of a file.

    Attributes:
        file: Its path.
        lines: Where each key stands.
        configuration: What it says, defaults in the place of what cannot be used.
        problems: What is wrong.
    """

    file: str
    lines: dict[KeyPath, int]
    configuration: Configuration
    problems: list[Problem]

    def problem(
        self, path: KeyPath, what: str, proposal: str = "", *, fatal: bool = True
    ) -> None:
        """Add one, with the line of the key or of the table around it."""
        line = next(
            (
                self.lines[path[:n]]
                for n in range(len(path), 0, -1)
                if path[:n] in self.lines
            ),
            0,
        )
        self.problems.append(
            Problem(self.file, line, dotted(path), what, proposal, fatal)
        )

    @property
    def fatal(self) -> bool:
        """Whether the configuration cannot be used."""
        return any(problem.fatal for problem in self.problems)


def dotted(path: KeyPath) -> str:
    """A path for people: ``listen[2].endpoint``, elements counted from 1."""
    text = ""
    for name in path:
        if isinstance(name, int):
            text += f"[{name + 1}]"
        else:
            text += f".{name}" if text else name
    return text


def find(given: str | None) -> str:
    """Absolute path of the configuration file: the one given, else of ``PLACES``.

    Raises:
        Unusable: There is none.
    """
    if given is not None:
        return os.path.abspath(given)
    for place in PLACES:
        if os.path.exists(place):
            return os.path.abspath(place)
    raise Unusable(
        [
            Problem(
                PLACES[-1],
                0,
                "",
                f"no configuration file; looked for {' and '.join(PLACES)}",
                "name one with --config FILE, or try `maildrop demo`",
            )
        ]
    )


def load(file: str) -> Reading:
    """Read a configuration file that is to be used.

    Raises:
        Unusable: It cannot be; has all problems.
    """
    reading = read(file)
    if reading.fatal:
        raise Unusable(reading.problems)
    return reading


def read(file: str) -> Reading:
    """Read a configuration file; never raises for what stands in it."""
    file = os.path.abspath(file)
    try:
        with open(file, "rb") as opened:
            octets = opened.read(SIZE_MAX + 1)
        if len(octets) > SIZE_MAX:
            return _nothing(file, 0, f"is larger than {SIZE_MAX} octets")
        text = octets.decode()
    except OSError as error:
        return _nothing(file, 0, f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        return _nothing(file, line, "is not UTF-8")
    return parse(text, file)


def _nothing(file: str, line: int, what: str) -> Reading:
    return Reading(file, {}, Configuration(), [Problem(file, line, "", what)])


def parse(text: str, file: str) -> Reading:
    """Read configuration text.

    Args:
        text: TOML.
        file: Absolute path of the file it came from.
    """
    try:
        tables = tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        line, reason = syntax_error(error, text)
        return _nothing(file, line, f"is not TOML: {reason[:1].lower()}{reason[1:]}")
    reading = Reading(file, key_lines(text), Configuration(), [])
    reader = _Reader(reading)
    configuration = reader.section(Configuration, (), tables)
    if configuration is not None:
        reading.configuration = _filled(configuration, reading)
    _check_listens(reading)
    _check_relays(reading)
    reading.problems.sort(key=lambda problem: problem.line)
    return reading


class _Reader:
    """Turns tables of TOML into the dataclasses of the schema."""

    def __init__(self, reading: Reading) -> None:
        self._problem = reading.problem
        self._directory = os.path.dirname(reading.file)

    def section(self, cls: type[T], path: KeyPath, table: object) -> T | None:
        """One table; None if a key without a default is missing."""
        if not isinstance(table, dict):
            self._problem(path, "must be a table", f"write [{dotted(path)}]")
            table = {}
        given: dict[str, Any] = {}
        whole = True
        names = [each.name for each in dataclasses.fields(cls)]  # type: ignore[arg-type]
        schema_path = tuple(name for name in path if isinstance(name, str))
        for name in names:
            inner = (*path, name)
            key = KEYS.get((*schema_path, name))
            if key is not None:
                value = self._value(key, inner, table)
                whole = whole and value is not None
                given[name] = value
            elif name == "listen":
                given[name] = self._listens(table.get(name, []))
            elif (*schema_path, name) in ARRAYS:
                given[name] = self._array(inner, table.get(name, []))
            else:
                nested = SECTIONS[(*schema_path, name)]
                given[name] = self.section(nested, inner, table.get(name, {}))
        for name in table:
            if name not in names:
                self._unknown(path, name, names)
        return cls(**given) if whole else None

    def _value(self, key: Key, path: KeyPath, table: dict[str, Any]) -> object:
        if key.name not in table:
            if key.default is None:
                self._problem(path, "is missing", f"such as {key.name} = {key.example}")
            return self._default(key)
        try:
            return key.kind.read(table[key.name], self._directory)
        except Unfit as unfit:
            self._problem(path, unfit.what, unfit.proposal)
            return self._default(key)

    def _default(self, key: Key) -> object:
        if isinstance(key.default, str) and key.default:
            return key.kind.read(key.default, self._directory)
        return key.default

    def _tables(self, path: KeyPath, tables: object) -> list[Any]:
        """An array of tables."""
        if isinstance(tables, list):
            return tables
        what = "must be a list of tables"
        if not isinstance(tables, dict):
            what = "must be tables"
        self._problem(path, what, f"write [[{dotted(path)}]]")
        return []

    def _array(self, path: KeyPath, tables: object) -> tuple[Any, ...]:
        cls = SECTIONS[tuple(name for name in path if isinstance(name, str))]
        found = (
            self.section(cls, (*path, at), table)
            for at, table in enumerate(self._tables(path, tables))
        )
        return tuple(each for each in found if each is not None)

    def _listens(self, tables: object) -> tuple[Listen, ...]:
        tables = self._tables(("listen",), tables)
        found = (
            self.section(Listen, ("listen", at), table)
            for at, table in enumerate(tables)
        )
        return tuple(
            each or Listen(protocol="", endpoint=_endpoint(table), tls="none")
            for each, table in zip(found, tables, strict=True)
        )

    def _unknown(self, path: KeyPath, name: str, names: list[str]) -> None:
        elsewhere = [key for key in KEYS if key[-1] == name]
        if elsewhere:
            table = ".".join(elsewhere[0][:-1])
            proposal = f"it belongs in [{table}]" if table else "it stands before all ["
            proposal += "" if table else "tables]"
        else:
            proposal = nearest(name, names)
        self._problem((*path, name), "is no key of this version", proposal)


def _endpoint(table: object) -> str:
    """The endpoint of a listener with a problem: it may have one of its own."""
    endpoint = table.get("endpoint") if isinstance(table, dict) else None
    return endpoint if isinstance(endpoint, str) else ""


def _filled(configuration: Configuration, reading: Reading) -> Configuration:
    """The configuration with the defaults that depend on other keys."""
    hostname = configuration.hostname
    if not hostname:
        hostname = _system_name()
        if not hostname:
            reading.problem(
                ("hostname",),
                f'is not set, and the system\'s name "{socket.gethostname()}" is none',
                'write hostname = "mail.example.org"',
            )
            hostname = "localhost"
    state = configuration.state
    mail, tls, users = configuration.mail, configuration.tls, configuration.users
    if not users.home:
        home = os.path.join(state.replace("%", "%%"), "home/%u")
        users = dataclasses.replace(users, home=home)
    if not mail.domains:
        domains = tuple(dict.fromkeys((hostname, "localhost")))
        mail = dataclasses.replace(mail, domains=domains)
    if not tls.certificate and not tls.key:
        tls = dataclasses.replace(
            tls,
            certificate=os.path.join(state, "certs/server.pem"),
            key=os.path.join(state, "certs/server.key"),
        )
    elif not (tls.certificate and tls.key):
        missing = "key" if tls.certificate else "certificate"
        reading.problem(("tls", missing), "is missing beside the other one")
    listen = configuration.listen or _usual_listens(state)
    return dataclasses.replace(
        configuration,
        hostname=hostname,
        users=users,
        mail=mail,
        tls=tls,
        listen=tuple(map(_with_tls, listen)),
    )


def _system_name() -> str:
    for name in (socket.gethostname(), socket.getfqdn()):
        try:
            found = domain(name)
        except Unfit:
            continue
        if "." in found:
            return found
    try:
        return domain(socket.gethostname())
    except Unfit:
        return ""


def _usual_listens(state: str) -> tuple[Listen, ...]:
    found = []
    for name, protocol in PROTOCOLS.items():
        if name == "lmtp":
            path = os.path.join(state, "lmtp.sock").replace(":", r"\:")
            found.append(Listen(name, f"unix:{path}:mode=660"))
            continue
        found.append(Listen(name, f"tcp:{protocol.port}"))
        if name in {"imap", "pop3"}:
            found.append(Listen(name, f"tcp:{protocol.implicit}"))
    return tuple(found)


def _with_tls(listen: Listen) -> Listen:
    if listen.tls:
        return listen
    try:
        place = endpoints.parse(listen.endpoint)
    except Unfit:
        return dataclasses.replace(listen, tls="none")
    tls = "starttls"
    if place.port in {protocol.implicit for protocol in PROTOCOLS.values()} - {0}:
        tls = "implicit"
    elif place.kind == "unix" or listen.protocol == "lmtp":
        tls = "none"
    return dataclasses.replace(listen, tls=tls)


def _check_relays(reading: Reading) -> None:
    """What the keys about mail to others say together."""
    configuration = reading.configuration
    for path, what, proposal, fatal in problems(
        configuration.relay, configuration.route
    ):
        reading.problem(path, what, proposal, fatal=fatal)


def _check_listens(reading: Reading) -> None:
    """Protocols that are served, endpoints that parse and do not collide."""
    places: list[tuple[int, endpoints.Place]] = []
    for at, listen in enumerate(reading.configuration.listen):
        if listen.protocol in NOT_SERVED:
            reading.problem(
                ("listen", at, "protocol"),
                f"this version does not serve {listen.protocol}",
                "it serves " + ", ".join(PROTOCOLS),
            )
        if not listen.endpoint:
            continue
        try:
            place = endpoints.parse(listen.endpoint)
        except Unfit as unfit:
            reading.problem(("listen", at, "endpoint"), unfit.what, unfit.proposal)
            continue
        for earlier, taken in places:
            if endpoints.collide(taken, place):
                reading.problem(
                    ("listen", at, "endpoint"),
                    f'"{listen.endpoint}" is taken by listen[{earlier + 1}]',
                )
        places.append((at, place))
