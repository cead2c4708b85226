"""The fault matrix of the queue: errands stopped and failed at every call of the disk.

In this file:
    try_errand    all of one errand, on accounts of one format

As ``matrix``: killed before and within each call, power cuts, each errno at each call,
and recoveries killed in turn.  Then a new process serves until nothing is left in the
queue, and of a message whose client was told that it was taken

    lost        each of our recipients has it, the sender a report of each that failed
    doubled     and none has it twice
    other       nothing is left in the queue, or was put aside

A warning that mail is late may be left out where the disk is full all the while.

A client that was told nothing, or 4xx, sends again; then a recipient may have it once
more for each time that it was not told of what had been done.
"""

import contextlib
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maildrop.errors import MaildropError
from tests.crash.facts import Finding
from tests.crash.machine import FAULTS, WRITING, Machine, Plan, Stopped, Trouble
from tests.crash.matrix import Effort, Row, _directory
from tests.crash.queue_world import Errand, Process, World
from tests.crash.unsynced import Cut, Unsynced

_FINAL = re.compile(rb"Final-Recipient: rfc822; (\S+)\r\nAction: (\w+)\r\n")


def try_errand(format_name: str, errand: Errand, effort: Effort) -> Row:
    """Try everything with one errand."""
    with _directory() as directory:
        trial = _Trial(directory, format_name, errand, effort)
        trial.run()
        return trial.row


class _Trial:
    """One errand, on accounts of one format."""

    def __init__(
        self, directory: Path, format_name: str, errand: Errand, effort: Effort
    ) -> None:
        self._directory = directory
        self._format = format_name
        self._errand = errand
        self._effort = effort
        self.row = Row(format_name, errand.name)
        self._number = 0
        self._calls: list[str] = []

    @contextmanager
    def _world(self) -> Iterator[World]:
        """A world in which nothing was tried yet."""
        self._number += 1
        root = self._directory / f"world-{self._number}"
        root.mkdir()
        world = World(root, self._format)
        try:
            process = Process(world, Machine())
            for user in world.boxes:  # accounts that are there, as they mostly are
                world.inbox(user)
            if self._errand.before:
                self._errand.begin(process, *self._errand.addresses)
            process.end()
            yield world
        finally:
            shutil.rmtree(root)

    def _act(self, world: World, machine: Machine, boot: bytes = b"B") -> None:
        """A process does the errand, as far as it gets."""
        process = None
        try:
            process = Process(world, machine, boot)
            machine.arm()
            with contextlib.suppress(MaildropError):  # the client was told 4xx
                self._errand.begin(process, *self._errand.addresses)
            process.serve()
        except Stopped:
            pass
        finally:
            if process is not None:
                process.end()

    def _recover(self, world: World, machine: Machine, boot: bytes = b"B") -> None:
        """The next process: the client sends again what was not taken."""
        world.now += 100
        for box in world.boxes.values():
            box.clock.pass_by(100)
        self._act(world, machine, boot)

    # -- all runs

    def run(self) -> None:
        """Everything."""
        machine = Machine()
        with self._world() as world:
            self._act(world, machine)
            self._judge("nothing", world, 0)
        self._calls = machine.calls
        self.row.calls = len(machine.calls)
        self._kills()
        self._power_cuts()
        self._faults()
        self._recoveries()

    def _points(self, trouble: Trouble) -> Iterator[int]:
        every, offset = self._effort.every, self._effort.offset
        for at in range(len(self._calls)):
            writes = self._calls[at] in {"write", "pwrite"}
            if (writes or trouble not in WRITING) and at % every == offset:
                yield at

    def _kills(self) -> None:
        for trouble in (Trouble.KILL, Trouble.TORN):
            for at in self._points(trouble):
                with self._world() as world:
                    untaken = self._kill(world, Plan(trouble, at))
                    self._recover(world, Machine())
                    self.row.tried["kill"] += 1
                    self._judge(f"{trouble.value} at {self._at(at)}", world, untaken)

    def _kill(self, world: World, plan: Plan) -> int:
        """The process ends at a call; how often a client was left without answer."""
        self._act(world, Machine(plan))
        world.bury()
        return int(not world.taken)

    def _power_cuts(self) -> None:
        for which in Cut:
            for at in self._points(Trouble.KILL):
                with self._world() as world:
                    untaken = self._cut(world, at, which)
                    self._recover(world, Machine(), b"C")
                    self.row.tried["power"] += 1
                    doing = f"power cut ({which.value}) at {self._at(at)}"
                    self._judge(doing, world, untaken)

    def _cut(self, world: World, at: int, which: Cut) -> int:
        spare = world.root / "spare"
        spare.mkdir()
        unsynced = Unsynced(spare)
        try:
            self._act(world, Machine(Plan(Trouble.KILL, at), unsynced))
            unsynced.cut(which, at)
        finally:
            unsynced.close()
        world.bury()
        for box in world.boxes.values():
            box.clock.pass_by(600)
            box.started = world.now + box.clock.now
        return int(not world.taken)

    def _faults(self) -> None:
        for trouble in FAULTS:
            for at in self._points(trouble):
                with self._world() as world:
                    machine = Machine(Plan(trouble, at))
                    self._act(world, machine)
                    untaken = int(not world.taken)
                    machine.disarm()
                    self._recover(world, Machine())
                    self.row.tried[trouble.name] += 1
                    doing = f"{trouble.name} at {self._at(at)}"
                    full = trouble is Trouble.FULL
                    self._judge(doing, world, untaken, full=full)

    def _recoveries(self) -> None:
        """The process after one that was killed is killed, too."""
        calls = len(self._calls)
        step = max(calls // max(self._effort.recoveries, 1), 1)
        first = min(1 + self._effort.offset, calls)
        for at in range(first, calls, step) if self._effort.recoveries else ():
            for which in (None, Cut.BOTH):
                inner = self._effort.offset
                while self._recovery(at, which, inner):
                    inner += self._effort.inner

    def _recovery(self, at: int, which: Cut | None, inner: int) -> bool:
        with self._world() as world:
            if which is None:
                untaken = self._kill(world, Plan(Trouble.KILL, at))
            else:
                untaken = self._cut(world, at, which)
            boot = b"B" if which is None else b"C"
            machine = Machine(Plan(Trouble.KILL, inner))
            self._recover(world, machine, boot)
            if not machine.stopped:
                return False
            world.bury()
            untaken += not world.taken
            self._recover(world, Machine(), boot)
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
        for finding in self._findings(world, untaken, full=full):
            self.row.findings.append((doing, finding))

    def _findings(self, world: World, untaken: int, *, full: bool) -> Iterator[Finding]:
        """What is not as promised.

        Args:
            world: What there is in the end.
            untaken: How often a client got no answer, and sent again.
            full: The disk was full.
        """
        errand, again = self._errand, untaken
        if not world.taken:
            yield Finding("other", "the message was never taken")
        for name in world.left():
            yield Finding("other", f"left in the queue: {name}")
        for user in errand.ours:
            have = sum(b"the message" in octets for octets in world.inbox(user))
            if have < 1:
                yield Finding("lost", f"the message of {user}")
            elif have > 1 + again:
                yield Finding("doubled", f"the message of {user}, {have} times")
        yield from self._reports(world, again, full=full)

    def _reports(self, world: World, again: int, *, full: bool) -> Iterator[Finding]:
        told: Counter[tuple[str, str]] = Counter()
        for octets in world.inbox("sam"):
            for address, action in _FINAL.findall(octets):
                told[address.decode(), action.decode()] += 1
        wanted = {(each, "failed") for each in self._errand.failed}
        wanted |= {(each, "delayed") for each in self._errand.late}
        for which in wanted | set(told):
            least = int(which in wanted)
            late = which[1] == "delayed"
            if told[which] < least and not (late and full):
                yield Finding("lost", f"the report of {which}")
            if told[which] > least * (1 + again):
                yield Finding("doubled", f"the report of {which}, {told[which]} times")
