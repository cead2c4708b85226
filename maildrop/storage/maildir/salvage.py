"""What the files of a Maildir say, where the ledger's snapshot is damaged.

In this file:
    Files    fills columns that are lost from names and files

``index.salvage`` says which columns, and why that is safe: a name that was damaged is
no file's, so an entry whose name is one is the entry of that file.
"""

import os
from collections.abc import Iterator

from maildrop.durable import open_to_read, translated
from maildrop.storage.index.salvage import keep_rows
from maildrop.storage.index.table import IndexTable
from maildrop.storage.maildir.folder import MESSAGE_MAX, Folder
from maildrop.storage.maildir.names import (
    IN_NEW,
    Letters,
    base_of,
    sizes,
    staged_name,
)


class Files:
    """The files of one Maildir; called with a table it fills what is lost.

    Args:
        folder: The directories.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def __call__(self, table: IndexTable) -> None:
        """See ``index.salvage.Derive``."""
        places = dict(self._places())
        names = table.names.all()
        if table.lost & {"name", "names"}:
            rows = _unambiguous(names, {*places, *self._staged(names)})
            keep_rows(table, rows)
            names = [names[row] for row in rows]
        letters = Letters(table.keyword_names)
        for row, name in enumerate(names):
            if name in places:
                self._fill(table, row, name, places[name], letters)

    def _places(self) -> Iterator[tuple[bytes, tuple[bytes, int]]]:
        for listed, mark in (
            (self._folder.list_new(), IN_NEW),
            (self._folder.list_cur(), 0),
        ):
            for name in listed:
                yield base_of(name), (name, mark)

    def _staged(self, names: list[bytes]) -> set[bytes]:
        """Those whose message is still in tmp/."""
        with translated(f"list {self._folder.tmp}"):
            there = set(os.listdir(os.fsencode(self._folder.tmp)))
        return {name for name in names if staged_name(name) in there}

    def _fill(
        self,
        table: IndexTable,
        row: int,
        base: bytes,
        place: tuple[bytes, int],
        letters: Letters,
    ) -> None:
        lost = table.lost
        name, mark = place
        if lost & {"flags", "keywords"}:
            known = 0 if "keywords" in lost else table.keywords[row]
            flags, keywords, _ = letters.parse(name, known)
            table.flags[row] = flags | mark
            table.keywords[row] = keywords
        if lost & {"size", "date"}:
            facts = self._folder.facts(name, mark)
            if facts is None:
                return
            if "date" in lost:
                table.dates[row] = int(facts.st_mtime)
            if "size" in lost:
                table.sizes[row] = self._size(name, mark, base, facts.st_size)

    def _size(self, name: bytes, mark: int, base: bytes, length: int) -> int:
        """The size of a message: as its name says, else as it is found."""
        file_size, size = sizes(base)
        if size is not None and file_size == length:
            return size
        path = f"{self._folder.new if mark else self._folder.cur}/{os.fsdecode(name)}"
        with translated(f"read {path}"), open(open_to_read(path), "rb") as file:
            octets = file.read(MESSAGE_MAX)
        lines, returns = octets.count(b"\n"), octets.count(b"\r\n")
        if size is None and file_size == length and returns == lines:
            return length  # kept with its CRLFs
        return length + lines - returns


def _unambiguous(names: list[bytes], there: set[bytes]) -> list[int]:
    """The rows whose name is a file's, and theirs alone."""
    times: dict[bytes, int] = {}
    for name in names:
        times[name] = times.get(name, 0) + 1
    return [row for row, name in enumerate(names) if name in there and times[name] == 1]
