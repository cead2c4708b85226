"""Small files with a mailbox name a line: subscriptions, special use.

In this file:
    NameList    one such file

Format: the name in modified UTF-7, levels joined by "/"; after a tab, if there is one,
what is said of it.  A missing file is an empty list.  It is changed under a lock
(FILE.lock) and replaced whole.
"""

import os
from collections.abc import Callable, Sequence

from maildrop.durable import open_to_read, translated
from maildrop.errors import ProtocolSyntaxError
from maildrop.imap.wire.mailbox_name import decode, encode
from maildrop.storage.index.host import Host
from maildrop.storage.index.locks import locked

Pairs = list[tuple[str, str]]


class NameList:
    """A file of names.

    Args:
        path: The file; its directory exists before anything is added.
        host: Disk, and the longest wait for the lock.
        octets_max: A longer file is not read to its end.
    """

    def __init__(self, path: str, host: Host, octets_max: int = 1 << 22) -> None:
        self._path = path
        self._host = host
        self._octets_max = octets_max

    def exists(self) -> bool:
        """Whether anything was ever put in."""
        return os.path.exists(self._path)

    def pairs(self) -> Pairs:
        """Names and what is said of them, in the order they were added."""
        return [pair for _, pair in self.lines() if pair is not None]

    def lines(self) -> list[tuple[bytes, tuple[str, str] | None]]:
        """Each line, and its name with what is said; None for one that is no name."""
        try:
            with translated(f"read {self._path}"):
                fd = open_to_read(self._path)
        except FileNotFoundError:
            return []
        with open(fd, "rb") as file, translated(f"read {self._path}"):
            lines = file.read(self._octets_max).split(b"\n")
        return [(line, _pair(line)) for line in lines if line]

    def keep(self, wanted: Callable[[tuple[str, str]], bool]) -> None:
        """Keep the wanted ones of the names, each once, and nothing else."""
        self._change(lambda pairs: list(dict.fromkeys(filter(wanted, pairs))))

    def add(self, name: str, said: str = "") -> None:
        """Add a name, or say something else of it."""
        self.add_all([(name, said)])

    def add_all(self, new: Sequence[tuple[str, str]]) -> None:
        """Add names, or say something else of them, all at once."""

        def added(pairs: Pairs) -> Pairs:
            for name, _ in new:
                pairs = _without(pairs, name)
            return [*pairs, *new]

        self._change(added)

    def remove(self, name: str) -> None:
        """Take a name out."""
        if any(name == known for known, _ in self.pairs()):
            self._change(lambda pairs: _without(pairs, name))

    def _change(self, change: Callable[[Pairs], Pairs]) -> None:
        with locked(f"{self._path}.lock", self._host):
            pairs = change(self.pairs())
            lines = [
                encode(name) + (b"\t" + said.encode("ascii") if said else b"") + b"\n"
                for name, said in pairs
            ]
            with translated(f"write {self._path}"):
                self._host.disk.replace_file(self._path, b"".join(lines))


def _without(pairs: Pairs, name: str) -> Pairs:
    return [(known, said) for known, said in pairs if known != name]


def _pair(line: bytes) -> tuple[str, str] | None:
    octets, _, said = line.partition(b"\t")
    try:
        return (decode(octets), said.decode("ascii", "replace")) if octets else None
    except ProtocolSyntaxError:
        return None
