"""The fault matrix of the queue: errands stopped and failed at every call of the disk.

In this file:
    try_errand    all of one errand, on accounts of one format
    Trial         one errand, on accounts of one format
    found_in      what there is in the end
    left          what is left that should not be
    compared      what is there too seldom, or too often

As ``matrix``: killed before and within each call, power cuts, each errno at each call,
and recoveries killed in turn.  Then a new process serves until nothing is left in the
queue, and of a message whose client was told that it was taken

    lost        each recipient has it: ours in their mailboxes or files, the others'
                hosts have taken it; or the sender has a report of each that failed
    doubled     none has it twice, and no report comes twice
    other       nothing is left in the queue, or was put aside

A client that was told nothing sends again; then a recipient may have it once more for
each time that it was not told of what had been done.  What was told of an error (4xx)
takes its copies back.  A process that is killed after another host, or a command, took
the message and before that is on disk sends it again: at most once for each such kill.

While the disk is full a warning that mail is late may be left out, and copies may
remain of what the client was told 4xx for.
"""

import contextlib
import math
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from maildrop.errors import MaildropError
from tests.crash.facts import Finding
from tests.crash.machine import FAULTS, Machine, Plan, Stopped, Trouble
from tests.crash.matrix import Effort, Row, _directory
from tests.crash.queue_errands import Errand
from tests.crash.queue_world import Process, World
from tests.crash.unsynced import Cut, Unsynced

T = TypeVar("T")

_FINAL: Final = re.compile(rb"Final-Recipient: rfc822; (\S+)\r\nAction: (\w+)\r\n")
#: Seconds for which a fault lasts, if it lasts.
_FAULT: Final = 400.0


class _Passing:
    """Lets a fault pass after a while."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._since = math.inf

    def __call__(self, now: float) -> None:
        if self._machine.met:
            self._since = min(self._since, now)
        if now - self._since >= _FAULT:
            self._machine.disarm()


def try_errand(format_name: str, errand: Errand, effort: Effort) -> Row:
    """Try everything with one errand."""
    with _directory() as directory:
        trial = Trial(directory, format_name, errand, effort)
        trial.run()
        return trial.row


class Trial:
    """One errand, on accounts of one format.

    Attributes:
        row: What was tried and found.
    """

    def __init__(
        self, directory: Path, format_name: str, errand: Errand, effort: Effort
    ) -> None:
        self._directory = directory
        self._errand = errand
        self._effort = effort
        self.row = Row(format_name, errand.name)
        self._number = 0
        self._calls: list[str] = []
        (directory / "template").mkdir()
        self._template = World(directory / "template", format_name, errand.users)
        process = self._process(self._template, Machine())
        for user in errand.users:  # accounts that are there, as they mostly are
            self._template.inbox(user)
        if errand.in_files:
            self._template.files.mkdir()
        if errand.before:
            self._template.tries = 1
            errand.begin(process, errand)
            self._template.taken = True
        process.end()

    @contextmanager
    def world(self) -> Iterator[World]:
        """A world in which nothing was tried yet."""
        self._number += 1
        world = self._template.copy_to(self._directory / f"world-{self._number}")
        try:
            yield world
        finally:
            shutil.rmtree(world.root)

    def _process(self, world: World, machine: Machine, boot: bytes = b"B") -> Process:
        return Process(world, machine, boot, drops=self._errand.drops)

    def _begin(self, process: Process) -> None:
        with contextlib.suppress(MaildropError):  # the client was told 4xx
            self._errand.do(process)

    def act(self, world: World, machine: Machine, boot: bytes = b"B") -> None:
        """A process does the errand, as far as it gets; a fault passes by."""
        process = None
        try:
            process = self._process(world, machine, boot)
            machine.arm()
            self._begin(process)
            if machine.met and self._errand.act is not None:
                machine.disarm()  # people see to it before the server comes
                self._begin(process)
            process.start()
            process.serve(_Passing(machine))
            if machine.met:
                machine.disarm()
                self._begin(process)
                process.start()
                process.serve()
        except Stopped:
            pass
        finally:
            if process is not None:
                process.end()

    def recover(self, world: World, machine: Machine, boot: bytes = b"B") -> None:
        """The next process: the client sends again what was not taken."""
        world.pass_by(100)
        self.act(world, machine, boot)

    # -- all runs

    def run(self) -> None:
        """Everything."""
        machine = Machine()
        with self.world() as world:
            self.act(world, machine)
            self._judge("nothing", world, 0)
        self._calls = machine.calls
        self.row.calls = len(machine.calls)
        self._kills()
        self._power_cuts()
        self._faults()
        self._recoveries()

    def _points(self, trouble: Trouble) -> Iterator[int]:
        return self._effort.points(self._calls, trouble)

    def _kills(self) -> None:
        for trouble in (Trouble.KILL, Trouble.TORN):
            for at in self._points(trouble):
                with self.world() as world:
                    untaken = self._kill(world, Plan(trouble, at))
                    self.recover(world, Machine())
                    self.row.tried["kill"] += 1
                    self._judge(f"{trouble.value} at {self._at(at)}", world, untaken)

    def _kill(self, world: World, plan: Plan) -> int:
        """The process ends at a call; how often a client was left without answer."""
        self.act(world, Machine(plan))
        world.bury()
        return int(not world.taken)

    def _power_cuts(self) -> None:
        for which in Cut:
            for at in self._points(Trouble.KILL):
                with self.world() as world:
                    untaken = self._cut(world, at, which)
                    self.recover(world, Machine(), b"C")
                    self.row.tried["power"] += 1
                    doing = f"power cut ({which.value}) at {self._at(at)}"
                    self._judge(doing, world, untaken)

    def _cut(self, world: World, at: int, which: Cut) -> int:
        spare = self._directory / "spare"
        spare.mkdir()
        unsynced = Unsynced(spare)
        try:
            self.act(world, Machine(Plan(Trouble.KILL, at), unsynced))
            unsynced.cut(which, at)
        finally:
            unsynced.close()
        world.bury()
        world.restart()
        return int(not world.taken)

    def _faults(self) -> None:
        for trouble in FAULTS:
            for at in self._points(trouble):
                with self.world() as world:
                    self.act(world, Machine(Plan(trouble, at)))
                    self.row.tried[trouble.name] += 1
                    doing = f"{trouble.name} at {self._at(at)}"
                    full = trouble is Trouble.FULL
                    self._judge(doing, world, int(full), full=full)

    def _recoveries(self) -> None:
        """The process after one that was killed is killed, too."""
        for at in self._effort.first_stops(len(self._calls)):
            for which in (None, Cut.BOTH):
                inner = self._effort.offset
                while self._recovery(at, which, inner):
                    inner += self._effort.inner

    def _recovery(self, at: int, which: Cut | None, inner: int) -> bool:
        with self.world() as world:
            if which is None:
                untaken = self._kill(world, Plan(Trouble.KILL, at))
            else:
                untaken = self._cut(world, at, which)
            boot = b"B" if which is None else b"C"
            machine = Machine(Plan(Trouble.KILL, inner))
            self.recover(world, machine, boot)
            if not machine.stopped:
                return False
            world.bury()
            untaken += not world.taken
            self.recover(world, Machine(), boot)
            self.row.tried["recovery"] += 1
            doing = f"stopped at {self._at(at)}, then at call {inner} of the recovery"
            self._judge(doing, world, untaken)
        return True

    # -- looking

    def _at(self, at: int) -> str:
        return f"call {at} ({self._calls[at]})"

    def _judge(
        self, doing: str, world: World, untaken: int, *, full: bool = False
    ) -> None:
        if not world.taken:
            what = "the message was never taken"
            self.row.findings.append((doing, Finding("other", what)))
        found = found_in(world, self._errand)
        for finding in left(world):
            self.row.findings.append((doing, finding))
        for finding in compared(self._errand, found, untaken, full=full):
            self.row.findings.append((doing, finding))


@dataclass(frozen=True, slots=True)
class Found:
    """What there is in the end.

    Attributes:
        have: How often users, and files, have the message.
        sent: How often others were sent something.
        unsure: How often of these that could not be noted.
        told: Who was told of whom what, how often.
    """

    have: Counter[str]
    sent: Counter[str]
    unsure: Counter[str]
    told: Counter[tuple[str, str, str]]


def found_in(world: World, errand: Errand) -> Found:
    """Look into everything."""
    have = world.in_files()
    told: Counter[tuple[str, str, str]] = Counter()
    for user in errand.users:
        for octets in world.inbox(user):
            ends = _FINAL.findall(octets)
            have[user] += not ends and b"the message" in octets
            told.update(
                (user, address.decode(), action.decode()) for address, action in ends
            )
    sent = Counter(each.to for each in world.sent)
    unsure = Counter(each.to for each in world.sent if not each.noted())
    return Found(have, sent, unsure, told)


def left(world: World) -> Iterator[Finding]:
    """What should not be there any more."""
    for name in world.left():
        yield Finding("other", f"left in the queue: {name}")


def compared(
    errand: Errand, found: Found, again: int, *, full: bool = False
) -> Iterator[Finding]:
    """What is there too seldom, or too often.

    Args:
        errand: What was done.
        found: What there is in the end.
        again: How often a client got no answer, and sent again.
        full: The disk was full.
    """
    wanted = {*errand.ours, *(("box/", "mbox") if errand.in_files else ())}
    yield from _counted("the message of", wanted, found.have, again)
    elsewhere = set(errand.elsewhere)
    yield from _counted("what goes to", elsewhere, found.sent, again, found.unsure)
    reports = {
        each
        for each in errand.told
        if not full or each[2] != "delayed" or found.told[each]
    }
    yield from _counted("the report of", reports, found.told, again)


def _counted(
    what: str,
    wanted: Set[T],
    found: Counter[T],
    again: int,
    unsure: Counter[T] | None = None,
) -> Iterator[Finding]:
    for each in [*wanted, *(which for which in found if which not in wanted)]:
        least = int(each in wanted)
        most = least * (1 + again) + (unsure[each] if unsure and least else 0)
        if found[each] < least:
            yield Finding("lost", f"{what} {each}")
        if found[each] > most:
            yield Finding("doubled", f"{what} {each}, {found[each]} times")
