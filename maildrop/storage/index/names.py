r"""The name column: what the mail files call each message.

For a Maildir it is the base name of the file, for an mbox whatever finds the message
again.  A name is octets without NUL and ``/``, up to 255.

In this file:
    Names    name by row, in few octets a message

Names of the snapshot stay on disk and are read through a window; those that came later
are in one ``bytearray``.  A row keeps one u32: where its name starts in the two laid
end to end.
"""

import itertools
from array import array
from collections.abc import Sequence

from maildrop.errors import MailboxVanished
from maildrop.mailbox.column import cut
from maildrop.storage.index.columns import U32
from maildrop.storage.index.window import Window


class Names:
    """Name by row.

    Attributes:
        offsets: u32 by row, where the name starts.
    """

    __slots__ = ("_base", "_blob", "_dense", "_tail", "_window", "offsets")

    def __init__(self) -> None:
        self.offsets: array[int] = array(U32)
        self._window: Window | None = None
        self._base = 0  # where the blob stands in the snapshot
        self._blob = 0  # its length
        self._tail = bytearray()
        self._dense = True  # names stand in row order, none between them

    def __len__(self) -> int:
        return len(self.offsets)

    def rest_on(
        self, window: Window, base: int, length: int, offsets: "array[int]"
    ) -> None:
        """Take the names of a snapshot.

        Args:
            window: The snapshot; closed with these names.
            base: Where the blob of names stands in it.
            length: Octets of the blob.
            offsets: Where each row's name starts in the blob.
        """
        self.close()
        self._window = window
        self._base = base
        self._blob = length
        self._tail.clear()
        self.offsets = offsets
        self._dense = True

    def name(self, row: int) -> bytes:
        """The name of a row.

        Raises:
            MailboxVanished: The snapshot was cut short under us.
        """
        at = self.offsets[row]
        if at >= self._blob:
            at -= self._blob
            end = self._tail.find(0, at)
            return bytes(self._tail[at:end])
        found = None
        if self._window is not None:
            found = self._window.line(self._base + at, b"\0")
        if found is None:
            raise MailboxVanished("the ledger was cut short")
        return found

    def append(self, name: bytes) -> None:
        """The name of one further row."""
        self.offsets.append(self._blob + len(self._tail))
        self._tail += name
        self._tail.append(0)

    def extend(self, names: Sequence[bytes]) -> None:
        """The names of further rows."""
        if not names:
            return
        start = self._blob + len(self._tail)
        lengths = [len(name) + 1 for name in names]
        starts = itertools.accumulate(lengths, initial=start)
        self.offsets.extend(itertools.islice(starts, len(names)))
        self._tail += b"\0".join(names)
        self._tail.append(0)

    def replace(self, row: int, name: bytes) -> None:
        """Another name for a row."""
        self.offsets[row] = self._blob + len(self._tail)
        self._tail += name
        self._tail.append(0)
        self._dense = False

    def remove(self, rows: Sequence[int]) -> None:
        """Forget rows (ascending)."""
        cut(self.offsets, rows)
        self._dense = False

    def all(self) -> list[bytes]:
        """The names of all rows, in row order.

        Raises:
            MailboxVanished: The snapshot was cut short under us.
        """
        octets = self._octets()
        if not self._dense:
            return _picked(octets, self.offsets)
        parts = octets.split(b"\0")
        parts.pop()
        if len(parts) != len(self.offsets):
            raise MailboxVanished("the ledger was cut short")
        return parts

    def packed(self) -> tuple[bytes, "array[int]"]:
        """The names of all rows end to end, a NUL behind each, and where each begins.

        Raises:
            MailboxVanished: The snapshot was cut short under us.
        """
        if self._dense:
            octets = self._octets()
            if octets.count(0) != len(self.offsets):
                raise MailboxVanished("the ledger was cut short")
            return octets, self.offsets[:]
        names = self.all()
        offsets: array[int] = array(U32)
        starts = itertools.accumulate((len(name) + 1 for name in names), initial=0)
        offsets.extend(itertools.islice(starts, len(names)))
        names.append(b"")
        return b"\0".join(names), offsets

    def _octets(self) -> bytes:
        """All that was ever added, one name behind the other."""
        if self._window is None or not self._blob:
            return bytes(self._tail)
        blob = self._window.piece(self._base, self._blob)
        self._window.forget()
        return b"".join((blob, self._tail))

    def holds(self, name: bytes) -> bool:
        """Whether some row has, or has had, a name; one pass over all octets."""
        line = b"\0" + name + b"\0"
        if line in self._tail or self._tail.startswith(line[1:]):
            return True
        if self._window is None or not self._blob:
            return False
        blob = self._window.piece(self._base, self._blob)
        self._window.forget()
        return line in blob or blob.startswith(line[1:])

    def close(self) -> None:
        """Let go of the snapshot."""
        if self._window is not None:
            self._window.close()
            self._window = None


def _picked(octets: bytes, offsets: Sequence[int]) -> list[bytes]:
    """The names that begin at some offsets.

    Raises:
        MailboxVanished: There is none at one of them.
    """
    find = octets.find
    names = [octets[at : find(0, at)] for at in offsets]
    last = max(offsets, default=0)
    if names and (last >= len(octets) or octets[-1]):
        raise MailboxVanished("the ledger was cut short")
    return names
