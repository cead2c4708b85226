"""The operations that change the disk: one entry each.

In this file:
    Operation     set-up, act, and what is special about it
    Work          what an operation works on, and what it acknowledged
    OPERATIONS    the table

To add one: write a function that does it and append an entry.  What should come of it
is found by doing it once when nothing goes wrong.
"""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from maildrop.durable import Content
from maildrop.mailbox.flags import FLAGGED, SEEN, FlagChange, Operation as Change
from maildrop.mailbox.interfaces import NewMessage, StoredMailbox
from maildrop.mailbox.keeping import Keeping
from maildrop.mailbox.steps import finished
from maildrop.mailbox.stored_text import Where
from maildrop.storage.index.text_file import TEXT
from tests.crash.boxes import Box, FileStore, add, message
from tests.crash.facts import Key
from tests.crash.machine import Machine
from tests.crash.waiting import waited


@dataclass(slots=True)
class Work:
    """What an operation works on.

    Attributes:
        box: The files.
        store: The account, open.
        machine: What it stands on.
        open: Mailboxes that were open before, by name.
        told: What clients were told: the content of UIDs.
    """

    box: Box
    store: FileStore
    machine: Machine
    open: dict[str, StoredMailbox] = field(default_factory=dict)
    told: dict[Key, bytes] = field(default_factory=dict)

    def add(self, name: str, *numbers: int, flags: int = 0, lines: int = 6) -> None:
        """Deliver, and tell the UIDs."""
        mailbox = self.open[name]
        uids = add(mailbox, *numbers, flags=flags, lines=lines)
        for uid, number in zip(uids, numbers, strict=True):
            self.told[mailbox.table.uid_validity, uid] = message(number, lines)


Act = Callable[[Work], object]


def _nothing(box: object) -> None:
    del box


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Attributes:
        name: What the table calls it.
        act: Does it.
        uses: Mailboxes that are open before.
        prepare: Changes the account before; what it holds then is what was.
        ready: What is set for the account when it was opened.
        formats: Where there is such a thing.
        atomic: Names of mailboxes, and messages that come, come all together.
    """

    name: str
    act: Act
    uses: tuple[str, ...] = ("INBOX",)
    prepare: Callable[[Box], None] = _nothing
    ready: Callable[[FileStore], None] = _nothing
    formats: tuple[str, ...] = ("maildir", "mbox")
    atomic: bool = True


def _several(work: Work) -> None:
    """Messages that come at the same time, each by itself."""
    inbox = work.open["INBOX"]
    known = set(work.told.values())
    numbers = [n for n in (31, 32, 33) if message(n) not in known]
    staged: list[object] = []
    try:
        staged.extend(
            inbox.stage([NewMessage(Content.of(message(n)))]) for n in numbers
        )
        if inbox.cut is not None:
            published = finished(inbox.cut.publish(staged))
            for uids, number in zip(published, numbers, strict=True):
                assert not isinstance(uids, Exception)
                work.told[inbox.table.uid_validity, uids[0]] = message(number)
        else:
            for one, number in zip(staged, numbers, strict=True):
                (uid,) = inbox.publish(one, None)
                work.told[inbox.table.uid_validity, uid] = message(number)
    except BaseException:
        for one in staged:
            inbox.discard(one)
        raise


def _to_several(work: Work) -> None:
    """One message for two mailboxes: staged for both before it is published for any."""
    known = set(work.told.values())
    wanted = [("INBOX", 31), ("Other", 32)]
    staged: list[tuple[StoredMailbox, object, bytes]] = []
    try:
        for name, number in wanted:
            octets = message(number)
            if octets not in known:
                one = work.open[name].stage([NewMessage(Content.of(octets))])
                staged.append((work.open[name], one, octets))
        for mailbox, one, octets in staged:
            (uid,) = mailbox.publish(one, None)
            work.told[mailbox.table.uid_validity, uid] = octets
    except BaseException:
        for mailbox, one, _ in staged:
            mailbox.discard(one)
        raise


def _by_the_kernel(work: Work) -> None:
    """A delivery whose waits the kernel does, as a server has it."""
    inbox = work.open["INBOX"]
    assert inbox.cut is not None
    new = [NewMessage(Content.of(message(31)))]
    staged = waited(inbox.cut.stage(new), work.machine)
    try:
        (uids,) = waited(inbox.cut.publish([staged]), work.machine)
    except BaseException:
        inbox.discard(staged)
        raise
    assert not isinstance(uids, Exception)
    work.told[inbox.table.uid_validity, uids[0]] = message(31)


def _keyed(work: Work) -> None:
    """A delivery that is done again until its key is there, and once more."""
    inbox = work.open["INBOX"]
    for _ in range(2):
        if inbox.came(b"ID1.0"):
            continue
        staged = inbox.stage([NewMessage(Content.of(message(31)), key=b"ID1.0")])
        try:
            (uid,) = inbox.publish(staged, None)
        except BaseException:
            inbox.discard(staged)
            raise
        work.told[inbox.table.uid_validity, uid] = message(31)


def _append(work: Work) -> None:
    inbox = work.open["INBOX"]
    new = NewMessage(
        Content.of(message(31)),
        flags=SEEN | FLAGGED,
        keywords=("work", "new"),
        date=1_500_000_000,
    )
    staged = inbox.stage([new])
    try:
        (uid,) = inbox.publish(staged, None)
    except BaseException:
        inbox.discard(staged)
        raise
    work.told[inbox.table.uid_validity, uid] = message(31)


def _flags(work: Work) -> None:
    change = FlagChange(Change.ADD, FLAGGED)
    work.open["INBOX"].change_flags([1, 3, 6], change, None)


def _keywords(work: Work) -> None:
    change = FlagChange(Change.ADD, 0, ("later", "work"))
    work.open["INBOX"].change_flags([2, 5], change, None)


def _pop3(work: Work) -> None:
    """A POP3 session up to its end: RETR, DELE, QUIT."""
    inbox = work.open["INBOX"]
    let_go = inbox.lock_maildrop()
    try:
        inbox.read_many(list(inbox.table.uids))
        inbox.expunge([1, 2, 3], None)
    finally:
        let_go()


def _flagged(box: Box) -> None:
    """Flags that the mbox does not show yet, of ours and of a foreign message."""
    store = box.store(os)
    inbox = store.open("INBOX")
    inbox.refresh()
    inbox.change_flags([3], FlagChange(Change.ADD, FLAGGED), None)
    box.ledger(inbox).close()


def _logged(box: Box) -> None:
    """Changes in the log of INBOX, expunged messages among them."""
    inbox = box.store(os).open("INBOX")
    inbox.refresh()
    inbox.change_flags([3], FlagChange(Change.ADD, FLAGGED, ("kept",)), None)
    inbox.fragments(b"ENVELOPE", list(inbox.table.uids))
    inbox.expunge([4], None)
    inbox.close()


def _keep(store: FileStore) -> None:
    store.keep(Keeping(86400.0))


def _expunged(box: Box) -> None:
    """Messages that can be brought back."""
    store = box.store(os)
    _keep(store)
    inbox = store.open("INBOX")
    inbox.refresh()
    inbox.expunge([2, 5], None)
    inbox.close()


def _undelete(work: Work) -> None:
    for restored in work.store.restore(work.store.kept()):
        work.told.pop((restored.kept.uid_validity, restored.kept.uid), None)


def _foreign(box: Box) -> None:
    for number in (41, 42):
        box.foreign(number)


def _dropped(work: Work) -> None:
    """Pieces for the cache, and one message less: waste."""
    inbox = work.open["INBOX"]
    inbox.fragments(b"HEADER.FIELDS (X-NONE)", list(inbox.table.uids))


def _search(work: Work) -> None:
    """Searches that make the text they look through, or mend it; three messages each.

    What they find is right whatever became of the file.
    """
    inbox = work.open["INBOX"]
    text, uids = inbox.text, inbox.table.uids
    assert text is not None
    for _ in uids:
        seen = text.find("from", uids, 0, Where.ANYWHERE)
        expected = [uid for uid in uids if uid <= seen.upto]
        assert sorted([*seen.fits, *seen.absent]) == expected
        some = [uid for uid in uids if uid > text.last][:3]
        text.add(some, inbox.read_many(some), text.last)


def _searched(box: Box) -> None:
    """Text of all messages but the last, and more than half of it waste."""
    inbox = box.store(os).open("INBOX")
    inbox.refresh()
    uids = inbox.table.uids[:-1]
    inbox.text.add(uids, inbox.read_many(uids), 0)
    inbox.expunge(uids[1:], None)
    inbox.close()


def _damaged(box: Box) -> None:
    """Half a block at the end of the text."""
    _searched(box)
    (path,) = box.root.rglob(TEXT)
    os.truncate(path, path.stat().st_size - 7)


def _tidy(work: Work) -> None:
    inbox = work.open["INBOX"]
    assert inbox.text is not None
    inbox.text.covered()
    for _ in inbox.text.tidy(inbox.table.uids):
        pass


def _settle(work: Work) -> None:
    inbox = work.open["INBOX"]
    inbox.change_flags([2, 6], FlagChange(Change.ADD, FLAGGED), None)
    inbox.settle()


def _close(work: Work) -> None:
    """What closing puts off and does."""
    inbox = work.open.pop("INBOX", None) or work.store.open("INBOX")
    try:
        inbox.change_flags([2, 6], FlagChange(Change.ADD, SEEN), None)
    finally:
        inbox.close()


def _look(work: Work) -> None:
    """Open a mailbox to which others have delivered."""
    with ExitStack() as stack:
        inbox = work.store.open("INBOX")
        stack.callback(inbox.close)
        inbox.refresh()
        inbox.claim_recent()
        table = inbox.table
        for uid, octets in zip(
            table.uids, inbox.read_many(list(table.uids)), strict=True
        ):
            assert octets is not None
            work.told[table.uid_validity, uid] = octets


def _provide(work: Work) -> None:
    work.store.provide([("Sent", "\\Sent"), ("Trash", "\\Trash")])


OPERATIONS: Final = (
    Operation("deliver", lambda w: w.add("INBOX", 31)),
    Operation("deliver three together", lambda w: w.add("INBOX", 31, 32, 33)),
    Operation("deliver at the same time", _several, atomic=False),
    Operation(
        "deliver to two mailboxes", _to_several, ("INBOX", "Other"), atomic=False
    ),
    Operation("deliver, large", lambda w: w.add("INBOX", 31, lines=36_000)),
    Operation("deliver, kernel waits", _by_the_kernel, formats=("maildir",)),
    Operation("deliver with a key", _keyed),
    Operation("append with flags", _append),
    Operation("store flags", _flags),
    Operation("store keywords", _keywords),
    Operation(
        "claim recent", lambda w: w.open["INBOX"].claim_recent(), prepare=_foreign
    ),
    Operation("expunge first", lambda w: w.open["INBOX"].expunge([1], None)),
    Operation("expunge some", lambda w: w.open["INBOX"].expunge([2, 3, 5], None)),
    Operation("expunge last", lambda w: w.open["INBOX"].expunge([6], None)),
    Operation(
        "expunge, kept",
        lambda w: w.open["INBOX"].expunge([2, 5], None),
        ready=_keep,
    ),
    Operation("undelete", _undelete, (), _expunged, _keep, atomic=False),
    Operation("delete, kept", lambda w: w.store.delete("Other"), (), ready=_keep),
    Operation(
        "copy",
        lambda w: w.open["INBOX"].copy([2, 3, 5], w.open["Other"]),
        ("INBOX", "Other"),
    ),
    Operation(
        "move",
        lambda w: w.open["INBOX"].move([2, 3, 5], w.open["Other"], None),
        ("INBOX", "Other"),
    ),
    Operation("rename INBOX", lambda w: w.store.rename("INBOX", "Old/Mail"), ()),
    Operation("create", lambda w: w.store.create("New/Mailbox", ("\\Drafts",)), ()),
    Operation("delete", lambda w: w.store.delete("Other"), ()),
    Operation("rename", lambda w: w.store.rename("Other", "New/Name"), ()),
    Operation("rename with children", lambda w: w.store.rename("Box", "Case"), ()),
    Operation("subscribe", lambda w: w.store.subscribe("Box/Child"), ()),
    Operation("unsubscribe", lambda w: w.store.unsubscribe("Other"), ()),
    Operation("provide special-use", _provide, (), atomic=False),
    Operation("look at others' changes", _look, (), _foreign),
    Operation("settle", _settle, prepare=_flagged),
    Operation("close", _close),
    Operation("pop3 quit", _pop3),
    Operation(
        "fold the ledger",
        lambda w: w.box.ledger(w.open["INBOX"]).compact(),
        prepare=_logged,
    ),
    Operation("search text", _search),
    Operation("search text, torn", _search, prepare=_damaged),
    Operation("fold the text", _tidy, prepare=_searched),
    Operation("add to the cache", _dropped),
    Operation(
        "fold the cache",
        lambda w: w.box.cache(w.open["INBOX"]).compact(),
        prepare=_logged,
    ),
)
