"""Files that are looked at for the first time, all in one go.

In this file:
    Arrivals    files whose names say all that is to be known, as columns
    arrivals    files in the order in which they get UIDs

Such a file has the sizes in its name, letters in the order in which we would write
them, and is as large as its name says.  Anything else stands by itself, and is looked
at alone (``reconcile``).  When a Maildir of another program is opened for the first
time, nearly all of its files are such.
"""

import re
from array import array
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Final

from maildrop.storage.index.columns import I64, U32
from maildrop.storage.maildir.folder import INODE_BITS, Folder
from maildrop.storage.maildir.names import PLAIN_ENDS, moment, order
from maildrop.storage.maildir.scan import split

#: Time of delivery, sizes of file and message, flags; more digits than these are looked
#: at twice.
_NAME: Final = re.compile(
    rb"(\d{1,19})\.(?:M(\d{1,9}))?"
    rb"[^,:/]*+,S=(\d{1,9}),W=(\d{1,9})(:2,[A-Z]*)?"
)
#: Flags by the end of a name.
_FLAGS: Final = {PLAIN_ENDS[flags]: flags for flags in range(32)}

#: Base name and path.
File = tuple[bytes, bytes]


class Arrivals:
    """Some files, in the order of their UIDs.

    Attributes:
        sizes, dates, flags, names: As in ``IndexTable``.
        inodes: As ``Folder`` lists them.
    """

    __slots__ = ("dates", "flags", "inodes", "names", "sizes")

    def __init__(self) -> None:
        self.sizes = array(U32)
        self.dates = array(I64)
        self.flags = bytearray()
        self.names: list[bytes] = []
        self.inodes = array(U32)

    def of(self, rows: Sequence[int]) -> "Arrivals":
        """Some of them, in this order."""
        some = Arrivals()
        some.sizes.extend(map(self.sizes.__getitem__, rows))
        some.dates.extend(map(self.dates.__getitem__, rows))
        some.flags.extend(map(self.flags.__getitem__, rows))
        some.names.extend(map(self.names.__getitem__, rows))
        some.inodes.extend(map(self.inodes.__getitem__, rows))
        return some


def arrivals(
    folder: Folder, files: Mapping[bytes, bytes], others: Container[bytes]
) -> Iterator[Arrivals | File]:
    """Files in the order in which they get UIDs.

    Args:
        folder: Where they are.
        files: Base name -> path, as listed: looking them up in any other order takes
            a third more.
        others: Base names of files that stand by themselves, whatever they say.

    Yields:
        Runs of files whose names say all, and the files between them.
    """
    seen, moments, apart = _looked_at(folder, files, others)
    # Names of one moment stand in the order of their octets.
    rows = sorted(range(len(moments)), key=seen.names.__getitem__)
    rows.sort(key=moments.__getitem__)
    ends = [at for at, row in enumerate(rows) if row in apart] if apart else []
    start = 0
    for end in ends:
        if start < end:
            yield seen.of(rows[start:end])
        yield seen.names[rows[end]], apart[rows[end]]
        start = end + 1
    if start < len(rows):
        yield seen.of(rows[start:])


def _looked_at(
    folder: Folder, files: Mapping[bytes, bytes], others: Container[bytes]
) -> tuple[Arrivals, list[int], dict[int, bytes]]:
    """All files in the order given, their moments, and paths of those apart by row."""
    seen = Arrivals()
    moments: list[int] = []
    apart: dict[int, bytes] = {}
    add_size, add_date = seen.sizes.append, seen.dates.append
    add_flags, add_inode = seen.flags.append, seen.inodes.append
    add_moment = moments.append
    says, facts_of = _NAME.fullmatch, folder.facts
    for base, path in files.items():
        name, mark = split(path)
        said = says(name)
        facts = flags = None
        if said is not None and base not in others:
            seconds, micros, size, with_crlf, end = said.groups()
            # In new/ no flags follow the base name.
            flags = (None if end else mark) if mark else _FLAGS.get(end)
            facts = None if flags is None else facts_of(name, mark)
        if facts is None or flags is None or facts.st_size != int(size):
            apart[len(moments)] = path
            add_moment(order(base)[0])
            add_size(0)
            add_date(0)
            add_flags(0)
            add_inode(0)
            continue
        add_moment(moment(seconds, micros))
        add_size(int(with_crlf))
        add_date(int(facts.st_mtime))
        add_flags(flags)
        add_inode(facts.st_ino & INODE_BITS or 1)
    seen.names.extend(files)
    return seen, moments, apart
