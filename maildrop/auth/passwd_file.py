"""A passwd-style file, watched.

In this file:
    PasswdFile    the newest readable version of a file, by name
    Index         the names of one version
    index         makes it
    Clock         time

Once a second at most, when somebody asks, the file's mtime, size and inode are looked
at; a changed file is read anew, a large one in a thread while the old version answers.
A file that cannot be read leaves the last good version in use.

Lines stay octets until their user is asked for: 100,000 users are indexed in a tenth of
a second and take some 30 MB.

Errors: a bad line is logged with its number and hurts no other.  StorageFailure: the
file could never be read; whether a user exists is not known.
"""

import os
import re
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from maildrop.auth.entry import BadLine, Entry, parse
from maildrop.errors import StorageFailure
from maildrop.mailbox.gate import InThread

#: Lines that are right at first sight: an ASCII name without what a name must not have,
#: a password, and if there are more fields, a uid and a gid that are numbers or names.
_PLAIN_LINE: Final = re.compile(
    rb"([A-Za-z0-9_+-][A-Za-z0-9._+-]*(?:@[A-Za-z0-9-][A-Za-z0-9.-]*)?)"
    rb":[^:]*(?:$|:[A-Za-z0-9_.-]*(?:$|:[A-Za-z0-9_.-]*(?:$|:)))"
)
#: Larger files are read in a thread.
_INLINE_OCTETS: Final = 1 << 17
#: Bad lines logged of one version; the count of the rest is logged too.
_LOGGED: Final = 20


@dataclass(frozen=True, slots=True)
class Index:
    """The names of one version of a file.

    Attributes:
        lines: The lines, without their ends.
        numbers: Index into ``lines`` by folded name.
        bad: Line numbers from 1, and what is wrong with them.
    """

    lines: list[bytes]
    numbers: dict[bytes, int]
    bad: list[tuple[int, str]]


def fold(name: str, *, case_sensitive: bool = False) -> bytes:
    """A name as names are compared: ASCII letters without their case."""
    octets = name.encode("utf-8", "surrogateescape")
    return octets if case_sensitive else octets.lower()


def index(octets: bytes, *, case_sensitive: bool = False) -> Index:
    """The names in a file's octets; the first of two equal ones counts."""
    lines = octets.split(b"\n")
    numbers: dict[bytes, int] = {}
    bad = []
    plain = _PLAIN_LINE.match
    for at, line in enumerate(lines):
        found = plain(line)
        if found is not None:
            name = found[1] if case_sensitive else found[1].lower()
        elif not line.strip() or line.lstrip().startswith(b"#"):
            continue
        else:
            try:
                name = fold(_checked(line).name, case_sensitive=case_sensitive)
            except BadLine as error:
                bad.append((at + 1, str(error)))
                continue
        if numbers.setdefault(name, at) != at:
            bad.append((at + 1, f"name is in line {numbers[name] + 1} already"))
    return Index(lines, numbers, bad)


def _checked(line: bytes) -> Entry:
    entry = parse(line)
    for number in (entry.uid, entry.gid):
        if re.search(r"\s", number):
            raise BadLine("uid or gid is neither a number nor a name")
    return entry


class Clock(Protocol):
    """Time; a reactor."""

    def seconds(self) -> float:
        """Seconds since whenever."""


class PasswdFile:
    """The newest readable version of a passwd-style file.

    Args:
        path: The file.
        clock: Time.
        case_sensitive: Names that differ in case are different users.
        in_thread: Where large files are read; None reads them at once.
        check_every: Seconds between looks at the file.
        changed: Called after a new version was taken.
        reach: A context in which the file may be read: the rights it needs.
    """

    _log = Logger()

    def __init__(
        self,
        path: str,
        clock: Clock,
        *,
        case_sensitive: bool = False,
        in_thread: InThread | None = None,
        check_every: float = 1.0,
        changed: Callable[[], None] = lambda: None,
        reach: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self.path = path
        self._clock = clock
        self._case_sensitive = case_sensitive
        self._in_thread = in_thread
        self._check_every = check_every
        self._changed = changed
        self._reach = reach
        self._looked: float | None = None
        self._signature: tuple[int, int, int] | None = None
        self._index: Index | None = None
        self._reading: Deferred[None] | None = None
        self._failed = ""

    def index(self) -> Index:
        """The newest version.

        Raises:
            StorageFailure: None could be read yet.
        """
        now = self._clock.seconds()
        if self._looked is None or now - self._looked >= self._check_every:
            self._looked = now
            self._look()
        if self._index is None:
            raise StorageFailure(f"users file {self.path}: {self._failed}")
        return self._index

    def _look(self) -> None:
        if self._reading is not None:
            return
        try:
            with self._reach():
                found = os.stat(self.path)
        except OSError as error:
            self._unreadable(error.strerror or str(error))
            return
        if _signature(found) == self._signature:
            self._failed = ""
            return
        if (
            self._index is None
            or self._in_thread is None
            or found.st_size <= _INLINE_OCTETS
        ):
            try:
                self._take(self._read())
            except OSError as error:
                self._unreadable(error.strerror or str(error))
            return
        self._reading = self._in_thread(self._read).addCallbacks(
            self._take, self._reading_failed
        )
        self._reading.addBoth(self._read_ended)

    def _reading_failed(self, failure: Failure) -> None:
        self._unreadable(failure.getErrorMessage())

    def _read_ended(self, _: None) -> None:
        self._reading = None

    def _read(self) -> tuple[tuple[int, int, int], Index]:
        with self._reach(), open(self.path, "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise OSError("not a regular file")
            octets = file.read()
        return _signature(found), index(octets, case_sensitive=self._case_sensitive)

    def _take(self, read: tuple[tuple[int, int, int], Index]) -> None:
        self._signature, self._index = read
        self._failed = ""
        bad = self._index.bad
        for number, reason in bad[:_LOGGED]:
            self.log_line(number, reason)
        if len(bad) > _LOGGED:
            self._log.warn(
                "{file}: {count} more bad lines",
                file=self.path,
                count=len(bad) - _LOGGED,
            )
        self._changed()

    def log_line(self, number: int, reason: str) -> None:
        """Log that a line cannot be used."""
        self._log.warn(
            "{file}:{line}: passed over: {reason}",
            file=self.path,
            line=number,
            reason=reason,
        )

    def _unreadable(self, reason: str) -> None:
        if reason != self._failed:
            self._failed = reason
            self._log.error(
                "{file} cannot be read: {reason}; {instead}",
                file=self.path,
                reason=reason,
                instead="the last version stays in use"
                if self._index is not None
                else "nobody can log in",
            )


def _signature(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_mtime_ns, found.st_size, found.st_ino
