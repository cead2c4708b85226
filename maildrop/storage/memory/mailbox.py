"""One mailbox in memory."""

import copy
import sys
from collections.abc import Callable, Iterable, Sequence

from maildrop.errors import MailboxInUse, MailboxVanished, MessageExpunged
from maildrop.mailbox.flags import ALL_SYSTEM, FlagChange, Operation, combined
from maildrop.mailbox.interfaces import Copied, NewMessage, StoredMailbox
from maildrop.mailbox.keeping import Kept
from maildrop.mailbox.quota import Counted
from maildrop.mailbox.table import Journal, MessageTable
from maildrop.message.fragments import fragment
from maildrop.storage.memory.allowance import Allowance
from maildrop.storage.memory.shelf import Shelf


class MemoryMailbox:
    """See ``mailbox.interfaces.StoredMailbox``."""

    read_only = False
    inline = sys.maxsize

    def __init__(
        self,
        name: str,
        uid_validity: int,
        now: Callable[[], float],
        shelf: Shelf | None = None,
        allowance: Allowance | None = None,
    ) -> None:
        self.name = name
        self.table = MessageTable(uid_validity)
        self._now = now
        self._shelf = shelf or Shelf()
        self._allowance = allowance or Allowance(lambda: [self.table])
        self._octets: dict[int, bytes] = {}
        self._came: dict[int, int] = {}
        self._fragments: dict[tuple[int, bytes], bytes] = {}
        self._uidls: dict[int, bytes] = {}
        self._keys: set[bytes] = set()
        self._locked = False
        self._gone = False

    def vanish(self) -> None:
        """The mailbox was deleted."""
        for row in range(len(self.table)):
            self._keep(row)
        self._gone = True

    def renumbered(self, uid_validity: int) -> "MemoryMailbox":
        """The same mailbox with another UIDVALIDITY, for those who open it from now."""
        fresh = copy.copy(self)
        fresh.table = copy.copy(self.table)
        fresh.table.uid_validity = uid_validity
        if not len(fresh.table):
            fresh.table.uid_next = fresh.table.first_recent = 1
        fresh.table.journal = Journal()
        self._gone = True
        return fresh

    def reserve(self, uid_next: int, mod_seq: int = 0) -> None:
        """Raise UIDNEXT and HIGHESTMODSEQ."""
        table = self.table
        table.uid_next = max(table.uid_next, uid_next)
        table.highest_mod_seq = max(table.highest_mod_seq, mod_seq)

    def fix_uidls(self, uids: Sequence[int], texts: Sequence[bytes]) -> None:
        """Keep POP3 unique ids."""
        self._uidls.update(zip(uids, texts, strict=True))

    def _keep(self, row: int) -> None:
        table, octets = self.table, self._octets[self.table.uids[row]]
        kept = Kept(
            mailbox=self.name,
            uid_validity=table.uid_validity,
            uid=table.uids[row],
            expunged=self._now(),
            date=table.dates[row],
            size=len(octets),
            flags=table.flags[row],
            keywords=tuple(table.keywords_of(table.keywords[row])),
            place=self._shelf.place(),
        )
        self._shelf.put(kept, octets)

    def refresh(self) -> None:
        """Nobody else writes here."""
        if self._gone:
            raise MailboxVanished(f"mailbox {self.name} was deleted")

    def unchanged(self, *, thorough: bool) -> bool:
        """Nobody else writes here."""
        del thorough
        return not self._gone

    @property
    def unclaimed(self) -> bool:
        """Whether ``claim_recent`` has something to do."""
        return self.table.first_recent < self.table.uid_next

    def claim_recent(self) -> None:
        """All messages there are now have been in a session."""
        self.table.first_recent = self.table.uid_next

    def _next_mod_seq(self) -> int:
        return self.table.highest_mod_seq + 1

    def change_flags(
        self, uids: Sequence[int], change: FlagChange, by: object | None
    ) -> Sequence[int]:
        """Change flags and keywords."""
        table = self.table
        adding = change.operation is not Operation.REMOVE
        keywords = table.keyword_bits(change.keywords, create=adding)
        mod_seq = self._next_mod_seq()
        changed = []
        for row in table.rows(uids):
            before = table.flags[row], table.keywords[row]
            after = combined(before, change.operation, (change.flags, keywords))
            if after != before:
                table.set_row(row, *after, mod_seq)
                changed.append(table.uids[row])
        if changed:
            table.record(changed, mod_seq, by)
        return changed

    def expunge(
        self, uids: Sequence[int], by: object | None, *, keep: bool = True
    ) -> Sequence[int]:
        """Remove messages."""
        rows = self.table.rows(uids)
        gone = [self.table.uids[row] for row in rows]
        if gone:
            for row in rows if keep else ():
                self._keep(row)
            self.table.remove_rows(rows, self._next_mod_seq(), by)
            for uid in gone:
                del self._octets[uid], self._came[uid]
            removed = set(gone)
            for key in [key for key in self._fragments if key[0] in removed]:
                del self._fragments[key]
        return gone

    def stage(self, messages: Sequence[NewMessage]) -> object:
        """Take the octets."""
        return [
            (message, message.head + bytes(message.content.octets()))
            for message in messages
        ]

    def publish(self, staged: object, by: object | None) -> Sequence[int]:
        """Add the messages."""
        assert isinstance(staged, list)  # noqa: S101 - what stage gave
        table = self.table
        bits = [
            table.keyword_bits(message.keywords, create=True) for message, _ in staged
        ]
        if staged:
            sizes = [len(octets) for _, octets in staged]
            self._allowance.admit(sizes, staged[0][0].counted)
        uids = [
            self._add(
                octets,
                int(self._now()) if message.date is None else message.date,
                message.flags,
                keywords,
            )
            for (message, octets), keywords in zip(staged, bits, strict=True)
        ]
        self._allowance.added()
        self._keys.update(message.key for message, _ in staged if message.key)
        return uids

    def came(self, key: bytes) -> bool:
        """Whether a message with a key was added."""
        return key in self._keys

    def keys(self) -> Sequence[bytes]:
        """All keys that are kept."""
        return list(self._keys)

    def forget_keys(self, keys: Sequence[bytes]) -> None:
        """Nobody will ask for these any more."""
        self._keys.difference_update(keys)

    def _add(self, octets: bytes, date: int, flags: int, keywords: int) -> int:
        uid = self.table.uid_next
        mod_seq = self._next_mod_seq()
        self.table.append_row(
            uid, len(octets), date, flags & ALL_SYSTEM, keywords, mod_seq
        )
        self._octets[uid] = octets
        self._came[uid] = int(self._now())
        return uid

    def came_before(self, seconds: float) -> Sequence[int]:
        """UIDs of messages that came into this mailbox before a moment."""
        return [uid for uid, came in self._came.items() if came < seconds]

    def discard(self, staged: object) -> None:
        """Nothing was kept."""

    def copy(self, uids: Sequence[int], target: StoredMailbox) -> Copied:
        """Copy messages."""
        return self._copy(uids, target, Counted.LIMITED)

    def _copy(
        self, uids: Sequence[int], target: StoredMailbox, counted: Counted
    ) -> Copied:
        if not isinstance(target, MemoryMailbox):
            raise TypeError("copy between stores of different kinds")
        table = self.table
        rows = list(table.rows(uids))
        bits = [
            target.table.keyword_bits(
                table.keywords_of(table.keywords[row]), create=True
            )
            for row in rows
        ]
        source = [table.uids[row] for row in rows]
        target._allowance.admit([table.sizes[row] for row in rows], counted)
        new = [
            target._add(
                self._octets[uid],
                self.table.dates[row],
                self.table.flags[row],
                keywords,
            )
            for uid, row, keywords in zip(source, rows, bits, strict=True)
        ]
        target._allowance.added()
        return Copied(target.table.uid_validity, source, new)

    def move(
        self, uids: Sequence[int], target: StoredMailbox, by: object | None
    ) -> Copied:
        """Move messages."""
        copied = self._copy(uids, target, Counted.MOVED)
        self.expunge(copied.source, by, keep=False)
        return copied

    cut = None  # to add is one piece of work
    text = None  # it is read as quickly

    def read(self, uid: int) -> bytes:
        """The whole message."""
        octets = self._octets.get(uid)
        if octets is None:
            raise MessageExpunged(f"{self.name}: no message with UID {uid}")
        return octets

    def read_many(self, uids: Sequence[int]) -> list[bytes | None]:
        """Whole messages."""
        return [self._octets.get(uid) for uid in uids]

    read_at_once = read_many

    def fragments(self, key: bytes, uids: Sequence[int]) -> list[bytes | None]:
        """Pieces of messages, made once."""
        return [self._fragment(uid, key) for uid in uids]

    fragments_at_once = fragments

    def _fragment(self, uid: int, key: bytes) -> bytes | None:
        octets = self._octets.get(uid)
        if octets is None:
            return None
        made = self._fragments.get((uid, key))
        if made is None:
            made = self._fragments[uid, key] = fragment(octets, key)
        return made

    def uidls(self) -> list[bytes]:
        """POP3 unique ids."""
        form = b"%08x%%08x" % self.table.uid_validity
        return [self._uidls.get(uid) or form % uid for uid in self.table.uids]

    def lock_maildrop(self) -> Callable[[], None]:
        """The exclusive-access lock of POP3."""
        if self._locked:
            raise MailboxInUse(f"{self.name} is locked by another POP3 session")
        self._locked = True
        return self._unlock

    def _unlock(self) -> None:
        self._locked = False

    unsettled = False

    def settle(self) -> None:
        """Nothing is put off."""

    def watched_paths(self) -> Iterable[str]:
        """No file says anything about it."""
        return ()

    def close(self) -> None:
        """Nothing to let go of."""
