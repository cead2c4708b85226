"""Reading the messages of one Maildir.

In this file:
    Reading    messages by UID, or their headers

A message can be read without any lock: its file stays as it is until it is removed,
and only its name changes.  One that is not where it should be is looked for by a scan;
so is one whose file holds another message now (``contents``): it is gone for us.

``at_once`` is for the reactor thread.  While files come from memory that is cheaper
than to change threads; a disk that makes us wait is given a while without us.
"""

from collections.abc import Callable, Sequence
from typing import Final

from maildrop.message.header import header_end
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.maildir.contents import Contents
from maildrop.storage.maildir.folder import MESSAGE_MAX, Folder, canonical
from maildrop.storage.maildir.names import base_of, sizes as file_sizes
from maildrop.storage.maildir.scan import split

#: Messages, and their octets, that are read on the reactor thread.
_MESSAGES: Final = 64
_OCTETS: Final = 1 << 20
#: Octets of a file in which its header is looked for.
_HEADER: Final = 1 << 13
#: Seconds that reading them takes only if the disk is at work,
_SLOW: Final = 0.005
#: and for which others read then.
_PAUSE: Final = 1.0


class Reading:
    """Whole messages.

    Args:
        folder: The directories.
        ledger: The table, and where a size that was wrong is put right.
        path_of: Gives the path of a row's file.
        contents: Tells whether a file still holds its message.
        look: Scans the directories; is given the UIDs of those that do not.
        host: Time.
    """

    __slots__ = (
        "_contents",
        "_folder",
        "_host",
        "_ledger",
        "_look",
        "_not_before",
        "_path_of",
    )

    def __init__(
        self,
        folder: Folder,
        ledger: Ledger,
        path_of: Callable[[int], bytes],
        contents: Contents,
        look: Callable[[Sequence[int]], None],
        host: Host,
    ) -> None:
        self._folder = folder
        self._ledger = ledger
        self._path_of = path_of
        self._contents = contents
        self._look = look
        self._host = host
        self._not_before = 0.0

    def many(self, uids: Sequence[int]) -> list[bytes | None]:
        """Messages; None for one that is gone."""
        table = self._ledger.table
        replaced: list[int] = []
        messages = [self._message(uid, replaced) for uid in uids]
        if None in messages and any(
            table.row(uid) is not None
            for uid, message in zip(uids, messages, strict=True)
            if message is None
        ):
            self._look(replaced)
            return [
                self._message(uid, replaced) if message is None else message
                for uid, message in zip(uids, messages, strict=True)
            ]
        return messages

    def _message(self, uid: int, replaced: list[int]) -> bytes | None:
        row = self._ledger.table.row(uid)
        if row is None:
            return None
        table = self._ledger.table
        size = table.sizes[row]
        message, same = self._of_row(row, size, table.dates[row])
        if message is None:
            return None
        if not same:
            replaced.append(uid)
            return None
        if len(message) != size and not self._ledger.read_only:
            with self._ledger.locked():
                batch = self._ledger.batch(quiet=True)
                batch.resize((uid,), (len(message),))
                self._ledger.commit(batch)
        return message

    def _of_row(self, row: int, size: int, date: int) -> tuple[bytes | None, bool]:
        """What the file of a row holds, and whether that is the message it was."""
        path = self._path_of(row)
        name, mark = split(path)
        found = self._folder.read_begin(name, mark, MESSAGE_MAX)
        if found is None:
            return None, True
        octets, modified, _, inode = found
        message = canonical(octets, size)
        if not self._contents.inodes.met(row, inode):
            same = self._contents.is_still(row, path)
            if same:
                self._contents.inodes.numbers[row] = inode
            return message, same
        if len(message) == size and modified == date:
            return message, True  # as is_same would say
        return message, self._contents.is_same(row, octets, modified, message)

    def headers(self, uids: Sequence[int]) -> list[bytes | None]:
        """Headers with their empty line; None where the message must be read whole."""
        table = self._ledger.table
        rows = map(table.row, uids)
        return [None if row is None else self._header(row) for row in rows]

    def _header(self, row: int) -> bytes | None:
        name, mark = split(self._path_of(row))
        found = self._folder.read_begin(name, mark, _HEADER)
        if found is None:
            return None
        octets, modified, file_size, _ = found
        size = self._ledger.table.sizes[row]
        sizes = file_sizes(base_of(name))
        if modified != self._ledger.table.dates[row] or sizes != (file_size, size):
            return None
        if file_size == size:
            _, end = header_end(octets, 0, len(octets))
            return octets[:end] if end < len(octets) else None
        end = 1 if octets.startswith(b"\n") else octets.find(b"\n\n") + 2
        header = octets[:end]
        if not header.endswith(b"\n") or b"\r\n" in header:
            return None
        return header.replace(b"\n", b"\r\n")

    def at_once(self, uids: Sequence[int]) -> list[bytes | None] | None:
        """The same, if that is quick and all are as the table says; else None."""
        if len(uids) > _MESSAGES:
            return None
        began = self._host.monotonic()
        if began < self._not_before:
            return None
        waits = self._host.waits()
        table = self._ledger.table
        rows = table.rows(uids)
        sizes, dates = table.sizes.at(rows), table.dates.at(rows)
        if len(rows) != len(uids) or sum(sizes) > _OCTETS:
            return None
        read_only = self._ledger.read_only
        messages: list[bytes | None] = []
        for row, size, date in zip(rows, sizes, dates, strict=True):
            message, same = self._of_row(row, size, date)
            if message is None or not same or (len(message) != size and not read_only):
                return None
            messages.append(message)
        ended = self._host.monotonic()
        if ended - began > _SLOW and self._host.waits() != waits:
            self._not_before = ended + _PAUSE
        return messages
