"""An mbox file as a source of messages.

In this file:
    MboxSource    see ``mailbox.outside.SourceMailbox``
    is_mbox       whether a file looks like one

All the dialects that ``storage.mbox.format`` reads.  The file is locked for reading, so
that no program of good manners writes to it meanwhile, and is not changed.

A message is known by its content and From_ line, whatever its place and flags; of
several that are equal in both each is one of its own.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator

from maildrop.durable import Content, open_to_read, translate, translated
from maildrop.mailbox.outside import Outside, OutsideNumbers
from maildrop.storage.index.host import Host
from maildrop.storage.mbox.format import content, metadata, visible
from maildrop.storage.mbox.locks import MboxLock
from maildrop.storage.mbox.scan import from_date, is_pseudo, raw_messages


def is_mbox(path: str) -> bool:
    """Whether a file is empty or begins with a From_ line."""
    try:
        with open(open_to_read(path), "rb") as file:
            return file.read(5) in {b"From ", b""}
    except OSError:
        return False


class MboxSource:
    """One mbox file.

    Args:
        path: The file.
        name: The mailbox it is.
        host: Waits for locks.
    """

    special_use: tuple[str, ...] = ()
    messages = 0  # nobody knows before it is read
    numbers: OutsideNumbers | None = None

    def __init__(self, path: str, name: str, host: Host) -> None:
        self.name = name
        self._path = path
        self._host = host

    def read(self, wanted: Callable[[bytes], bool]) -> Iterator[Outside]:
        """The messages, in file order.

        Raises:
            StorageFailure: It is no mbox, or cannot be read.
            MailboxInUse: Another program writes it.
        """
        try:
            with translated(f"open {self._path}"):
                fd = open_to_read(self._path)
        except FileNotFoundError as error:
            raise translate(error, f"open {self._path}") from error
        seen: Counter[bytes] = Counter()
        try:
            with MboxLock(self._path, self._host).held(fd, shared=True):
                size = os.fstat(fd).st_size
                for offset, raw in raw_messages(fd, 0, size, self._path):
                    if offset or not is_pseudo(raw):
                        yield from self._message(raw, seen, wanted)
        finally:
            os.close(fd)

    def _message(
        self, raw: bytes, seen: "Counter[bytes]", wanted: Callable[[bytes], bool]
    ) -> Iterator[Outside]:
        line = raw[: raw.find(b"\n") + 1].rstrip()
        stored = content(raw)
        octets = visible(stored)
        name = hashlib.blake2b(line + b"\0" + octets, digest_size=16).digest()
        seen[name] += 1
        key = b"%b %d" % (name.hex().encode("ascii"), seen[name])
        if not wanted(key):
            yield Outside(key, Content.of(b""))
            return
        facts = metadata(stored)
        yield Outside(
            key,
            Content.of(octets),
            facts.flags,
            facts.keywords,
            from_date(line) or None,
        )
