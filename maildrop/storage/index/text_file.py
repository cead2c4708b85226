"""The text file: what SEARCH looks through instead of the messages.

In this file:
    TextFile    covers messages in the order of their UIDs, finds text in them

File ``maildrop.text`` (numbers little-endian; ``text_blocks`` has the blocks):

    text      = "mdltext" NUL version(u32) crc(u32) recipe(u32) uidvalidity(u32) *block

The checksum covers what follows it.  Blocks go on in UID order, so all messages up to
the last UID of the last block are covered: there is no index, and a new message is not.
The recipe stands for how text is decoded and folded; a file by another recipe, or of
another UIDVALIDITY, is begun anew.  Raise ``_VERSION`` when ``message.searchable`` or
``text.folding`` come to give other text.

The file is made by the first search, may be removed at any time, and is not synced.
What is found, and what is done by the next one to write (under the file's flock):

    end of the file within a block       torn, or somebody died: cut off
    head that is not to be believed      new file with the blocks before it
    checksum of a block wrong            the same; found when the block is first used
    header not to be believed, or not    new, empty file
    ours
    UIDs that were not given yet         left alone: another process knows of more

Cutting is safe while others read: nobody takes a block for whole before it is, and
those that are whole never change; all else puts another file in this one's place:

    step                                 a crash after it leaves
    1  new file written beside, locked   the old file and one ``.tmp``, used again
    2  renamed over the old              the new file

Whoever has the old one open sees that at the next look, one stat.  ``tidy`` does the
same to be rid of expunged messages and to join small blocks, a piece at a time; the
old file is locked for the last step only.

Limits: ``message_octets`` of text of one message: above, or when its header is over the
limits of ``message.limits``, it is noted as absent and read for each search.  How long
the file grows is for whoever calls ``add`` to say.

Errors: those of ``durable``, ``MailboxInUse``; whoever searches goes without the file.
"""

import contextlib
import os
import struct
import sys
import unicodedata
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Final

from twisted.logger import Logger

from maildrop.durable import open_to_read, translate, translated
from maildrop.errors import MailboxInUse
from maildrop.mailbox.stored_text import Found, Where
from maildrop.message.limits import DEFAULT
from maildrop.storage.index.columns import U32, U64
from maildrop.storage.index.finding import Region
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.locks import is_taken_now, lock, unlock
from maildrop.storage.index.text_blocks import (
    HEAD,
    Block,
    Entry,
    Head,
    among,
    pack,
)

TEXT: Final = "maildrop.text"
_MAGIC: Final = b"mdltext\0"
_VERSION: Final = 1
_HEADER: Final = struct.Struct("<8sIIII")
_RECIPE: Final = zlib.crc32(
    f"{unicodedata.unidata_version} {sys.version_info[:2]} {DEFAULT}".encode()
)
#: Octets looked through, or copied, before others have their turn: some milliseconds.
_STEP: Final = 1 << 23
#: Octets of blocks that ``tidy`` joins.
_GATHERED: Final = 1 << 20
#: Most blocks of a file that is believed; ``tidy`` makes fewer long before.
_BLOCKS_MAX: Final = 1 << 17
#: Blocks that are no matter, and messages in each that are enough.
_FEW_BLOCKS: Final = 64
_FEW_MESSAGES: Final = 16

_log = Logger()


class TextFile:
    """The text file of one mailbox; one call at a time.

    Args:
        directory: The control directory.
        ledger: The mailbox's; says whose UIDs these are and whether we may write.
        host: Disk, lock waits.
        message_octets: Most text kept of one message.
    """

    def __init__(
        self,
        directory: str,
        ledger: Ledger,
        host: Host,
        *,
        message_octets: int = 1 << 20,
    ) -> None:
        self._path = f"{directory}/{TEXT}"
        self._ledger = ledger
        self._host = host
        self.message_octets = message_octets
        self._fd = -1
        self._forget()

    # -- state

    def _forget(self) -> None:
        self._starts = array(U64)
        self._lasts = array(U32)
        self._heads: list[Head] = []
        self._checked = bytearray()
        self._end = 0  # of what is known of the file; 0: not even its header
        self._damaged = False
        self._ahead = False  # blocks follow with UIDs that are not given, or not known

    @property
    def begun(self) -> bool:
        """Whether this process has found or made the file."""
        return bool(self._end)

    @property
    def last(self) -> int:
        """The UID up to which messages are covered, as far as this process knows."""
        return self._lasts[-1] if self._lasts else 0

    @property
    def octets(self) -> int:
        """How long the file is, as far as this process knows."""
        return self._end

    def covered(self) -> int:
        """Look what others did to the file; the UID up to which it covers messages."""
        with translated(f"read {self._path}"):
            self._look()
        return self.last

    def untidy(self, uids: Sequence[int]) -> bool:
        """Whether ``tidy`` is worth it: much of the file is waste, or in small blocks.

        Args:
            uids: Of all messages there are, ascending.
        """
        count = sum(head.known + head.absent for head in self._heads)
        alive = bisect_right(uids, self.last)
        blocks = len(self._heads)
        scattered = blocks > _FEW_BLOCKS and blocks * _FEW_MESSAGES > alive
        return scattered or (count - alive) * 2 > count

    # -- the file

    def _look(self) -> None:
        """Take in what others did to the file."""
        if self._fd >= 0:
            shrunk = os.fstat(self._fd).st_size < self._end
            if shrunk or not _named(self._fd, self._path):
                self.close()
        if self._fd < 0 and os.path.lexists(self._path):
            with contextlib.suppress(OSError):
                self._fd = self._open()
        if self._fd >= 0:
            self._walk()

    def _open(self) -> int:
        if self._ledger.read_only:
            return open_to_read(self._path)
        return self._host.disk.append_to(self._path)

    def _walk(self) -> None:
        """Take note of the blocks that were added."""
        size = os.fstat(self._fd).st_size
        if not self._end:
            if size < _HEADER.size:
                return
            self._damaged = os.pread(self._fd, _HEADER.size, 0) != self._header()
            self._end = _HEADER.size
        self._ahead = False
        while not self._damaged and self._end + HEAD.size <= size:
            head = Head.of(os.pread(self._fd, HEAD.size, self._end))
            if head is None or not self._follows(head):
                self._damaged = True
                break
            self._ahead = head.last >= self._ledger.table.uid_next
            if self._ahead or self._end + head.length > size:
                break
            self._note(head)

    def _follows(self, head: Head) -> bool:
        return self.last < head.first and len(self._heads) < _BLOCKS_MAX

    def _note(self, head: Head) -> None:
        self._starts.append(self._end)
        self._lasts.append(head.last)
        self._heads.append(head)
        self._checked.append(0)
        self._end += head.length

    def _header(self) -> bytes:
        rest = struct.pack("<II", _RECIPE, self._ledger.table.uid_validity)
        return _MAGIC + struct.pack("<II", _VERSION, zlib.crc32(rest)) + rest

    # -- finding

    def find(self, text: str, uids: "array[int]", after: int, where: Where) -> Found:
        """Look through some millions of octets; see ``StoredText``."""
        octets = text.encode("utf-8", "surrogatepass")
        found = Found(after)
        with translated(f"read {self._path}"):
            self._look()
            self._find(octets, uids, where, found)
        return found

    def _find(
        self, octets: bytes, uids: "array[int]", where: Where, found: Found
    ) -> None:
        region = Region()
        looked = 0
        for number in range(bisect_right(self._lasts, found.upto), len(self._heads)):
            head = self._heads[number]
            first = bisect_left(uids, max(head.first, found.upto + 1))
            if looked >= _STEP or first == len(uids):
                break
            asked = uids[first : bisect_right(uids, head.last)]
            if asked:
                block = self._block(number, region, where)
                if block is None:
                    break
                looked += head.bodies if where is Where.HEADER else head.length
                whole = len(asked) == head.known + head.absent
                for uids_found, told in (
                    (block.fits(octets, where), found.fits),
                    (block.absent, found.absent),
                ):
                    told.extend(uids_found if whole else _both(uids_found, asked))
            found.upto = head.last

    def _block(
        self, number: int, region: Region, where: Where = Where.ANYWHERE
    ) -> Block | None:
        """A block in memory, as far as needed; None if it is not to be believed."""
        head = self._heads[number]
        in_part = where is Where.HEADER and self._checked[number]
        length = head.bodies if in_part else head.length
        sound = region.fill(self._fd, self._starts[number], length)
        if sound and not self._checked[number]:
            sound = Block.sound(head, region)
            self._checked[number] = sound
        if sound:
            return Block(head, region)
        self._end = self._starts[number]
        for column in (self._starts, self._lasts, self._heads, self._checked):
            del column[number:]
        self._damaged = True
        return None

    # -- for whoever checks it

    def problem(self) -> str:
        """What the heads of blocks show to be wrong with the file, if anything is."""
        with translated(f"read {self._path}"):
            self._look()
            if self._fd < 0:
                return ""
            lock(self._fd, self._host, self._path)  # nobody is writing
            try:
                self._walk()
                size = os.fstat(self._fd).st_size
                header = os.pread(self._fd, _HEADER.size, 0)
            finally:
                unlock(self._fd)
        if header and not _readable(header):
            return "it has no header that makes sense"
        if self._damaged and header == self._header():
            return f"no block begins at octet {self._end}"
        if not self._damaged and self._end < size and not self._ahead:
            return f"the last {size - self._end} octets are no whole block"
        return ""

    def entries(self, uid: int) -> list[Entry] | None:
        """All that is kept together with a message; nothing if it is not covered.

        Returns:
            None when it is not what was written.
        """
        with translated(f"read {self._path}"):
            self._look()
            number = bisect_left(self._lasts, uid)
            if number == len(self._heads):
                return []
            block = self._block(number, Region())
        return None if block is None else block.entries(None)

    def remove(self) -> None:
        """Remove the file; it is begun anew when somebody searches."""
        self.close()
        with contextlib.suppress(FileNotFoundError), translated(f"remove {self._path}"):
            self._host.disk.unlink(self._path)

    # -- adding

    def add(
        self, uids: Sequence[int], messages: Sequence[bytes | None], after: int
    ) -> int:
        """Cover the next messages; see ``StoredText``."""
        if self._ledger.read_only or not uids:
            return self.last
        entries = [
            Entry.of(uid, octets, self.message_octets)
            for uid, octets in zip(uids, messages, strict=True)
        ]
        blocks = pack(entries)
        with self._writing():
            # Another process may have been quicker, or may know of more messages.
            if self.last == after and not self._ahead:
                self._append(blocks)
        return self.last

    def _append(self, blocks: bytes) -> None:
        """Add blocks at the end of the file, after what is half a block."""
        disk = self._host.disk
        if os.fstat(self._fd).st_size > self._end:
            disk.truncate(self._fd, self._end)
        try:
            disk.write(self._fd, blocks)
        except OSError:
            with contextlib.suppress(OSError):
                disk.truncate(self._fd, self._end)
            raise
        self._walk()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """The file locked, with a header, and every whole block of it known."""
        doing = f"write {self._path}"
        try:
            with translated(doing):
                self._lock()
                try:
                    if not self._end:
                        self._host.disk.truncate(self._fd, 0)
                        self._host.disk.write(self._fd, self._header())
                        self._walk()
                    elif self._damaged:
                        self._mend()
                    yield
                finally:
                    unlock(self._fd)
        except FileNotFoundError as error:  # the mailbox was removed
            raise translate(error, doing) from error

    def _lock(self) -> None:
        """Lock the file that has the name, made if there is none, and look at it."""
        while True:
            self._look()
            if self._fd < 0:
                self._fd = self._host.disk.append_to(self._path)
            lock(self._fd, self._host, self._path)
            if _named(self._fd, self._path):
                break
            self.close()  # it was replaced while we waited
        self._walk()

    # -- replacing

    def _mend(self) -> None:
        """Put a file with the blocks that can be believed in this one's place."""
        with self._beside() as fd:
            self._copy_blocks(fd, 0)
            _log.warn(
                "{path}: damaged, or made by another version; {kept} blocks of text "
                "kept, the rest is made again",
                path=self._path,
                kept=len(self._heads),
            )
            self._replace(fd)

    def _copy_blocks(self, fd: int, number: int) -> None:
        """Copy blocks as they are, from one on up to the first that is damaged."""
        region = Region()
        while number < len(self._heads) and self._block(number, region) is not None:
            length = self._heads[number].length
            self._host.disk.write(fd, region.view[:length])
            number += 1

    def tidy(self, uids: Sequence[int]) -> Generator[None, None, None]:
        """Copy what is in use to a new file, in steps; see ``StoredText``."""
        with self._beside() as fd:
            heads, region = self._heads, Region()
            waiting: list[Entry] = []
            number = octets = looked = 0
            while number < len(heads):
                block = self._block(number, region)
                if block is None:
                    return
                waiting += block.entries(uids)
                octets += block.head.length
                looked += block.head.length
                number += 1
                if octets >= _GATHERED:
                    self._host.disk.write(fd, pack(waiting))
                    waiting.clear()
                    octets = 0
                if looked >= _STEP:
                    looked = 0
                    yield
                    if self._heads is not heads:
                        return  # closed, or another file has taken its place
            self._host.disk.write(fd, pack(waiting))
            with self._writing():
                if self._heads is heads and not self._ahead:
                    self._copy_blocks(fd, number)
                    self._replace(fd)

    @contextlib.contextmanager
    def _beside(self) -> Iterator[int]:
        """A new file beside this one, with a header and locked; removed if not used."""
        path, disk = f"{self._path}.tmp", self._host.disk
        with translated(f"write {path}"):
            fd = disk.append_to(path)
            try:
                if not (is_taken_now(fd) and _named(fd, path)):
                    raise MailboxInUse(f"{path} is being written")
                try:
                    disk.truncate(fd, 0)
                    disk.write(fd, self._header())
                    yield fd
                finally:
                    if fd != self._fd:
                        with contextlib.suppress(OSError):
                            disk.unlink(path)
            finally:
                if fd != self._fd:
                    os.close(fd)

    def _replace(self, fd: int) -> None:
        self._host.disk.rename(f"{self._path}.tmp", self._path)
        self.close()
        self._fd = fd
        self._walk()

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._forget()


def _readable(header: bytes) -> bool:
    """Whether a header is that of a text file, if of another version or mailbox."""
    if len(header) < _HEADER.size:
        return False
    magic, version, crc, *_ = _HEADER.unpack(header)
    same = version == _VERSION
    return magic == _MAGIC and (not same or zlib.crc32(header[16:]) == crc)


def _named(fd: int, path: str) -> bool:
    """Whether an open file is the one that has a name."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(fd))


def _both(found: Sequence[int], asked: Sequence[int]) -> Iterable[int]:
    """Those of ``found`` that are among ``asked``."""
    return (uid for uid in found if among(asked, uid))
