r"""Aliases: further names for users, from aliases(5) files.

In this file:
    Aliases          all names of some files, watched
    parse            the text of a file
    Problem          a line, and what is wrong with it
    AliasUnusable    mail for the name cannot be delivered as the file says

File format, that of sendmail and Postfix; a line that begins with a blank goes on with
the one before it, ``#`` at the start of a line begins a comment:

    entry = name ":" [ value *( "," value ) ]        ; either may be in double quotes
    value = address of ours / name of a user / name of an alias / "\" name of a user

A name counts without its case, in every domain of ours.  The first file that has it,
and in it the first line, decides.  An alias that comes back to its own name means the
user of that name.

Not done, and therefore refused: ``|command``, ``/file``, ``:include:file`` and
addresses of other hosts.  Mail for an alias with such a value is answered 451 as a
whole: taking it for a part of the values would lose it for the rest.

Errors: StorageFailure, when a file cannot be read: who has a name is not known then.

Limits: octets of a file.  ``routing`` limits depth and number of what an alias means.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from maildrop.errors import StorageFailure, TemporaryError

_NAME: Final = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^":#,\s]+)\s*:(.*)', re.DOTALL)
_VALUE: Final = re.compile(r'(?:[^,"\\]|\\.|"(?:[^"\\]|\\.)*")+', re.DOTALL)
_QUOTED_PAIR: Final = re.compile(r"\\(.)")
_FOREIGN: Final = ("|", "/", ":include:")


class AliasUnusable(TemporaryError):
    """Mail for the name cannot be delivered as the file says."""


class Problem(NamedTuple):
    """A line, and what is wrong with it."""

    line: int
    reason: str


def parse(text: str) -> tuple[dict[str, tuple[str, ...]], list[Problem]]:
    """The names of a file in lower case with their values, and what is wrong."""
    names: dict[str, tuple[str, ...]] = {}
    problems = []
    for number, line in _logical_lines(text):
        found = _NAME.fullmatch(line)
        if found is None:
            problems.append(Problem(number, "not of the form name: value, value"))
            continue
        name = _unquoted(found[1]).lower()
        values = [_unquoted(value.strip()) for value in _VALUE.findall(found[2])]
        values = [value for value in values if value]
        if name in names:
            problems.append(Problem(number, f"{name} has an earlier line"))
            continue
        if not values:
            problems.append(Problem(number, f"{name} has no value"))
        problems += [
            Problem(number, f"{name}: commands, files and :include: are not supported")
            for value in values
            if value.startswith(_FOREIGN)
        ]
        names[name] = tuple(values)
    return names, problems


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with those that continue them, and the number of the first."""
    start, held = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line[0] in " \t" and held:
            held += " " + line.strip()
            continue
        if held:
            yield start, held
        start, held = number, line
    if held:
        yield start, held


def _unquoted(word: str) -> str:
    if len(word) > 1 and word[0] == word[-1] == '"':
        return _QUOTED_PAIR.sub(r"\1", word[1:-1])
    return word


def is_foreign(value: str) -> bool:
    """Whether a value asks for a command, a file or a list in a file."""
    return value.startswith(_FOREIGN)


class _File:
    """One file, read anew when it changes."""

    _log = Logger()

    def __init__(self, path: str, octets: int) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self._octets = octets
        self._stamp: tuple[int, int, int] | None = None
        self._names: dict[str, tuple[str, ...]] = {}

    def names(self) -> dict[str, tuple[str, ...]]:
        """The names it has now.

        Raises:
            StorageFailure: It cannot be read, or is too large.
        """
        try:
            status = os.stat(self.path)
            stamp = status.st_mtime_ns, status.st_size, status.st_ino
            if stamp != self._stamp:
                self._read(status.st_size)
                self._stamp = stamp
        except OSError as error:
            raise StorageFailure(f"{self.path}: {error.strerror}") from error
        return self._names

    def _read(self, size: int) -> None:
        if size > self._octets:
            raise StorageFailure(f"{self.path}: over {self._octets} octets")
        with open(self.path, "rb") as file:
            text = file.read(self._octets).decode("utf-8", "replace")
        self._names, self.problems = parse(text)
        for problem in self.problems[:20]:
            self._log.warn(
                "{path}:{line}: {reason}",
                path=self.path,
                line=problem.line,
                reason=problem.reason,
            )


class Aliases:
    """All names of some files.

    Args:
        paths: The files; the first that has a name decides.
        clock: Time.
        check_every: Seconds between looks at the files.
        octets: Largest file read.
    """

    def __init__(
        self,
        paths: Sequence[str],
        clock: IReactorTime,
        *,
        check_every: float = 1.0,
        octets: int = 1 << 22,
    ) -> None:
        self._files = [_File(path, octets) for path in paths]
        self._clock = clock
        self._check_every = check_every
        self._checked: float | None = None
        self._names: list[dict[str, tuple[str, ...]]] = []

    def values(self, name: str) -> tuple[str, ...] | None:
        """What a name stands for, None if it is no alias.

        Raises:
            StorageFailure: A file cannot be read.
        """
        now = self._clock.seconds()
        if self._checked is None or now - self._checked >= self._check_every:
            self._names = [file.names() for file in self._files]
            self._checked = now
        name = name.lower()
        for names in self._names:
            if name in names:
                return names[name]
        return None

    def problems(self, is_local: Callable[[str], bool]) -> Iterator[str]:
        """Everything wrong in the files, a line of text each.

        Args:
            is_local: Whether a domain is ours.
        """
        for file in self._files:
            try:
                names = file.names()
            except StorageFailure as error:
                yield str(error)
                continue
            for problem in file.problems:
                yield f"{file.path}:{problem.line}: {problem.reason}"
            for name, values in names.items():
                for value in values:
                    domain = value.rpartition("@")[2] if "@" in value else ""
                    if not is_foreign(value) and not is_local(domain):
                        yield f"{file.path}: {name}: {value} is not an address of ours"
