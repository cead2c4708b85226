"""Removing what is old from the mail of one account.

In this file:
    Expiry    after which time messages of some mailboxes go
    Rules     all that is to be done
    Done      what was done
    keep_house

It uses nothing but the interfaces of a store, with the rights of the account, beside
whoever else has its mailboxes open.  Only mailboxes that something is to be done in are
opened.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from maildrop.errors import MaildropError
from maildrop.mailbox.interfaces import MailboxEntry, Store
from maildrop.mailbox.keeping import Freed, Keeping

#: Messages expunged with one call: none holds a mailbox for long.
TOGETHER = 500


@dataclass(frozen=True, slots=True)
class Expiry:
    r"""After which time messages of some mailboxes go.

    Attributes:
        mailbox: A name, a name and ``/*`` for all below it, or a special use (RFC 6154)
            such as ``\Trash``.
        seconds: After they came.
    """

    mailbox: str
    seconds: float

    def applies(self, entry: MailboxEntry) -> bool:
        """Whether it is about a mailbox."""
        if not entry.selectable:
            return False
        if self.mailbox.startswith("\\"):
            wanted = self.mailbox.lower()
            return any(use.lower() == wanted for use in entry.special_use)
        if self.mailbox.endswith("/*"):
            return entry.name.startswith(self.mailbox[:-1])
        if self.mailbox.upper() == "INBOX":
            return entry.name == "INBOX"
        return entry.name == self.mailbox


@dataclass(frozen=True, slots=True)
class Rules:
    """All that is to be done.

    Attributes:
        keeping: How long expunged messages are kept.
        expiries: After which time messages are expunged.
    """

    keeping: Keeping = field(default_factory=Keeping)
    expiries: Sequence[Expiry] = ()


@dataclass(slots=True)
class Done:
    """What was done.

    Attributes:
        expired: Messages that were expunged.
        freed: Messages that were kept, and are given up.
        tidied: Leftovers that were removed.
        failed: What could not be done, and why.
    """

    expired: int = 0
    freed: Freed = field(default_factory=Freed)
    tidied: int = 0
    failed: list[str] = field(default_factory=list)


def keep_house(
    store: Store, rules: Rules, now: float, pause: Callable[[], None] | None = None
) -> Done:
    """Remove what is old.

    What cannot be done is told and holds up nothing else.

    Args:
        store: The mail of the account.
        rules: What is old.
        now: Seconds since 1970 UTC.
        pause: Called between pieces of work; None for no pause.
    """
    done = Done()
    keeping = rules.keeping

    def attempt(what: str, work: Callable[[], None]) -> None:
        try:
            work()
        except MaildropError as error:
            done.failed.append(f"{what}: {error}")
        if pause is not None:
            pause()

    def give_up() -> None:
        done.freed = store.give_up(now - keeping.seconds, keeping.octets)

    def tidy() -> None:
        done.tidied = store.tidy()

    def expire() -> None:
        for entry in store.entries() if rules.expiries else ():
            after = [rule.seconds for rule in rules.expiries if rule.applies(entry)]
            if after:
                before = now - min(after)
                attempt(entry.name, functools.partial(one, entry.name, before))

    def one(name: str, before: float) -> None:
        done.expired += _expire(store, name, before, pause)

    attempt("kept messages", give_up)
    attempt("leftovers", tidy)
    attempt("expiry", expire)
    return done


def _expire(
    store: Store, name: str, before: float, pause: Callable[[], None] | None
) -> int:
    """Expunge what came before a moment; gives how many messages that were."""
    mailbox = store.open(name)
    expired = 0
    try:
        mailbox.refresh()
        if mailbox.read_only:
            return 0
        uids = list(mailbox.came_before(before))
        for at in range(0, len(uids), TOGETHER):
            expired += len(mailbox.expunge(uids[at : at + TOGETHER], None))
            if pause is not None:
                pause()
        if mailbox.unsettled:
            mailbox.settle()
    finally:
        mailbox.close()
    return expired
