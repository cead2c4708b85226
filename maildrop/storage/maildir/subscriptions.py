r"""The subscriptions file of a mail store, as Dovecot has it too.

In this file:
    Subscriptions    the names in it

File ``subscriptions`` of a Maildir, ``.subscriptions`` in the folder directory beside
an mbox; one name a line, levels in modified UTF-7:

    version 1    levels joined by "." (Maildir) or "/" (mbox)
    version 2    first the line "V" TAB "2" and an empty one; levels joined by TAB

In a Maildir a dot inside a level is ``&AC4-``.

A file is written in the version it has; a new one in version 2.  States of a change:
lock held -> temporary written and synced -> renamed.

Lines that name nothing we could have are kept.
"""

from collections.abc import Callable
from typing import Final

from maildrop.durable import open_to_read, translated
from maildrop.errors import ProtocolSyntaxError
from maildrop.imap.wire.mailbox_name import encode, level as read_level
from maildrop.storage.index.host import Host
from maildrop.storage.index.locks import locked

_FILE: Final = "subscriptions"
_HEADER: Final = b"V\t2\n\n"
_OCTETS_MAX: Final = 1 << 22
_DOT: Final = "&AC4-"


class Subscriptions:
    """The subscribed names of one account.

    Args:
        directory: The account's Maildir, or the folder directory beside an mbox.
        host: Disk, and the longest wait for the lock.
        separator: Between levels in version 1; says also which of both it is.
    """

    def __init__(self, directory: str, host: Host, separator: str = ".") -> None:
        hidden = "" if separator == "." else "."
        self._path = f"{directory}/{hidden}{_FILE}"
        self._lock = f"{directory}/{hidden}maildrop.{_FILE}.lock"
        self._host = host
        self._separator = separator
        self._dot = _DOT if separator == "." else "."

    def names(self) -> list[str]:
        """The names, sorted."""
        separator, lines = self._read()
        found = {self._name(line, separator) for line in lines}
        return sorted(name for name in found if name is not None)

    def lines(self) -> list[tuple[bytes, str | None]]:
        """Each line, and its name; None for a line that names nothing."""
        separator, lines = self._read()
        return [(line, self._name(line, separator)) for line in lines]

    def remove_doubles(self) -> None:
        """Of lines that name one mailbox only the first stays."""
        self._rewrite(self._firsts)

    def add(self, *names: str) -> None:
        """Put names in, all at once."""
        known = self.names()
        new = dict.fromkeys(name for name in names if name not in known)
        if new:
            self._rewrite(
                lambda lines, separator: [
                    *lines,
                    *[self._line(name, separator) for name in new],
                ]
            )

    def remove(self, name: str) -> None:
        """Take a name out."""
        if name in self.names():
            self._rewrite(
                lambda lines, separator: [
                    line for line in lines if line != self._line(name, separator)
                ]
            )

    def _read(self) -> tuple[str, list[bytes]]:
        try:
            with translated(f"read {self._path}"):
                fd = open_to_read(self._path)
        except FileNotFoundError:
            return "\t", []
        with open(fd, "rb") as file, translated(f"read {self._path}"):
            octets = file.read(_OCTETS_MAX)
        if octets.startswith(_HEADER):
            return "\t", _lines(octets[len(_HEADER) :])
        return self._separator, _lines(octets)

    def _rewrite(self, change: Callable[[list[bytes], str], list[bytes]]) -> None:
        with locked(self._lock, self._host):
            separator, lines = self._read()
            lines = change(lines, separator)
            header = _HEADER if separator == "\t" else b""
            octets = header + b"".join([line + b"\n" for line in lines])
            with translated(f"write {self._path}"):
                self._host.disk.replace_file(self._path, octets)

    def _firsts(self, lines: list[bytes], separator: str) -> list[bytes]:
        known: dict[str | bytes, bytes] = {}
        for line in lines:
            known.setdefault(self._name(line, separator) or line, line)
        return list(known.values())

    def _line(self, name: str, separator: str) -> bytes:
        levels = []
        for level in name.split("/"):
            parts = [encode(part).decode("ascii") for part in level.split(".")]
            levels.append(self._dot.join(parts))
        return separator.join(levels).encode("ascii")

    def _name(self, line: bytes, separator: str) -> str | None:
        try:
            levels = []
            for level in line.decode("ascii").split(separator):
                parts = level.split(self._dot)
                levels.append(".".join([read_level(part.encode()) for part in parts]))
        except (UnicodeError, ProtocolSyntaxError):
            return None
        return "/".join(levels)


def _lines(octets: bytes) -> list[bytes]:
    return [line for line in octets.split(b"\n") if line]
