"""One mailbox in an mbox file; see ``mailbox.interfaces.StoredMailbox``.

In this file:
    MboxMailbox    the mailbox

Who knows what: the file has the messages, the ledger their UIDs, flags and keywords,
the layout where each stands in the file and which flags the file shows (``places``
keeps the three in step).  Changed flags go to the ledger at once and into the file's
Status fields later, in ``settle``: when the last session has left, and now and then.

Order of the locks: mbox first, then ledger.

| operation | steps | a crash in between |
|---|---|---|
| publish | noted (``intent``); appended, synced; ledger record, synced | see there |
| expunge | copied (``kept``); tail rewritten (``rewrite``); record | the file tells |
| flags | ledger record | the file says less until ``settle`` |
| settle | fields overwritten, or tail rewritten; layout saved | done again |
| move | see ``moving`` | the next one goes on |
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from twisted.logger import Logger

from maildrop.durable import translate, translated
from maildrop.errors import (
    MailboxInUse,
    MailboxVanished,
    MaildropError,
    MessageExpunged,
)
from maildrop.mailbox.flags import ALL_SYSTEM, FlagChange, Operation, combined
from maildrop.mailbox.interfaces import Copied, NewMessage, StoredMailbox
from maildrop.mailbox.quota import Counted
from maildrop.storage.index.allowance import Allowance
from maildrop.storage.index.fragments import Fragments
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.locks import is_taken_now
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.index.table import IndexTable
from maildrop.storage.index.text_file import TextFile
from maildrop.storage.mbox import intent
from maildrop.storage.mbox.compose import Staged
from maildrop.storage.mbox.copying import copied
from maildrop.storage.mbox.file import MboxFile
from maildrop.storage.mbox.format import content, visible, visible_header
from maildrop.storage.mbox.kept import KeepFile
from maildrop.storage.mbox.layout import Stamp
from maildrop.storage.mbox.moving import Moves
from maildrop.storage.mbox.numbered import MboxNumbered
from maildrop.storage.mbox.places import Places
from maildrop.storage.mbox.settling import settle, unlike
from maildrop.storage.uidl_form import unique_ids

POP3_LOCK = "maildrop.pop3.lock"
#: Octets of a message in which its header is looked for.
_HEADER_ROOM = 1 << 13

_log = Logger()


class MboxMailbox(MboxNumbered):
    """A mailbox whose messages are in one file.

    Args:
        name: Its name, levels joined by "/".
        file: The mbox.
        control: Directory of its control files; exists.
        ledger: Opened there.
        host: Disk, time, chance.
        remembered: Memory for pieces, shared by all mailboxes.
        kept: Where expunged messages are kept.
        allowance: How much the account may still take.
        moves: The moves of the account.
        optional: The file may be missing: then the mailbox is empty (INBOX).
    """

    # A lock of another program may make any call wait: never on the reactor thread.
    inline = 0

    def __init__(
        self,
        name: str,
        file: MboxFile,
        control: str,
        ledger: Ledger,
        host: Host,
        remembered: Remembered,
        kept: KeepFile,
        allowance: Allowance,
        moves: Moves,
        *,
        optional: bool,
    ) -> None:
        self.name = name
        self._kept = kept
        self._allowance = allowance
        allowance.opened(control, ledger)
        self._moves = moves
        self._file = file
        self._control = control
        self._ledger = ledger
        self._host = host
        self._optional = optional
        self._places = Places(ledger, control, host, file.path)
        self._fragments = Fragments(
            control, ledger, host, self.read_many, self._headers, remembered
        )

    @property
    def table(self) -> IndexTable:
        """The columns."""
        return self._ledger.table

    @property
    def read_only(self) -> bool:
        """Whether the account lacks the right to change it."""
        return self._ledger.read_only or not os.access(
            self._file.path if self._file.stat() else os.path.dirname(self._file.path),
            os.W_OK,
            effective_ids=True,
        )

    # -- following

    def unchanged(self, *, thorough: bool) -> bool:
        """Whether ``refresh`` would find nothing; False where we may not even look."""
        del thorough  # the path is looked at in any case
        try:
            found = os.stat(self._file.path)
        except OSError:
            return False
        return (
            self._ledger.unchanged()
            and not intent.is_open(self._ledger)
            and self._places.knows(Stamp.of(found))
        )

    def refresh(self) -> None:
        """Take in what other processes and programs did."""
        self._ledger.refresh()
        found = self._file.stat()
        if found is None:
            self._missing()
        elif self._interrupted() or not self._places.knows(Stamp.of(found)):
            with contextlib.suppress(FileNotFoundError), self._reading():
                return
            self._missing()

    def _interrupted(self) -> bool:
        """Whether a crash left something to be finished."""
        return intent.is_open(self._ledger) or self._file.interrupted

    def _missing(self) -> None:
        if not self._optional:
            raise MailboxVanished(f"{self._file.path} is gone")
        if len(self.table):
            with self._ledger.locked():
                batch = self._ledger.batch()
                batch.expunge(list(self.table.uids))
                self._ledger.commit(batch)
        self._places.layout.clear()
        self._places.layout.stamp = Stamp()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[int]:
        """The file, taken in; raises FileNotFoundError when there is none."""
        if intent.is_open(self._ledger) and not self.read_only:
            with self._writing():
                pass
        with self._file.reading(
            lambda found: self._places.knows(Stamp.of(found))
        ) as fd:
            self._synchronize(fd)
            yield fd

    @contextlib.contextmanager
    def _writing(self) -> Iterator[int]:
        try:
            with self._file.writing(create=self._optional) as fd:
                intent.end_append(fd, self._file, self._ledger)
                self._synchronize(fd)
                yield fd
        except FileNotFoundError as error:  # deleted or renamed meanwhile
            if self._optional:
                raise translate(error, f"write {self._file.path}") from error
            raise MailboxVanished(f"{self._file.path} is gone") from error

    def _synchronize(self, fd: int) -> None:
        with translated(f"read {self._file.path}"):
            self._places.synchronize(fd)

    @property
    def unclaimed(self) -> bool:
        """Whether ``claim_recent`` has something to do."""
        return self.table.first_recent < self.table.uid_next

    def claim_recent(self) -> None:
        r"""All messages there are now have been in a session (``\Recent``)."""
        table = self.table
        if table.first_recent < table.uid_next and not self.read_only:
            with self._ledger.locked():
                batch = self._ledger.batch()
                batch.mod_seq = table.highest_mod_seq
                batch.first_recent(table.uid_next)
                self._ledger.commit(batch)

    # -- flags

    def change_flags(
        self, uids: Sequence[int], change: FlagChange, by: object | None
    ) -> Sequence[int]:
        """Change flags and keywords in the ledger."""
        table = self.table
        with self._ledger.locked():
            adding = change.operation is not Operation.REMOVE
            named = change.flags, table.keyword_bits(change.keywords, create=adding)
            changed, flags, keywords = [], bytearray(), []
            for row in table.rows(uids):
                before = table.flags[row] & ALL_SYSTEM, table.keywords[row]
                after = combined(before, change.operation, named)
                if after != before:
                    changed.append(table.uids[row])
                    flags.append(after[0])
                    keywords.append(after[1])
            if changed:
                batch = self._ledger.batch()
                batch.change_flags(changed, bytes(flags), keywords)
                self._ledger.commit(batch, by)
        return changed

    @property
    def unsettled(self) -> bool:
        """Whether the file shows other flags than the ledger."""
        if self._ledger.compaction_due or self._kept.due:
            return True
        return bool(unlike(self._places.layout, self.table))

    def settle(self) -> None:
        """Write flags into the file, and fold the ledger's log if it is long."""
        if self._file.stat() is not None and not self.read_only:
            with self._writing() as fd:
                self._confirm(fd)
                if settle(fd, self._file, self._places.layout, self.table):
                    self._places.save()
        if self._ledger.compaction_due:
            self._ledger.compact()
        if self._kept.due:
            self._kept.make_room()

    def _confirm(self, fd: int, uids: Iterable[int] = ()) -> None:
        """No place of messages to be removed, or to be written to, is unsure."""
        layout = self._places.layout
        written = map(layout.uids.__getitem__, unlike(layout, self.table))
        self._places.confirm(fd, (*uids, *written))

    # -- removing

    def expunge(
        self, uids: Sequence[int], by: object | None, *, keep: bool = True
    ) -> Sequence[int]:
        """Remove messages."""
        with self._writing() as fd:
            self._confirm(fd, uids)
            layout = self._places.layout
            gone = [self.table.uids[row] for row in self.table.rows(uids)]
            if keep:
                self._kept.put(
                    self.name, self.table, gone, lambda uid: self._read(fd, uid)
                )
            removed = set(gone)
            flagged = settle(fd, self._file, layout, self.table, removed)
            self._places.changed = True
            if gone:
                with self._ledger.locked():
                    batch = self._ledger.batch()
                    batch.expunge(gone)
                    self._ledger.commit(batch, by)
            if flagged:
                self._places.save()
        return gone

    def keep_all(self) -> None:
        """The mailbox is about to be deleted: keep its messages."""
        with self._writing() as fd:
            self._places.confirm(fd, self._kept.newest(self.table))
            uids = self._kept.newest(self.table)
            self._kept.put(self.name, self.table, uids, lambda uid: self._read(fd, uid))

    def came_before(self, seconds: float) -> Sequence[int]:
        """UIDs of messages that came into this mailbox before a moment."""
        return self.table.came_before(seconds)

    # -- adding

    def stage(self, messages: Sequence[NewMessage]) -> Staged:
        """Put messages into the form of the file, in memory."""
        return Staged.of(messages, self._host.clock())

    def publish(self, staged: object, by: object | None) -> Sequence[int]:
        """Append the messages; file and ledger are synced."""
        if not isinstance(staged, Staged):
            raise TypeError("publish takes what stage gave")
        with self._writing() as fd, self._ledger.locked():
            before = after = self._allowance.begin()
            if staged.messages:
                how = staged.messages[0].counted
                after = self._allowance.admit(before, staged.sizes, how)
            appendix = self._file.appendix(fd, staged.raw)
            intent.announce(self._ledger, appendix, staged.restoring)
            self._file.append(fd, appendix)
            try:
                uids = self._record(staged, appendix.starts, by)
                self._allowance.added(before, after)
                return uids
            except MaildropError:
                self._file.cut(fd, appendix.size)
                raise
            finally:
                self._places.layout.stamp = Stamp.of(os.fstat(fd))
                self._places.changed = True

    def _record(
        self, staged: Staged, starts: Sequence[int], by: object | None
    ) -> Sequence[int]:
        table, now = self.table, int(self._host.clock())
        batch = self._ledger.batch()
        first = table.uid_next
        places = []
        for uid, (message, start, raw, size, name) in enumerate(
            zip(
                staged.messages,
                starts,
                staged.raw,
                staged.sizes,
                staged.digests,
                strict=True,
            ),
            first,
        ):
            keywords = table.keyword_bits(message.keywords, create=True)
            flags = message.flags & ALL_SYSTEM
            batch.append(
                uid,
                size,
                now if message.date is None else message.date,
                flags,
                keywords,
                name,
                saved=now,
                object_id=int.from_bytes(self._host.random(8), "little"),
            )
            places.append((uid, start, len(raw), flags, keywords))
        intent.ended(self._ledger, batch)
        self._ledger.commit(batch, by)
        for place in places:
            self._places.layout.append(*place)
        return range(first, first + len(places))

    def bring_back(self, messages: Mapping[bytes, NewMessage]) -> dict[bytes, int]:
        """Append expunged messages, and note that they are back.

        Args:
            messages: By key (``kept.key_of``).

        Returns:
            Their UIDs by key.
        """
        staged = self.stage(list(messages.values()))
        staged.restoring = list(messages)
        return dict(zip(messages, self.publish(staged, None), strict=True))

    def brought_back(self) -> list[bytes]:
        """Keys of messages that were brought back and may not be so again."""
        return intent.restored(self._ledger)

    def forget_brought_back(self) -> None:
        """Nobody will bring them back again."""
        intent.forget_restored(self._ledger)

    def discard(self, staged: object) -> None:
        """Nothing was written."""

    def copy(self, uids: Sequence[int], target: StoredMailbox) -> Copied:
        """Copy messages with flags, keywords and dates."""
        return copied(self, uids, target)

    def move(
        self, uids: Sequence[int], target: StoredMailbox, by: object | None
    ) -> Copied:
        """Copy, then remove."""
        if isinstance(target, MboxMailbox):
            return self._moves.move(self, uids, target, by)
        moved = copied(self, uids, target, Counted.MOVED)
        self.expunge(moved.source, by, keep=False)
        return moved

    cut = None  # to add is one piece of work

    # -- reading

    def read(self, uid: int) -> bytes:
        """The whole message."""
        octets = self.read_many([uid])[0]
        if octets is None:
            raise MessageExpunged(f"{self.name}: no message with UID {uid}")
        return octets

    def read_many(self, uids: Sequence[int]) -> list[bytes | None]:
        """Whole messages; None for one that is gone."""
        try:
            with self._reading() as fd:
                self._places.confirm(fd, uids)
                return [self._read(fd, uid) for uid in uids]
        except FileNotFoundError:
            self._missing()
            return [None] * len(uids)

    def _read(self, fd: int, uid: int) -> bytes | None:
        raw = self._raw(fd, uid, 1 << 62)
        return None if raw is None else visible(content(raw))

    def _raw(self, fd: int, uid: int, most: int) -> bytes | None:
        layout = self._places.layout
        row = layout.row(uid)
        if row is None:
            return None
        return os.pread(fd, min(most, layout.lengths[row]), layout.starts[row])

    def _headers(self, uids: Sequence[int]) -> list[bytes | None]:
        """Headers with their empty line; None where the message must be read whole."""
        try:
            with self._reading() as fd:
                self._places.confirm(fd, uids)
                begins = [self._raw(fd, uid, _HEADER_ROOM) for uid in uids]
        except FileNotFoundError:
            return [None] * len(uids)
        return [None if raw is None else visible_header(content(raw)) for raw in begins]

    def read_at_once(self, uids: Sequence[int]) -> list[bytes | None] | None:
        """Never: the file has to be locked."""
        del uids
        return None

    def fragments(self, key: bytes, uids: Sequence[int]) -> list[bytes | None]:
        """Pieces of messages from the cache."""
        return self._fragments.pieces(key, uids)

    def fragments_at_once(
        self, key: bytes, uids: Sequence[int]
    ) -> list[bytes | None] | None:
        """The same, if no message has to be read for it."""
        return self._fragments.at_hand(key, uids)

    @property
    def text(self) -> TextFile:
        """What SEARCH looks through."""
        return self._fragments.text

    def uidls(self) -> list[bytes]:
        """POP3 unique ids (RFC 1939 section 7)."""
        form = b"%08x%%08x" % self.table.uid_validity
        return unique_ids(self.table, lambda: [form % uid for uid in self.table.uids])

    # -- the rest

    def lock_maildrop(self) -> Callable[[], None]:
        """The exclusive-access lock of POP3 among processes."""
        path = os.path.join(self._control, POP3_LOCK)
        with translated(f"lock {path}"):
            fd = self._host.disk.append_to(path)
        if not is_taken_now(fd):
            os.close(fd)
            raise MailboxInUse(f"{self.name} is locked by another POP3 session")
        return lambda: os.close(fd)

    def watched_paths(self) -> Iterable[str]:
        """The mbox and its ledger's log."""
        paths = (self._file.path, os.path.join(self._control, "maildrop.ledger.log"))
        return [path for path in paths if os.path.exists(path)]

    def close(self) -> None:
        """Write what was put off, as far as that can be done now."""
        try:
            if self.unsettled:
                self.settle()
            self._places.save_if_worth()
        except (MaildropError, OSError) as error:
            # The ledger has the flags; the next session writes them.  Whoever closes
            # this has mailboxes of others to close, and nobody to tell.
            _log.info("{path} not settled: {error}", path=self._file.path, error=error)
        finally:
            self._allowance.closed(self._control, self._ledger)
            self._fragments.close()
            self._ledger.close()
