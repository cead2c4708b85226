r"""What the directories hold against what the table says.

Other programs deliver, read, flag, move and delete in a Maildir whenever they like, and
none of them asks for a lock.  What is found, and what is made of it:

    found                                      taken as
    a file whose base name is not known        a new message; UIDs are given in order of
                                               the times in the names
    a known one in cur/ with other letters     its flags were changed
    a known one in the other directory         it was moved (new/ to cur/: some client
                                               has seen it; cur/ to new/: marked new)
    a known one nowhere, but in tmp/           a delivery of ours that a crash stopped:
                                               finished
    a known one nowhere, twice over            it was deleted, unless a new file holds
                                               the same message (by its digest): that
                                               gets the name back
    a known one with another inode, and        another message: ``contents``
    other octets in it
    one base name in two files that are one    a move by link and unlink that a crash
    (hard links)                               stopped: the one in new/, or the one we
                                               do not know, is removed
    one base name in two different files       a copy from a backup: it gets a new name,
                                               and so is a new message
    something that is no regular file, or one  nothing
    that is too large to be read

Listing a directory while files in it are renamed may show a file under both names or
under none (POSIX leaves that open).  So "under none" is believed only when a second
listing of both directories, made afterwards, says the same; and "both" only when both
names can be looked up.

Listing is cheap (0.5 us a name), looking at a file is not (2 us): a file is looked at
once, when it is new.  All comparing is done by sets of whole names; names that are as
expected cost nothing more.

Rejected: remembering all names in a set (100 octets a message), and a stat of each file
to find changed ones (messages do not change).

In this file:
    Findings    what is different
    compare     find it
    split       a path as name and directory
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from maildrop.storage.maildir.names import IN_NEW, base_of

#: Names put into a set at once: no other thread runs meanwhile.
_PIECE: Final = 1 << 14
#: Stands before the names of files in new/; no name has it.
NEW: Final = b"/"


def split(path: bytes) -> tuple[bytes, int]:
    """A file's name, and IN_NEW or 0."""
    return (path[1:], IN_NEW) if path.startswith(NEW) else (path, 0)


@dataclass(slots=True)
class Findings:
    """What is different from the table.

    A path is a name in cur/, or a name in new/ after NEW.

    Attributes:
        moved: Row -> path where its file is now.
        missing: Rows whose file was not found, ascending.
        new: Base name -> path of files that are not known.
        doubled: Paths of files whose base name has a file already.
        kept: Base name -> keyword bits, of new ones that were another message before.
    """

    moved: dict[int, bytes] = field(default_factory=dict)
    missing: list[int] = field(default_factory=list)
    new: dict[bytes, bytes] = field(default_factory=dict)
    doubled: list[tuple[bytes, bytes]] = field(default_factory=list)
    kept: dict[bytes, int] = field(default_factory=dict)


def compare(
    rows: Sequence[int],
    expected: Sequence[bytes],
    listed: Mapping[bytes, int],
    row_of: Callable[[Collection[bytes]], dict[bytes, int]],
) -> Findings:
    """Compare the table with the directories.

    Args:
        rows: The rows that should be in the directories listed.
        expected: Path of each.
        listed: What is there, each once.
        row_of: Gives the rows of those base names that are known.
    """
    findings = Findings()
    if not expected:
        findings.new = {
            path.partition(b":")[0].removeprefix(NEW): path for path in listed
        }
        if len(findings.new) == len(listed) and b"" not in findings.new:
            return findings
        findings.new.clear()
    lost = {row for row, path in zip(rows, expected, strict=True) if path not in listed}
    if not lost and len(listed) == len(expected):
        return findings
    wanted: set[bytes] = set()
    for at in range(0, len(expected), _PIECE):
        wanted.update(expected[at : at + _PIECE])
    surplus = {path for path in listed if path not in wanted}
    known = row_of({base_of(split(path)[0]) for path in surplus})
    for path in sorted(surplus):
        base = base_of(split(path)[0])
        row = known.get(base)
        if row in lost:
            lost.discard(row)
            findings.moved[row] = path
        elif row is not None or base in findings.new:
            findings.doubled.append((base, path))
        elif base:
            findings.new[base] = path
    findings.missing = sorted(lost)
    return findings
