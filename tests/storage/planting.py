"""Corruptions of the control files, planted one at a time, whatever the format.

In this file:
    Ground     an account with some mail in it, and ways to damage its control files
    Plant      a corruption: what is done, what is to be found, what may be lost
    CONTROL    of the files
    SECTIONS   of single sections of the snapshot
    LEDGER     of what the ledger says
    kept       nothing but what a corruption itself took or brought is different
"""

import abc
import contextlib
import os
import struct
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maildrop.mailbox.flags import ANSWERED, FLAGGED, SEEN
from maildrop.mailbox.interfaces import Store
from maildrop.storage.findings import Code
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.log import HEADER_SIZE, LogHeader, record
from maildrop.storage.index.snapshot import Reader
from maildrop.storage.index.table import IndexTable
from tests.storage.contract import add, message, opened, put

#: How long ago everything happened: every time stamp is settled.
LONG_AGO = 7200

Octets = dict[str, dict[int, bytes]]


class Ground(abc.ABC):
    """An account with mail in INBOX and Work.

    Attributes:
        control: Where INBOX has its control files.
        host: The machine.
    """

    control: Path
    host: Host

    @abc.abstractmethod
    def open_store(self) -> Store:
        """The store, as the server opens it."""

    def fill(self) -> None:
        """Put some mail into the account."""
        store = self.open_store()
        store.create("Work")
        store.subscribe("Work")
        for name in ("INBOX", "Work"):
            mailbox = opened(store, name)
            uids = add(mailbox, *(message(f"{name} {n}") for n in range(6)))
            mailbox.change_flags(uids[:2], put(SEEN | FLAGGED, "work", "play"), None)
            mailbox.change_flags(uids[2:3], put(ANSWERED), None)
            mailbox.expunge(uids[5:], None)
            mailbox.fragments(b"ENVELOPE", uids[:5])
            mailbox.fragments(b"HEADER.FIELDS (X-NONE)", uids[:2])
            mailbox.close()

    @contextlib.contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """The ledger of INBOX."""
        ledger = Ledger(str(self.control), self.host, lambda above: above + 1)
        try:
            yield ledger
        finally:
            ledger.close()

    def edit(self, change: Callable[[IndexTable], object]) -> None:
        """Write something else into the ledger of INBOX."""
        with self.ledger() as ledger, ledger.locked():
            change(ledger.table)
            ledger.rewrite()

    def flip(self, path: Path, at: int) -> None:
        """Turn a bit of a file over."""
        octets = bytearray(path.read_bytes())
        octets[at] ^= 4
        path.write_bytes(octets)

    def octets(self) -> tuple[Octets, dict[str, int]]:
        """All messages by mailbox and UID, and each UIDVALIDITY."""
        store = self.open_store()
        found: Octets = {}
        validity = {}
        for entry in store.entries():
            if not entry.selectable:
                continue
            mailbox = opened(store, entry.name)
            uids = list(mailbox.table.uids)
            read = mailbox.read_many(uids)
            found[entry.name] = {
                uid: octets
                for uid, octets in zip(uids, read, strict=True)
                if octets is not None
            }
            validity[entry.name] = mailbox.table.uid_validity
            mailbox.close()
        return found, validity


@dataclass(frozen=True)
class Plant:
    """A corruption.

    Attributes:
        name: What is done.
        code: What is to be found.
        do: Does it.
        renumbers: UIDs of INBOX are lost with it, and nobody can know them.
        moves: UIDs of INBOX that nobody can know afterwards.
        loses: UIDs of INBOX whose message it changes or takes away itself.
        adds: How many messages it adds.
        blocks: INBOX cannot be read until the administrator has been there.
    """

    name: str
    code: Code
    do: Callable[[Any], object]
    renumbers: bool = False
    moves: tuple[int, ...] = ()
    loses: tuple[int, ...] = ()
    adds: int = 0
    blocks: bool = False


def _snapshot(ground: Ground) -> Path:
    return ground.control / "maildrop.ledger"


def _log(ground: Ground) -> Path:
    return ground.control / "maildrop.ledger.log"


def _append(ground: Ground, octets: bytes) -> None:
    with _log(ground).open("ab") as file:
        file.write(octets)


def _nonsense(ground: Ground) -> None:
    header = LogHeader.parse(_log(ground).read_bytes()[:HEADER_SIZE])
    expunge = struct.pack("<Q", 9) + struct.pack("<B3xI", 3, 8)
    payload = expunge + struct.pack("<II", 2, 1)
    _append(ground, record(header.generation, payload))


def _bit_in_log(ground: Ground) -> None:
    with ground.ledger() as ledger, ledger.locked():
        batch = ledger.batch()
        batch.change_flags([4], bytes([SEEN]), [0])
        ledger.commit(batch)
    ground.flip(_log(ground), -1)


def _link_log(ground: Ground) -> None:
    _log(ground).rename(ground.control / "x")
    _log(ground).symlink_to("x")


def _directory(ground: Ground) -> None:
    _snapshot(ground).unlink()
    _snapshot(ground).mkdir()


def _aged(path: Path) -> None:
    path.write_bytes(b"half")
    then = path.stat().st_mtime - LONG_AGO
    os.utime(path, (then, then))


CONTROL = (
    Plant(
        "the snapshot is gone",
        Code.SNAPSHOT_MISSING,
        lambda g: _snapshot(g).unlink(),
        renumbers=True,
    ),
    Plant(
        "a bit of the snapshot's header is turned over",
        Code.SNAPSHOT_DAMAGED,
        lambda g: g.flip(_snapshot(g), 50),
        renumbers=True,
    ),
    Plant(
        "the snapshot is cut off",
        Code.SNAPSHOT_DAMAGED,
        lambda g: os.truncate(_snapshot(g), 100),
        renumbers=True,
    ),
    Plant(
        "the snapshot is another program's file",
        Code.SNAPSHOT_DAMAGED,
        lambda g: _snapshot(g).write_text("nothing of ours" * 50),
        renumbers=True,
    ),
    Plant("the log is gone", Code.LOG_MISSING, lambda g: _log(g).unlink()),
    Plant("the log is empty", Code.LOG_MISSING, lambda g: os.truncate(_log(g), 0)),
    Plant(
        "a bit of the log's header is turned over",
        Code.LOG_MISSING,
        lambda g: g.flip(_log(g), 20),
    ),
    Plant(
        "the log is that of another mailbox",
        Code.LOG_MISSING,
        lambda g: _log(g).write_bytes(
            bytes(LogHeader(77, 76, 64, 4711, bytes(16))) + record(77, bytes(8))
        ),
    ),
    Plant(
        "half a record stands at the end of the log",
        Code.LOG_TORN,
        lambda g: _append(g, b"\x40\0\0\0 half a record"),
    ),
    Plant("a bit of the log's last record is turned over", Code.LOG_TORN, _bit_in_log),
    Plant(
        "a record of the log makes no sense",
        Code.LOG_NONSENSE,
        _nonsense,
        renumbers=True,
    ),
    Plant(
        "the log is a symbolic link",
        Code.CONTROL_FILE_UNUSABLE,
        _link_log,
        blocks=True,
    ),
    Plant(
        "the snapshot is a directory",
        Code.CONTROL_FILE_UNUSABLE,
        _directory,
        blocks=True,
    ),
    Plant(
        "a temporary of the ledger is left over",
        Code.TEMPORARY_LEFT_OVER,
        lambda g: _aged(g.control / "maildrop.ledger.4711.tmp"),
    ),
    Plant(
        "a temporary of the cache is left over",
        Code.TEMPORARY_LEFT_OVER,
        lambda g: _aged(g.control / "maildrop.cache.tmp"),
    ),
)


#: Sections of a snapshot that can be found again, whatever the format.
DERIVED = ("cache", "saved", "object_id", "mod_seq", "expunged", "expunged_mod_seq")
#: Those that mail files have to tell.
FROM_FILES = ("size", "date", "flags", "keywords", "name")


def damage_section(ground: Ground, name: str, at: int = 3) -> None:
    """Turn a bit of a section of the snapshot over."""
    path = _snapshot(ground)
    with path.open("rb") as file:
        start, _, _ = Reader(file.fileno(), 100).place(name)
    ground.flip(path, start + at)


def section(name: str, *, renumbers: bool, moves: tuple[int, ...] = ()) -> Plant:
    """A bit of a section of the snapshot is turned over."""
    return Plant(
        f"a bit of the snapshot's section {name} is turned over",
        Code.SNAPSHOT_DAMAGED,
        lambda ground: damage_section(ground, name),
        renumbers=renumbers,
        moves=moves,
    )


SECTIONS = (
    section("uid", renumbers=True),
    *(section(name, renumbers=False) for name in DERIVED),
)


def _order(table: IndexTable) -> None:
    table.uids = array("I", [1, 2, 4, 3, 3])


def _set(attribute: str, value: object) -> Callable[[Ground], None]:
    return lambda ground: ground.edit(lambda t: setattr(t, attribute, value))


def cell(column: str, row: int, value: int) -> Callable[[Ground], None]:
    """Another value in a column of the ledger."""

    def change(table: IndexTable) -> None:
        getattr(table, column)[row] = value

    return lambda ground: ground.edit(change)


def _expunged(uid: int, mod_seq: int) -> Callable[[Ground], None]:
    def change(table: IndexTable) -> None:
        table.expunged_uids.append(uid)
        table.expunged_mod_seqs.append(mod_seq)

    return lambda ground: ground.edit(change)


def _keyword(name: str) -> Callable[[Ground], None]:
    return lambda ground: ground.edit(lambda t: t.keyword_names.__setitem__(1, name))


def _object_ids(table: IndexTable) -> None:
    table.object_ids[0] = table.object_ids[1] = 4711
    table.sizes[1] += 1


def _uidls(uidls: dict[int, bytes]) -> Callable[[Ground], None]:
    return lambda ground: ground.edit(lambda t: t.uidls.update(uidls))


LEDGER = (
    Plant(
        "UIDVALIDITY is 0",
        Code.UID_VALIDITY_ZERO,
        _set("uid_validity", 0),
        renumbers=True,
    ),
    Plant(
        "UIDs are out of order",
        Code.UIDS_OUT_OF_ORDER,
        lambda g: g.edit(_order),
        moves=(3, 4, 5),
    ),
    Plant("UIDNEXT is too low", Code.UID_NEXT_WRONG, _set("uid_next", 3)),
    Plant("a MODSEQ is too high", Code.MOD_SEQ_WRONG, cell("mod_seqs", 1, 1 << 40)),
    Plant("a MODSEQ is 0", Code.MOD_SEQ_WRONG, cell("mod_seqs", 1, 0)),
    Plant(
        "the first recent UID is too high", Code.RECENT_WRONG, _set("first_recent", 99)
    ),
    Plant("a UID is expunged, and there", Code.EXPUNGED_WRONG, _expunged(2, 3)),
    Plant("a UID is expunged that nobody had", Code.EXPUNGED_WRONG, _expunged(9999, 3)),
    Plant(
        "an expunge has a MODSEQ to come", Code.EXPUNGED_WRONG, _expunged(6, 1 << 40)
    ),
    Plant(
        "expunges are forgotten that are to come",
        Code.EXPUNGED_WRONG,
        _set("forgotten_mod_seq", 1 << 40),
    ),
    Plant("a keyword has no name", Code.KEYWORD_UNNAMED, cell("keywords", 3, 1 << 20)),
    Plant(
        "a keyword's name ends the line",
        Code.KEYWORD_INVALID,
        _keyword("x)\r\n* BYE\r\n"),
    ),
    Plant("a keyword is there twice", Code.KEYWORD_INVALID, _keyword("WORK")),
    Plant("two UIDLs are one", Code.UIDL_WRONG, _uidls({1: b"same", 2: b"same"})),
    Plant("a UIDL has a blank", Code.UIDL_WRONG, _uidls({1: b"a b"})),
    Plant("a UIDL is of nobody", Code.NOTE_LEFT_OVER, _uidls({77: b"x"})),
    Plant(
        "a note is of nobody",
        Code.NOTE_LEFT_OVER,
        lambda g: g.edit(lambda t: t.notes.update({b"name/77": b"x"})),
    ),
    Plant(
        "two messages have one object id",
        Code.OBJECT_ID_DOUBLED,
        lambda g: g.edit(_object_ids),
    ),
    Plant("a date is after the year 9999", Code.DATE_WRONG, cell("dates", 0, 1 << 60)),
    Plant("a date is before the year 1", Code.DATE_WRONG, cell("dates", 0, -(1 << 60))),
    Plant("a size is wrong", Code.LEDGER_SIZE_WRONG, cell("sizes", 0, 7)),
)


def kept(
    plant: Plant,
    before: dict[int, bytes],
    after: dict[int, bytes],
    *,
    numbered_anew: bool,
) -> None:
    """Nothing but what the corruption itself took or brought is different."""
    lost = Counter(before.values()) - Counter(after.values())
    assert lost == Counter(before[uid] for uid in plant.loses)
    assert len(after) == len(before) - len(plant.loses) + brought(plant, before, after)
    if not numbered_anew:
        for uid, octets in before.items():
            if uid not in plant.moves + plant.loses:
                assert after[uid] == octets
        assert all(
            after[uid] == before[uid]
            for uid in set(after) & set(before)
            if uid not in plant.moves + plant.loses
        )


def brought(plant: Plant, before: dict[int, bytes], after: dict[int, bytes]) -> int:
    """Messages that were not there: what the corruption added or made others."""
    others = Counter(after.values()) - Counter(before.values())
    assert others.total() in {plant.adds, plant.adds + len(plant.loses)}
    return others.total()
