r"""One Maildir as a mailbox.

In this file:
    MaildirMailbox    see ``mailbox.interfaces.StoredMailbox``

The files are the truth about content and about flags that have a letter; the ledger
about UIDs, MODSEQs and keywords without one.  ``scan`` has how other programs' changes
are taken in, ``delivery`` how messages are added, ``moving`` how they leave for another
mailbox, ``flagging`` how their flags change.  The one other change, with the ledger
locked, and what a crash leaves:

    expunge         1 each file removed     messages gone, found by the next scan
                      or kept (``kept``)
                    2 record in the log     done

That is not synced: after a power cut a message may be back, but none is gone that was
not to go.
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from twisted.logger import Logger

from maildrop.durable import translate, translated
from maildrop.errors import (
    AccessDenied,
    MailboxInUse,
    MaildropError,
    MessageExpunged,
    TemporaryError,
)
from maildrop.mailbox.flags import FlagChange
from maildrop.mailbox.interfaces import Copied, Cut, NewMessage, StoredMailbox
from maildrop.mailbox.quota import Counted
from maildrop.mailbox.steps import finished
from maildrop.storage.index.allowance import Allowance
from maildrop.storage.index.batch import Batch
from maildrop.storage.index.fragments import Fragments
from maildrop.storage.index.host import Host
from maildrop.storage.index.keyed import has
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.locks import is_taken_now
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.index.table import IndexTable
from maildrop.storage.index.text_file import TextFile
from maildrop.storage.maildir import moving
from maildrop.storage.maildir.cut import MaildirCut, Paced, listed
from maildrop.storage.maildir.flagging import Flagging
from maildrop.storage.maildir.folder import Folder
from maildrop.storage.maildir.kept import Shelf, Shelves
from maildrop.storage.maildir.linked import Linked
from maildrop.storage.maildir.reading import Reading
from maildrop.storage.maildir.reconcile import Reconciler, note_of
from maildrop.storage.maildir.salvage import Files
from maildrop.storage.maildir.scan import split
from maildrop.storage.maildir.staging import discard
from maildrop.storage.maildir.state import Known, Times
from maildrop.storage.uidl_form import unique_ids

#: Messages that are few enough for the reactor thread.
_INLINE: Final = 64
#: In a mailbox with more messages a scan is too much for the reactor thread.
_SCAN_INLINE: Final = 4000
#: Seconds between two looks whether the paths still name what is open.
_THOROUGH: Final = 1.0
#: RFC 1939 section 7: one to 70 characters from %x21 to %x7E.
_UIDL: Final = re.compile(rb"[!-~]{1,70}")
_POP3_LOCK: Final = "maildrop.pop3.lock"


class MaildirMailbox(Linked):
    """One Maildir, open.

    Args:
        name: The mailbox's name.
        path: Where it is.
        host: Disk, clocks.
        new_uid_validity: Gives a UIDVALIDITY above its argument.
        remembered: Memory for pieces of messages, shared.
        shelves: What is set for expunged messages.
        allowance: How much the account may still take.
    """

    _log = Logger()

    def __init__(
        self,
        name: str,
        path: str,
        host: Host,
        new_uid_validity: Callable[[int], int],
        remembered: Remembered,
        shelves: Shelves,
        allowance: Allowance,
    ) -> None:
        self.name = name
        self.path = path
        self.host = host
        self.shelf = Shelf(path, shelves, host)
        self.allowance = allowance
        self.folder = Folder(path)
        try:
            self.ledger = Ledger(
                path, host, new_uid_validity, derive=Files(self.folder)
            )
        except BaseException:
            self.folder.close()
            raise
        self.pieces = Fragments(
            path, self.ledger, host, self.read_many, self._headers, remembered
        )
        self._before: Times | None = None
        self._known = Known(host, len(self.ledger.table))
        self._source = self.ledger.table.source
        self._known.take(self._source)
        self._reconciler = Reconciler(
            self.folder, self.ledger, self._known, self.pieces, host
        )
        self._flagging = Flagging(self, self._reconciler)
        self._cut = MaildirCut(self)
        self._paced = Paced(self._cut, host)
        self._reading = Reading(
            self.folder,
            self.ledger,
            self._reconciler.path_of,
            self._reconciler.contents,
            self.look,
            host,
        )
        self._thorough_until = 0.0
        allowance.opened(path, self.ledger)
        try:
            self.refresh()
        except BaseException:
            self._let_go()
            raise

    @property
    def table(self) -> IndexTable:
        """The columns."""
        return self.ledger.table

    @property
    def read_only(self) -> bool:
        """Whether the account may not change it."""
        return self.ledger.read_only

    @property
    def inline(self) -> int:
        """Messages that a call may touch on the reactor thread."""
        ledger = self.ledger
        if ledger.compaction_due:
            return 0
        if len(ledger.table) > _SCAN_INLINE and not self._is_current():
            return 0
        return _INLINE

    # -- following

    def _is_current(self) -> bool:
        return self._known.current(self.folder.times())

    def unchanged(self, *, thorough: bool) -> bool:
        """Whether ``refresh`` would find nothing; if not thorough, no path is asked."""
        ledger, now = self.ledger, self.host.monotonic()
        if ledger.compaction_due or not ledger.unchanged():
            return False
        if not thorough:
            times = self.folder.times_of_open()
            return now < self._thorough_until and self._known.current(times)
        self._thorough_until = now + _THOROUGH
        return self._is_current()

    def refresh(self) -> None:
        """Take in what other processes and programs did."""
        self._thorough_until = self.host.monotonic() + _THOROUGH
        if self.ledger.refresh():
            self._take_source()
        if not self._is_current():
            self._reconcile()
        if self.ledger.compaction_due:
            self._compact()

    def _take_source(self) -> None:
        source = self.ledger.table.source
        if source != self._source:
            self._source = source
            self._known.take(source)

    def _reconcile(self, *, force: bool = False) -> None:
        if self.ledger.read_only:
            return
        with self.ledger.locked():
            self._take_source()
            times = self.folder.times()
            if force or not self._known.current(times):
                self._reconciler.scan(times, whole=force)
                self._source = self.ledger.table.source

    def look(self, replaced: Iterable[int] = ()) -> None:
        """Look at the directories, whatever their times say.

        Args:
            replaced: UIDs of messages whose files hold others now.
        """
        self._reconciler.replaced(replaced)
        self._reconcile(force=True)

    def path_of(self, row: int) -> bytes:
        """Where the file of a row should be."""
        return self._reconciler.path_of(row)

    def _compact(self) -> None:
        self.ledger.compact()
        if self.pieces.cache.wasteful():
            self.pieces.cache.compact()

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Change the directories: with the ledger locked, and noted afterwards."""
        if self.ledger.read_only:
            raise AccessDenied(f"{self.path} is read-only")
        with self.ledger.locked():
            self._take_source()
            self._before = self._times()
            yield
            if self._before is not None:
                batch = self.ledger.batch(quiet=True)
                self.note_source(batch)
                if batch:
                    self._note(batch)

    def _note(self, batch: Batch) -> None:
        """Tell others that they need not look.  All is done: this may fail."""
        try:
            self.ledger.commit(batch)
        except (TemporaryError, AccessDenied) as error:
            self._log.info(
                "{path} will be looked at again: {error}",
                path=self.path,
                error=str(error),
            )

    def _times(self) -> Times:
        """Times of the directories; once a second it is seen that they are the same."""
        now = self.host.monotonic()
        if now < self._thorough_until:
            return self.folder.times_of_open()
        self._thorough_until = now + _THOROUGH
        return self.folder.times()

    def note_source(self, batch: Batch) -> None:
        """The directories are as we leave them now: no scan is needed for that."""
        if self._before is not None:
            self._known.changed_by_us(self._before, self.folder.times_of_open())
            self._before = None
        state = self._known.octets()
        if state != self.ledger.table.source:
            batch.source(state)
        self._source = state

    # -- flags

    @property
    def unclaimed(self) -> bool:
        """Whether ``claim_recent`` has something to do."""
        return self._flagging.unclaimed

    def claim_recent(self) -> None:
        """All messages there are now have been in a session."""
        self._flagging.claim_recent()

    def change_flags(
        self, uids: Sequence[int], change: FlagChange, by: object | None
    ) -> Sequence[int]:
        """Change flags and keywords."""
        return self._flagging.change(uids, change, by)

    def left_alone(self) -> None:
        """The directories were not changed after all: there is nothing to note."""
        self._before = None

    # -- removing

    def expunge(
        self, uids: Sequence[int], by: object | None, *, keep: bool = True
    ) -> Sequence[int]:
        """Remove messages, whatever their flags."""
        with self.changing():
            gone, lost = self._expunge(uids, by, keep=keep)
        if lost:
            self.look()
            with self.changing():
                again, _ = self._expunge(lost, by, keep=keep)
            gone = sorted({*gone, *again})
        return gone

    def _expunge(
        self, uids: Sequence[int], by: object | None, *, keep: bool
    ) -> tuple[list[int], list[int]]:
        """Returns the UIDs removed, and those whose file was not there."""
        table = self.table
        gone = []
        lost = []
        kept = keep and self.shelf.ready()
        for row in table.rows(uids):
            name, mark = split(self._reconciler.path_of(row))
            try:
                if kept:
                    self.shelf.put(name, self.folder.fd_of(mark), table, row)
                else:
                    self.host.disk.unlink(name, dir_fd=self.folder.fd_of(mark))
            except FileNotFoundError:
                lost.append(table.uids[row])
            except OSError as error:
                raise translate(error, f"remove from {self.path}") from error
            else:
                gone.append(table.uids[row])
        if gone:
            self.forget(gone, by)
        return gone, lost

    def came_before(self, seconds: float) -> Sequence[int]:
        """UIDs of messages that came into this mailbox before a moment."""
        return self.table.came_before(seconds)

    def forget(self, uids: Sequence[int], by: object | None) -> None:
        """Messages have lost their files to us: they are no more."""
        batch = self.ledger.batch()
        batch.expunge(uids)
        for uid in uids if self.table.notes else ():
            if note_of(uid) in self.table.notes:
                batch.note(note_of(uid), b"")
        self.note_source(batch)
        self.ledger.commit(batch, by)

    # -- adding

    @property
    def cut(self) -> Cut | None:
        """Adding, cut, unless the disk makes wait for what is usually quick."""
        return None if self.host.pace.slow(self.host.monotonic()) else self._paced

    def stage(self, messages: Sequence[NewMessage]) -> object:
        """Write the octets to tmp/ and sync them."""
        return finished(self._cut.stage(messages))

    def publish(self, staged: object, by: object | None) -> Sequence[int]:
        """Make the messages visible, all or none, and durable."""
        del by  # growth is no news that anybody is spared
        (published,) = finished(self._cut.publish([staged]))
        if isinstance(published, MaildropError):
            raise published
        return published

    def discard(self, staged: object) -> None:
        """Remove what is still in tmp/, but for what the log says is to come."""
        gone = [it for it in listed(staged) if not has(self.table, it.key)]
        discard(self.folder, gone, self.host)

    def copy(self, uids: Sequence[int], target: StoredMailbox) -> Copied:
        """Copy messages, all or none."""
        copied = None
        if isinstance(target, Linked):
            copied = finished(moving.copy(self, uids, target))
        return copied or moving.copy_octets(self, uids, target)

    def move(
        self, uids: Sequence[int], target: StoredMailbox, by: object | None
    ) -> Copied:
        """Move messages."""
        moved = None
        if isinstance(target, Linked):
            moved = finished(moving.move(self, uids, target, by))
        if moved is None:
            moved = moving.copy_octets(self, uids, target, Counted.MOVED)
            self.expunge(moved.source, by, keep=False)
        return moved

    # -- reading

    def read(self, uid: int) -> bytes:
        """The whole message."""
        octets = self.read_many((uid,))[0]
        if octets is None:
            raise MessageExpunged(f"{self.name}: no message with UID {uid}")
        return octets

    def read_many(self, uids: Sequence[int]) -> list[bytes | None]:
        """Whole messages; None for one that is gone."""
        return self._reading.many(uids)

    def _headers(self, uids: Sequence[int]) -> list[bytes | None]:
        return self._reading.headers(uids)

    def read_at_once(self, uids: Sequence[int]) -> list[bytes | None] | None:
        """Whole messages, if that is quick."""
        return self._reading.at_once(uids)

    def fragments(self, key: bytes, uids: Sequence[int]) -> list[bytes | None]:
        """Pieces of messages from the cache."""
        return self.pieces.pieces(key, uids)

    def fragments_at_once(
        self, key: bytes, uids: Sequence[int]
    ) -> list[bytes | None] | None:
        """The same, if no message has to be read for it."""
        return self.pieces.at_hand(key, uids)

    @property
    def text(self) -> TextFile:
        """What SEARCH looks through."""
        return self.pieces.text

    def uidls(self) -> list[bytes]:
        """POP3 unique ids: the base names, which stay when the ledger is lost.

        Where another server made them before, they go on as they were.
        """

        def own() -> list[bytes]:
            fits = _UIDL.fullmatch
            names = self.table.names.all()
            return [name if fits(name) else _digest(name) for name in names]

        return unique_ids(self.table, own)

    # -- the rest

    def lock_maildrop(self) -> Callable[[], None]:
        """The exclusive-access lock of POP3, among processes."""
        path = f"{self.path}/{_POP3_LOCK}"
        with translated(f"open {path}"):
            fd = self.host.disk.append_to(path)
        if not is_taken_now(fd):
            os.close(fd)
            raise MailboxInUse(f"{self.path} is in use by another POP3 session")
        return lambda: os.close(fd)

    @property
    def unsettled(self) -> bool:
        """Whether the log should be folded, or less be kept of what was expunged."""
        return self.ledger.compaction_due or self.shelf.shelves.due

    def settle(self) -> None:
        """Fold the log, and the cache if half of it is waste; make room."""
        if self.ledger.compaction_due:
            self._compact()
        if self.shelf.shelves.due:
            self.shelf.shelves.make_room()

    def watched_paths(self) -> Iterable[str]:
        """The directories that change, and the one that the log is in."""
        return (self.folder.new, self.folder.cur, self.path)

    def close(self) -> None:
        """Let go; fold the log if it is worth it."""
        self._let_go()

    def _let_go(self) -> None:
        self.allowance.closed(self.path, self.ledger)
        self.folder.close()
        self.shelf.close()
        self.pieces.close()
        self.ledger.close()


def _digest(name: bytes) -> bytes:
    return hashlib.blake2b(name, digest_size=16).hexdigest().encode()
