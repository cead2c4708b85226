"""Files that are looked at for the first time, many in one go.

In this file:
    Arrivals    files whose names say all that is to be known, as columns
    arrivals    those at the start of some files

Such a file has the sizes in its name, letters in the order in which we would write
them, and is as large as its name says.  Anything else ends the run and is looked at
alone (``reconcile``).  When a Maildir of another program is opened for the first time,
nearly all of its files are such.
"""

import re
from array import array
from collections.abc import Container, Iterator
from typing import Final

from maildrop.storage.index.columns import I64, U32
from maildrop.storage.maildir.folder import INODE_BITS, Folder
from maildrop.storage.maildir.names import PLAIN_ENDS
from maildrop.storage.maildir.scan import split

#: Sizes of file and message; more digits than these are looked at twice.
_NAME: Final = re.compile(rb"[^,:/]+,S=(\d{1,9}),W=(\d{1,9})(?::2,[A-Z]*)?")
#: Flags by the end of a name.
_FLAGS: Final = {PLAIN_ENDS[flags]: flags for flags in range(32)}

#: Base name and path.
File = tuple[bytes, bytes]


class Arrivals:
    """Some files, in the order given.

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
        self.inodes: list[int] = []


def arrivals(
    folder: Folder, files: Iterator[File], others: Container[bytes]
) -> tuple[Arrivals, File | None] | None:
    """Files whose names say all, up to the first other one.

    Args:
        folder: Where they are.
        files: Are taken from here, with the one that ends the run.
        others: Base names of files that end a run, whatever they say.

    Returns:
        The run, and the file behind it; None when there are no more files.
    """
    run = Arrivals()
    add_size, add_date, add_flags = run.sizes.append, run.dates.append, run.flags.append
    add_name, add_inode = run.names.append, run.inodes.append
    says, facts_of = _NAME.fullmatch, folder.facts
    for base, path in files:
        name, mark = split(path)
        end = name[len(base) :]
        # In new/ no flags follow the base name.
        flags = (None if end else mark) if mark else _FLAGS.get(end)
        said = says(name)
        if said is None or flags is None or base in others:
            return run, (base, path)
        facts = facts_of(name, mark)
        if facts is None or facts.st_size != int(said[1]):
            return run, (base, path)
        add_size(int(said[2]))
        add_date(int(facts.st_mtime))
        add_flags(flags)
        add_name(base)
        add_inode(facts.st_ino & INODE_BITS or 1)
    return (run, None) if run.names else None
