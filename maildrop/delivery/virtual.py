"""Virtual aliases: addresses that stand for others, from Postfix' virtual(5) files.

In this file:
    Virtual    all addresses of some files
    parse      the text of a file

File format; continuation lines and comments as in aliases(5):

    entry   = pattern blanks address *( "," address )
    pattern = user "@" domain       ; this address
            / user                  ; the same in every domain of ours
            / "@" domain            ; catch-all: what nobody else has in that domain
            / domain                ; it is ours, and all its addresses are here
    address = user / user "@" domain
            / "@" domain            ; the same user there

Order of search: ``user+detail@domain``, ``user@domain``, ``user+detail`` and ``user``
in a domain of ours, ``@domain``.  A detail that the pattern has not is given to the
addresses that are found.  What is found is looked up again.

Names count without their case, domains too.

Errors: StorageFailure, as ``aliases``.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final, NamedTuple

from twisted.internet.interfaces import IReactorTime

from maildrop.delivery.address import canonical_domain
from maildrop.delivery.aliases import logical_lines
from maildrop.delivery.values import Problem, Sort, address, objection, sort_of, split
from maildrop.delivery.watched import Watched
from maildrop.errors import StorageFailure
from maildrop.smtp.wire.path import Path

_LINE: Final = re.compile(r'("(?:[^"\\]|\\.)*"(?:@\S*)?|[^"\s]\S*)\s+(.+)', re.DOTALL)

#: Patterns, with the addresses and the line of each.
Entries = dict[str, tuple[tuple[str, ...], int]]


class Found(NamedTuple):
    """What an address stands for.

    Attributes:
        pattern: What it was found by.
        values: The addresses.
        file: Where they stand.
        line: In which line.
        detail: What is to be given to them: separator and detail, or nothing.
    """

    pattern: str
    values: tuple[str, ...]
    file: str
    line: int
    detail: str = ""


_WRONG: Final = (
    "not of the form pattern address, address; a domain has a word after it, which has "
    "no meaning: example.org anything"
)


def _key(pattern: str) -> str | None:
    """A pattern as it is looked up; None if it is none."""
    local, at, domain = pattern.rpartition("@")
    if not at:
        return pattern.lower()
    if not domain:
        return None
    if local.startswith('"'):
        path = address(pattern)
        if path is None:
            return None
        local = path.local
    return f"{local.lower()}@{canonical_domain(domain)}"


def parse(text: str) -> tuple[Entries, list[Problem]]:
    """The patterns of a file with their addresses, and what is wrong."""
    entries: Entries = {}
    problems: list[Problem] = []
    for number, line in logical_lines(text):
        found = _LINE.fullmatch(line)
        key = _key(found[1]) if found is not None else None
        values = split(found[2]) if found is not None else None
        if key is None or not values:
            problems.append(Problem(number, _WRONG))
            continue
        if key in entries:
            problems.append(Problem(number, f"{key} has an earlier line"))
            continue
        for value in () if _is_domain(key) else values:
            reason = objection(value) if not value.startswith("@") else ""
            if not reason and sort_of(value) is not Sort.ADDRESS:
                reason = f"{value}: only addresses may stand here"
            if reason:
                problems.append(Problem(number, f"{key}: {reason}"))
        entries[key] = tuple(values), number
    return entries, problems


def _is_domain(key: str) -> bool:
    return "@" not in key and "." in key


class Virtual:
    """All addresses of some files.

    Args:
        paths: The files; the first that has a pattern decides.
        clock: Time.
        check_every: Seconds between looks at the files.
        reach: A context in which the files may be read.
    """

    def __init__(
        self,
        paths: Sequence[str],
        clock: IReactorTime,
        *,
        check_every: float = 1.0,
        reach: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._paths = paths
        self._clock = clock
        self._reach = reach
        self._files = Watched(paths, parse, clock, check_every=check_every, reach=reach)

    @property
    def loaded(self) -> object:
        """Another object whenever the files were read again."""
        return self._files.loaded

    def due(self) -> bool:
        """See ``aliases.Aliases``."""
        return self._files.due()

    def load(self) -> None:
        """See ``aliases.Aliases``."""
        self._files.load()

    def is_domain(self, domain: str) -> bool:
        """Whether a file says that a domain is ours.

        Args:
            domain: In canonical form.
        """
        return any(domain in loaded.content for loaded in self._files.loaded)

    def domains(self) -> Iterator[str]:
        """All domains that the files say are ours."""
        for loaded in self._files.loaded:
            yield from filter(_is_domain, loaded.content)

    def all(self) -> Iterator[Found]:
        """Every pattern."""
        for loaded in self._files.loaded:
            for key, (values, line) in loaded.content.items():
                yield Found(key, values, loaded.path, line)

    def find(
        self, local: str, domain: str, detail: tuple[str, str], *, bare: bool
    ) -> Found | None:
        """What an address stands for, None if no pattern fits.

        Args:
            local: The local part.
            domain: In canonical form.
            detail: The local part up to the separator, and the rest with it.
            bare: Whether patterns without a domain count.
        """
        if not self._files.loaded:
            return None
        name, extension = detail
        tries = [(f"{local}@{domain}", ""), (f"{name}@{domain}", extension)]
        if bare:
            tries += [(local, ""), (name, extension)]
        tries.append((f"@{domain}", ""))
        for key, rest in tries:
            for loaded in self._files.loaded:
                found = loaded.content.get(key.lower())
                if found is not None:
                    return Found(key.lower(), found[0], loaded.path, found[1], rest)
        return None

    def problems(self) -> Iterator[str]:
        """Everything wrong in the files, a line of text each."""
        for path in self._paths:
            file = Watched([path], parse, self._clock, reach=self._reach)
            try:
                file.load()
            except StorageFailure as error:
                yield str(error)
                continue
            for loaded in file.loaded:
                for problem in loaded.problems:
                    yield f"{path}:{problem.line}: {problem.reason}"


def meant(value: str, asked: Path, extension: str) -> Path | None:
    """The address that a value stands for; None if it is none.

    Args:
        value: An address of a file.
        asked: What was looked up.
        extension: What is given to it.
    """
    if value.startswith("@"):
        return Path(asked.local, value[1:])
    path = address(value)
    if path is None:
        return None
    return Path(path.local + extension, path.domain) if extension else path
