"""Bringing the table up to what is in the directories.

``scan`` has what is found and what it is taken for; ``state`` has when to look.

In this file:
    Reconciler    looks, compares, and writes what is different into the ledger

All of it happens with the ledger locked and the log read to its end, so nothing of ours
is under way meanwhile: neither in this process nor in another.
"""

import contextlib
from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Final

from twisted.logger import Logger

from maildrop.durable import translated
from maildrop.errors import KeywordLimit, StorageFailure
from maildrop.mailbox.marked import Marked
from maildrop.storage.index.batch import Batch
from maildrop.storage.index.columns import U32
from maildrop.storage.index.fragments import Fragments, cacheable
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.maildir.arriving import Arrivals, arrivals
from maildrop.storage.maildir.contents import Contents, Mark, written
from maildrop.storage.maildir.delivery import finish
from maildrop.storage.maildir.folder import INODE_BITS, Folder
from maildrop.storage.maildir.keywords import named_letters
from maildrop.storage.maildir.names import (
    FORWARDED,
    IN_NEW,
    PLAIN_ENDS,
    Letters,
    base_of,
    new_base,
    sizes,
)
from maildrop.storage.maildir.scan import NEW, Findings, compare, split
from maildrop.storage.maildir.staging import PREPARE_MAX
from maildrop.storage.maildir.state import Known, Times

RowOf = Callable[[Collection[bytes]], dict[bytes, int]]

_MASK_NEW: Final = bytes(1 if bits & IN_NEW else 0 for bits in range(256))
#: Up to so many new files are looked up one by one when only new/ has changed.
_FEW: Final = 16
#: Up to so many new files are read whole, to be told from others later.
_READ_MAX: Final = 64
_SIZE_MAX: Final = 0xFFFFFFFF


def _is_copied(others: Sequence[int], rows: Sequence[object]) -> bool:
    """Whether so many rows have other inodes that it was the mailbox that changed."""
    return len(others) > 1 and 2 * len(others) > len(rows)


def note_of(uid: int) -> bytes:
    """The note that keeps a file name which is not as we would write it."""
    return b"name/%d" % uid


class Reconciler:
    """Keeps the table of one Maildir in step with its directories.

    Args:
        folder: The directories.
        ledger: The table and its log.
        known: The state that the table agrees with.
        pieces: What is kept of messages.
        host: Disk and clocks.

    Attributes:
        contents: What the files should hold.
    """

    _log = Logger()

    def __init__(
        self,
        folder: Folder,
        ledger: Ledger,
        known: Known,
        pieces: Fragments,
        host: Host,
    ) -> None:
        self._folder = folder
        self._ledger = ledger
        self._known = known
        self._pieces = pieces
        self._host = host
        self._letters = Letters(ledger.table.keyword_names)
        self._in_new = Marked(_MASK_NEW)
        ledger.table.followed.append(self._in_new)
        self._now = 0
        self._replaced: set[int] = set()
        self.contents = Contents(folder, ledger, pieces)
        self._inodes = self.contents.inodes

    # -- names

    def path_of(self, row: int) -> bytes:
        """Where the file of a row should be."""
        table = self._ledger.table
        flags = table.flags[row]
        if table.notes:
            noted = table.notes.get(note_of(table.uids[row]))
            if noted is not None and NEW not in noted:
                return NEW + noted if flags & IN_NEW else noted
        name = table.names.name(row)
        if flags & IN_NEW:
            return NEW + name
        return name + self._letters.end(flags, table.keywords[row])

    @property
    def has_new(self) -> bool:
        """Whether the file of any row is in new/."""
        return self._in_new.count(self._ledger.table.flags) > 0

    def rows_in_new(self, most: int = 1 << 62) -> list[int]:
        """The first rows whose file is in new/."""
        return self._in_new.rows(self._ledger.table.flags, most)

    def _paths(self, names: Sequence[bytes]) -> list[bytes]:
        """Where the files of all rows should be."""
        table = self._ledger.table
        ends = map(PLAIN_ENDS.__getitem__, table.flags)
        paths = [name + end for name, end in zip(names, ends, strict=True)]
        for row in self.rows_in_new():
            paths[row] = NEW + names[row]
        if not table.keywords.empty:
            for row, keywords in enumerate(table.keywords):
                if keywords:
                    paths[row] = self.path_of(row)
        for note in table.notes:
            if note.startswith(b"name/"):
                noted = table.row(int(note[5:]))
                if noted is not None:
                    paths[noted] = self.path_of(noted)
        return paths

    # -- looking

    def replaced(self, uids: Iterable[int]) -> None:
        """The files of these messages hold others: the next scan gives them UIDs."""
        self._replaced.update(uids)

    def scan(self, times: Times, *, whole: bool) -> None:
        """Look at the directories; the ledger is locked.

        Args:
            times: Their modification times just now.
            whole: Look at both, whatever the times say.
        """
        began = self._host.monotonic()
        if self._ledger.fresh:
            self._ledger.table.keyword_bits(
                named_letters(self._folder.path), create=True
            )
        self._inodes.follow()
        findings = None
        if self._known.needs_only_new(times) and not whole and not self._ledger.fresh:
            findings = self._look_at_new()
        only_new = findings is not None
        if findings is None:
            findings = self._look_at_both()
        batch = self._ledger.batch()
        arrived = self._write(findings, batch)
        empty = not batch
        ended = self._host.monotonic()
        self._known.scanned(times, began, ended, only_new=only_new)
        state = self._known.octets()
        if empty and state == self._ledger.table.source:
            return
        if empty:
            batch = self._ledger.batch(quiet=True)
        batch.source(state)
        self._ledger.commit(batch)
        self._ledger.begun()
        self._inodes.follow()
        self._inodes.added(arrived)

    def _look_at_new(self) -> Findings | None:
        """Only new/ has changed; None when that does not explain it."""
        rows = self.rows_in_new()
        expected = [self.path_of(row) for row in rows]
        listed = self._folder.list_new(NEW)
        findings = compare(rows, expected, listed, lambda _: {})
        names = self._ledger.table.names
        if (
            findings.missing
            or findings.doubled
            or len(findings.new) > _FEW
            or any(map(names.holds, findings.new))
        ):
            return None
        bases = [names.name(row) for row in rows]
        now = array(U32, map(listed.__getitem__, expected))
        others = self._inodes.compare(rows, bases, now)
        copied = _is_copied(others, rows)
        paths = dict(zip(rows, expected, strict=True))
        if not all(
            self.contents.is_still(row, paths[row], copied=copied) for row in others
        ):
            self._replaced.update(self._ledger.table.uids[row] for row in others)
            return None
        return findings

    def _look_at_both(self) -> Findings:
        names = self._ledger.table.names.all()

        def row_of(bases: Collection[bytes]) -> dict[bytes, int]:
            return {name: row for row, name in enumerate(names) if name in bases}

        listed = self._list()
        expected = self._paths(names)
        findings = compare(range(len(names)), expected, listed, row_of)
        if findings.missing:
            listed |= self._look_again(findings, names)
        if findings.doubled:
            self._part(findings, row_of)
        if findings.missing and findings.new:
            self._reunite(findings, names, listed)
        self._look_into(findings, names, expected, listed)
        return findings

    def _list(self) -> dict[bytes, int]:
        # new/ first: files go from there to cur/, and must not slip by.
        listed = self._folder.list_new(NEW)
        listed |= self._folder.list_cur()
        return listed

    def _look_again(
        self, findings: Findings, names: Sequence[bytes]
    ) -> dict[bytes, int]:
        """Is what was not found really gone?"""
        wanted = {names[row]: row for row in findings.missing}
        listed = self._list()
        for path in listed:
            row = wanted.get(base_of(split(path)[0]))
            if row is not None:
                findings.moved[row] = path
                findings.new.pop(names[row], None)
        missing = [row for row in findings.missing if row not in findings.moved]
        findings.missing = []
        for row in missing:
            name, mark = split(self.path_of(row))
            if not finish(self._folder, names[row], name, mark, self._host):
                findings.missing.append(row)
        return listed

    def _look_into(
        self,
        findings: Findings,
        names: Sequence[bytes],
        expected: Sequence[bytes],
        listed: Mapping[bytes, int],
    ) -> None:
        """Do files hold other messages than they did?"""
        now = array(U32, map(listed.get, expected, repeat(0)))
        for row, path in findings.moved.items():
            now[row] = listed.get(path, 0)
        table = self._ledger.table
        rows = list(self._inodes.compare(range(len(names)), names, now))
        copied = _is_copied(rows, names)
        others = {
            row
            for row in rows
            if not self.contents.is_still(
                row, findings.moved.get(row, expected[row]), copied=copied
            )
        }
        others.update(table.rows(sorted(self._replaced)))
        self._replaced.clear()
        for row in sorted(others.difference(findings.missing)):
            path = findings.moved.pop(row, expected[row])
            base = new_base(self._host)
            findings.new[base] = self._rename(path, base)
            findings.missing.append(row)
            findings.kept[base] = table.keywords[row]
        findings.missing.sort()

    def _reunite(
        self, findings: Findings, names: Sequence[bytes], listed: Mapping[bytes, int]
    ) -> None:
        """Is what is missing there under another name?  It gets its own back."""
        if len(findings.new) > _READ_MAX or len(findings.missing) > _READ_MAX:
            return
        wanted: dict[Mark, int] = {}
        for row in reversed(findings.missing):
            known = self.contents.marks(row)
            if known is not None:
                wanted[known] = row
        for base, path in sorted(findings.new.items()) if wanted else ():
            found = self._folder.read(*split(path))
            if found is None:
                continue
            marks = self.contents.marks_of(written(found[0]), found[1])
            mark = next(filter(wanted.__contains__, marks), None)
            if mark is not None:
                its = wanted.pop(mark)
                del findings.new[base]
                findings.missing.remove(its)
                findings.moved[its] = self._rename(path, names[its])
                self._inodes.numbers[its] = listed.get(path, 0)

    def _part(self, findings: Findings, row_of: RowOf) -> None:
        """Several files have one base name."""
        known = row_of({base for base, _ in findings.doubled})
        for base, path in findings.doubled:
            row = known.get(base)
            first = findings.new.get(base)
            if row is not None:
                first = findings.moved.get(row) or self.path_of(row)
            here = self._folder.facts(*split(path))
            if here is None or first is None:
                continue
            there = self._folder.facts(*split(first))
            if there is None:
                if row is not None:
                    findings.moved[row] = path
            elif (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino):
                self._remove(path)
            else:
                comma = base.find(b",")
                fresh = new_base(self._host) + (base[comma:] if comma >= 0 else b"")
                findings.new[fresh] = self._rename(path, fresh)

    def _remove(self, path: bytes) -> None:
        name, mark = split(path)
        with translated(f"remove {name!r}"), contextlib.suppress(FileNotFoundError):
            self._host.disk.unlink(name, dir_fd=self._folder.fd_of(mark))

    def _rename(self, path: bytes, base: bytes) -> bytes:
        """Give a file another base name; returns its path then."""
        name, mark = split(path)
        fresh = base + name[len(base_of(name)) :]
        fd = self._folder.fd_of(mark)
        with translated(f"rename {name!r}"), contextlib.suppress(FileNotFoundError):
            self._host.disk.rename(name, fresh, source_fd=fd, target_fd=fd)
        return NEW + fresh if mark else fresh

    # -- writing

    def _write(self, findings: Findings, batch: Batch) -> "array[int]":
        """Returns the inodes of the files that get a row."""
        changed = self._write_moved(findings.moved, batch)
        if not (changed or findings.missing or findings.new):
            batch.mod_seq = self._ledger.table.highest_mod_seq
        if findings.missing:
            uids = self._ledger.table.uids
            batch.expunge([uids[row] for row in findings.missing])
            self._forget_notes([uids[row] for row in findings.missing], batch)
        uid = self._ledger.table.uid_next
        self._now = int(self._host.clock())
        inodes = array(U32)
        keep = len(findings.new) <= _READ_MAX
        for found in arrivals(self._folder, findings.new, findings.kept):
            if isinstance(found, Arrivals):
                batch.extend(
                    uid,
                    found.sizes,
                    found.dates,
                    found.flags,
                    found.names,
                    self._now,
                )
                inodes.extend(found.inodes)
                uid += len(found.names)
                continue
            base, path = found
            before = findings.kept.get(base, 0)
            inode = self._append(uid, path, before, batch, keep=keep)
            if inode:
                inodes.append(inode)
                uid += 1
        return inodes

    def _forget_notes(self, uids: Sequence[int], batch: Batch) -> None:
        notes = self._ledger.table.notes
        if notes:
            for uid in uids:
                if note_of(uid) in notes:
                    batch.note(note_of(uid), b"")

    def _write_moved(self, moved: dict[int, bytes], batch: Batch) -> bool:
        """Whether a client would see a difference."""
        table = self._ledger.table
        changed = []
        marked = []
        for row in sorted(moved):
            name, mark = split(moved[row])
            uid = table.uids[row]
            flags, keywords = self._parse(name, table.keywords[row])
            self._note(uid, base_of(name), moved[row], flags, keywords, batch)
            if (flags, keywords) != (table.flags[row] & ~IN_NEW, table.keywords[row]):
                changed.append((uid, flags | mark, keywords))
            else:
                marked.append((uid, mark))
        if changed:
            uids, bits, words = zip(*changed, strict=True)
            batch.change_flags(uids, bytes(bits), words)
        if marked:
            batch.mark([uid for uid, _ in marked], bytes(mark for _, mark in marked))
        return bool(changed)

    def _parse(self, name: bytes, keywords: int) -> tuple[int, int]:
        flags, words, rest = self._letters.parse(name, keywords)
        if b"P" in rest:
            with contextlib.suppress(KeywordLimit):
                words |= self._ledger.table.keyword_bits([FORWARDED], create=True)
        return flags, words

    def _note(
        self,
        uid: int,
        base: bytes,
        path: bytes,
        flags: int,
        keywords: int,
        batch: Batch,
    ) -> None:
        """Remember a file name that is not as we would write it."""
        name, mark = split(path)
        usual = base if mark else base + self._letters.end(flags, keywords)
        noted = self._ledger.table.notes.get(note_of(uid), b"")
        wanted = b"" if name == usual else name
        if noted != wanted:
            batch.note(note_of(uid), wanted)

    def _append(
        self, uid: int, path: bytes, before: int, batch: Batch, *, keep: bool
    ) -> int:
        """Add a file that is not known.

        Args:
            uid: Its UID.
            path: Where it is.
            before: Keywords of the message that it was.
            batch: Takes it.
            keep: Keep pieces of a message that has to be read.

        Returns:
            Its inode; 0 if it is no message.
        """
        name, mark = split(path)
        base = base_of(name)
        facts = self._folder.facts(name, mark)
        if facts is None:
            return 0
        file_size, size = sizes(base)
        modified, offset = int(facts.st_mtime), 0
        if size is None or file_size != facts.st_size:
            try:
                found = self._folder.read(name, mark)
            except StorageFailure as error:
                self._log.warn("message passed over: {error}", error=str(error))
                return 0
            if found is None:
                return 0
            octets, modified = written(found[0]), found[1]
            size = len(octets)
            if keep and size <= PREPARE_MAX:
                (offset,) = self._pieces.keep([uid], [cacheable(octets)])
        flags, keywords = 0, before
        if name != base:
            flags, keywords = self._parse(name, before)
        if not mark or name != base:
            self._note(uid, base, path, flags, keywords, batch)
        batch.append(
            uid,
            min(size, _SIZE_MAX),
            modified,
            flags | mark,
            keywords,
            base,
            saved=self._now,
            cache=offset,
        )
        return facts.st_ino & INODE_BITS or 1
