"""Files of the administrator that are kept in memory, and read anew when they change.

In this file:
    Watched    some files of one format
    Loaded     one of them as it was read
    Owner      whose file it is, and whether others may write it

A look at the files is a few stat(2); only a changed one is read, which takes a while
and is done where the caller wants (``load``).

Errors: StorageFailure, when a file cannot be read or is too large: what it says is not
known then, and nothing may be concluded from its silence.

Limits: octets of a file.
"""

import os
import stat
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from maildrop.delivery.values import Problem
from maildrop.errors import StorageFailure

T = TypeVar("T")

#: Problems of one file that are logged.
_TOLD: Final = 20
#: Permissions that let others than the owner write.
OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose file it is.

    Attributes:
        uid: The user.
        gid: The group.
        writable: Others than the owner may write it.
    """

    uid: int
    gid: int
    writable: bool

    @classmethod
    def of(cls, facts: os.stat_result) -> "Owner":
        """As fstat(2) says."""
        return cls(facts.st_uid, facts.st_gid, bool(facts.st_mode & OTHERS_WRITE))


@dataclass(frozen=True, slots=True)
class Loaded(Generic[T]):
    """A file as it was read.

    Attributes:
        path: Which.
        stamp: What tells that it has changed.
        owner: Whose it is.
        content: What it says.
        problems: What is wrong in it.
    """

    path: str
    stamp: tuple[int, ...]
    owner: Owner
    content: T
    problems: Sequence[Problem]


class Watched(Generic[T]):
    """Some files of one format.

    Args:
        paths: The files, in order.
        parse: Reads the text of one.
        clock: Time.
        check_every: Seconds between looks.
        octets: Largest file read.
        reach: A context in which the files may be read.
    """

    _log = Logger()

    def __init__(
        self,
        paths: Sequence[str],
        parse: Callable[[str], tuple[T, list[Problem]]],
        clock: IReactorTime,
        *,
        check_every: float = 1.0,
        octets: int = 1 << 26,
        reach: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._paths = tuple(paths)
        self._parse = parse
        self._clock = clock
        self._check_every = check_every
        self._octets = octets
        self._reach = reach
        self._checked: float | None = None
        self.loaded: tuple[Loaded[T], ...] = ()

    def due(self) -> bool:
        """Whether the files changed, or may have and cannot be looked at: ``load``."""
        if not self._paths:
            return False
        now = self._clock.seconds()
        if self._checked is not None and now - self._checked < self._check_every:
            return False
        with self._reach():
            try:
                stamps = [_stamp(os.stat(path)) for path in self._paths]
            except OSError:
                return True
        if stamps != [loaded.stamp for loaded in self.loaded]:
            return True
        self._checked = now
        return False

    def load(self) -> None:
        """Read the files that changed.

        Raises:
            StorageFailure: One cannot be read.
        """
        with self._reach():
            before = {loaded.path: loaded for loaded in self.loaded}
            self.loaded = tuple(
                self._file(path, before.get(path)) for path in self._paths
            )
        self._checked = self._clock.seconds()

    def _file(self, path: str, before: Loaded[T] | None) -> Loaded[T]:
        try:
            with open(path, "rb", opener=_opener) as file:
                facts = os.fstat(file.fileno())
                stamp = _stamp(facts)
                if before is not None and before.stamp == stamp:
                    return before
                if not stat.S_ISREG(facts.st_mode):
                    raise StorageFailure(f"{path}: no regular file")
                if facts.st_size > self._octets:
                    raise StorageFailure(f"{path}: over {self._octets} octets")
                text = file.read(self._octets).decode("utf-8", "replace")
        except OSError as error:
            raise StorageFailure(f"{path}: {error.strerror}") from error
        content, problems = self._parse(text)
        for problem in problems[:_TOLD]:
            self._log.warn(
                "{path}:{line}: {reason}",
                path=path,
                line=problem.line,
                reason=problem.reason,
            )
        return Loaded(path, stamp, Owner.of(facts), content, problems)


def _opener(path: str, flags: int) -> int:
    """Never waits for a named pipe."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _stamp(facts: os.stat_result) -> tuple[int, ...]:
    return (
        facts.st_mtime_ns,
        facts.st_ctime_ns,
        facts.st_size,
        facts.st_ino,
        facts.st_uid,
        facts.st_mode,
    )
