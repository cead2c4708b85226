"""Variables in homes and mail locations.

In this file:
    expand      a template for one user
    home        a home directory
    location    a mail location: ``maildir:~/Maildir``, ``mbox:/var/mail/%u:~/mail``

Variables: ``%u`` the user's name as the file has it, ``%n`` what stands before its
``@``, ``%d`` what stands behind, ``%h`` the home, ``%%`` a percent sign; ``~`` at the
start of a path is the home.

Dovecot's way to write a location is taken too: ``mbox:~/mail:INBOX=/var/mail/%u`` is
our ``mbox:/var/mail/%u:~/mail``; its other options (``INDEX=``, ``LAYOUT=`` ...) have
no meaning here and are left out.

Errors: ConfigurationError names the template and what is wrong with it.

Security: a template is split into its parts before variables are put in, each value is
put in once, and every path must come out absolute and without ``..``, so a user's name
cannot change where other parts begin or lead out of them.
"""

import re
from typing import Final

from maildrop.errors import ConfigurationError

_VARIABLE: Final = re.compile(r"%(.?)", re.DOTALL)
_OPTION: Final = re.compile(r"([A-Z]+)=(.*)", re.DOTALL)


def split_name(name: str) -> tuple[str, str]:
    """What stands before the last ``@`` of a name, and behind it (may be empty)."""
    local, at, domain = name.rpartition("@")
    return (local, domain) if at else (name, "")


def expand(template: str, name: str, home: str) -> str:
    """``template`` with the variables of one user put in.

    Raises:
        ConfigurationError: A variable that does not exist, or has no value here.
    """
    if "%" not in template:
        return template
    local, domain = split_name(name)
    values = {"u": name, "n": local, "d": domain, "h": home, "%": "%"}

    def value(found: re.Match[str]) -> str:
        variable = found.group(1)
        if not values.get(variable):
            reason = "has no value for" if variable in values else "is unknown, for"
            raise ConfigurationError(f"{template}: %{variable} {reason} {name}")
        return values[variable]

    return _VARIABLE.sub(value, template)


def _path(template: str, name: str, home: str) -> str:
    if template == "~" or template.startswith("~/"):
        if not home:
            raise ConfigurationError(f"{template}: {name} has no home")
        path = home + expand(template[1:], name, home)
    else:
        path = expand(template, name, home)
    if not path.startswith("/"):
        raise ConfigurationError(f"{template}: not an absolute path for {name}")
    if ".." in path.split("/") or not path.isprintable():
        raise ConfigurationError(f"{template}: .. or control characters for {name}")
    return path.rstrip("/") or "/"


def home(template: str, name: str) -> str:
    """The home directory of a user; empty if it has none.

    Raises:
        ConfigurationError: The path is not absolute, or has ``..`` in it.
    """
    return _path(template, name, "") if template else ""


def location(template: str, name: str, home: str) -> str:
    """The mail location of a user, with our order of parts.

    Raises:
        ConfigurationError: There is no ``format:``, or a path is not absolute, or has
            ``..`` in it.
    """
    kind, colon, rest = template.partition(":")
    if not colon or not kind.isalnum():
        raise ConfigurationError(f"{template}: no format: before the path")
    paths: list[str] = []
    for part in rest.split(":") if rest else ():
        option = _OPTION.fullmatch(part)
        if option is None:
            paths.append(_path(part, name, home))
        elif option.group(1) == "INBOX" and kind == "mbox":
            paths.insert(0, _path(option.group(2), name, home))
    return ":".join((kind, *paths)) if paths else f"{kind}:"
