r"""Expunged messages of one Maildir that can come back: files in ``maildrop.kept``.

In this file:
    Shelf       that directory
    Shelves     what is set for all those of an account
    KeptFile    a file there, by its name

An expunged file is renamed into the directory instead of being removed: no octet is
copied, and it costs no more.  To other programs the directory is no folder (its name
begins with no dot) and holds no messages (it has no cur/ and no new/).

    name     = expunged "." uid-validity "." uid "." date "." size "." flags
               "." keywords "." object-id "," base     ; decimal, the last three hex
    keywords = the file ``keywords`` beside: lines of uid-validity SP bit SP name

States of an expunge, for each message:

    1 renamed into maildrop.kept    gone, and can come back; found by the next scan
    2 record in the log             done

Where the rename is impossible (no room for the name, a shelf on another file system)
the file is removed as if nothing were kept: an expunge never fails for that, and a full
disk can always be emptied.

Security: the directory belongs to the user, who may put anything there.  It is opened
only if it is no symbolic link, names are checked, and what is no regular file is passed
over.
"""

import contextlib
import errno
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from twisted.logger import Logger

from maildrop.durable import open_to_read, translated
from maildrop.errors import MaildropError
from maildrop.mailbox.flags import ALL_SYSTEM, KEYWORDS_MAX
from maildrop.mailbox.keeping import Keeping
from maildrop.storage.index.host import Host
from maildrop.storage.index.table import IndexTable
from maildrop.storage.maildir.names import base_of, sizes

SHELF: Final = "maildrop.kept"
_KEYWORDS: Final = "keywords"
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
#: Longest name of a file, in octets.
_NAME_MAX: Final = 255
#: Octets of the list of keywords that are read.
_LIST_MAX: Final = 1 << 20
#: Room is made after this part of the limit was kept.
_PART: Final = 8
_FORM: Final = re.compile(
    rb"(\d{1,12})\.(\d{1,10})\.(\d{1,10})\.(-?\d{1,12})\.(\d{1,10})"
    rb"\.([0-9a-f]{1,2})\.([0-9a-f]{1,8})\.([0-9a-f]{1,16}),(.+)",
    re.DOTALL,
)

Keywords = Mapping[tuple[int, int], str]


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A kept file, by its name.

    Attributes:
        name: All of the name.
        expunged: When it was expunged, seconds since 1970 UTC.
        uid_validity: Of its mailbox.
        uid: In it.
        date: INTERNALDATE.
        size: Octets with CRLF line ends.
        flags: System flags.
        keywords: Keyword bits.
        object_id: See ``IndexTable.object_ids``.
        base: The base name it had.
    """

    name: bytes
    expunged: int
    uid_validity: int
    uid: int
    date: int
    size: int
    flags: int
    keywords: int
    object_id: int
    base: bytes

    @classmethod
    def parse(cls, name: bytes) -> "KeptFile | None":
        """What a name says; None for that of another file."""
        found = _FORM.fullmatch(name)
        if found is None:
            return None
        expunged, validity, uid, date, size = map(int, found.groups()[:5])
        flags, keywords, number = (int(text, 16) for text in found.groups()[5:8])
        return cls(
            name,
            expunged,
            validity,
            uid,
            date,
            size,
            flags & ALL_SYSTEM,
            keywords,
            number,
            found[9],
        )

    def keyword_names(self, known: Keywords) -> tuple[str, ...]:
        """Its keywords by name; those whose name is lost are left out."""
        bits = (bit for bit in range(KEYWORDS_MAX) if self.keywords >> bit & 1)
        names = (known.get((self.uid_validity, bit)) for bit in bits)
        return tuple(name for name in names if name)


class Shelves:
    """What is set for all shelves of an account.

    Attributes:
        keeping: What is kept.
        make_room: Gives up what is beyond the limit.
    """

    __slots__ = ("_added", "keeping", "make_room")

    def __init__(self, make_room: Callable[[], object]) -> None:
        self.keeping = Keeping()
        self.make_room = make_room
        self._added = 0

    def added(self, octets: int) -> None:
        """So much more is kept."""
        self._added += octets

    @property
    def due(self) -> bool:
        """So much was kept that room should be made."""
        return 0 < self.keeping.octets < self._added * _PART

    def made_room(self) -> None:
        """All beyond the limit was given up."""
        self._added = 0


class Shelf:
    """Where the expunged messages of one Maildir are kept.

    Args:
        maildir: The Maildir.
        shelves: Whether any are.
        host: Disk, time.
    """

    _log = Logger()

    def __init__(self, maildir: str, shelves: Shelves, host: Host) -> None:
        self.path = f"{maildir}/{SHELF}"
        self.shelves = shelves
        self._host = host
        self._fd = -1
        self._now = 0
        self._named: tuple[int, int] = (0, 0)
        self._refused = False

    def close(self) -> None:
        """Let go of the directory."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    # -- putting

    def ready(self) -> bool:
        """Whether messages are to be kept here, and can be."""
        if not self.shelves.keeping.seconds:
            return False
        self._now = int(self._host.clock())
        if self._fd < 0:
            try:
                self._host.disk.make_directories(self.path)
                self._fd = os.open(self.path, _DIRECTORY)
            except OSError as error:
                self._tell(error)
                return False
        return True

    def put(self, name: bytes, fd: int, table: IndexTable, row: int) -> None:
        """Take a message's file out of its directory; ``ready`` said yes.

        Args:
            name: The file.
            fd: Its directory.
            table: The mailbox's columns.
            row: The message.

        Raises:
            FileNotFoundError: The file is not there.
            OSError: It can be neither kept nor removed.
        """
        keywords = table.keywords[row]
        if keywords:
            self._name_keywords(table)
        base = base_of(name)
        kept = b"%d.%d.%d.%d.%d.%x.%x.%x," % (
            self._now,
            table.uid_validity,
            table.uids[row],
            table.dates[row],
            table.sizes[row],
            table.flags[row] & ALL_SYSTEM,
            keywords,
            table.object_ids[row],
        )
        kept += base if len(kept) + len(base) <= _NAME_MAX else _short(base)
        try:
            self._host.disk.rename(name, kept, fd, self._fd)
        except OSError as error:
            self._host.disk.unlink(name, dir_fd=fd)
            self._tell(error)
            if error.errno == errno.ENOENT:  # the shelf itself was removed
                self.close()
                self.ready()
        else:
            self.shelves.added(table.sizes[row])

    def _tell(self, error: OSError) -> None:
        if not self._refused:
            self._refused = True
            self._log.warn(
                "{shelf}: expunged messages cannot be kept: {error}",
                shelf=self.path,
                error=error.strerror,
            )

    def _name_keywords(self, table: IndexTable) -> None:
        """Write down what the keyword bits mean, so that it is known for good."""
        now = table.uid_validity, len(table.keyword_names)
        if now == self._named:
            return
        known: Keywords = {}
        with contextlib.suppress(MaildropError):  # else they are written again
            known = self.keywords()
        lines = [
            b"%d %d %b\n" % (table.uid_validity, bit, name.encode())
            for bit, name in enumerate(table.keyword_names)
            if known.get((table.uid_validity, bit)) != name
        ]
        try:
            if lines:
                file = self._host.disk.append_to(_KEYWORDS, dir_fd=self._fd)
                try:
                    self._host.disk.write(file, b"\n" + b"".join(lines))
                finally:
                    os.close(file)
        except OSError as error:
            self._tell(error)
        else:
            self._named = now

    # -- looking

    def files(self) -> Iterator[KeptFile]:
        """All that is kept, in no order."""
        try:
            with translated(f"list {self.path}"):
                names = os.listdir(os.fsencode(self.path))
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in names:
            found = KeptFile.parse(name)
            if found is not None:
                yield found

    def keywords(self) -> Keywords:
        """The names of keyword bits, by UIDVALIDITY and bit.

        Raises:
            StorageFailure, AccessDenied: They cannot be read.
        """
        path = f"{self.path}/{_KEYWORDS}"
        try:
            with translated(f"read {path}"), open(open_to_read(path), "rb") as opened:
                lines = opened.read(_LIST_MAX).split(b"\n")
        except FileNotFoundError:
            return {}
        found = {}
        for line in lines:
            validity, _, rest = line.partition(b" ")
            bit, _, name = rest.partition(b" ")
            if validity.isdigit() and bit.isdigit() and name:
                found[int(validity), int(bit)] = name.decode("utf-8", "replace")
        return found

    def size(self, file: KeptFile) -> int:
        """Octets that a file takes; 0 when it is no file."""
        said = sizes(file.base)[0]
        if said is not None:
            return said
        with contextlib.suppress(OSError):
            found = os.lstat(os.fsencode(self.path) + b"/" + file.name)
            return found.st_size if stat.S_ISREG(found.st_mode) else 0
        return 0

    def remove(self, file: KeptFile) -> None:
        """Give a message up for good."""
        with contextlib.suppress(FileNotFoundError), translated(f"clean {self.path}"):
            self._host.disk.unlink(os.fsencode(self.path) + b"/" + file.name)


def _short(base: bytes) -> bytes:
    """Something shorter for a base name that is too long; it still tells the sizes."""
    short = hashlib.blake2b(base, digest_size=16).hexdigest().encode()
    size, message = sizes(base)
    if size is not None:
        short += b",S=%d" % size
    if message is not None:
        short += b",W=%d" % message
    return short
