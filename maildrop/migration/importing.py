"""Mail that moves in: from a source into the mailboxes of a user, each message once.

In this file:
    Importer    does it
    Imported    what became of one mailbox

A source is read message by message, and messages are added ``BATCH`` at a time;
``journal`` has how an interrupted import goes on.  Where a mailbox of the source has
UIDs and its target is empty, the target takes over UIDVALIDITY, UIDs, UIDNEXT and POP3
unique ids, and its HIGHESTMODSEQ becomes at least the source's.

Mail that is delivered into such a mailbox before the import is done gets a UID that the
source may have given to another message.  That is seen at the next message, and the
mailbox gets a UIDVALIDITY of its own: no pair of UIDVALIDITY and UID has two contents.

Limits: a batch has up to ``BATCH`` messages or ``OCTETS`` octets; a larger message
comes alone.  A mailbox holds 32 keywords; further ones are left out, and said so.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from maildrop.errors import MailboxExists, MaildropError
from maildrop.mailbox.flags import KEYWORDS_MAX, is_keyword
from maildrop.mailbox.interfaces import NewMessage, Store, StoredMailbox
from maildrop.mailbox.outside import Outside, OutsideNumbers, Source, SourceMailbox
from maildrop.mailbox.quota import Counted
from maildrop.migration.journal import Box, Journal, digest

#: Messages added together.
BATCH: Final = 64
#: Their octets.
OCTETS: Final = 1 << 23

#: Told of progress: the mailbox, messages done, messages in all (0 if unknown).
Progress = Callable[[str, int, int], None]
Reach = Callable[[], AbstractContextManager[object]]


@dataclass(slots=True)
class Imported:
    """What became of one mailbox.

    Attributes:
        mailbox: Its name here.
        added: Messages that were added now.
        before: Messages that had been added by an earlier import.
        keeps_uids: It has the numbers it had at the source.
        remarks: What the administrator should know.
        error: Why not all of it was imported.
    """

    mailbox: str
    added: int = 0
    before: int = 0
    keeps_uids: bool = False
    remarks: list[str] = field(default_factory=list)
    error: MaildropError | None = None


class Importer:
    """Imports a source into a store.

    Args:
        store: Where to; its files may be touched.
        source: Where from.
        journal: What was imported before.
        reach: A context with the right to read the source.
        progress: Is told how far it is.
        keep_uids: Take over numbers where that is possible.
    """

    def __init__(
        self,
        store: Store,
        source: Source,
        journal: Journal,
        reach: Reach,
        progress: Progress,
        *,
        keep_uids: bool = True,
    ) -> None:
        self._store = store
        self._source = source
        self._journal = journal
        self._reach = reach
        self._progress = progress
        self._keep_uids = keep_uids

    def run(self, mailbox: str = "", *, complete: bool = False) -> Iterator[Imported]:
        """Import all mailboxes, one after the other.

        Args:
            mailbox: What the only mailbox of the source is called here, or what all
                of them are below of; empty to leave the names.
            complete: The account is to have what the source has, no Drafts beside it.
        """
        if complete:
            self._store.provide(())
        with self._reach():
            mailboxes = self._source.mailboxes()
            subscribed = self._source.subscriptions()
        several = len(mailboxes) > 1
        for one in mailboxes:
            imported = Imported(named(one.name, mailbox, several=several))
            try:
                self._import(one, imported, subscribe=subscribed is None)
            except MaildropError as error:
                imported.error = error
            yield imported
        for name in subscribed or ():
            self._store.subscribe(named(name, mailbox, several=several))

    def _import(
        self, mailbox: SourceMailbox, imported: Imported, *, subscribe: bool
    ) -> None:
        name = imported.mailbox
        with suppress(MailboxExists):
            self._store.create(name, mailbox.special_use)
            if subscribe:
                self._store.subscribe(name)
        box = self._journal.box(name)
        imported.keeps_uids = self._number(name, mailbox.numbers, box)
        with closing(_Target(self._store, name, self._journal, imported)) as target:
            target.settle(box)
            numbers = mailbox.numbers if imported.keeps_uids else None
            if numbers is not None:
                target.reserve(1, numbers.highest_mod_seq)
            self._copy(mailbox, target, box, imported)
            if numbers is not None and imported.keeps_uids:
                target.reserve(numbers.uid_next)

    def _number(self, name: str, numbers: OutsideNumbers | None, box: Box) -> bool:
        """Whether the numbers of the source are kept; the target is made to fit."""
        if numbers is None or box.keeps == 0:
            return False
        with closing(self._store.open(name)) as opened:
            opened.refresh()
            table = opened.table
            validity, messages, uid_next = (
                table.uid_validity,
                len(table),
                table.uid_next,
            )
        fits = not messages and (uid_next == 1 or validity != numbers.uid_validity)
        if box.keeps is None:
            keeps = self._keep_uids and fits and not box.given
            self._journal.keeps(name, numbers.uid_validity if keeps else 0)
        else:
            keeps = box.keeps == numbers.uid_validity
            keeps = keeps and (fits or validity == numbers.uid_validity)
            if not keeps:
                self._journal.keeps(name, 0)
        if keeps and validity != numbers.uid_validity:
            self._store.renumber(name, numbers.uid_validity)
        return keeps

    def _copy(
        self, mailbox: SourceMailbox, target: "_Target", box: Box, imported: Imported
    ) -> None:
        def wanted(key: bytes) -> bool:
            return digest(key) not in box.keys

        for batch in self._batches(mailbox, wanted, imported):
            target.add(batch)
        imported.before = max(imported.before, len(box.keys) - imported.added)

    def _batches(
        self,
        mailbox: SourceMailbox,
        wanted: Callable[[bytes], bool],
        imported: Imported,
    ) -> Iterator[list[Outside]]:
        """Messages that are added together.

        Raises:
            MaildropError: Of the source, after what was read before.
        """
        read = mailbox.read(wanted)
        batch: list[Outside] = []
        octets = done = 0
        try:
            while (message := self._next(read)) is not None:
                self._progress(imported.mailbox, done, mailbox.messages)
                done += 1
                if not wanted(message.key):
                    imported.before += 1
                    continue
                if batch and (
                    len(batch) == BATCH or octets + message.content.size > OCTETS
                ):
                    yield batch
                    batch, octets = [], 0
                batch.append(message)
                octets += message.content.size
        except MaildropError:
            if batch:
                yield batch
            raise
        if batch:
            yield batch
        self._progress(imported.mailbox, done, done)

    def _next(self, messages: Iterator[Outside]) -> Outside | None:
        with self._reach():
            return next(messages, None)


def named(name: str, mailbox: str, *, several: bool) -> str:
    """What a mailbox of a source is called here."""
    if not mailbox:
        return name
    return f"{mailbox}/{name}" if several else mailbox


class _Target:
    """The mailbox that messages are added to."""

    def __init__(
        self, store: Store, name: str, journal: Journal, imported: Imported
    ) -> None:
        self._store = store
        self._name = name
        self._journal = journal
        self._imported = imported
        self._mailbox = self._open()
        self._left_out: set[str] = set()
        self._taken: set[str] = set()  # keywords that were given, in lower case

    def _open(self) -> StoredMailbox:
        mailbox = self._store.open(self._name)
        mailbox.refresh()
        return mailbox

    def close(self) -> None:
        self._mailbox.close()

    def reserve(self, uid_next: int, mod_seq: int = 0) -> None:
        """Use up numbers."""
        self._mailbox.reserve(uid_next, mod_seq)

    # -- what an earlier import left open

    def settle(self, box: Box) -> None:
        """Find out which of the messages that were about to be added are there."""
        pending = box.pending
        if pending is None:
            return
        table = self._mailbox.table
        there: dict[str, list[int]] = {}
        same = table.uid_validity == pending.uid_validity
        least = pending.uid_next if same else 1
        uids = [uid for uid in table.uids if uid >= least]
        for at in range(0, len(uids), BATCH):
            some = uids[at : at + BATCH]
            octets = self._mailbox.read_many(some)
            for uid, each in zip(some, octets, strict=True):
                if each is not None:
                    there.setdefault(digest(each), []).append(uid)
        found = []
        fits = True
        for key, content, uid in pending.messages:
            if there.get(content):
                found.append(key)
                fits = there[content].pop(0) == uid and fits
        if self._imported.keeps_uids and not fits:
            self._give_up_numbers()
        self._journal.found(self._name, found)

    # -- adding

    def add(self, messages: Sequence[Outside]) -> None:
        """Add messages, and note it."""
        table = self._mailbox.table
        entries = [
            (digest(it.key), digest(bytes(it.content.octets())), it.uid)
            for it in messages
        ]
        self._journal.adding(self._name, entries, table.uid_validity, table.uid_next)
        for run in _runs(messages, keep=self._imported.keeps_uids):
            self._publish(run)
        self._journal.added(self._name)
        self._imported.added += len(messages)
        for message in messages:
            message.content.close()

    def _publish(self, run: Sequence[Outside]) -> None:
        """Add messages whose UIDs, if they are kept, follow on each other."""
        if self._imported.keeps_uids:
            self._mailbox.reserve(run[0].uid)
            if self._mailbox.table.uid_next != run[0].uid:
                self._give_up_numbers()
        mailbox = self._mailbox
        new = [
            NewMessage(
                it.content,
                counted=Counted.MOVED,
                flags=it.flags,
                keywords=self._keywords(it.keywords),
                date=it.date,
            )
            for it in run
        ]
        staged = mailbox.stage(new)
        try:
            uids = mailbox.publish(staged, None)
        except BaseException:
            mailbox.discard(staged)
            raise
        uidls = [(uid, it.uidl) for uid, it in zip(uids, run, strict=True) if it.uidl]
        if uidls:
            mailbox.fix_uidls(*zip(*uidls, strict=True))
        if self._imported.keeps_uids and uids[0] != run[0].uid:
            self._give_up_numbers()

    def _give_up_numbers(self) -> None:
        """Other mail came in between: the numbers cannot be those of the source."""
        self._mailbox.close()
        self._store.renumber(self._name)
        self._journal.keeps(self._name, 0)
        self._mailbox = self._open()
        self._imported.keeps_uids = False
        self._imported.remarks.append(
            "UIDs were given to other mail before the import was done: the UIDs and"
            " the UIDVALIDITY of the source could not be kept"
        )

    def _keywords(self, names: Sequence[str]) -> tuple[str, ...]:
        """Keywords that have room."""
        known = {name.lower() for name in self._mailbox.table.keyword_names}
        known |= self._taken
        fitting: list[str] = []
        for name in names:
            new = name.lower() not in known
            if not is_keyword(name) or (new and len(known) >= KEYWORDS_MAX):
                self._leave_out(name)
                continue
            known.add(name.lower())
            fitting.append(name)
        self._taken |= known
        return tuple(fitting)

    def _leave_out(self, name: str) -> None:
        if name not in self._left_out:
            self._left_out.add(name)
            self._imported.remarks.append(f"no room for the keyword {name}")


def _runs(messages: Sequence[Outside], *, keep: bool) -> Iterator[list[Outside]]:
    """Messages whose UIDs follow on each other; all of them where none are kept."""
    if not keep:
        yield list(messages)
        return
    numbered = enumerate(messages)
    for _, run in groupby(numbered, lambda pair: pair[1].uid - pair[0]):
        yield [message for _, message in run]
