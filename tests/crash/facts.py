"""What an account holds, and whether it is what was promised.

In this file:
    Message       one message, as clients see it
    Holding       what one mailbox holds
    Facts         what an account holds
    facts         look at an account, as a new process does
    Finding       a promise that was not kept
    Judgement     compares what is found with what was, and with what should come

The promises, and what is compared:

    lost          a message that the operation does not remove is there, or can be
                  brought back if it is kept; when the operation was acknowledged, what
                  it adds is there; flags and keywords are the old ones or the new ones
    doubled       no message is there more often than before and after the operation,
                  over all mailboxes; several that belong together came all or none
    renumbered    no (UIDVALIDITY, UID) has another content than at any time before,
                  UIDVALIDITY and POP3 unique ids are what they were, new UIDs are
                  above all that were seen, HIGHESTMODSEQ does not go back
    other         names of mailboxes, subscriptions, quota; nothing left behind, nothing
                  unusable, no other error than those that are promised
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from maildrop.mailbox.flags import ALL_SYSTEM
from maildrop.mailbox.interfaces import StoredMailbox
from maildrop.mailbox.quota import Quota, Usage
from maildrop.mailbox.stored_text import Where
from tests.crash.boxes import FileStore

#: Counts, and refuses nothing.
_NO_LIMIT: Final = Quota(octets=1 << 40)

Key = tuple[int, int]  # UIDVALIDITY and UID


@dataclass(frozen=True, slots=True)
class Message:
    """One message, as clients see it."""

    body: bytes
    flags: int
    keywords: frozenset[str]
    uidl: bytes


@dataclass(frozen=True, slots=True)
class Holding:
    """What one mailbox holds: messages by UID, and its numbers."""

    uid_validity: int
    uid_next: int
    mod_seq: int
    messages: dict[int, Message]

    def bodies(self) -> Counter[bytes]:
        """Contents, and how often each is there."""
        return Counter(message.body for message in self.messages.values())


@dataclass(slots=True)
class Facts:
    """What an account holds."""

    mailboxes: dict[str, Holding] = field(default_factory=dict)
    subscribed: tuple[str, ...] = ()
    kept: frozenset[bytes] = frozenset()
    used: Usage = field(default_factory=Usage)
    special: frozenset[tuple[str, str]] = frozenset()

    def bodies(self) -> Counter[bytes]:
        """Contents over all mailboxes."""
        return sum((h.bodies() for h in self.mailboxes.values()), Counter())

    def counted(self) -> Usage:
        """What the quota should say."""
        bodies = list(self.bodies().elements())
        return Usage(sum(map(len, bodies)), len(bodies))

    def anywhere(self) -> set[bytes]:
        """Contents that are in a mailbox, or can be brought back to one."""
        return {*self.bodies(), *self.kept}

    def keys(self) -> dict[Key, bytes]:
        """The content of each (UIDVALIDITY, UID)."""
        return {
            (holding.uid_validity, uid): message.body
            for holding in self.mailboxes.values()
            for uid, message in holding.messages.items()
        }


class Unreadable(Exception):
    """A message that the mailbox counts cannot be read."""


def holding(mailbox: StoredMailbox) -> Holding:
    """What an open mailbox holds."""
    table = mailbox.table
    uids: list[int] = []
    bodies: list[bytes | None] = []
    while not uids or uids != list(table.uids):  # to read may take something in
        uids = list(table.uids)
        bodies = mailbox.read_many(uids)
        if not uids:
            break
    messages = {}
    for uid, octets, uidl in zip(uids, bodies, mailbox.uidls(), strict=True):
        row = table.row(uid)
        if octets is None or row is None:
            raise Unreadable(f"{mailbox.name}: UID {uid}")
        if len(octets) != table.sizes[row]:
            raise Unreadable(f"{mailbox.name}: UID {uid} is not as long as its size")
        words = frozenset(table.keywords_of(table.keywords[row]))
        messages[uid] = Message(octets, table.flags[row] & ALL_SYSTEM, words, uidl)
    _search(mailbox, uids, bodies)
    return Holding(table.uid_validity, table.uid_next, table.highest_mod_seq, messages)


def _search(
    mailbox: StoredMailbox, uids: Sequence[int], bodies: Sequence[bytes | None]
) -> None:
    """What is kept for searches finds what is there."""
    text = mailbox.text
    if text is None or not text.covered():
        return
    found = text.find("message 3", array("I", uids), 0, Where.ANYWHERE)
    for uid, body in zip(uids, bodies, strict=True):
        looked_at = uid <= found.upto and uid not in found.absent
        if looked_at and (uid in found.fits) != (b"message 3" in (body or b"")):
            raise Unreadable(f"{mailbox.name}: a search is wrong of UID {uid}")


def facts(store: FileStore, wait: Callable[[float], None]) -> Facts:
    """Look at an account.

    Args:
        store: The account.
        wait: Lets time go by: a change may hide in the tick of a clock for a while.
    """
    found = Facts()
    entries = store.entries()
    for entry in entries:
        if entry.selectable:
            mailbox = store.open(entry.name)
            try:
                mailbox.refresh()
                wait(10.0)
                mailbox.refresh()
                found.mailboxes[entry.name] = holding(mailbox)
            finally:
                mailbox.close()
    found.kept = frozenset(filter(None, map(store.read_kept, store.kept())))
    store.limit(_NO_LIMIT)
    found.used = store.usage()
    found.subscribed = tuple(store.subscriptions())
    found.special = frozenset((e.name, u) for e in entries for u in e.special_use)
    return found


@dataclass(frozen=True, slots=True)
class Finding:
    """A promise that was not kept."""

    kind: str
    what: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was before an operation, and what should be after it.

    Attributes:
        before: The account before the operation.
        wanted: The account after it, when nothing goes wrong.
        seen: The numbers that clients have seen before it.
        atomic: Names of mailboxes, and messages that come, come all together.
    """

    before: Facts
    wanted: Facts
    seen: dict[Key, bytes]
    atomic: bool = True

    def findings(
        self,
        after: Facts,
        told: dict[Key, bytes],
        *,
        finished: bool,
        durable: bool = True,
        faulty: bool = False,
    ) -> Iterator[Finding]:
        """What is not as promised.

        Args:
            after: What a new process finds.
            told: What the operation acknowledged before it ended or was ended.
            finished: The operation was acknowledged.
            durable: The power did not fail: removals and flags stay, too.
            faulty: A call failed: what is expunged need not have been kept.
        """
        if not faulty:
            for body in self.before.anywhere() & self.wanted.anywhere():
                if body not in after.anywhere():
                    yield Finding("lost", f"{_name(body)}, kept")
        if after.used != after.counted():
            yield Finding("other", f"{after.used} are {after.counted()}")
        yield from self._messages(after, finished=finished, durable=durable)
        yield from self._flags(after, finished=finished and durable)
        yield from self._numbers(after, told)
        yield from self._names(after, finished=finished)

    def _messages(
        self, after: Facts, *, finished: bool, durable: bool
    ) -> Iterator[Finding]:
        before, wanted, found = (
            self.before.bodies(),
            self.wanted.bodies(),
            after.bodies(),
        )
        for body in before | wanted | found:
            least, most = sorted((before[body], wanted[body]))
            if finished:
                least = wanted[body]
                most = wanted[body] if durable else most
            if found[body] < least:
                yield Finding("lost", _name(body))
            if found[body] > most:
                yield Finding("doubled", _name(body))
        new = wanted - before
        if self.atomic and new & found not in (new, Counter()):
            yield Finding("lost", "some of those that come together")
        if not finished or after.mailboxes.keys() != self.wanted.mailboxes.keys():
            return
        for name, holding in self.wanted.mailboxes.items():
            there = after.mailboxes[name].bodies()
            for body in holding.bodies() - there:
                yield Finding("lost", f"{_name(body)} from {name}")

    def _flags(self, after: Facts, *, finished: bool) -> Iterator[Finding]:
        allowed: dict[tuple[str, bytes], set[tuple[int, frozenset[str]]]] = {}
        known = [self.wanted] if finished else [self.before, self.wanted]
        for source in known:
            for name, holding in source.mailboxes.items():
                for message in holding.messages.values():
                    allowed.setdefault((name, message.body), set()).add(
                        (message.flags, message.keywords)
                    )
        everywhere = self.before.bodies()
        for name, holding in after.mailboxes.items():
            for uid, message in holding.messages.items():
                choice = allowed.get((name, message.body))
                if not finished and not everywhere[message.body]:
                    continue  # nobody was told that it came
                if choice and (message.flags, message.keywords) not in choice:
                    yield Finding("lost", f"flags of UID {uid} in {name}")

    def _numbers(self, after: Facts, told: dict[Key, bytes]) -> Iterator[Finding]:
        keys = {**self.seen, **told}
        for key, body in after.keys().items():
            if keys.get(key, body) != body:
                yield Finding("renumbered", f"{key} is {_name(body)} now")
        for name, holding in after.mailboxes.items():
            was = self.before.mailboxes.get(name)
            will = self.wanted.mailboxes.get(name)
            validities = {h.uid_validity for h in (was, will) if h}
            if was and holding.uid_validity not in validities:
                yield Finding("renumbered", f"UIDVALIDITY of {name}")
            for source in (was, will):
                if source and source.uid_validity == holding.uid_validity:
                    yield from self._kept(name, source, holding)

    def _kept(self, name: str, was: Holding, now: Holding) -> Iterator[Finding]:
        """Messages that were in the mailbox keep their numbers in it.

        One whose removal a power cut took back may come as a new one.
        """
        stays = self.wanted.bodies()
        if now.mod_seq < was.mod_seq and was in self.before.mailboxes.values():
            yield Finding("renumbered", f"HIGHESTMODSEQ of {name}")
        uids = {m.body: uid for uid, m in now.messages.items()}
        for uid, message in was.messages.items():
            if (was.uid_validity, uid) not in self.seen:
                continue
            place = uids.get(message.body, uid)
            if place != uid and (stays[message.body] or place < uid):
                yield Finding("renumbered", f"UID {uid} of {name} is {place} now")
            elif (
                place == uid
                and uid in now.messages
                and now.messages[uid].uidl != message.uidl
            ):
                yield Finding("renumbered", f"POP3 id of UID {uid} in {name}")

    def _names(self, after: Facts, *, finished: bool) -> Iterator[Finding]:
        before, wanted = self.before, self.wanted
        names, old, new = (set(f.mailboxes) for f in (after, before, wanted))
        if finished:
            fine = names == new
        elif self.atomic:
            fine = names in (old, new)
        else:
            fine = old & new <= names <= old | new
        if not fine:
            yield Finding("other", f"mailboxes are {sorted(names)}")
        now, was, will = (set(f.subscribed) for f in (after, before, wanted))
        among = was & will <= now <= was | will
        if (now != will) if finished else not among:
            yield Finding("other", f"subscriptions are {after.subscribed}")


def _name(body: bytes) -> str:
    """What a message is called in a finding."""
    found = [line for line in body.split(b"\r\n") if line.startswith(b"Subject: ")]
    return found[0].decode("ascii", "replace") if found else repr(body[:40])
