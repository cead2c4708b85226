"""What was imported already: a file that makes an import go on where it stopped.

In this file:
    Journal    of one source and one user
    Box        what it knows of one mailbox
    Entry      a message that is about to be added
    Pending    messages of which it is not known whether they were added
    digest     names a content

One file, ``imports/DIGEST.journal`` below the state directory, for each source that was
imported for a user.  Each line is a checksum, a space, and a JSON object:

    line     = crc32(8 hexadecimal digits) SP json LF
    {"source": identity, "user": name, "version": 1}     the first line
    {"box": name, "keeps": validity}     the numbers of the source are kept; 0: not
    {"box": name, "given": true}         they were, once, before all was begun anew
    {"box": name, "add": [[key, content, uid], ...], "validity": n, "next": n}
                                         about to be added; n is their least UID
    {"box": name, "added": true}         they were
    {"box": name, "found": [key, ...]}   these were, and the others not

States of adding some messages, and what a crash after each leaves:

    1  "add" written, synced       nothing was added: the target is asked, and has none
    2  published in the mailbox    all are there: the target is asked, and has them
    3  "added" written             done; if it is lost, as after 2

So no message is added twice, and none left out.  Messages are known by the digest of
their key; the target is asked by digests of contents, which are the same whatever
format they went through.  A line that is torn is cut off with all behind it.

Who imports holds a lock on the file: a second import of the same source fails at once.

Limits: ``LINE_MAX``; memory some 100 octets a message.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from maildrop.durable import Disk, translated
from maildrop.errors import MailboxInUse, StorageFailure

#: Longest line that is believed, in octets.
LINE_MAX: Final = 1 << 24
_VERSION: Final = 1


def digest(octets: bytes) -> str:
    """Names a key or a content: 24 hexadecimal digits."""
    return hashlib.blake2b(octets, digest_size=12).hexdigest()


#: Digests of key and content of a message, and the UID it is to have (0 for any).
Entry: TypeAlias = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Pending:
    """Messages of which it is not known whether they were added.

    Attributes:
        messages: They.
        uid_validity: Of the target then.
        uid_next: Of the target then: they have no lower UIDs.
    """

    messages: tuple[Entry, ...]
    uid_validity: int
    uid_next: int


@dataclass(slots=True)
class Box:
    """What is known of one mailbox.

    Attributes:
        keys: Digests of the keys of what was imported.
        keeps: UIDVALIDITY of the source, if UIDs are kept; 0 if not; None if nothing
            was decided yet.
        given: Numbers of the source were kept once: other messages may have got some
            of them since, and they must not be kept again.
        pending: What was about to be added when the last import ended.
    """

    keys: set[str] = field(default_factory=set)
    keeps: int | None = None
    given: bool = False
    pending: Pending | None = None


class Journal:
    """The journal of one source and one user, locked.

    Args:
        directory: Where journals are; exists.
        source: Identity of the source.
        user: The user.
        disk: Writes and syncs.
        reach: A context with the right to touch the file.
        again: Forget all but where numbers were kept: they must not be kept twice.

    Raises:
        MailboxInUse: Somebody imports this source now.
    """

    def __init__(
        self,
        directory: str,
        source: str,
        user: str,
        disk: Disk,
        reach: Callable[[], AbstractContextManager[object]],
        *,
        again: bool = False,
    ) -> None:
        self._disk = disk
        self._boxes: dict[str, Box] = {}
        name = digest(f"{user}\0{source}".encode())
        self.path = f"{directory}/{name}.journal"
        with reach(), translated(f"open {self.path}"):
            self._fd = disk.append_to(self.path)
        try:
            self._lock(source)
            with translated(f"read {self.path}"):
                begun = self._load(source)
                given = [name for name, box in self._boxes.items() if box.given]
                if again:
                    disk.truncate(self._fd, 0)
                    self._boxes.clear()
                if again or not begun:
                    head = {"source": source, "user": user, "version": _VERSION}
                    self._write(head, sync=True)
                    with reach():
                        disk.synchronize_directory(directory)
                for name in given if again else ():
                    self._write({"box": name, "given": True}, sync=True)
        except BaseException:
            self.close()
            raise

    def _lock(self, source: str) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MailboxInUse(f"{source} is being imported by another") from None

    def close(self) -> None:
        """Let go."""
        os.close(self._fd)

    def box(self, name: str) -> Box:
        """What is known of a mailbox."""
        return self._boxes.setdefault(name, Box())

    # -- reading

    def _load(self, source: str) -> bool:
        """Take in the file; whether there was something."""
        at = 0
        with open(self._fd, "rb", closefd=False) as file:
            file.seek(0)
            while line := file.readline(LINE_MAX):
                entry = _entry(line)
                if entry is None:
                    break
                if at == 0 and entry.get("source") != source:
                    raise StorageFailure(f"{self.path} is of another source; remove it")
                self._take(entry)
                at += len(line)
        if os.fstat(self._fd).st_size > at:
            self._disk.truncate(self._fd, at)
        return at > 0

    def _take(self, entry: dict[str, Any]) -> None:
        if "box" not in entry:
            return
        box = self.box(entry["box"])
        if "keeps" in entry:
            box.keeps = int(entry["keeps"])
            box.given = box.given or box.keeps > 0
        elif "given" in entry:
            box.given = True
        elif "add" in entry:
            messages = tuple((key, content, uid) for key, content, uid in entry["add"])
            box.pending = Pending(messages, int(entry["validity"]), int(entry["next"]))
        elif "added" in entry and box.pending is not None:
            box.keys.update(key for key, _, _ in box.pending.messages)
            box.pending = None
        elif "found" in entry:
            box.keys.update(entry["found"])
            box.pending = None

    # -- writing

    def _write(self, entry: dict[str, Any], *, sync: bool) -> None:
        text = json.dumps(entry, separators=(",", ":")).encode("ascii")
        size = os.fstat(self._fd).st_size
        with translated(f"write {self.path}"):
            try:
                self._disk.write(self._fd, b"%08x %b\n" % (zlib.crc32(text), text))
                if sync:
                    self._disk.synchronize(self._fd)
            except OSError:  # what follows half a line would be lost
                with contextlib.suppress(OSError):
                    self._disk.truncate(self._fd, size)
                raise
        self._take(entry)

    def keeps(self, name: str, uid_validity: int) -> None:
        """The numbers of the source are kept in a mailbox; with 0: not any more."""
        self._write({"box": name, "keeps": uid_validity}, sync=True)

    def adding(
        self,
        name: str,
        messages: Sequence[Entry],
        uid_validity: int,
        uid_next: int,
    ) -> None:
        """Messages are about to be added.

        Args:
            name: The mailbox.
            messages: They.
            uid_validity: Of the mailbox.
            uid_next: Of the mailbox, now.
        """
        entry = {
            "box": name,
            "add": [list(message) for message in messages],
            "validity": uid_validity,
            "next": uid_next,
        }
        self._write(entry, sync=True)

    def added(self, name: str) -> None:
        """They were; if this is lost, the mailbox tells."""
        self._write({"box": name, "added": True}, sync=False)

    def found(self, name: str, keys: Sequence[str]) -> None:
        """Of what was pending, these were added after all, and the others not."""
        self._write({"box": name, "found": list(keys)}, sync=True)


def _entry(line: bytes) -> dict[str, Any] | None:
    """The object of a line; None if it is torn."""
    check, _, text = line.partition(b" ")
    if not text.endswith(b"\n") or check != b"%08x" % zlib.crc32(text[:-1]):
        return None
    found = json.loads(text)
    return found if isinstance(found, dict) else None
