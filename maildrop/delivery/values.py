r"""Values: what an alias, a ``.forward`` file and a list of members are made of.

In this file:
    Value       one of them, and the line it stands in
    Sort        the sorts of values
    sort_of     which sort one is
    split       a line into values
    members     the values of a whole file: ``.forward``, ``:include:``
    address     the address that a value is
    Problem     a line, and what is wrong with it

Grammar, that of sendmail's and Postfix's aliases(5):

    values  = [ value *( "," value ) ]
    value   = address / name / "\" name         ; \name: the mailbox, nothing else asked
            / "|" command / "/" path            ; a path that ends in "/" is a Maildir
            / ":include:/" path
    address = mailbox / *word "<" mailbox ">" / mailbox "(" comment ")"

A value may be in double quotes as a whole, or behind its ``|``; in them ``\`` takes the
next character as it is.  In a file each line has values of its own, and one whose first
character is ``#`` has none.

Security: this is for text of our files.  What a client sends as an address is never
taken for a command or a file.
"""

import enum
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from maildrop.errors import ProtocolSyntaxError
from maildrop.smtp.wire.path import Path, path_of

INCLUDE: Final = ":include:"

_ITEM: Final = re.compile(
    r'\s*((?:[^,"\\(]|\\.|"(?:[^"\\]|\\.)*"|\([^()]*\)|\()*)(?:,|\Z)', re.DOTALL
)
_QUOTED: Final = re.compile(r'(\|?)\s*"((?:[^"\\]|\\.)*)"', re.DOTALL)
_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)
_ROUTE: Final = re.compile(r"[^<>]*<([^<>\s]+)>")
_COMMENT: Final = re.compile(r"\s*\([^()]*\)\s*")


class Value(NamedTuple):
    """A value, and the line it stands in."""

    text: str
    line: int


class Problem(NamedTuple):
    """A line, and what is wrong with it."""

    line: int
    reason: str


class Sort(enum.Enum):
    """The sorts of values."""

    ADDRESS = enum.auto()
    MAILBOX = enum.auto()
    COMMAND = enum.auto()
    FILE = enum.auto()
    INCLUDE = enum.auto()
    UNKNOWN = enum.auto()


def sort_of(value: str) -> Sort:
    """Which sort a value is of."""
    if value.startswith(INCLUDE):
        return Sort.INCLUDE
    return _SORTS.get(value[:1], Sort.ADDRESS)


_SORTS: Final = {
    "\\": Sort.MAILBOX,
    "|": Sort.COMMAND,
    "/": Sort.FILE,
    ":": Sort.UNKNOWN,
}


def split(line: str) -> list[str] | None:
    """The values of a line; None if a quote in it is not closed."""
    found = []
    at = 0
    while at < len(line):
        item = _ITEM.match(line, at)
        if item is None:
            return None
        at = item.end()
        value = unquoted(item[1].strip())
        if value:
            found.append(value)
    return found


def unquoted(word: str) -> str:
    """A word without the quotes around it, or around what follows its ``|``."""
    quoted = _QUOTED.fullmatch(word)
    return quoted[1] + _PAIR.sub(r"\1", quoted[2]) if quoted is not None else word


def members(text: str, problems: list[Problem]) -> Iterator[Value]:
    """The values of a file, a line or several to a line.

    Args:
        text: The file.
        problems: What is wrong is added.
    """
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()  # noqa: PLW2901 (CRLF of other systems)
        if not line or line.startswith("#"):
            continue
        if line.isascii() and line.isalnum():  # most of a long list is no more
            yield Value(line, number)
            continue
        values = split(line)
        if values is None:
            problems.append(Problem(number, "a quote or backslash without its end"))
            continue
        for value in values:
            reason = objection(value)
            if reason:
                problems.append(Problem(number, reason))
            else:
                yield Value(value, number)


def objection(value: str) -> str:
    """What is wrong with a value; nothing if it is right."""
    if "\0" in value or "\n" in value:
        return "a control character"
    sort = sort_of(value)
    if sort is Sort.UNKNOWN:
        return f"{value}: of the directives there is only :include:"
    if sort is Sort.INCLUDE and not value[len(INCLUDE) :].startswith("/"):
        return f"{value}: the path must be absolute"
    if sort is Sort.COMMAND and not value[1:].strip():
        return "a command without a name"
    if sort is Sort.ADDRESS and "@" in value and address(value) is None:
        return f"{value}: no address"
    return ""


def address(value: str) -> Path | None:
    """The address that a value is, without a domain if it has none; None for none."""
    if "<" in value:
        route = _ROUTE.fullmatch(value)
        if route is None:
            return None
        value = route[1]
    elif "(" in value and not value.startswith('"'):
        value = _COMMENT.sub("", value)
    if "@" not in value:
        return Path(value, "") if value else None
    try:
        return path_of(value)
    except ProtocolSyntaxError:
        return None
