"""Two processes of ours and any number of other programs on one mbox.

In this file:
    MboxWriters    the machine: each rule is one thing that somebody does

After each step both processes look, and what they show is compared with the file, read
by ``plain``, with what flags ours and theirs add up to, and with all that was told
before.
"""

import dataclasses
import itertools
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
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
from maildrop.mailbox.flags import DELETED, FLAGGED, SEEN, FlagChange, Operation
from maildrop.mailbox.interfaces import NewMessage
from maildrop.storage.index.host import Host
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.mbox.mailbox import MboxMailbox
from maildrop.storage.mbox.places import merged
from maildrop.storage.mbox.store import MboxStore
from tests.crash.stopping import QuickDisk
from tests.storage.history import Client, History, Seen, seen
from tests.storage.mbox.plain import FROM, Stored, parse, with_flags

KEYWORDS: Final = ("$Junk", "work")
CHOICE: Final = st.integers(0, 7)
FLAGS: Final = st.sampled_from([0, SEEN, FLAGGED, SEEN | DELETED])
NAMES: Final = st.sets(st.sampled_from(KEYWORDS), max_size=2)
PLACE: Final = st.sampled_from(["in place", "renamed"])
PSEUDO: Final = (
    b"From MAILER-DAEMON Thu Jan  1 00:00:00 2026\n"
    b"From: Mail System Internal Data <MAILER-DAEMON@host>\n"
    b"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n"
    b"X-IMAP: 1234567890 0000000007\nStatus: RO\n\nThis text is not a message.\n\n"
)

Flags = tuple[int, frozenset[str]]


class MboxWriters(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="maildrop-writers-"))
        self.spool = self.directory / "inbox"
        self.control = self.directory / "control"
        self.control.mkdir()
        self.backups: list[bytes] = []
        self.serial = itertools.count(1)
        self.times = itertools.count(1_700_000_000, 10)
        self.history = History()
        self.boxes = [self._open(), self._open()]
        self.clients = [Client(box) for box in self.boxes]
        self.asleep = False  # the second process does not look for a while
        self.uid_of: dict[bytes, int] = {}
        self.flags: dict[bytes, Flags] = {}

    def teardown(self) -> None:
        for box in self.boxes:
            box.close()
        shutil.rmtree(self.directory)

    def _open(self) -> MboxMailbox:
        host = dataclasses.replace(
            Host.here(QuickDisk()), sleep=lambda _: None, lock_seconds=0.05
        )
        store = MboxStore(
            str(self.spool),
            str(self.directory / "mail"),
            str(self.control),
            host,
            Remembered(),
        )
        return store.open("INBOX")

    # -- what there is

    def octets(self) -> bytes:
        return self.spool.read_bytes() if self.spool.exists() else b""

    def stored(self) -> list[Stored]:
        return parse(self.octets())

    def write(self, octets: bytes, place: str = "in place") -> None:
        """Another program writes the file; the flags that differ are its doing."""
        before = {each.content: each for each in self.stored()}
        if place == "in place":
            self.spool.write_bytes(octets)
        else:
            beside = self.spool.with_name("inbox.new")
            beside.write_bytes(octets)
            beside.rename(self.spool)
        self.tick()
        for now in self.stored():
            was, ours = before.get(now.content), self.flags.get(now.content)
            if was is not None and ours is not None:
                gone = was.keywords - now.keywords
                self.flags[now.content] = (
                    merged(ours[0], was.flags, now.flags),
                    (ours[1] | (now.keywords - was.keywords)) - gone,
                )

    def tick(self) -> None:
        seconds = next(self.times)
        os.utime(self.spool, (seconds, seconds))

    def text(self) -> bytes:
        return b"Subject: %d\n\nbody of it\n>From here\n" % next(self.serial)

    def rewrite(self, change: Callable[[list[bytes]], Sequence[bytes]]) -> bytes:
        return b"".join(change([each.raw for each in self.stored()]))

    @initialize()
    def begin(self) -> None:
        """Messages of others, and of ours."""
        self.deliver(how="mboxrd", number=2)
        self.deliver(how="flags", number=1)
        for box in self.boxes:
            box.refresh()
        self.add(at=0, flags=0, two=True)

    # -- other programs deliver

    @rule(
        how=st.sampled_from(["mboxrd", "mboxcl2", "no blank line", "crlf", "flags"]),
        number=st.integers(1, 3),
    )
    def deliver(self, how: str, number: int) -> None:
        octets = self.octets()
        if octets and not octets.endswith((b"\n\n", b"\n\r\n")):
            octets += b"\n" if octets.endswith(b"\n") else b"\n\n"
        for _ in range(number):
            text = self.text()
            match how:
                case "mboxcl2":
                    body = b"From one to the other\n\nFrom here on\n"
                    field = b"Content-Length: %d" % len(body)
                    text = text.replace(b"\n\n", b"\n%b\n\n" % field, 1) + body
                case "flags":
                    text = b"Status: RO\nX-Status: F\nX-Keywords: work\n" + text
            new = FROM + text + (b"" if how == "no blank line" else b"\n")
            octets += new.replace(b"\n", b"\r\n") if how == "crlf" else new
        self.write(octets)

    # -- other programs write the file anew

    @rule(
        place=PLACE,
        choice=CHOICE,
        flags=FLAGS,
        keywords=NAMES,
        gone=st.sets(CHOICE, max_size=2),
    )
    def read_with_mutt(
        self, place: str, choice: int, flags: int, keywords: set[str], gone: set[int]
    ) -> None:
        new = []
        for at, each in enumerate(self.stored()):
            if each.pseudo:
                new.append(each.raw)
            elif at not in gone:
                ours: Flags = each.flags, each.keywords
                if at == choice:
                    ours = flags, frozenset(keywords)
                raw = with_flags(each.raw, *ours)
                new.append(raw if raw.endswith(b"\n\n") else raw + b"\n")
        if new:
            self.write(b"".join(new), place)

    @rule(place=PLACE, first=CHOICE)
    def sort(self, place: str, first: int) -> None:
        octets = self.rewrite(lambda raws: sorted(raws, key=lambda raw: raw[first:]))
        stored = parse(octets)
        blanks = all(each.raw.endswith((b"\n\n", b"\n\r\n")) for each in stored)
        if stored and blanks and not any(each.pseudo for each in self.stored()):
            self.write(octets, place)

    @rule(place=PLACE)
    def unix2dos(self, place: str) -> None:
        if self.octets():
            octets = self.octets().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            self.write(octets, place)

    @rule(place=PLACE)
    def dos2unix(self, place: str) -> None:
        if self.octets():
            self.write(self.octets().replace(b"\r\n", b"\n"), place)

    @rule(place=PLACE, choice=CHOICE, by=st.sampled_from([b"BODY", b"longer body"]))
    def edit(self, place: str, choice: int, by: bytes) -> None:
        def change(raws: list[bytes]) -> list[bytes]:
            raws[choice % len(raws)] = raws[choice % len(raws)].replace(b"body", by)
            return raws

        if self.stored():
            self.write(self.rewrite(change), place)

    @rule(place=PLACE)
    def write_uids(self, place: str) -> None:
        """As Dovecot and UW do: numbers of their own, in every message."""

        def change(raws: list[bytes]) -> list[bytes]:
            new = []
            for number, raw in enumerate(raws, 1):
                line, _, rest = raw.replace(b"\r\n", b"\n").partition(b"\n")
                field = b"X-UID: %d\n" % number
                if number == 1:
                    field += b"X-IMAPbase: 1700000000 %010d\n" % len(raws)
                new.append(line + b"\n" + field + rest)
            return new

        if self.stored() and not self.stored()[0].pseudo:
            self.write(self.rewrite(change), place)

    @rule(place=PLACE)
    def put_pseudo_message(self, place: str) -> None:
        if not any(each.pseudo for each in self.stored()):
            self.write(PSEUDO + self.octets(), place)

    @rule(left=st.integers(0, 400))
    def truncate(self, left: int) -> None:
        octets = self.octets()
        left = min(left, len(octets))
        left = 0 if left < len(FROM) else left
        # A From_ line that nothing follows is text of the message before it.
        start = octets.rfind(b"From ", 0, left)
        if octets and (left == 0 or left > start + len(FROM) + 14):
            self.write(octets[:left].removesuffix(b"\r"))

    @rule()
    def remove(self) -> None:
        if not self.spool.exists():
            return
        self.spool.unlink()

    # -- backups

    @rule()
    def back_up(self) -> None:
        self.backups.append(self.octets())

    @rule(choice=CHOICE, place=PLACE)
    def restore(self, choice: int, place: str) -> None:
        if not self.backups:
            return
        self.write(self.backups[choice % len(self.backups)], place)

    # -- we

    @rule(at=st.integers(0, 1), flags=st.sampled_from([0, SEEN]), two=st.booleans())
    def add(self, at: int, flags: int, *, two: bool) -> None:
        box = self.boxes[at]
        new = [
            NewMessage(Content.of(self.text().replace(b"\n", b"\r\n")), flags=flags)
            for _ in range(1 + two)
        ]
        box.publish(box.stage(new), None)

    @rule(
        at=st.integers(0, 1),
        choice=CHOICE,
        operation=st.sampled_from(Operation),
        flags=FLAGS,
        keywords=NAMES,
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
        change = FlagChange(operation, flags, tuple(sorted(keywords)))
        box.change_flags([uid], change, self.clients[at].view)
        client = self.clients[at]
        if box.table.row(uid) is None:  # expunged, and nobody looked
            return
        client.flags[uid] = client.state(uid)
        content = self.history.contents[uid]
        before = self.flags.get(content)
        if before is None:
            return
        match operation:
            case Operation.ADD:
                after = before[0] | flags, before[1] | keywords
            case Operation.REMOVE:
                after = before[0] & ~flags, before[1] - keywords
            case Operation.REPLACE:
                after = flags, frozenset(keywords)
        self.flags[content] = after

    def _uid(self, at: int, choice: int) -> int | None:
        uids = self.clients[at].uids
        return uids[choice % len(uids)] if uids else None

    @rule(at=st.integers(0, 1), choices=st.sets(CHOICE, min_size=1, max_size=3))
    def expunge(self, at: int, choices: set[int]) -> None:
        uids = sorted({uid for c in choices if (uid := self._uid(at, c)) is not None})
        self.boxes[at].expunge(uids, self.clients[at].view)

    @rule(at=st.integers(0, 1))
    def settle(self, at: int) -> None:
        box = self.boxes[at]
        box.settle()
        assert not box.unsettled or not self.spool.exists()
        for each in self.stored():
            ours = self.flags.get(each.content)
            if ours is not None and not each.pseudo:
                assert (each.flags, each.keywords) == ours

    @rule(at=st.integers(0, 1), choice=CHOICE)
    def fetch(self, at: int, choice: int) -> None:
        uid = self._uid(at, choice)
        if uid is not None:
            self.boxes[at].fragments(b"ENVELOPE", [uid])

    @rule(at=st.integers(0, 1))
    def claim_recent(self, at: int) -> None:
        self.boxes[at].claim_recent()

    @rule(at=st.integers(0, 1))
    def open_again(self, at: int) -> None:
        self.boxes[at].close()
        self.boxes[at] = self._open()
        self.boxes[at].refresh()
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
        shutil.rmtree(self.control / "INBOX")
        before = self.history.uid_validity
        self.boxes = [self._open(), self._open()]
        with capturedLogs() as events:
            for box in self.boxes:
                box.refresh()
        told = [event["validity"] for event in events if "validity" in event]
        there = any(not each.pseudo for each in self.stored())
        assert told == [self.boxes[0].table.uid_validity] * there
        self.clients = [Client(box) for box in self.boxes]
        self.history.renumbered()
        self.uid_of.clear()
        self.flags.clear()
        assert self.boxes[0].table.uid_validity > before

    # -- what has to be true

    @invariant()
    def all_is_as_it_should_be(self) -> None:
        shown: dict[int, dict[int, Seen]] = {}
        for at in (0, 0) if self.asleep else (1, 0, 1):
            self.boxes[at].refresh()
            shown[at] = seen(self.boxes[at])
        assert self.asleep or shown[0] == shown[1]
        there = Counter(e.content for e in self.stored() if not e.pseudo)
        assert Counter(one.content for one in shown[0].values()) == there
        table = self.boxes[0].table
        uidls = dict(zip(table.uids, self.boxes[0].uidls(), strict=True))
        contents = {uid: one.content for uid, one in shown[0].items()}
        self.history.take(table.uid_validity, contents, uidls)
        self._compare_with_before(shown[0])
        for client in self.clients[: 1 if self.asleep else 2]:
            client.update()

    def _compare_with_before(self, shown: dict[int, Seen]) -> None:
        """What is there once, and was, is the same message with the flags it has."""
        count = Counter(one.content for one in shown.values())
        now = {o.content: (u, o) for u, o in shown.items() if count[o.content] == 1}
        for content, uid in self.uid_of.items():
            if content in now:
                assert now[content][0] == uid, "a message was numbered anew"
                _, one = now[content]
                assert (one.flags, one.keywords) == self.flags[content]
        self.uid_of = {content: uid for content, (uid, _) in now.items()}
        self.flags = {content: (o.flags, o.keywords) for content, (_, o) in now.items()}
