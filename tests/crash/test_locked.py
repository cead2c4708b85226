"""While an mbox is written, other programs see its locks: at every call, and after one.

The file is asked for before each call that maildrop makes.  Where it is neither as it
was nor as it will be, somebody who keeps to the locks must not get them.
"""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from maildrop.mailbox.flags import FLAGGED, SEEN, FlagChange, Operation
from maildrop.mailbox.interfaces import StoredMailbox
from tests.crash.boxes import MboxBox, add, fill
from tests.crash.machine import Machine, Plan, Stopped, Trouble

Work = Callable[[StoredMailbox], object]
METHODS = (("fcntl", "dotlock"), ("dotlock", "fcntl"), ("flock",), ("dotlock",))


def _flag(inbox: StoredMailbox) -> None:
    inbox.change_flags([2, 6], FlagChange(Operation.ADD, FLAGGED | SEEN), None)
    inbox.settle()


#: Delivered later, a message has the same From_ line.
DATE = 1_700_000_000

WORKS: dict[str, Work] = {
    "deliver": lambda inbox: add(inbox, 31, date=DATE),
    "expunge": lambda inbox: inbox.expunge([2, 3], None),
    "settle": _flag,
}


class Others:
    """Another program: it asks for the locks and looks at the file.

    Args:
        path: The mbox.
        methods: The locks it knows.
    """

    def __init__(self, path: Path, methods: tuple[str, ...]) -> None:
        self.path = path
        self.methods = methods
        self.whole: list[bytes] = []
        self.seen: set[bytes] = set()
        self.open_to_all: list[str] = []

    def look(self, name: str, fd: int) -> None:
        """Before a call."""
        del fd
        octets = self.path.read_bytes()
        self.seen.add(octets)
        if octets not in self.whole and not self.locked():
            self.open_to_all.append(name)

    def locked(self) -> bool:
        """Whether each of the locks is taken."""
        return all(self._taken(method) for method in self.methods)

    def _taken(self, method: str) -> bool:
        if method == "dotlock":
            return os.path.exists(f"{self.path}.lock")
        ask = fcntl.flock if method == "flock" else fcntl.lockf
        with self.path.open("rb") as file:
            try:
                ask(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError as error:
                return error.errno in {errno.EAGAIN, errno.EACCES}
        return False


@pytest.fixture
def template(tmp_path: Path) -> MboxBox:
    box = MboxBox(tmp_path / "template")
    fill(box)
    return box


@contextmanager
def opened(box: MboxBox, machine: Machine) -> Iterator[StoredMailbox]:
    inbox = box.store(machine).open("INBOX")
    try:
        inbox.refresh()
        yield inbox
    finally:
        try:
            inbox.close()
        except Stopped:
            assert machine.stopped


def after(template: MboxBox, work: Work) -> bytes:
    """The mbox when all is done."""
    box = MboxBox(template.root.with_name("done"))
    template.copy_to(box.root)
    with opened(box, Machine()) as inbox:
        work(inbox)
    return (box.root / "spool" / "inbox").read_bytes()


def run(box: MboxBox, work: Work, others: Others, plan: Plan) -> Machine:
    """Do some work while others look on, up to where it is stopped."""
    machine = Machine(plan, watch=others.look)
    with opened(box, machine) as inbox:
        machine.arm()
        try:
            work(inbox)
        except Stopped:
            assert machine.stopped
    return machine


@pytest.mark.parametrize("methods", METHODS, ids="-".join)
@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_half_written_mail_is_locked(
    template: MboxBox, work: Work, methods: tuple[str, ...]
) -> None:
    MboxBox.methods, usual = methods, MboxBox.methods
    try:
        others = Others(template.root / "spool" / "inbox", methods)
        others.whole = [others.path.read_bytes(), after(template, work)]
        run(template, work, others, Plan())
        assert others.open_to_all == []
        assert others.seen >= set(others.whole)
    finally:
        MboxBox.methods = usual


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_what_was_stopped_is_finished_under_the_locks(
    template: MboxBox, work: Work
) -> None:
    old = (template.root / "spool" / "inbox").read_bytes()
    new = after(template, work)
    at = 0
    while True:
        box = MboxBox(template.root.with_name(f"box-{at}"))
        template.copy_to(box.root)
        others = Others(box.root / "spool" / "inbox", ("fcntl", "dotlock"))
        others.whole = [old, new]
        machine = run(box, work, others, Plan(Trouble.KILL, at))
        assert others.open_to_all == []
        if not machine.stopped:
            break
        box.bury()
        # What the one that died left is half; from the first change on it is locked.
        others.whole.append(others.path.read_bytes())
        with opened(box, Machine(watch=others.look)):
            pass
        assert others.open_to_all == []
        at += 1
    assert at > 10
