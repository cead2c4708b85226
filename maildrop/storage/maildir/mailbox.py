r"""One Maildir as a mailbox.

In this file:
    MaildirMailbox    see ``mailbox.interfaces.StoredMailbox``

The files are the truth about content and about flags that have a letter; the ledger
about UIDs, MODSEQs and keywords without one.  ``scan`` has how other programs' changes
are taken in, ``delivery`` how messages are added, ``moving`` how they leave for another
mailbox.  The other changes, with the ledger locked, and what a crash leaves:

    change_flags    1 each file renamed     flags changed, found by the next scan
                    2 record in the log     done
    expunge         1 each file removed     messages gone, found by the next scan
                    2 record in the log     done
    claim_recent    1 files go from new/    moved, found by the next scan
                      to cur/
                    2 record in the log     done

None of these is synced: after a power cut a flag may be as it was, never a message.
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from maildrop.durable import translate, translated
from maildrop.errors import AccessDenied, MailboxInUse, MessageExpunged
from maildrop.mailbox.flags import ALL_SYSTEM, FlagChange, Operation, combined
from maildrop.mailbox.interfaces import Copied, NewMessage, StoredMailbox
from maildrop.storage.index.batch import Batch
from maildrop.storage.index.fragments import Fragments
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.locks import is_taken_now
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.index.table import IndexTable
from maildrop.storage.maildir import delivery, moving
from maildrop.storage.maildir.folder import Folder
from maildrop.storage.maildir.names import Letters
from maildrop.storage.maildir.reading import Reading
from maildrop.storage.maildir.reconcile import Reconciler, note_of
from maildrop.storage.maildir.scan import split
from maildrop.storage.maildir.staging import Staged, discard, stage
from maildrop.storage.maildir.state import Known, Times

#: Messages that are few enough for the reactor thread.
_INLINE: Final = 64
#: In a mailbox with more messages a scan is too much for the reactor thread.
_SCAN_INLINE: Final = 4000
#: Seconds between two looks whether the paths still name what is open.
_THOROUGH: Final = 1.0
#: RFC 1939 section 7: one to 70 characters from %x21 to %x7E.
_UIDL: Final = re.compile(rb"[!-~]{1,70}")
_POP3_LOCK: Final = "maildrop.pop3.lock"


class MaildirMailbox:
    """One Maildir, open.

    Args:
        name: The mailbox's name.
        path: Where it is.
        place: The same, relative to the account's Maildir.
        host: Disk, clocks.
        new_uid_validity: Gives a UIDVALIDITY above its argument.
        remembered: Memory for pieces of messages, shared.
        sibling: Opens another mailbox of the account by its place, to finish a move
            that a crash stopped; None leaves that to others.
    """

    def __init__(
        self,
        name: str,
        path: str,
        place: str,
        host: Host,
        new_uid_validity: Callable[[int], int],
        remembered: Remembered,
        sibling: Callable[[str], "MaildirMailbox | None"] | None,
    ) -> None:
        self.name = name
        self.path = path
        self.place = place
        self.host = host
        self.folder = Folder(path)
        try:
            self.ledger = Ledger(path, host, new_uid_validity)
        except BaseException:
            self.folder.close()
            raise
        self.pieces = Fragments(path, self.ledger, host, self.read_many, remembered)
        self._before: Times | None = None
        self._known = Known(host)
        self._source = self.ledger.table.source
        self._known.take(self._source)
        self._letters = Letters(self.ledger.table.keyword_names)
        self._reconciler = Reconciler(self.folder, self.ledger, self._known, host)
        self._reading = Reading(
            self.folder, self.ledger, self._reconciler.path_of, self.look, host
        )
        self._thorough_until = 0.0
        self._renamed = 0
        try:
            self.refresh()
            if sibling is not None:
                moving.resume(self, sibling)
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
        if ledger.compaction_due or ledger.busy:
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

    def look(self) -> None:
        """Look at the directories, whatever their times say."""
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
            self._before = self.folder.times()
            yield
            if self._before is not None:
                batch = self.ledger.batch(quiet=True)
                self._note_source(batch)
                if batch:
                    self.ledger.commit(batch)

    def _note_source(self, batch: Batch) -> None:
        """The directories are as we left them: no scan is needed for that."""
        if self._before is not None:
            self._known.changed_by_us(self._before, self.folder.times())
            self._before = None
        state = self._known.octets()
        if state != self.ledger.table.source:
            batch.source(state)
        self._source = state

    # -- flags

    @property
    def unclaimed(self) -> bool:
        """Whether ``claim_recent`` has something to do."""
        table = self.table
        if table.first_recent < table.uid_next:
            return True
        return not self.ledger.read_only and bool(self._reconciler.rows_in_new())

    def claim_recent(self) -> None:
        """All messages there are now have been in a session."""
        table = self.table
        if self.ledger.read_only:
            table.first_recent = table.uid_next
            return
        if not self.unclaimed:
            return
        with self.changing():
            batch = self.ledger.batch(quiet=True)
            batch.first_recent(table.uid_next)
            uids = [
                table.uids[row]
                for row in self._reconciler.rows_in_new()[:_INLINE]
                if self._rename(row, table.flags[row], table.keywords[row], batch)
            ]
            if uids:
                batch.mark(uids, bytes(len(uids)))
                self._note_source(batch)
            self.ledger.commit(batch)

    def change_flags(
        self, uids: Sequence[int], change: FlagChange, by: object | None
    ) -> Sequence[int]:
        """Change flags and keywords."""
        with self.changing():
            changed, lost = self._change_flags(uids, change, by)
        if lost:
            # Renamed or removed by somebody else meanwhile: find out, and once more.
            self.look()
            with self.changing():
                again, _ = self._change_flags(lost, change, by)
            changed = sorted({*changed, *again})
        return changed

    def _change_flags(
        self, uids: Sequence[int], change: FlagChange, by: object | None
    ) -> tuple[list[int], list[int]]:
        """Returns the UIDs changed, and those whose file was not there."""
        table = self.table
        renamed = self._renamed
        adding = change.operation is not Operation.REMOVE
        asked = (
            change.flags & ALL_SYSTEM,
            table.keyword_bits(change.keywords, create=adding),
        )
        batch = self.ledger.batch()
        changed: list[int] = []
        lost: list[int] = []
        bits = bytearray()
        keywords = []
        for row in table.rows(uids):
            before = table.flags[row] & ALL_SYSTEM, table.keywords[row]
            after = combined(before, change.operation, asked)
            if after == before:
                continue
            if not self._rename(row, *after, batch):
                lost.append(table.uids[row])
                continue
            changed.append(table.uids[row])
            bits.append(after[0])
            keywords.append(after[1])
        if self._renamed == renamed:
            self._before = None  # nothing to be noted of the directories
        if changed:
            batch.change_flags(changed, bytes(bits), keywords)
            self._note_source(batch)
            self.ledger.commit(batch, by)
        return changed, lost

    def _rename(self, row: int, flags: int, keywords: int, batch: Batch) -> bool:
        """Give a file the name for other flags, in cur/; whether it was there."""
        name, mark = split(self._reconciler.path_of(row))
        wanted = self.table.names.name(row)
        wanted += self._letters.end(flags & ALL_SYSTEM, keywords)
        noted = note_of(self.table.uids[row])
        if noted in self.table.notes:
            unknown = self._letters.parse(name, 0)[2]
            wanted += unknown
            batch.note(noted, wanted if unknown else b"")
        if wanted == name and not mark:
            return True
        folder = self.folder
        try:
            self.host.disk.rename(
                name,
                wanted,
                source_fd=folder.new_fd if mark else folder.cur_fd,
                target_fd=folder.cur_fd,
            )
        except FileNotFoundError:
            return False
        except OSError as error:
            raise translate(error, f"rename in {self.path}") from error
        self._renamed += 1
        return True

    # -- removing

    def expunge(self, uids: Sequence[int], by: object | None) -> Sequence[int]:
        """Remove messages, whatever their flags."""
        return self.remove(uids, by, b"")

    def remove(
        self, uids: Sequence[int], by: object | None, finished: bytes
    ) -> Sequence[int]:
        """Remove messages, and with the last of them a note of the ledger."""
        with self.changing():
            gone, lost = self._expunge(uids, by, finished)
        if lost:
            self.look()
            with self.changing():
                again, _ = self._expunge(lost, by, finished)
            gone = sorted({*gone, *again})
        return gone

    def _expunge(
        self, uids: Sequence[int], by: object | None, finished: bytes
    ) -> tuple[list[int], list[int]]:
        """Returns the UIDs removed, and those whose file was not there."""
        table = self.table
        batch = self.ledger.batch()
        gone = []
        lost = []
        for row in table.rows(uids):
            uid = table.uids[row]
            name, mark = split(self._reconciler.path_of(row))
            try:
                self.host.disk.unlink(name, dir_fd=self.folder.fd_of(mark))
            except FileNotFoundError:
                lost.append(uid)
                continue
            except OSError as error:
                raise translate(error, f"remove from {self.path}") from error
            gone.append(uid)
            if note_of(uid) in table.notes:
                batch.note(note_of(uid), b"")
        if finished and not lost:
            # What follows must not outlive the files' removal.
            with translated(f"sync {self.path}"):
                for fd in (self.folder.new_fd, self.folder.cur_fd):
                    self.host.disk.synchronize_directory(fd)
            batch.note(finished, b"")
        if gone:
            batch.expunge(gone)
            self._note_source(batch)
        if batch:
            self.ledger.commit(batch, by)
        return gone, lost

    # -- adding

    def stage(self, messages: Sequence[NewMessage]) -> object:
        """Write the octets to tmp/ and sync them."""
        staged: list[Staged] = []
        try:
            for message in messages:
                staged.append(stage(self.folder, message, self.host))  # noqa: PERF401
        except BaseException:
            discard(self.folder, staged, self.host)
            raise
        return staged

    def publish(self, staged: object, by: object | None) -> Sequence[int]:
        """Make the messages visible, all or none, and durable."""
        del by  # growth is no news that anybody is spared
        messages = [message for message in _list(staged) if isinstance(message, Staged)]
        with self.changing():
            return delivery.publish(
                self.folder, self.ledger, self.pieces, messages, self.host
            )

    def discard(self, staged: object) -> None:
        """Remove what is still in tmp/."""
        messages = [message for message in _list(staged) if isinstance(message, Staged)]
        discard(self.folder, messages, self.host)

    def copy(self, uids: Sequence[int], target: StoredMailbox) -> Copied:
        """Copy messages, all or none."""
        copied = None
        if isinstance(target, MaildirMailbox):
            copied = moving.copy(self, uids, target)
        return copied or moving.copy_octets(self, uids, target)

    def move(
        self, uids: Sequence[int], target: StoredMailbox, by: object | None
    ) -> Copied:
        """Move messages."""
        copied = None
        if isinstance(target, MaildirMailbox):
            copied = moving.move(self, uids, target, by)
        if copied is None:
            copied = moving.copy_octets(self, uids, target)
            self.expunge(copied.source, by)
        return copied

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

    def uidls(self) -> list[bytes]:
        """POP3 unique ids: the base names, which stay when the ledger is lost."""
        fits = _UIDL.fullmatch
        names = self.table.names.all()
        found = [name if fits(name) else _digest(name) for name in names]
        for uid, text in self.table.uidls.items():
            row = self.table.row(uid)
            if row is not None:
                found[row] = text
        return found

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
        """Whether the log should be folded."""
        return self.ledger.compaction_due

    def settle(self) -> None:
        """Fold the log, and the cache if half of it is waste."""
        if self.ledger.compaction_due:
            self._compact()

    def watched_paths(self) -> Iterable[str]:
        """The directories that change, and the one that the log is in."""
        return (self.folder.new, self.folder.cur, self.path)

    def close(self) -> None:
        """Let go; fold the log if it is worth it."""
        self._let_go()

    def _let_go(self) -> None:
        self.folder.close()
        self.pieces.close()
        self.ledger.close()


def _digest(name: bytes) -> bytes:
    return hashlib.blake2b(name, digest_size=16).hexdigest().encode()


def _list(staged: object) -> list[object]:
    return staged if isinstance(staged, list) else []
