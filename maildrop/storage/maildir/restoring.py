r"""Expunged messages of an account's Maildirs: listed, brought back, given up.

In this file:
    KeptMail     all of them
    Mailboxes    what that needs of the store
    bring_back   files of a shelf become messages of a mailbox

Where they are: on the shelf of each mailbox (``kept``), and in the directories
``maildrop.kept.N`` of mailboxes that were deleted, whole as they were.

Bringing back from a shelf, with the ledger locked, and what a crash leaves:

    step                                            a crash after it leaves
    1  new keywords recorded in the log             keywords that nobody uses
    2  each file renamed from the shelf to cur/     some are there, as if delivered by
       (new/ if it has no flags)                    another program; the rest is kept
    3  record in the log                            they are there, with UIDs
    4  log and all directories synced               done

A file has one name at every moment: nothing is lost and nothing doubled, and who calls
again brings back the rest.  The name in cur/ has the flags and the keywords that have a
letter, and the file its date; so those are there after any crash.  An error takes the
files back.

Messages of a deleted mailbox are moved out of it (``moving``).
"""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from typing import Final, Protocol

from maildrop.durable import Sync, open_to_read, translate, translated
from maildrop.errors import (
    MailboxNotFound,
    MailboxNotSelectable,
    MailboxVanished,
    MaildropError,
)
from maildrop.mailbox.flags import ALL_SYSTEM
from maildrop.mailbox.keeping import Freed, Kept, Restored
from maildrop.storage.index.host import Host
from maildrop.storage.maildir.delivery import (
    Place,
    fds_of,
    keywords_of,
    places_of,
    record_of,
)
from maildrop.storage.maildir.folder import MESSAGE_MAX, canonical
from maildrop.storage.maildir.kept import SHELF, KeptFile, Keywords, Shelf, Shelves
from maildrop.storage.maildir.layout import name_of
from maildrop.storage.maildir.linked import Linked
from maildrop.storage.maildir.mailbox import MaildirMailbox
from maildrop.storage.maildir.names import new_base, object_id
from maildrop.storage.maildir.staging import Staged

DELETED: Final = "maildrop.kept."
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
#: Messages brought back with one record.
_TOGETHER: Final = 500


class Mailboxes(Protocol):
    """What is needed of a store."""

    def directories(self) -> list[str]:
        """Every directory beside INBOX that is a mailbox."""

    def open(self, name: str) -> MaildirMailbox:
        """Open a mailbox."""

    def open_at(self, name: str, path: str) -> MaildirMailbox:
        """Open a mailbox wherever it is."""

    def create(self, name: str) -> None:
        """Make a mailbox."""

    def changing(self) -> AbstractContextManager[None]:
        """While nobody else makes, removes and renames mailboxes."""


class KeptMail:
    """The expunged messages of one account.

    Args:
        root: The account's Maildir.
        host: Disk, time.
        shelves: What is set for them.
        mailboxes: The store.
    """

    def __init__(
        self, root: str, host: Host, shelves: Shelves, mailboxes: Mailboxes
    ) -> None:
        self._root = root
        self._host = host
        self._shelves = shelves
        self._mailboxes = mailboxes

    # -- where

    def _alive(self) -> Iterator[tuple[str, str]]:
        """Name and path, relative to the root, of each mailbox."""
        yield "INBOX", ""
        for directory in self._mailboxes.directories():
            yield name_of(directory) or directory, directory

    def _deleted(self) -> Iterator[tuple[str, str, int]]:
        """Name, path and time of each deleted mailbox that is still there."""
        for entry in deleted(self._root):
            with contextlib.suppress(OSError):
                for directory in sorted(os.listdir(f"{self._root}/{entry}")):
                    name = name_of(directory)
                    if name is not None:
                        yield name, f"{entry}/{directory}", deleted_at(entry)

    def _shelf(self, directory: str) -> Shelf:
        path = f"{self._root}/{directory}" if directory else self._root
        return Shelf(path, self._shelves, self._host)

    # -- listing

    def all(self) -> list[Kept]:
        """All that can be brought back, the oldest first."""
        found: list[Kept] = []
        for name, directory in self._alive():
            found += self._on_shelf(name, directory)
        for name, directory, when in self._deleted():
            found += self._on_shelf(name, directory)
            with contextlib.suppress(MaildropError):  # it is being given up
                found += self._in_deleted(name, directory, when)
        return sorted(found, key=lambda kept: (kept.expunged, kept.mailbox, kept.uid))

    def _on_shelf(self, name: str, directory: str) -> Iterator[Kept]:
        shelf = self._shelf(directory)
        known: Keywords | None = None
        below = f"{directory}/{SHELF}" if directory else SHELF
        for file in shelf.files():
            if file.keywords and known is None:
                known = shelf.keywords()
            yield Kept(
                mailbox=name,
                uid_validity=file.uid_validity,
                uid=file.uid,
                expunged=file.expunged,
                date=file.date,
                size=file.size,
                flags=file.flags,
                keywords=file.keyword_names(known or {}),
                place=f"{below}/{os.fsdecode(file.name)}",
            )

    def _in_deleted(self, name: str, directory: str, when: int) -> Iterator[Kept]:
        with self._opened(name, directory) as mailbox:
            table = mailbox.table
            for row, uid in enumerate(table.uids):
                yield Kept(
                    mailbox=name,
                    uid_validity=table.uid_validity,
                    uid=uid,
                    expunged=when,
                    date=table.dates[row],
                    size=table.sizes[row],
                    flags=table.flags[row] & ALL_SYSTEM,
                    keywords=tuple(table.keywords_of(table.keywords[row])),
                    place=directory,
                )

    @contextlib.contextmanager
    def _opened(self, name: str, directory: str) -> Iterator[MaildirMailbox]:
        mailbox = self._mailboxes.open_at(name, f"{self._root}/{directory}")
        try:
            yield mailbox
        finally:
            mailbox.close()

    # -- reading

    def read(self, kept: Kept) -> bytes | None:
        """The whole message; None when it is no more."""
        try:
            if _shelved(kept):
                return self._read_file(kept)
            with self._opened(kept.mailbox, kept.place) as mailbox:
                return mailbox.read_many([kept.uid])[0]
        except (FileNotFoundError, MailboxVanished):
            return None

    def _read_file(self, kept: Kept) -> bytes:
        path = f"{self._root}/{kept.place}"
        with translated(f"read {path}"), open(open_to_read(path), "rb") as file:
            return canonical(file.read(MESSAGE_MAX), kept.size)

    # -- bringing back

    def restore(self, kept: Sequence[Kept]) -> list[Restored]:
        """Bring messages back; see ``keeping.KeepingStore``."""
        restored: list[Restored] = []
        wanted = sorted(kept, key=lambda one: (one.mailbox, _source(one)))
        for name, some in groupby(wanted, lambda one: one.mailbox):
            target = self._target(name)
            try:
                for source, those in groupby(some, _source):
                    restored += self._restore(target, source, list(those))
            finally:
                target.close()
        self._sweep()
        order = {one: at for at, one in enumerate(kept)}
        return sorted(restored, key=lambda one: order[one.kept])

    def _target(self, name: str) -> MaildirMailbox:
        try:
            return self._mailboxes.open(name)
        except (MailboxNotFound, MailboxNotSelectable):
            self._mailboxes.create(name)
            return self._mailboxes.open(name)

    def _restore(
        self, target: MaildirMailbox, source: str, kept: Sequence[Kept]
    ) -> list[Restored]:
        pairs: list[tuple[Kept, int]] = []
        if _shelved(kept[0]):
            shelf = self._shelf(source.removesuffix(SHELF).rstrip("/"))
            for at in range(0, len(kept), _TOGETHER):
                pairs += self._from_shelf(target, shelf, kept[at : at + _TOGETHER])
        else:
            by_uid = {one.uid: one for one in kept}
            with self._opened(target.name, source) as mailbox:
                moved = mailbox.move(sorted(by_uid), target, None)
            was = map(by_uid.__getitem__, moved.source)
            pairs += zip(was, moved.target, strict=True)
        return [Restored(one, target.name, uid) for one, uid in pairs]

    def _from_shelf(
        self, target: MaildirMailbox, shelf: Shelf, kept: Sequence[Kept]
    ) -> list[tuple[Kept, int]]:
        files = []
        for one in kept:
            file = KeptFile.parse(os.fsencode(os.path.basename(one.place)))
            if file is not None and _is_file(f"{self._root}/{one.place}"):
                files.append((one, file))
        try:
            fd = os.open(shelf.path, _DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            return []
        try:
            return bring_back(target, fd, files)
        finally:
            os.close(fd)

    # -- giving up

    def give_up(self, before: float, octets: int) -> Freed:
        """Remove for good what is old, and the oldest of what is too much."""
        found: list[tuple[int, int, Shelf, KeptFile | None, str]] = []
        for _, directory in self._alive():
            shelf = self._shelf(directory)
            found += [
                (file.expunged, shelf.size(file), shelf, file, "")
                for file in shelf.files()
            ]
        for entry in deleted(self._root):
            path = f"{self._root}/{entry}"
            found.append(
                (deleted_at(entry), _octets(path), self._shelf(""), None, path)
            )
        left = sum(size for _, size, *_ in found)
        freed = Freed()
        for when, size, its, old, path in sorted(found, key=lambda one: one[:2]):
            if when >= before and not (octets and left > octets):
                continue
            if old is None:
                freed += Freed(_messages(path), size)
                self._host.disk.remove_tree(path)
            else:
                freed += Freed(1, size)
                its.remove(old)
            left -= size
        self._sweep()
        self._shelves.made_room()
        return freed

    def _sweep(self) -> None:
        """Remove what is left of deleted mailboxes that are empty now."""
        empty = [
            path
            for path in (f"{self._root}/{entry}" for entry in deleted(self._root))
            if _is_empty(path)
        ]
        if empty:
            with self._mailboxes.changing():  # none of them is just being filled
                for path in empty:
                    if _is_empty(path):
                        self._host.disk.remove_tree(path)


def deleted(root: str) -> list[str]:
    """The directories of deleted mailboxes, by name."""
    with translated(f"list {root}"):
        names = os.listdir(root)
    return sorted(name for name in names if name.startswith(DELETED))


def deleted_at(entry: str) -> int:
    """When a mailbox was deleted, as the name of its directory says."""
    seconds = entry.removeprefix(DELETED).partition(".")[0]
    return int(seconds) if seconds.isdecimal() else 0


def _shelved(kept: Kept) -> bool:
    return os.path.basename(os.path.dirname(kept.place)) == SHELF


def _source(kept: Kept) -> str:
    """The directory that a message is in, relative to the root."""
    return os.path.dirname(kept.place) if _shelved(kept) else kept.place


def _files(path: str) -> Iterator[os.DirEntry[str]]:
    """The messages below the directory of a deleted mailbox.

    Raises:
        StorageFailure, AccessDenied: It cannot be said which there are.
    """
    try:
        with translated(f"list {path}"):
            for directory, _, _ in os.walk(path, onerror=_raise):
                if os.path.basename(directory) in {"cur", "new", SHELF}:
                    with os.scandir(directory) as listed:
                        yield from (one for one in listed if one.name != "keywords")
    except FileNotFoundError:  # it is being given up
        return


def _is_file(path: str) -> bool:
    try:
        with translated(f"look for {path}"):
            return stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


def _raise(error: OSError) -> None:
    raise error


def _octets(path: str) -> int:
    return sum(entry.stat(follow_symlinks=False).st_size for entry in _files(path))


def _messages(path: str) -> int:
    return sum(1 for _ in _files(path))


def _is_empty(path: str) -> bool:
    """Whether there surely is no message."""
    try:
        return not _messages(path)
    except MaildropError:
        return False


def bring_back(
    mailbox: Linked, shelf: int, files: Iterable[tuple[Kept, KeptFile]]
) -> list[tuple[Kept, int]]:
    """Make files of a shelf messages of a mailbox.

    Args:
        mailbox: Where they go.
        shelf: The directory they are in.
        files: Which, and what they were.

    Returns:
        Those that were there, and their UIDs.
    """
    ledger, disk = mailbox.ledger, mailbox.host.disk
    doing = f"bring messages back to {mailbox.path}"
    wanted = list(files)
    with mailbox.changing():
        staged = [_staged(mailbox, kept, file) for kept, file in wanted]
        known = len(ledger.table.keyword_names)
        keywords = keywords_of(mailbox, staged)
        if len(ledger.table.keyword_names) > known:
            ledger.commit(ledger.batch(quiet=True))
        places = places_of(mailbox, staged, keywords)
        there = _rename(mailbox, shelf, [file for _, file in wanted], places, doing)
        if not there:
            return []
        staged = [staged[at] for at in there]
        keywords = [keywords[at] for at in there]
        places = [places[at] for at in there]
        payload = None
        try:
            uids, batch = record_of(mailbox, staged, keywords)
            mailbox.note_source(batch)
            payload = ledger.append(batch)
            fds = (*fds_of(mailbox.folder, places), shelf)
            Sync(disk, doing, (ledger.written,), fds)()
        except Exception:
            if payload is not None:
                ledger.take_back()
            names = [wanted[at][1].name for at in there]
            _rename_back(mailbox, shelf, names, places)
            raise
        ledger.carry_out(payload)
    return [(wanted[at][0], uid) for at, uid in zip(there, uids, strict=True)]


def _staged(mailbox: Linked, kept: Kept, file: KeptFile) -> Staged:
    comma = file.base.find(b",")
    return Staged(
        base=new_base(mailbox.host) + (file.base[comma:] if comma >= 0 else b""),
        size=kept.size,
        date=kept.date,
        flags=kept.flags,
        keywords=kept.keywords,
        pieces={},
        object_id=file.object_id or object_id(file.base),
    )


def _rename(
    mailbox: Linked,
    shelf: int,
    files: Sequence[KeptFile],
    places: Sequence[Place],
    doing: str,
) -> list[int]:
    """Step 2; returns which of them were there."""
    there: list[int] = []
    for at, (file, (name, mark)) in enumerate(zip(files, places, strict=True)):
        try:
            mailbox.host.disk.rename(file.name, name, shelf, mailbox.folder.fd_of(mark))
        except FileNotFoundError:
            continue
        except OSError as error:
            names = [files[done].name for done in there]
            _rename_back(mailbox, shelf, names, [places[done] for done in there])
            raise translate(error, doing) from error
        there.append(at)
    return there


def _rename_back(
    mailbox: Linked, shelf: int, names: Sequence[bytes], places: Sequence[Place]
) -> None:
    for old, (name, mark) in zip(names, places, strict=True):
        with contextlib.suppress(OSError):
            mailbox.host.disk.rename(name, old, mailbox.folder.fd_of(mark), shelf)
