"""Mail in memory: the simplest store that keeps every promise but durability.

In this file:
    MemoryStores    the stores of all accounts, by account name
    MemoryStore     mailboxes of one account

Used by tests of sessions and delivery, and as ``location = "memory:"`` where mail may
vanish with the process.
"""

import itertools
from collections.abc import Callable, Sequence

from maildrop.durable import Content
from maildrop.errors import (
    MailboxExists,
    MailboxNameInvalid,
    MailboxNotFound,
    MailboxNotRemovable,
    MailboxNotSelectable,
)
from maildrop.mailbox.account import Account
from maildrop.mailbox.interfaces import MailboxEntry, NewMessage
from maildrop.mailbox.keeping import Freed, Keeping, Kept, Restored
from maildrop.mailbox.names import check
from maildrop.mailbox.quota import Counted, Quota, Reached, Usage
from maildrop.mailbox.table import MessageTable
from maildrop.storage.memory.allowance import Allowance
from maildrop.storage.memory.mailbox import MemoryMailbox
from maildrop.storage.memory.shelf import Shelf

#: Levels of hierarchy a name may have.
LEVELS_MAX = 32


class MemoryStores:
    """The store of every account, made at first use.

    Args:
        now: Seconds since 1970 UTC, for INTERNALDATE and UIDVALIDITY.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._stores: dict[str, MemoryStore] = {}

    def __call__(self, account: Account) -> "MemoryStore":
        """The store of ``account``: the same object every time."""
        store = self._stores.get(account.name)
        if store is None:
            store = self._stores[account.name] = MemoryStore(self._now)
        return store


class MemoryStore:
    """All mail of one account; see ``mailbox.interfaces.Store``."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        # Grows even when mailboxes are deleted and made again within a second.
        self._validities = itertools.count(max(1, int(now())))
        self._mailboxes: dict[str, MemoryMailbox | None] = {}
        self._special: dict[str, tuple[str, ...]] = {}
        self._subscribed: set[str] = set()
        self._provided = False
        self._shelf = Shelf()
        self._allowance = Allowance(self._tables)
        self._add("INBOX")

    def _add(self, name: str) -> None:
        self._mailboxes[name] = MemoryMailbox(
            name, next(self._validities), self._now, self._shelf, self._allowance
        )

    def _tables(self) -> list[MessageTable]:
        return [each.table for each in self._mailboxes.values() if each is not None]

    def entries(self) -> list[MailboxEntry]:
        """Every mailbox and level."""
        names = sorted(self._mailboxes)
        return [
            MailboxEntry(
                name,
                selectable=self._mailboxes[name] is not None,
                children=any(other.startswith(name + "/") for other in names),
                special_use=self._special.get(name, ()),
            )
            for name in names
        ]

    def open(self, name: str) -> MemoryMailbox:
        """Open a mailbox."""
        if name not in self._mailboxes:
            raise MailboxNotFound(f"no mailbox {name!r}")
        mailbox = self._mailboxes[name]
        if mailbox is None:
            raise MailboxNotSelectable(f"{name!r} holds no messages")
        return mailbox

    def renumber(self, name: str, uid_validity: int | None = None) -> int:
        """Give a mailbox another UIDVALIDITY."""
        mailbox = self.open(name)
        given = next(self._validities) if uid_validity is None else uid_validity
        self._mailboxes[name] = mailbox.renumbered(given)
        return given

    def create(self, name: str, special_use: Sequence[str] = ()) -> None:
        """Make a mailbox and the levels above it."""
        check(name)
        levels = name.split("/")
        if len(levels) > LEVELS_MAX:
            raise MailboxNameInvalid(f"{name!r} has more than {LEVELS_MAX} levels")
        if self._mailboxes.get(name) is not None:
            raise MailboxExists(f"mailbox {name!r} exists")
        for depth in range(1, len(levels)):
            self._mailboxes.setdefault("/".join(levels[:depth]), None)
        self._add(name)
        if special_use:
            self._special[name] = tuple(special_use)

    def _children(self, name: str) -> list[str]:
        return [other for other in self._mailboxes if other.startswith(name + "/")]

    def delete(self, name: str) -> None:
        """Remove a mailbox and its messages."""
        if name == "INBOX":
            raise MailboxNotRemovable("INBOX stays")
        if name not in self._mailboxes:
            raise MailboxNotFound(f"no mailbox {name!r}")
        mailbox = self._mailboxes[name]
        children = self._children(name)
        if mailbox is None and children:
            raise MailboxNotRemovable(f"{name!r} has mailboxes below it")
        if mailbox is not None:
            mailbox.vanish()
        self._special.pop(name, None)
        if children:
            self._mailboxes[name] = None
        else:
            del self._mailboxes[name]

    def rename(self, name: str, new_name: str) -> None:
        """Rename with all children; INBOX moves its messages."""
        if name not in self._mailboxes:
            raise MailboxNotFound(f"no mailbox {name!r}")
        if new_name in self._mailboxes:
            raise MailboxExists(f"mailbox {new_name!r} exists")
        if new_name.startswith(name + "/") and name != "INBOX":
            raise MailboxNameInvalid(f"{new_name!r} lies below {name!r}")
        self.create(new_name)
        if name == "INBOX":
            inbox, target = self.open("INBOX"), self.open(new_name)
            inbox.move(list(inbox.table.uids), target, None)
            return
        for old in [name, *self._children(name)]:
            mailbox = self._mailboxes.pop(old)
            new = new_name + old[len(name) :]
            if mailbox is not None:
                mailbox.name = new
            self._mailboxes[new] = mailbox
            if old in self._special:
                self._special[new] = self._special.pop(old)

    def subscriptions(self) -> list[str]:
        """Subscribed names, sorted."""
        return sorted(self._subscribed)

    def subscribe(self, name: str) -> None:
        """Add to the subscriptions."""
        self._subscribed.add(name)

    def unsubscribe(self, name: str) -> None:
        """Take from the subscriptions."""
        self._subscribed.discard(name)

    def provide(self, special: Sequence[tuple[str, str]]) -> None:
        """Make the special-use mailboxes, once."""
        if self._provided:
            return
        self._provided = True
        taken = {use for uses in self._special.values() for use in uses}
        for name, use in special:
            if use in taken:
                continue
            if self._mailboxes.get(name) is None:
                self.create(name)
            self._special[name] = (use,)
            self._subscribed.add(name)

    # -- quota

    def limit(
        self, quota: Quota | None, reached: Callable[[Reached], None] | None = None
    ) -> None:
        """From now on refuse what goes beyond the limits."""
        self._allowance.limit(quota, reached)

    def usage(self, *, recount: bool = False) -> Usage:
        """What is there."""
        del recount  # it is counted anew each time
        return self._allowance.used()

    # -- what was expunged

    def keep(self, keeping: Keeping) -> None:
        """From now on keep what is expunged so."""
        self._shelf.keeping = keeping

    def kept(self) -> list[Kept]:
        """All that can be brought back, the oldest first."""
        return [kept for kept, _ in self._shelf.kept.values()]

    def read_kept(self, kept: Kept) -> bytes | None:
        """The whole message; None when it is no more."""
        return self._shelf.kept.get(kept.place, (kept, None))[1]

    def restore(self, kept: Sequence[Kept]) -> list[Restored]:
        """Bring messages back."""
        restored = []
        for each in kept:
            octets = self.read_kept(each)
            if octets is None:
                continue
            if self._mailboxes.get(each.mailbox) is None:
                self.create(each.mailbox)
            mailbox = self.open(each.mailbox)
            new = NewMessage(
                Content.of(octets),
                flags=each.flags,
                keywords=each.keywords,
                date=each.date,
                counted=Counted.MOVED,
            )
            [uid] = mailbox.publish(mailbox.stage([new]), None)
            del self._shelf.kept[each.place]
            restored.append(Restored(each, each.mailbox, uid))
        return restored

    def give_up(self, before: float, octets: int = 0) -> Freed:
        """Remove for good what is kept."""
        return self._shelf.give_up(before, octets)

    def tidy(self) -> int:
        """Nothing is left of what was interrupted."""
        return 0

    def close(self) -> None:
        """Nothing to let go of."""
