"""Two processes of ours and any number of other programs on one Maildir.

In this file:
    MaildirWriters    the machine: each rule is one thing that somebody does

After each step both processes look, and what they show is compared with the files, read
here without any code of the store, and with all that was told before.

Time: each foreign change is given a time of its own, as if some seconds lay between two
of them.  What can hide within one tick of a clock is tested elsewhere.
"""

import contextlib
import dataclasses
import itertools
import os
import re
import shutil
import string
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)
from twisted.logger import capturedLogs

from maildrop.durable import Content
from maildrop.errors import MailboxVanished
from maildrop.mailbox.flags import (
    ANSWERED,
    DELETED,
    DRAFT,
    FLAGGED,
    SEEN,
    FlagChange,
    Operation,
)
from maildrop.mailbox.interfaces import NewMessage
from maildrop.storage.index.host import Host
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.maildir.mailbox import MaildirMailbox
from maildrop.storage.maildir.store import MaildirStore
from tests.crash.stopping import QuickDisk
from tests.storage.history import Client, History, Seen, seen
from tests.storage.maildir.conftest import Clock

LETTERS: Final = {"D": DRAFT, "F": FLAGGED, "R": ANSWERED, "S": SEEN, "T": DELETED}
KEYWORDS: Final = ("$Junk", "work", "$Forwarded")
CHOICE: Final = st.integers(0, 7)
LETTERS_SET: Final = st.sets(st.sampled_from("FRST"), max_size=3)
_SUFFIX: Final = re.compile(r":2,([A-Za-z]*)$")


def canonical(stored: bytes) -> bytes:
    """A message with CRLF line ends."""
    return stored.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class MaildirWriters(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="maildrop-writers-"))
        self.root = self.directory / "Maildir"
        self.backup = self.directory / "backup"
        self.backup.mkdir()
        self.clock = Clock()
        self.serial = itertools.count(1)
        self.times = itertools.count(1_700_000_000, 10)
        self.history = History()
        self.stores = [self._store(), self._store()]
        self.boxes = [self._open(at) for at in (0, 1)]
        self.clients = [Client(box) for box in self.boxes]
        self.asleep = False  # the second process does not look for a while
        self.uid_of: dict[bytes, int] = {}
        self.keywords: dict[bytes, frozenset[str]] = {}
        # Letters whose keywords went with the ledger: they mean what gets them next.
        self.meaningless: set[str] = set()
        # Contents that a foreign change gave another file, without our knowing them.
        self.unsure: set[bytes] = set()

    def teardown(self) -> None:
        for box in self.boxes:
            box.close()
        shutil.rmtree(self.directory)

    def _store(self) -> MaildirStore:
        host = dataclasses.replace(
            Host.here(QuickDisk()),
            monotonic=self.clock,
            sleep=self.clock.advance,
            lock_seconds=1.0,
        )
        return MaildirStore(str(self.root), host, Remembered())

    def _open(self, at: int) -> MaildirMailbox:
        return self.stores[at].open("INBOX")

    # -- what there is

    def files(self) -> list[Path]:
        """All messages, new/ first."""
        found = [*(self.root / "new").iterdir(), *(self.root / "cur").iterdir()]
        return sorted(found, key=lambda path: (path.parent.name != "new", path.name))

    def pick(self, choice: int) -> Path | None:
        files = self.files()
        return files[choice % len(files)] if files else None

    def text(self) -> bytes:
        return b"Subject: %d\n\nbody of it\nFrom here\n" % next(self.serial)

    def tick(self, *paths: Path) -> None:
        """Give what was changed a time of its own."""
        for path in paths:
            seconds = next(self.times)
            with contextlib.suppress(FileNotFoundError):
                os.utime(path, (seconds, seconds))

    def touched(self, path: Path) -> None:
        self.tick(path.parent)

    @initialize()
    def begin(self) -> None:
        """A message of each kind."""
        for kind in ("procmail", "dovecot", "cp"):
            self.deliver(kind=kind)
        self.add(at=0, flags=0, two=True)

    # -- other programs deliver

    @rule(kind=st.sampled_from(["procmail", "dovecot", "cp", "courier"]))
    def deliver(self, kind: str) -> None:
        text, number = self.text(), next(self.serial)
        base = f"{1_700_000_000 + number}"
        match kind:
            case "procmail":
                path = self.root / "new" / f"{base}.{number}_0.host"
            case "dovecot":
                size = f",S={len(text)},W={len(canonical(text))}"
                path = self.root / "new" / f"{base}.M{number}P1.host{size}"
            case "courier":
                path = (
                    self.root / "new" / f"{base}.M{number}P1V1I1_0.host,S={len(text)}"
                )
            case _:
                path = self.root / "cur" / f"{base}.{number}.host:2,S"
        path.write_bytes(text)
        self.tick(path, path.parent)

    # -- other programs change flags, move and delete

    @rule(choice=CHOICE, letters=LETTERS_SET)
    def flag(self, choice: int, letters: set[str]) -> None:
        path = self.pick(choice)
        if path is None:
            return
        found = _SUFFIX.search(path.name)
        others = {x for x in (found[1] if found else "") if x not in "DFRST"}
        base = _SUFFIX.sub("", path.name)
        target = self.root / "cur" / f"{base}:2,{''.join(sorted(letters | others))}"
        if target.exists():
            return
        path.rename(target)
        self.touched(path)
        self.touched(target)

    @rule(choice=CHOICE)
    def delete(self, choice: int) -> None:
        path = self.pick(choice)
        if path is not None:
            path.unlink()
            self.touched(path)

    @rule(choice=CHOICE)
    def give_another_name(self, choice: int) -> None:
        path = self.pick(choice)
        if path is None:
            return
        content = canonical(path.read_bytes())
        if "W=" in path.name:
            self.unsure.add(content)
        suffix = _SUFFIX.search(path.name)
        name = f"17{next(self.serial):08}.other.host" + (suffix[0] if suffix else "")
        path.rename(path.with_name(name))
        self.touched(path)

    # -- other programs change contents

    @rule(
        choice=CHOICE,
        how=st.sampled_from(["grow", "shrink", "same", "none", "crlf"]),
        place=st.sampled_from(["sed", "cp"]),
    )
    def edit(self, choice: int, how: str, place: str) -> None:
        path = self.pick(choice)
        if path is None:
            return
        if how == "same":  # only then can it be told from what was there
            self.boxes[0].fragments(b"ENVELOPE", list(self.boxes[0].table.uids))
        before = path.read_bytes()
        after = {
            "grow": before + b"more\n",
            "shrink": before[: len(before) // 2],
            "same": before.replace(b"body", b"BODY", 1).swapcase(),
            "none": before,
            "crlf": canonical(before),
        }[how]
        if canonical(after) == canonical(before) and "W=" in path.name:
            self.unsure.add(canonical(after))
        if place == "cp":
            path.write_bytes(after)
        else:
            beside = path.with_name(f"sed{next(self.serial)}")
            beside.write_bytes(after)
            beside.rename(path)
            self.touched(path)
        self.tick(path)

    @rule(choice=CHOICE, left=st.integers(0, 30))
    def truncate(self, choice: int, left: int) -> None:
        path = self.pick(choice)
        if path is not None:
            os.truncate(path, min(left, path.stat().st_size))
            self.tick(path)

    @rule(choice=CHOICE)
    def touch(self, choice: int) -> None:
        path = self.pick(choice)
        if path is not None:
            self.tick(path)

    # -- backups

    @rule(choice=CHOICE)
    def back_up(self, choice: int) -> None:
        path = self.pick(choice)
        if path is not None:
            shutil.copy2(path, self.backup / path.name)

    @rule(choice=CHOICE, keep_times=st.booleans())
    def restore(self, choice: int, *, keep_times: bool) -> None:
        saved = sorted(self.backup.iterdir())
        if not saved:
            return
        source = saved[choice % len(saved)]
        target = self.root / "cur" / source.name
        if not _SUFFIX.search(source.name):
            target = target.with_name(f"{source.name}:2,")
        if "W=" in source.name:
            self.unsure.add(canonical(source.read_bytes()))
        (shutil.copy2 if keep_times else shutil.copyfile)(source, target)
        if not keep_times:
            self.tick(target)
        self.touched(target)

    @rule(choice=CHOICE)
    def move_by_link(self, choice: int) -> None:
        path = self.pick(choice)
        if path is None or path.parent.name != "new":
            return
        target = self.root / "cur" / f"{path.name}:2,"
        if not target.exists():
            os.link(path, target)
            self.touched(target)

    # -- we

    @rule(at=st.integers(0, 1), flags=st.sampled_from([0, SEEN]), two=st.booleans())
    def add(self, at: int, flags: int, *, two: bool) -> None:
        box = self.boxes[at]
        new = [
            NewMessage(Content.of(canonical(self.text())), flags=flags)
            for _ in range(1 + two)
        ]
        box.publish(box.stage(new), None)

    @rule(
        at=st.integers(0, 1),
        choice=CHOICE,
        operation=st.sampled_from(Operation),
        flags=st.sampled_from([0, SEEN, FLAGGED, SEEN | DELETED]),
        keywords=st.sets(st.sampled_from(KEYWORDS), max_size=2),
    )
    def store(
        self,
        at: int,
        choice: int,
        operation: Operation,
        flags: int,
        keywords: set[str],
    ) -> None:
        box, uid = self.boxes[at], self._uid(at, choice)
        if uid is None:
            return
        content = self.history.contents[uid]
        with box.ledger.locked():  # what the other process took in
            before = self.state(box, uid)
        change = FlagChange(operation, flags, tuple(sorted(keywords)))
        box.change_flags([uid], change, self.clients[at].view)
        if box.table.row(uid) is not None:
            self.clients[at].flags[uid] = self.clients[at].state(uid)
        after = self.state(box, uid)
        if before is None or after is None:
            return
        match operation:
            case Operation.ADD:
                wanted = before[0] | flags, before[1] | keywords
            case Operation.REMOVE:
                wanted = before[0] & ~flags, before[1] - keywords
            case Operation.REPLACE:
                wanted = flags, keywords
        assert after == wanted
        self.keywords[content] = frozenset(after[1])

    def state(self, box: MaildirMailbox, uid: int) -> tuple[int, set[str]] | None:
        row = box.table.row(uid)
        if row is None:
            return None
        names = box.table.keywords_of(box.table.keywords[row])
        return box.table.flags[row] & 31, set(names)

    def _uid(self, at: int, choice: int) -> int | None:
        uids = self.clients[at].uids
        return uids[choice % len(uids)] if uids else None

    @rule(at=st.integers(0, 1), choice=CHOICE)
    def expunge(self, at: int, choice: int) -> None:
        uid = self._uid(at, choice)
        if uid is not None:
            self.boxes[at].expunge([uid], self.clients[at].view)

    @rule(at=st.integers(0, 1), choice=CHOICE)
    def copy(self, at: int, choice: int) -> None:
        uid = self._uid(at, choice)
        if uid is not None:
            self.boxes[at].copy([uid], self.boxes[at])

    @rule(at=st.integers(0, 1), choice=CHOICE)
    def fetch(self, at: int, choice: int) -> None:
        uid = self._uid(at, choice)
        if uid is not None:
            self.boxes[at].fragments(b"ENVELOPE", [uid])

    @rule(at=st.integers(0, 1))
    def claim_recent(self, at: int) -> None:
        self.boxes[at].claim_recent()

    @rule(at=st.integers(0, 1))
    def fold(self, at: int) -> None:
        self.boxes[at].ledger.compact()

    @rule(at=st.integers(0, 1))
    def open_again(self, at: int) -> None:
        self.boxes[at].close()
        self.boxes[at] = self._open(at)
        self.clients[at] = Client(self.boxes[at])

    @rule(asleep=st.booleans())
    def sleep(self, *, asleep: bool) -> None:
        self.asleep = asleep

    @rule()
    def lose_the_ledger(self) -> None:
        if not self.history.contents:
            return
        for box in self.boxes:
            box.close()
        for path in self.files():
            found = _SUFFIX.search(path.name)
            self.meaningless.update(found[1] if found else "")
        for path in self.root.glob("maildrop.ledger*"):
            path.unlink()
        with capturedLogs() as events:
            self.boxes = [self._open(at) for at in (0, 1)]
            self.boxes[0].refresh()
        told = [event["validity"] for event in events if "validity" in event]
        assert told == [self.boxes[0].table.uid_validity] * bool(self.files())
        self.clients = [Client(box) for box in self.boxes]
        before = self.history.uid_validity
        self.history.renumbered()
        self.uid_of.clear()
        self.keywords.clear()
        self.unsure.clear()
        assert self.boxes[0].table.uid_validity > before

    # -- what has to be true

    @invariant()
    def all_is_as_it_should_be(self) -> None:
        shown = {}
        for _ in range(2):  # what is found while one reads is settled in the second
            for at in (0,) if self.asleep else (0, 1):
                shown[at] = self._look(at)
        assert self.asleep or shown[0] == shown[1]
        self._compare_with_files(shown[0])
        table = self.boxes[0].table
        uidls = dict(zip(table.uids, self.boxes[0].uidls(), strict=True))
        contents = {uid: one.content for uid, one in shown[0].items()}
        self.history.take(table.uid_validity, contents, uidls)
        self._compare_with_before(shown[0])
        for client in self.clients[: 1 if self.asleep else 2]:
            client.update()

    def _look(self, at: int) -> dict[int, Seen]:
        box = self.boxes[at]
        for _ in range(3):
            self.clock.advance(60.0)
            with contextlib.suppress(MailboxVanished):
                box.refresh()
            found = seen(box)
            if len(found) == len(box.table):
                break
        assert len(found) == len(box.table)
        return found

    def _compare_with_files(self, shown: dict[int, Seen]) -> None:
        there: Counter[tuple[bytes, int]] = Counter()
        for path in self.files():
            letters = _SUFFIX.search(path.name)
            flags = 0
            for letter in letters[1] if letters else "":
                flags |= LETTERS.get(letter, 0)
            there[canonical(path.read_bytes()), flags] += 1
        assert Counter((one.content, one.flags) for one in shown.values()) == there

    def _compare_with_before(self, shown: dict[int, Seen]) -> None:
        """What is there once, and was, is the same message with the same keywords."""
        count = Counter(one.content for one in shown.values())
        lettered = {
            canonical(path.read_bytes())
            for path in self.files()
            if (found := _SUFFIX.search(path.name))
            and self.meaningless.intersection(found[1]) & set(string.ascii_lowercase)
        }
        now = {o.content: (u, o) for u, o in shown.items() if count[o.content] == 1}
        for content, uid in self.uid_of.items():
            if content in now and content not in self.unsure:
                assert now[content][0] == uid, "a message was numbered anew"
                keywords = self.keywords.get(content, frozenset())
                assert now[content][1].keywords == keywords or content in lettered
        self.unsure.clear()
        self.uid_of = {content: uid for content, (uid, _) in now.items()}
        self.keywords = {content: one.keywords for content, (_, one) in now.items()}
