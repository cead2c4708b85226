"""Kinds of configuration values: what TOML may hold and what it becomes.

In this file:
    Kind            one kind: its name for people, and its reader
    Unfit           why a value cannot be used, and a proposal
    TEXT ... LISTED kinds that need no argument
    choice, count   kinds made to measure

A reader gets the value as ``tomllib`` gives it and the directory of the file, against
which relative paths are taken.  It looks at nothing but these: what the machine has
to say about a value is in ``surroundings``.
"""

import ipaddress
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final


class Unfit(ValueError):
    """A value that cannot be used.

    Attributes:
        what: What is wrong with it.
        proposal: What to write instead, empty if nobody can guess.
    """

    def __init__(self, what: str, proposal: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.proposal = proposal


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value.

    Attributes:
        name: For people: "a number of octets".
        read: Turns the value of TOML into ours, or raises ``Unfit``.
    """

    name: str
    read: Callable[[object, str], object]


_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")
_SIZE: Final = re.compile(r"(\d+)\s*([kmgt]?)(?:i?b)?\Z", re.IGNORECASE)
_SIZES: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_TIME: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)\Z")
_TIMES: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_OPTION: Final = re.compile(r"[A-Z]+=")
_VARIABLE: Final = re.compile(r"%(.?)")
_LOCATION_FORMS: Final = (
    'such as "maildir:~/Maildir" or "mbox:/var/spool/mail/%u:~/mail"'
)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    return str(value)


def _text(value: object, _: str) -> str:
    if not isinstance(value, str):
        raise Unfit(f"is {_shown(value)}, must be text", f'write "{value}"')
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
        raise Unfit("holds a control character")
    return value


def _yes_no(value: object, _: str) -> bool:
    if not isinstance(value, bool):
        raise Unfit(f"is {_shown(value)}, must be true or false")
    return value


def _texts(value: object, directory: str) -> tuple[str, ...]:
    if isinstance(value, str):
        raise Unfit("is text, must be a list of texts", f'write ["{value}"]')
    if not isinstance(value, list):
        raise Unfit(f"is {_shown(value)}, must be a list of texts")
    return tuple(_text(each, directory) for each in value)


def _octets(value: object, _: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise Unfit(f"is {value}, must not be negative")
        return value
    found = _SIZE.match(value) if isinstance(value, str) else None
    if found is None:
        raise Unfit(f"is {_shown(value)}, must be a number of octets", 'such as "50M"')
    return int(found[1]) * _SIZES[found[2].lower()]


def _seconds(value: object, _: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 <= value < 1e9:
            raise Unfit(f"is {value}, must be from 0 up to 30 years")
        return float(value)
    found = _TIME.match(value) if isinstance(value, str) else None
    if found is None:
        raise Unfit(
            f"is {_shown(value)}, must be a time", 'such as "30s", "10m" or "1h"'
        )
    return float(found[1]) * _TIMES.get(found[2], 7 * 86400.0)


def _times(value: object, directory: str) -> tuple[float, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise Unfit(f"is {_shown(value)}, must be a list of times", '["1m", "1h"]')
    times = tuple(_seconds(each, directory) for each in value)
    if min(times) < 1:
        raise Unfit("has a time below a second")
    return times


def _path(value: object, directory: str) -> str:
    text = _text(value, directory)
    if not text:
        raise Unfit("is empty, must be a path")
    if text.startswith("~"):
        raise Unfit(
            'starts with "~", which means nothing for a server', "write it in full"
        )
    return os.path.normpath(os.path.join(directory, text))


def _path_or_none(value: object, directory: str) -> str:
    return "" if value == "" else _path(value, directory)


def _paths(value: object, directory: str) -> tuple[str, ...]:
    return tuple(_path(each, directory) for each in _texts(value, directory))


def _command(value: object, directory: str) -> tuple[str, ...]:
    found = _texts(value, directory)
    if found and not found[0].startswith("/"):
        raise Unfit(f'"{found[0]}" is no absolute path', "write the program in full")
    return found


def domain(value: object, directory: str = "") -> str:
    """A domain name in lower case; international names become A-labels.

    Raises:
        Unfit: It is none.
    """
    text = _text(value, directory).strip()
    if text.startswith("[") and text.endswith("]"):
        raise Unfit(f'"{text}" is an address literal, must be a domain')
    if "*" in text:
        raise Unfit(
            f'"{text}" is a pattern; every domain must be named, '
            "else maildrop would take mail for the whole world"
        )
    if "@" in text:
        raise Unfit(f'"{text}" is an address', f'write "{text.rpartition("@")[2]}"')
    name = text.rstrip(".").lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            raise Unfit(f'"{text}" is no domain') from None
    labels = name.split(".")
    if not name or len(name) > 253 or not all(map(_LABEL.match, labels)):
        raise Unfit(f'"{text}" is no domain', 'such as "example.org"')
    return name


def _domains(value: object, directory: str) -> tuple[str, ...]:
    return tuple(domain(each, directory) for each in _texts(value, directory))


def _network(value: object) -> str:
    text = _text(value, "")
    if text != "unix":
        try:
            ipaddress.ip_network(text)
        except ValueError:
            raise Unfit(
                f"{_shown(text)} is no network", 'such as "10.0.0.0/8" or "unix"'
            ) from None
    return text


def _networks(value: object, directory: str) -> tuple[str, ...]:
    return tuple(map(_network, _texts(value, directory)))


def _host(value: object, directory: str) -> str:
    name = domain(value, directory)
    if name.replace(".", "").isdigit():
        raise Unfit(
            f'"{name}" is an address, must be a name', 'such as "mail.example.org"'
        )
    return name


def _domain_or_below(value: object, directory: str) -> str:
    text = _text(value, directory).strip()
    if text.startswith("."):
        return "." + domain(text[1:], directory)
    return domain(text, directory)


def _server(value: object, directory: str) -> str:
    text = _text(value, directory).strip()
    if not text or text.startswith("/"):
        return os.path.normpath(text) if text else ""
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ipaddress.ip_address(inner))
    except ValueError:
        pass
    name, colon, port = inner.partition(":")
    if colon and port.isdigit():
        raise Unfit(f'"{text}" has a port in it', f'write "{name}", and port = {port}')
    return domain(inner, directory)


def location(value: object, directory: str) -> str:
    """Where mail lies: ``maildir:PATH``, ``mbox:INBOX[:FOLDERS]`` or ``memory:``.

    Dovecot's ``mbox:FOLDERS:INBOX=PATH`` is taken too.

    A path starts with ``/`` or ``~/``, or is relative to the configuration's
    directory; ``%u``, ``%n``, ``%d``, ``%h`` and ``%%`` may stand in it.

    Raises:
        Unfit: It is none of these.
    """
    text = _text(value, directory)
    kind, colon, rest = text.partition(":")
    if kind == "memory" and not rest:
        return "memory:"
    if kind not in {"maildir", "mbox"} or not colon or not rest:
        raise Unfit(f'"{text}" is no location', _LOCATION_FORMS)
    options = [part for part in rest.split(":") if _OPTION.match(part)]
    parts = [part for part in rest.split(":") if not _OPTION.match(part)]
    if len(parts) not in ({1, 2} if kind == "mbox" else {1}) or not all(parts):
        raise Unfit(f'"{text}" has an empty path or one too many', _LOCATION_FORMS)
    _check_variables(rest, "undh%")
    paths = [_mail_path(part, text, directory) for part in parts]
    return ":".join((kind, *paths, *options))


def _check_variables(text: str, known: str) -> None:
    for found in _VARIABLE.finditer(text):
        if not found[1] or found[1] not in known:
            raise Unfit(
                f'"%{found[1]}" is no variable here',
                "there are %u (user@domain), %n (user), %d (domain)"
                + (", %h (home)" if "h" in known else ""),
            )


def _home(value: object, directory: str) -> str:
    text = _text(value, directory)
    _check_variables(text, "und%")
    return "" if not text else _path(text, directory)


def _mail_path(path: str, text: str, directory: str) -> str:
    if ".." in path.split("/"):
        raise Unfit(f'"{text}" leaves its directory through ".."')
    if path.startswith(("/", "~/", "%h")) or path == "~":
        return path
    if path.startswith("~"):
        raise Unfit(f'"{text}" names another\'s home', 'such as "maildir:~/Maildir"')
    return os.path.join(directory, path)


def _account(value: object, directory: str) -> str:
    text = _text(value, directory)
    if not text or not re.match(r"[a-zA-Z_][\w.-]*\$?\Z|\d+\Z", text):
        raise Unfit(f'"{text}" is no name of an account', 'such as "maildrop"')
    return text


def _mailbox(value: object, directory: str) -> str:
    text = _text(value, directory)
    if text and (
        ".." in text.split("/")
        or "" in text.split("/")
        or text.upper() == "INBOX"
        or len(text.encode()) > 200
    ):
        raise Unfit(f'"{text}" cannot be the name of such a mailbox', 'such as "Sent"')
    return text


def _separator(value: object, directory: str) -> str:
    text = _text(value, directory)
    for letter in text:
        if letter.isalnum() or letter in '@%. "\\/' or text.count(letter) > 1:
            raise Unfit(f'"{letter}" cannot separate user and detail', 'such as "+-"')
    return text


def _namespace(value: object, directory: str) -> str:
    text = _text(value, directory)
    prefix, separator = text[:-1], text[-1:]
    plain = prefix.isascii() and prefix.replace("-", "a").replace("_", "a").isalnum()
    if separator not in {"/", "."} or (prefix and not plain) or len(text) > 64:
        raise Unfit(
            f'"{text}" is not letters and digits, or nothing, and "/" or "."',
            'such as "." or "INBOX."',
        )
    return text


TEXT: Final = Kind("text", _text)
YES_NO: Final = Kind("true or false", _yes_no)
OCTETS: Final = Kind('octets, or text such as "50M"', _octets)
SECONDS: Final = Kind('seconds, or text such as "30m"', _seconds)
TIMES: Final = Kind('a list of times, such as "30m"', _times)
PATH: Final = Kind("a path", _path)
PATH_OR_NONE: Final = Kind("a path, empty for the default", _path_or_none)
PATHS: Final = Kind("a list of paths", _paths)
NAMES: Final = Kind("a list of names", _texts)
COMMAND: Final = Kind("a list: a program's path, and its arguments", _command)
HOST: Final = Kind("a host name", _host)
SERVER: Final = Kind("a name, an address, or the path of a socket", _server)
DOMAIN_OR_BELOW: Final = Kind("a domain, or a dot and a domain", _domain_or_below)
DOMAINS: Final = Kind("a list of domains", _domains)
NETWORKS: Final = Kind("a list of networks", _networks)
HOME: Final = Kind("a path, in which %u, %n and %d may stand", _home)
LOCATION: Final = Kind("a location", location)
ACCOUNT: Final = Kind("an account of the system", _account)
MAILBOX: Final = Kind("the name of a mailbox, empty for none", _mailbox)
SEPARATOR: Final = Kind("characters, empty for none", _separator)
NAMESPACE: Final = Kind('a prefix, or nothing, and "/" or "."', _namespace)


def count(least: int = 0, most: int = 1_000_000_000) -> Kind:
    """A whole number from ``least`` to ``most``."""

    def read(value: object, _: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Unfit(f"is {_shown(value)}, must be a whole number")
        if not least <= value <= most:
            raise Unfit(f"is {value}, must be from {least} to {most}")
        return value

    return Kind("a whole number", read)


def choice(*words: str, or_none: bool = False) -> Kind:
    """One of some words.

    Args:
        words: These.
        or_none: Nothing may stand there too, for what is right without it.
    """

    def read(value: object, directory: str) -> str:
        text = _text(value, directory)
        if text not in words and (text or not or_none):
            raise Unfit(f'"{text}" is not known', nearest(text, words))
        return text

    title = " | ".join(f'"{word}"' for word in words)
    return Kind(f"{title}, empty for the default" if or_none else title, read)


def words(*known: str) -> Kind:
    """A list of some words, at least one, each once."""

    def read(value: object, directory: str) -> tuple[str, ...]:
        found = _texts(value, directory)
        for word in found:
            if word not in known:
                raise Unfit(f'"{word}" is not known', nearest(word, known))
        if not found or len(set(found)) < len(found):
            raise Unfit("must name each once, and at least one")
        return found

    return Kind("a list of " + ", ".join(f'"{word}"' for word in known), read)


def nearest(text: str, words: Sequence[str]) -> str:
    """A proposal for a misspelt word: the closest, or all of them."""
    import difflib  # noqa: PLC0415 (few words are misspelt)

    close = difflib.get_close_matches(text.lower(), words, 1, 0.6)
    if close:
        return f'did you mean "{close[0]}"?'
    return "one of " + ", ".join(f'"{word}"' for word in words)
