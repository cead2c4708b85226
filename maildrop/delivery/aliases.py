r"""Aliases: further names for users, from aliases(5) files.

In this file:
    Aliases          all names of some files
    Alias            what a name stands for, and where that is said
    parse            the text of a file
    logical_lines    lines with those that continue them
    AliasUnusable    mail for the name cannot be delivered as the file says

File format, that of sendmail and Postfix; a line that begins with a blank goes on with
the one before it, one whose first character after blanks is ``#`` is a comment:

    entry = name ":" values          ; ``values`` has the grammar of the right side

A name counts without its case, in every domain of ours.  The first file that has it,
and in it the first line, decides.  An alias that comes back to its own name means the
user of that name.  If there is an alias ``owner-NAME``, errors of mail for the alias
NAME go to it.

Errors: StorageFailure, when a file cannot be read: who has a name is not known then.

Limits: octets of a file (``watched``).  ``routing`` limits what an alias means.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final, NamedTuple

from twisted.internet.interfaces import IReactorTime

from maildrop.delivery.values import (
    Problem,
    Sort,
    Value,
    address,
    objection,
    sort_of,
    split,
    unquoted,
)
from maildrop.delivery.watched import Loaded, Owner, Watched
from maildrop.errors import StorageFailure, TemporaryError

_NAME: Final = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^":#,\s]+)\s*:(.*)', re.DOTALL)

#: Names in lower case, with the values and the line of each.
Names = dict[str, tuple[tuple[str, ...], int]]


class AliasUnusable(TemporaryError):
    """Mail for the name cannot be delivered as the file says."""


class Alias(NamedTuple):
    """What a name stands for.

    Attributes:
        name: In lower case.
        values: What it stands for.
        file: Where that is said.
        owner: Whose file that is.
    """

    name: str
    values: tuple[Value, ...]
    file: str
    owner: Owner

    @property
    def line(self) -> int:
        """The line of the file; 0 when there is no value."""
        return self.values[0].line if self.values else 0


def parse(text: str) -> tuple[Names, list[Problem]]:
    """The names of a file with their values, and what is wrong."""
    names: Names = {}
    problems: list[Problem] = []
    for number, line in logical_lines(text):
        found = _NAME.fullmatch(line)
        if found is None:
            problems.append(Problem(number, "not of the form name: value, value"))
            continue
        name = unquoted(found[1]).lower()
        if name in names:
            problems.append(Problem(number, f"{name} has an earlier line"))
            continue
        if "@" in name:
            reason = f"{name}: an address; those stand in files of delivery.virtual"
            problems.append(Problem(number, reason))
        values = split(found[2])
        if values is None:
            reason = f"{name}: a quote or backslash without its end"
            problems.append(Problem(number, reason))
            values = [_UNKNOWN]
        elif not values:
            problems.append(Problem(number, f"{name} has no value"))
        else:
            wrong = [reason for value in values if (reason := objection(value))]
            problems += [Problem(number, f"{name}: {reason}") for reason in wrong]
        names[name] = tuple(values), number
    return names, problems


#: Stands for values that cannot be read: the alias is there and of no use.
_UNKNOWN: Final = ":"


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with those that continue them, and the number of the first."""
    start, held = 0, ""
    parts: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if line[0] in " \t" and held:
            parts.append(stripped)
            continue
        if held:
            yield start, " ".join((held, *parts))
        start, held, parts = number, stripped, []
    if held:
        yield start, " ".join((held, *parts))


class Aliases:
    """All names of some files.

    Args:
        paths: The files; the first that has a name decides.
        clock: Time.
        check_every: Seconds between looks at the files.
        octets: Largest file read.
        reach: A context in which the files may be read.
    """

    def __init__(
        self,
        paths: Sequence[str],
        clock: IReactorTime,
        *,
        check_every: float = 1.0,
        octets: int = 1 << 26,
        reach: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._paths = paths
        self._files = Watched(
            paths, parse, clock, check_every=check_every, octets=octets, reach=reach
        )
        self._clock = clock
        self._reach = reach

    @property
    def loaded(self) -> object:
        """Another object whenever the files were read again."""
        return self._files.loaded

    def due(self) -> bool:
        """Whether the files are to be read (``load``) before names are looked up."""
        return self._files.due()

    def load(self) -> None:
        """Read what changed.

        Raises:
            StorageFailure: A file cannot be read.
        """
        self._files.load()

    def find(self, name: str) -> Alias | None:
        """What a name stands for, None if it is no alias."""
        name = name.lower()
        for loaded in self._files.loaded:
            found = loaded.content.get(name)
            if found is not None:
                return _alias(name, found, loaded)
        return None

    def all(self) -> Iterator[Alias]:
        """Every alias, those left out that an earlier file has."""
        seen: set[str] = set()
        for loaded in self._files.loaded:
            for name, found in loaded.content.items():
                if name not in seen:
                    seen.add(name)
                    yield _alias(name, found, loaded)

    def problems(self, is_user: Callable[[str], bool]) -> Iterator[str]:
        """Everything wrong in the files, a line of text each.

        Args:
            is_user: Whether a name without a domain is a user's.
        """
        found: list[Loaded[Names]] = []
        for path in self._paths:
            file = Watched([path], parse, self._clock, reach=self._reach)
            try:
                file.load()
            except StorageFailure as error:
                yield str(error)
            found += file.loaded
        names = frozenset(name for loaded in found for name in loaded.content)
        for loaded in found:
            yield from _problems(
                loaded, lambda name: name.lower() in names or is_user(name)
            )


def _alias(
    name: str, found: tuple[tuple[str, ...], int], loaded: Loaded[Names]
) -> Alias:
    values, line = found
    return Alias(
        name, tuple(Value(each, line) for each in values), loaded.path, loaded.owner
    )


def _problems(loaded: Loaded[Names], is_known: Callable[[str], bool]) -> Iterator[str]:
    for problem in loaded.problems:
        yield f"{loaded.path}:{problem.line}: {problem.reason}"
    for name, (values, line) in loaded.content.items():
        for value in values:
            sort = sort_of(value)
            if sort in {Sort.COMMAND, Sort.FILE} and loaded.owner.writable:
                yield (
                    f"{loaded.path}:{line}: {name}: {value} is not used, for others "
                    "than the file's owner may write it"
                )
            if sort is not Sort.ADDRESS:
                continue
            path = address(value)
            if path is not None and not path.domain and not is_known(path.local):
                yield f"{loaded.path}:{line}: {name}: nobody is called {value}"
