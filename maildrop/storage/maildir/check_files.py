"""What lies in the directories of one Maildir against what its ledger says.

Other programs change a Maildir whenever they like, and the ledger is brought up to that
when somebody next looks; until then the two differ, and that is no damage.  The ledger
notes the times of the directories that it agrees with (``state``): only where these are
the times that the directories have, before and after they are listed, is a difference
one that nobody would ever see.

In this file:
    Listing          the files in new/ and cur/, by base name
    examine_files    what is wrong with files and entries
    expected_path    where the file of a row should be
"""

import os
import stat
from collections.abc import Iterator, Sequence
from typing import Final

from maildrop.storage.findings import Code, Finding, shown
from maildrop.storage.index.check_control import Control
from maildrop.storage.index.host import Host
from maildrop.storage.index.table import IndexTable
from maildrop.storage.maildir.folder import MESSAGE_MAX
from maildrop.storage.maildir.names import IN_NEW, Letters, base_of, staged_name
from maildrop.storage.maildir.reconcile import note_of
from maildrop.storage.maildir.scan import NEW, split
from maildrop.storage.maildir.state import Known, Times

#: Codes that one more look of the mailbox puts right.
BY_LOOKING: Final = frozenset(
    {
        Code.LEDGER_FLAGS_WRONG,
        Code.ENTRY_WITHOUT_FILE,
        Code.FILE_WITHOUT_ENTRY,
        Code.DELIVERY_UNFINISHED,
        Code.NAME_DOUBLED,
        Code.NAME_LINKED_TWICE,
    }
)


class Listing:
    """The files in new/ and cur/.

    Attributes:
        path: The Maildir.
        by_base: Base name -> path (a name in cur/, or NEW and a name in new/).
        doubled: Further paths of base names that have one.
        nameless: Paths without a base name.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.by_base: dict[bytes, bytes] = {}
        self.doubled: list[bytes] = []
        self.nameless: list[bytes] = []
        self._before = self._times()
        # new/ first: files go from there to cur/, and must not slip by.
        for directory, mark in ((b"new", NEW), (b"cur", b"")):
            for name in _names(os.path.join(os.fsencode(path), directory)):
                self._add(mark + name)

    def _add(self, path: bytes) -> None:
        base = base_of(split(path)[0])
        if not base:
            self.nameless.append(path)
        elif base in self.by_base:
            self.doubled.append(path)
        else:
            self.by_base[base] = path

    def file(self, path: bytes) -> str:
        """The path in the file system."""
        name, mark = split(path)
        return f"{self.path}/{'new' if mark else 'cur'}/{os.fsdecode(name)}"

    def _times(self) -> Times:
        try:
            new, cur = os.stat(f"{self.path}/new"), os.stat(f"{self.path}/cur")
        except OSError:
            return 0, 0
        return new.st_mtime_ns, cur.st_mtime_ns

    def agrees(self, table: IndexTable, host: Host) -> bool:
        """Whether the ledger claims to agree with what was listed."""
        known = Known(host)
        known.take(table.source)
        return known.settled and known.times == self._before == self._times()


def _names(directory: bytes) -> list[bytes]:
    try:
        listed = os.listdir(directory)
    except OSError:
        return []
    # Maildir: names that begin with a dot are nobody's messages.
    return [name for name in listed if not name.startswith(b".")]


def expected_path(table: IndexTable, letters: Letters, row: int) -> bytes:
    """Where the file of a row should be."""
    flags = table.flags[row]
    mark = NEW if flags & IN_NEW else b""
    noted = table.notes.get(note_of(table.uids[row])) if table.notes else None
    if noted is not None and NEW not in noted:
        return mark + noted
    name = table.names.name(row)
    return mark + name if mark else name + letters.end(flags, table.keywords[row])


def examine_files(control: Control, listing: Listing, host: Host) -> Iterator[Finding]:
    """What is wrong with files and entries.

    Args:
        control: The ledger.
        listing: The files.
        host: For what the ledger says of the directories' times.
    """
    found = _Files(control.mailbox, listing)
    yield from found.nameless()
    yield from found.doubled()
    table = control.table
    names = [] if table is None else table.names.all()
    known: dict[bytes, int] = {}
    for row, name in enumerate(names):
        if known.setdefault(name, row) != row and table is not None:
            yield Finding(
                Code.NAME_IN_LEDGER_TWICE,
                control.mailbox,
                f"UID {table.uids[known[name]]} has it, too",
                listing.file(name),
                table.uids[row],
            )
    if table is not None:
        yield from found.entries(table, names, agrees=listing.agrees(table, host))
    agrees = table is not None and listing.agrees(table, host)
    for base, path in listing.by_base.items():
        if base not in known:
            yield from found.unknown(path, agrees=agrees)


class _Files:
    """Makes findings of files."""

    def __init__(self, mailbox: str, listing: Listing) -> None:
        self._mailbox = mailbox
        self._listing = listing

    def _found(
        self, code: Code, path: bytes, evidence: str, uid: int | None = None
    ) -> Finding:
        file = self._listing.file(path)
        what = shown(path) if uid is None else ""
        return Finding(code, self._mailbox, evidence, file, uid, what)

    def nameless(self) -> Iterator[Finding]:
        """Files whose name is flags alone."""
        for path in self._listing.nameless:
            yield self._found(Code.FOREIGN_FILE, path, "its name has no base name")

    def doubled(self) -> Iterator[Finding]:
        """Several files with one base name; both have to be there."""
        for path in self._listing.doubled:
            first = self._listing.by_base[base_of(split(path)[0])]
            here, there = self._facts(path), self._facts(first)
            if here is None or there is None:
                continue
            if not (stat.S_ISREG(here.st_mode) and stat.S_ISREG(there.st_mode)):
                continue
            one = (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
            code = Code.NAME_LINKED_TWICE if one else Code.NAME_DOUBLED
            evidence = f"as {shown(first)}: inode {there.st_ino}, here {here.st_ino}"
            yield self._found(code, path, evidence)

    def _facts(self, path: bytes) -> os.stat_result | None:
        try:
            return os.lstat(self._listing.file(path))
        except OSError:
            return None

    def unknown(self, path: bytes, *, agrees: bool) -> Iterator[Finding]:
        """A file that the ledger does not have."""
        facts = self._facts(path)
        if facts is None:
            return
        if not stat.S_ISREG(facts.st_mode):
            kind = stat.filemode(facts.st_mode)[0]
            evidence = f"it is a {kind!r} of ls(1)"
            yield self._found(Code.FOREIGN_FILE, path, evidence)
        elif facts.st_size > MESSAGE_MAX:
            evidence = f"it has {facts.st_size} octets"
            yield self._found(Code.MESSAGE_TOO_LARGE, path, evidence)
        elif agrees:
            evidence = f"{facts.st_size} octets, and no entry of the ledger"
            yield self._found(Code.FILE_WITHOUT_ENTRY, path, evidence)

    def entries(
        self, table: IndexTable, names: Sequence[bytes], *, agrees: bool
    ) -> Iterator[Finding]:
        """Entries that have no file, or one that says something else."""
        letters = Letters(table.keyword_names)
        by_base = self._listing.by_base
        staging = "/".join((self._listing.path, "tmp"))
        for row, name in enumerate(names):
            uid = table.uids[row]
            path = by_base.get(name)
            if path is None:
                staged = f"{staging}/{os.fsdecode(staged_name(name))}"
                if os.path.lexists(staged):
                    evidence = f"it is {staged}"
                    yield self._found(Code.DELIVERY_UNFINISHED, name, evidence, uid)
                elif agrees:
                    evidence = (
                        f"nothing has that base name; {table.sizes[row]} octets were "
                        "there"
                    )
                    yield self._found(Code.ENTRY_WITHOUT_FILE, name, evidence, uid)
            elif agrees and path != (wanted := expected_path(table, letters, row)):
                evidence = f"it is {shown(path)}, the ledger says {shown(wanted)}"
                yield self._found(Code.LEDGER_FLAGS_WRONG, path, evidence, uid)
