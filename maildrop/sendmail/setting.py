"""The few settings that sendmail needs, read without the whole schema.

In this file:
    Setting    the settings
    load       reads them

The keys are those of ``app.schema``, and so are their meanings; a test compares.  What
``maildrop config check`` would complain of is not looked at here.

A file that the user may not read counts as one that says nothing: it may hold what is
not for all.  Mail then goes to the usual place.

Errors: ``ConfigurationError`` for a file that is missing or no TOML.
"""

import os
import re
import tomllib
from importlib import import_module
from typing import Any, Final, NamedTuple

from maildrop.errors import ConfigurationError

#: Where it is looked for; never in the working directory, which may be anybody's.
PLACE: Final = "/etc/maildrop/maildrop.toml"
#: What ``state`` is if nothing is said.
STATE: Final = "/var/lib/maildrop"
_MESSAGE: Final = 50 << 20
_OCTETS: Final = re.compile(r"(\d{1,18})\s*([KMGT]?)(?:I?B)?", re.IGNORECASE)
_POWERS: Final = "KMGT"


class Setting(NamedTuple):
    """The settings.

    Attributes:
        file: Where they are from.
        state: The directory of the server.
        hostname: The name of this host.
        domain: Of addresses without one.
        message: Octets of the largest message.
        readable: Whether whoever calls may read them.
    """

    file: str
    state: str
    hostname: str
    domain: str
    message: int
    readable: bool = True

    @property
    def drop(self) -> str:
        """The drop directory."""
        return f"{self.state}/queue/drop"


def load(file: str | None) -> Setting:
    """Read the settings.

    Args:
        file: The configuration; None for the usual one.

    Raises:
        ConfigurationError: It is missing or no TOML.
    """
    path = os.path.abspath(file or PLACE)
    tables = _tables(path)
    mail, limits = _table(tables, "mail"), _table(tables, "limits")
    state = _text(tables, "state") or STATE
    hostname = _text(tables, "hostname") or _system_name()
    domains = mail.get("domains")
    first = domains[0] if isinstance(domains, list) and domains else hostname
    return Setting(
        path,
        os.path.normpath(os.path.join(os.path.dirname(path), state)),
        hostname,
        first if isinstance(first, str) else hostname,
        _octets(limits.get("message")),
        readable=bool(tables),
    )


def _tables(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as opened:
            text = opened.read(1 << 20).decode()
        return tomllib.loads(text.replace("\r\n", "\n"))
    except PermissionError:
        return {}
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error


def _table(tables: dict[str, Any], name: str) -> dict[str, Any]:
    value = tables.get(name)
    return value if isinstance(value, dict) else {}


def _text(tables: dict[str, Any], name: str) -> str:
    value = tables.get(name)
    return value if isinstance(value, str) else ""


def _octets(value: object) -> int:
    if isinstance(value, int) and value > 0:
        return value
    found = _OCTETS.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return _MESSAGE
    return int(found[1]) << 10 * (_POWERS.find(found[2].upper()) + 1 if found[2] else 0)


def _system_name() -> str:
    name = os.uname().nodename
    if "." in name:
        return name
    full: str = import_module("socket").getfqdn()  # asks the network: last
    return full if "." in full else name or "localhost"
