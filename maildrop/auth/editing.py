"""Changes to a passwd-style file.

In this file:
    Editor          adds, changes and removes users
    UserExists      the name is taken
    UserNotFound    no line has that name

Each change locks, reads, changes one line and puts the whole new file in the place of
the old; comments, blank lines and lines that nobody understands stay as they are,
octet for octet, and so do the file's mode and owner.

States of a change: lock taken -> new file beside the old, synced -> renamed ->
directory synced -> lock let go.  A crash leaves the old file or the new one.

The lock is flock(2) on ``FILE.lock``, which stays: a lock file that is removed can be
locked twice.  A symbolic link is followed, so that the link stays one.

Errors: BadLine for what cannot stand in a line; NoSpace, AccessDenied, StorageFailure.
"""

import contextlib
import fcntl
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from maildrop.auth.entry import BadLine, Entry, is_user_name, parse, parse_extra
from maildrop.auth.passwd_file import fold
from maildrop.durable import Disk, translate, translated
from maildrop.errors import PermanentError

_DISABLED: Final = frozenset({"disabled", "nologin"})
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class UserExists(PermanentError):
    """A line has that name already."""


class UserNotFound(PermanentError):
    """No line has that name."""


class Editor:
    """Changes one passwd-style file.

    Args:
        path: The file; ``add`` makes it if there is none.
        disk: The disk.
        mode: Mode of a file that is made.
        case_sensitive: Names that differ in case are different users.
    """

    def __init__(
        self,
        path: str,
        disk: Disk,
        *,
        mode: int = 0o600,
        case_sensitive: bool = False,
    ) -> None:
        self.path = path
        self._disk = disk
        self._mode = mode
        self._case_sensitive = case_sensitive

    # -- reading

    def entries(self) -> list[Entry]:
        """Every line that can be read, in order; nothing if there is no file."""
        found = []
        for line in self._lines():
            with contextlib.suppress(BadLine):
                found.append(parse(line.rstrip(b"\n")))
        return found

    def entry(self, name: str) -> Entry:
        """The line of a user.

        Raises:
            UserNotFound: No line has that name.
        """
        lines = self._lines()
        return parse(lines[self._at(lines, name)].rstrip(b"\n"))

    # -- changing

    def add(self, entry: Entry) -> None:
        """Add a user, at the end.

        Raises:
            UserExists: The name is taken.
            BadLine: A field has what no field may have.
        """
        line = _written(entry)
        with self._locked():
            lines = self._lines()
            if self._find(lines, entry.name) is not None:
                raise UserExists(f"user {entry.name} is there already")
            if lines and not lines[-1].endswith(b"\n"):
                lines[-1] += b"\n"
            lines.append(line)
            self._write(lines)

    def change(self, name: str, changed: Callable[[Entry], Entry]) -> None:
        """Put what ``changed`` makes of a user's line in its place.

        Raises:
            UserNotFound: No line has that name.
            UserExists: It makes a name that is taken.
            BadLine: It makes a field of what no field may have.
        """
        with self._locked():
            lines = self._lines()
            at = self._at(lines, name)
            before = lines[at].rstrip(b"\r\n")
            end = lines[at][len(before) :]
            entry = changed(parse(before))
            other = self._find(lines, entry.name)
            if other not in {None, at}:
                raise UserExists(f"user {entry.name} is there already")
            lines[at] = _written(entry)[:-1] + end
            self._write(lines)

    def set_password(self, name: str, stored: str) -> None:
        """Give a user another password field (see ``passwords.make``).

        Raises:
            UserNotFound: No line has that name.
        """
        self.change(name, lambda entry: replace(entry, password=stored))

    def disable(self, name: str) -> None:
        """Let a user log in no more; mail still comes in.

        Raises:
            UserNotFound: No line has that name.
        """
        self.change(name, _disabled)

    def enable(self, name: str) -> None:
        """Let a user log in again.

        Raises:
            UserNotFound: No line has that name.
        """
        self.change(name, _enabled)

    def remove(self, name: str) -> None:
        """Remove a user's line; the mail stays.

        Raises:
            UserNotFound: No line has that name.
        """
        with self._locked():
            lines = self._lines()
            del lines[self._at(lines, name)]
            self._write(lines)

    # -- the file

    def _lines(self) -> list[bytes]:
        """The lines with their ends."""
        try:
            with translated(f"read {self.path}"), open(self.path, "rb") as file:
                octets = file.read()
        except FileNotFoundError:
            return []
        lines = [line + b"\n" for line in octets.split(b"\n")]
        lines[-1] = lines[-1][:-1]
        return lines if lines[-1] else lines[:-1]

    def _find(self, lines: list[bytes], name: str) -> int | None:
        key = fold(name, case_sensitive=self._case_sensitive)
        for at, line in enumerate(lines):
            with contextlib.suppress(BadLine):
                found = parse(line.rstrip(b"\n")).name
                if fold(found, case_sensitive=self._case_sensitive) == key:
                    return at
        return None

    def _at(self, lines: list[bytes], name: str) -> int:
        at = self._find(lines, name)
        if at is None:
            raise UserNotFound(f"there is no user {name}")
        return at

    def _write(self, lines: list[bytes]) -> None:
        path = os.path.realpath(self.path)
        octets = b"".join(lines)
        with translated(f"write {path}"):
            try:
                old = os.stat(path)
            except FileNotFoundError:
                self._disk.replace_file(path, octets, self._mode)
                return
            owner = old.st_uid, old.st_gid
            self._disk.replace_file(path, octets, old.st_mode & 0o7777, owner)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        path = os.path.realpath(self.path) + ".lock"
        try:
            fd = self._disk.append_to(path)
        except OSError as error:
            raise translate(error, f"lock {path}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def _written(entry: Entry) -> bytes:
    """The line of an entry, with its end.

    Raises:
        BadLine: A field has a colon or a control character, or the name or the last
            field is not what it has to be.
    """
    if not is_user_name(entry.name):
        raise BadLine(f"no user may be named {entry.name!r}")
    fields = (entry.password, entry.uid, entry.gid, entry.gecos, entry.home)
    for text in (*fields, entry.shell):
        if ":" in text:
            raise BadLine(f"a colon in a field: {text!r}")
    for text in (*fields, entry.shell, entry.extra):
        if _CONTROL.search(text):
            raise BadLine("a control character in a field")
    parse_extra(entry.extra)
    return str(entry).encode() + b"\n"


def _disabled(entry: Entry) -> Entry:
    enabled = _enabled(entry)
    return replace(enabled, extra=f"{enabled.extra} disabled=yes".strip())


def _enabled(entry: Entry) -> Entry:
    words = entry.extra.split()
    kept = [word for word in words if word.partition("=")[0] not in _DISABLED]
    return entry if len(kept) == len(words) else replace(entry, extra=" ".join(kept))
