"""Corruptions of mbox files and what stands beside them, planted one at a time.

In this file:
    Grounds    an account with some mail in mbox files, and ways to damage it
    CACHE      corruptions of the cache
    FILES      of the mbox, its layout and its journal
    ACCOUNT    of folders and lists
"""

import os
from collections.abc import Callable
from pathlib import Path

from maildrop.durable import Disk
from maildrop.storage.findings import Code
from maildrop.storage.index.cache import Cache
from maildrop.storage.index.fragments import KEYS
from maildrop.storage.index.host import Host
from maildrop.storage.index.table import IndexTable
from maildrop.storage.mbox import intent
from maildrop.storage.mbox.file import Appendix
from maildrop.storage.mbox.layout import Layout, Stamp
from maildrop.storage.mbox.rewrite import replace_tail
from maildrop.storage.mbox.store import MboxStore
from tests.storage.contract import opened
from tests.storage.planting import FROM_FILES, LONG_AGO, Ground, Plant, section

#: A process number that no process has.
NOBODY = 4194303


class Grounds(Ground):
    """An account with mail in INBOX and Work.

    Args:
        spool: The inbox.
        open_store: Opens the store.
        host: The machine.
    """

    def __init__(
        self, spool: Path, open_store: Callable[[], MboxStore], host: Host
    ) -> None:
        self.inbox = spool
        self.folders = spool.with_name("mail")
        self.all_control = spool.with_name("control")
        self.control = self.all_control / "INBOX"
        self.host = host
        self._open_store = open_store
        self.fill()
        store = self.open_store()
        for name in ("INBOX", "Work"):
            mailbox = opened(store, name)
            mailbox.settle()
            mailbox.close()
        with self.ledger() as ledger:
            ledger.compact()

    def open_store(self) -> MboxStore:
        """The store, as the server opens it."""
        return self._open_store()

    def layout(self, change: Callable[[Layout], object]) -> None:
        """Write another layout, of the file as it is now."""
        layout = Layout.load(str(self.control))
        layout.stamp = Stamp.of(self.inbox.stat())
        change(layout)
        layout.save(str(self.control), self.host.disk)

    def spoil(self, change: Callable[[bytes], bytes]) -> None:
        """Change the mbox behind the time stamps that the layout has."""
        octets = self.inbox.read_bytes()
        with self.inbox.open("r+b") as file:
            file.write(change(octets))
            file.truncate()
        self.layout(lambda layout: None)


def _cache(grounds: Grounds) -> Path:
    return grounds.control / "maildrop.cache"


def _record(grounds: Grounds, uid: int) -> int:
    with grounds.ledger() as ledger:
        row = ledger.table.row(uid)
        assert row is not None
        return ledger.table.cache[row]


def _wrong_piece(grounds: Grounds) -> None:
    with grounds.ledger() as ledger, ledger.locked():
        cache = Cache(str(grounds.control), ledger, grounds.host, KEYS)
        pieces = cache.records((0,))[0]
        wrong = {key: piece + b"x" for key, piece in pieces.items()}
        cache.point([1], cache.append([1], [wrong]))
        cache.close()


CACHE = (
    Plant("the cache is gone", Code.CACHE_UNUSABLE, lambda g: _cache(g).unlink()),
    Plant(
        "a bit of a cached piece is turned over",
        Code.CACHE_RECORD_DAMAGED,
        lambda g: g.flip(_cache(g), _record(g, 3) + 60),
    ),
    Plant(
        "cached pieces are wrong with a right checksum",
        Code.CACHE_PIECE_WRONG,
        _wrong_piece,
    ),
)


def _layout(grounds: Grounds) -> Path:
    return grounds.control / "maildrop.layout"


def _cell(column: str, row: int, value: int) -> Callable[[Grounds], None]:
    return lambda grounds: grounds.layout(
        lambda layout: getattr(layout, column).__setitem__(row, value)
    )


class _Stopping(Disk):
    """Stops before the mbox itself is written."""

    def write_at(self, fd: int, octets: bytes | memoryview, offset: int) -> None:
        if offset:
            raise OSError("stopped")
        super().write_at(fd, octets, offset)


def _rewriting(grounds: Grounds) -> None:
    """As a crash leaves a rewrite whose journal is in place."""
    layout = Layout.load(str(grounds.control))
    octets = grounds.inbox.read_bytes()
    journal = str(grounds.control / "maildrop.rewrite")
    start = layout.starts[2]
    with grounds.inbox.open("r+b") as file:
        try:
            replace_tail(file.fileno(), start, [octets[start:]], journal, _Stopping())
        except OSError:
            return


def _appending(grounds: Grounds) -> None:
    """As a crash leaves half of an addition."""
    half = b"From a Thu Jan  1 12:34:56 2026\nSubject: ha"
    size = grounds.inbox.stat().st_size
    with grounds.ledger() as ledger, ledger.locked():
        intent.announce(ledger, Appendix(size, half + b"lf\n\nbody\n\n", [size]))
    with grounds.inbox.open("ab") as file:
        file.write(half)


def _journal_aside(grounds: Grounds) -> None:
    (grounds.control / "maildrop.rewrite.unfit").write_bytes(b"mdrpMBX1")


def _dotlock(grounds: Grounds, text: str, age: int = 0) -> None:
    path = grounds.inbox.with_name("inbox.lock")
    path.write_text(text)
    then = path.stat().st_mtime - age
    os.utime(path, (then, then))


def _zeros(grounds: Grounds) -> None:
    layout = Layout.load(str(grounds.control))
    end = layout.starts[1] + layout.lengths[1]
    grounds.spoil(lambda octets: octets[: end - 1] + bytes(600) + octets[end - 1 :])


def _bit(grounds: Grounds) -> None:
    at = grounds.inbox.read_bytes().index(b"INBOX 2")
    grounds.spoil(lambda octets: octets[:at] + b"inbox" + octets[at + 5 :])


def _without_place(grounds: Grounds) -> None:
    grounds.layout(lambda layout: layout.keep(lambda uid: uid != 3))
    grounds.edit(_without_third)


def _without_third(table: IndexTable) -> None:
    table.remove_rows([2], table.highest_mod_seq, None)


def _aged(path: Path) -> None:
    path.write_bytes(b"half")
    then = path.stat().st_mtime - LONG_AGO
    os.utime(path, (then, then))


FILES = (
    *(section(name, renumbers=True) for name in (*FROM_FILES, "names")),
    Plant(
        "the layout is cut off",
        Code.LAYOUT_DAMAGED,
        lambda g: os.truncate(_layout(g), 70),
    ),
    Plant(
        "a bit of the layout is turned over",
        Code.LAYOUT_DAMAGED,
        lambda g: g.flip(_layout(g), -3),
    ),
    Plant(
        "a temporary of the layout is left over",
        Code.TEMPORARY_LEFT_OVER,
        lambda g: _aged(g.control / "maildrop.layout.4711.tmp"),
    ),
    Plant("a place is wrong", Code.LAYOUT_WRONG, _cell("starts", 1, 7)),
    Plant("a length is wrong", Code.LAYOUT_WRONG, _cell("lengths", 1, 7)),
    Plant("flags in the file are others", Code.LAYOUT_WRONG, _cell("status", 0, 4)),
    Plant(
        "a message has no place and no entry",
        Code.LAYOUT_WRONG,
        _without_place,
        moves=(3,),
    ),
    Plant(
        "a message is another one behind the time stamps",
        Code.LAYOUT_WRONG,
        _bit,
        loses=(3,),
    ),
    Plant("a rewrite was interrupted", Code.REWRITE_UNFINISHED, _rewriting),
    Plant("a journal was put aside", Code.REWRITE_PUT_ASIDE, _journal_aside),
    Plant("an addition was interrupted", Code.APPEND_UNFINISHED, _appending),
    Plant(
        "a dotlock is of a process that is gone",
        Code.DOTLOCK_STALE,
        lambda g: _dotlock(g, f"{NOBODY}\n"),
    ),
    Plant(
        "a dotlock is of long ago", Code.DOTLOCK_STALE, lambda g: _dotlock(g, "", 600)
    ),
    Plant(
        "the mbox begins with something else",
        Code.MBOX_INVALID,
        lambda g: g.spoil(lambda octets: b"nothing\n" + octets),
        blocks=True,
    ),
    Plant("NULs stand in the mbox", Code.MBOX_ZEROS, _zeros, loses=(2,)),
    Plant(
        "the mbox may be written by everybody",
        Code.WRITABLE_BY_ALL,
        lambda g: g.inbox.chmod(0o666),
    ),
    Plant(
        "the mbox may not be read by its owner",
        Code.CONTROL_FILE_UNUSABLE,
        lambda g: g.inbox.chmod(0o200),
    ),
    Plant(
        "the control directory may not be written",
        Code.DIRECTORY_UNUSABLE,
        lambda g: g.control.chmod(0o500),
    ),
)


def _mbox(grounds: Grounds, name: str) -> Path:
    path = grounds.folders / name
    path.write_bytes(b"From a Thu Jan  1 12:34:56 2026\nSubject: x\n\nbody\n\n")
    return path


def _link(grounds: Grounds) -> None:
    _mbox(grounds, "x").rename(grounds.folders.with_name("elsewhere"))
    (grounds.folders / "Linked").symlink_to(grounds.folders.with_name("elsewhere"))


def _subscribe(grounds: Grounds, line: bytes) -> None:
    with (grounds.folders / ".subscriptions").open("ab") as file:
        file.write(line + b"\n")


def _special(grounds: Grounds, line: str) -> None:
    path = grounds.all_control / "maildrop.special-use"
    path.write_text(f"Work\t\\Sent\n{line}\n")


def _orphan(grounds: Grounds) -> None:
    (grounds.all_control / "=Work").rename(grounds.all_control / "=Gone")


ACCOUNT = (
    Plant(
        "a mailbox's name is in UTF-8",
        Code.FOLDER_NAME_INVALID,
        lambda g: _mbox(g, "Entwürfe"),
    ),
    Plant("a mailbox is a symbolic link", Code.FOLDER_IS_LINK, _link),
    Plant("a mailbox is called Inbox", Code.FOLDER_HIDDEN, lambda g: _mbox(g, "Inbox")),
    Plant("control files are of no mailbox", Code.CONTROL_ORPHANED, _orphan),
    Plant(
        "the last UIDVALIDITY is no number",
        Code.UID_VALIDITY_FILE_WRONG,
        lambda g: (g.all_control / "maildrop.uidvalidity").write_text("x\n"),
    ),
    Plant(
        "a line of the subscriptions is no name",
        Code.SUBSCRIPTION_UNREADABLE,
        lambda g: _subscribe(g, b"Entw\xc3\xbcrfe"),
    ),
    Plant(
        "a subscription is to nothing",
        Code.SUBSCRIPTION_TO_NOTHING,
        lambda g: _subscribe(g, b"Nowhere"),
    ),
    Plant(
        "a mailbox is subscribed to twice",
        Code.SUBSCRIPTION_DOUBLED,
        lambda g: _subscribe(g, b"Work"),
    ),
    Plant(
        "a special use is unknown",
        Code.SPECIAL_USE_WRONG,
        lambda g: _special(g, "Other\t\\Odd"),
    ),
)
