r"""Whether a file still holds the message that it was.

Messages of a Maildir do not change, but their files do: ``sed -i`` puts another file in
the place of one, ``truncate`` and an editor write into it.  A UID must never name two
contents (RFC 3501 section 2.3.1.1), so such a file is another message: the old one is
expunged, and the file gets a name, a UID and a POP3 unique id of its own, and keeps its
flags and keywords.  A backup that is put back, or a ``touch``, on the other hand, gives
a file another inode or another time and leaves the message as it was.

What may be known of a message: its size, its modification time (INTERNALDATE, as every
file had it when it became known), its digest (in the cache, once it was taken apart),
and, in a process that has listed the directory before, its inode.

    seen in    the file has                  taken as
    reading    another size, and no name     another message
               that explains it
               the same size and time        the same
               the same size, another time   what the digest says; without one the same:
                                             nobody was told a piece of the message
    listing    the inode that it had         the same: it is not opened
               another inode                 what the digest says; without one the same
                                             if size and time are, and it was given the
                                             time later, as copied files are; or if most
                                             files have other inodes: a mailbox copied

Messages restored from a backup: a file that is back before anybody looked is the
message that it was, with its UID, if it holds the same; so is one that came back under
another name while the old one is missing.  A message that was seen to be gone is
expunged, and from then on every session may have told so; its UID cannot come back,
because UIDs ascend in the order in which messages appear.  Restored later, it is a new
message with a new UID; under its old name it has its old POP3 unique id.

Limits: an edit in place, to the same length and within the second in which the message
was written, is not seen; nor is one to the same length of a message that was never
taken apart (or of its body, when only its header was), while no process has the mailbox
open.

In this file:
    Contents    tells whether it is the same
    Inodes      the inode of each row's file
    written     the message in a file that is not known
"""

import re
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from maildrop.mailbox.column import cut
from maildrop.mailbox.marked import Follower
from maildrop.mailbox.table import MessageTable
from maildrop.message.header import header_end
from maildrop.storage.index.columns import U32
from maildrop.storage.index.fragments import DIGEST, HEADER_DIGEST, Fragments, digest
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.maildir.folder import INODE_BITS, Folder, canonical, with_crlf
from maildrop.storage.maildir.names import sizes
from maildrop.storage.maildir.scan import split

#: So many inodes are looked up in names; more are taken as they are found.
_NAMED_MAX: Final = 64
#: Seconds from writing to the last change of the inode: more, and it is a copy.
_COPIED_LATER: Final = 2.0
#: What tells a message from others.
Mark = tuple[bytes] | tuple[bytes, int, int]
_INODE: Final = re.compile(rb"V[0-9A-F]+I([0-9A-F]+)Q")


class Contents:
    """Knows what the files of a mailbox should hold.

    Args:
        folder: The directories.
        ledger: Sizes and dates.
        pieces: The digests.

    Attributes:
        inodes: The inode of each row's file.
    """

    __slots__ = ("_folder", "_ledger", "_pieces", "inodes")

    def __init__(self, folder: Folder, ledger: Ledger, pieces: Fragments) -> None:
        self._folder = folder
        self._ledger = ledger
        self._pieces = pieces
        self.inodes = Inodes(ledger.table)

    def digest(self, row: int) -> bytes:
        """The digest of a row's message; empty when it is not known."""
        return self._piece(row, DIGEST)

    def marks(self, row: int) -> Mark | None:
        """By what a row's message is known again; None when too little is known of it.

        Where only the header was ever read, it is known by that with its size and time.
        """
        known = self.digest(row)
        if known:
            return (known,)
        known = self._piece(row, HEADER_DIGEST)
        table = self._ledger.table
        return (known, table.sizes[row], table.dates[row]) if known else None

    @staticmethod
    def marks_of(message: bytes, modified: int) -> tuple[Mark, Mark]:
        """By what a message in a file may be known.

        Args:
            message: The message.
            modified: When the file was last written, seconds since 1970 UTC.
        """
        _, end = header_end(message, 0, len(message))
        header = digest(message[:end])
        return (digest(message),), (header, len(message), modified)

    def _piece(self, row: int, key: bytes) -> bytes:
        cache = self._pieces.cache
        number = cache.key_number(key)
        return b"" if number is None else cache.pieces(number, (row,))[0]

    def _holds(self, row: int, message: bytes) -> bool | None:
        """Whether it is the message of a row by its digest; None if that is not known.

        Where only the header was ever read, another header is another message.
        """
        known = self.digest(row)
        if known:
            return known == digest(message)
        known = self._piece(row, HEADER_DIGEST)
        _, end = header_end(message, 0, len(message))
        return False if known and known != digest(message[:end]) else None

    def is_same(self, row: int, octets: bytes, modified: int, message: bytes) -> bool:
        """Whether a file that was read is the message of a row.

        Args:
            row: The row.
            octets: What the file holds.
            modified: When it was last written, seconds since 1970 UTC.
            message: ``octets`` as they are sent.
        """
        table = self._ledger.table
        if len(message) == table.sizes[row]:
            if modified == table.dates[row]:
                return True
        elif sizes(table.names.name(row)) != (len(octets), table.sizes[row]):
            return False
        return self._holds(row, message) is not False

    def is_still(self, row: int, path: bytes, *, copied: bool = False) -> bool:
        """Whether a file that has another inode than before is the message of a row.

        One that cannot be read just now is taken to be.

        Args:
            row: The row.
            path: Where the file is.
            copied: Most files of the mailbox have other inodes.
        """
        found = self._folder.read(*split(path))
        if found is None:
            return True
        octets, modified = found
        table = self._ledger.table
        message = canonical(octets, table.sizes[row])
        held = self._holds(row, message)
        if held is not None:
            return held
        if modified != table.dates[row] or not (copied or self._is_older(path)):
            return False
        return self.is_same(row, octets, modified, message)

    def _is_older(self, path: bytes) -> bool:
        """Whether a file has a time from before it was made: it was copied."""
        facts = self._folder.facts(*split(path))
        return facts is None or facts.st_ctime - facts.st_mtime >= _COPIED_LATER


class Inodes(Follower):
    """Which file each row had when the directories were last listed.

    Args:
        table: Whose rows; they are followed when some are removed.

    Attributes:
        numbers: u32 by row, low bits of the inode; 0 when that is not known.
    """

    __slots__ = ("_table", "numbers")

    def __init__(self, table: MessageTable) -> None:
        self._table = table
        self.numbers: array[int] = array(U32)
        table.followed.append(self)

    def follow(self) -> None:
        """Have a number for each row; nothing is known of those that came."""
        self.numbers.frombytes(bytes(4 * (len(self._table) - len(self.numbers))))

    def met(self, row: int, inode: int) -> bool:
        """Whether a file that was opened is the one known; one is known from then."""
        if row >= len(self.numbers):
            self.follow()
        was = self.numbers[row]
        if not was:
            self.numbers[row] = inode
        return was in {0, inode}

    def removing(self, rows: Sequence[int], flags: bytearray) -> None:
        """Rows (ascending) are about to be removed."""
        del flags
        cut(self.numbers, rows[: bisect_left(rows, len(self.numbers))])

    def added(self, numbers: Sequence[int]) -> None:
        """The last rows were added, with these inodes."""
        if numbers:
            self.numbers[-len(numbers) :] = array(U32, numbers)

    def compare(
        self, rows: Sequence[int], names: Sequence[bytes], now: "array[int]"
    ) -> list[int]:
        """The rows whose file has another inode, as far as can be told.

        Args:
            rows: Some rows.
            names: Base name of each.
            now: The inode of each; 0 when its file was not found.
        """
        whole = isinstance(rows, range) and len(rows) == len(self.numbers)
        before = (
            self.numbers if whole else array(U32, map(self.numbers.__getitem__, rows))
        )
        if before == now:
            return []
        pairs = zip(rows, before, now, strict=True)
        unlike = [(row, was) for row, was, number in pairs if number and was != number]
        other = [row for row, was in unlike if was]
        if len(unlike) - len(other) <= _NAMED_MAX:
            place = {row: at for at, row in enumerate(rows)} if not whole else None
            for row in [row for row, was in unlike if not was]:
                at = row if place is None else place[row]
                found = _INODE.search(names[at])
                if found and (int(found[1], 16) & INODE_BITS or 1) != now[at]:
                    other.append(row)
            other.sort()
        for row, number in zip(rows, now, strict=True):
            if number:
                self.numbers[row] = number
        return other


def written(octets: bytes) -> bytes:
    """The message in a file, when its size is not known."""
    if b"\r" not in octets:  # counting line ends takes twenty times what this does
        return with_crlf(octets)
    lines = octets.count(b"\n") - octets.count(b"\r\n")
    return canonical(octets, len(octets) + lines)
