"""The fault matrix: every operation, stopped and failed at every call of the disk.

In this file:
    Effort       how much of it is tried
    Row          what was tried of one operation, and what was found
    try_all      all of one operation

Of each operation, on a copy of an account each time:

    kill         the process ends before the call, or within it when it writes
    power        the same, and what was not synced is lost, in each way of ``Cut``
    errno        the call fails, once; or the disk is full from there on; or it writes
                 only a part.  The operation fails with the right error, is done again
                 in the same process, and then everything is as if nothing had failed
    recovery     after a kill or a power cut the next process is stopped at each call
                 that it makes to mend things

Then a new process looks, and ``facts`` says whether the promises were kept; it delivers
to every mailbox, and another process finds the same and the new message.
"""

import gc
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from maildrop.errors import (
    MaildropError,
    NoSpace,
    PermanentError,
    StorageFailure,
)
from tests.crash.boxes import BOXES, Box, add, fill, message
from tests.crash.facts import Facts, Finding, Judgement, Key, Unreadable, facts, holding
from tests.crash.machine import FAULTS, WRITING, Machine, Plan, Stopped, Trouble
from tests.crash.operations import Operation, Work
from tests.crash.unsynced import Cut, Unsynced

#: The error that a fault has to be told by.
_ERRORS: Final = {
    Trouble.ENOSPC: NoSpace,
    Trouble.EDQUOT: NoSpace,
    Trouble.FULL: NoSpace,
    Trouble.EIO: StorageFailure,
    Trouble.EINTR: StorageFailure,
}
#: Number of the first message that is delivered after a restart.
_NEXT: Final = 90


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is tried.

    Attributes:
        every: Of so many stop points one,
        offset: and which.
        recoveries: At most so many stop points whose recovery is stopped in turn.
        inner: Of so many calls of a recovery one.
    """

    every: int = 1
    offset: int = 0
    recoveries: int = 3
    inner: int = 4

    def points(self, calls: Sequence[str], trouble: Trouble) -> Iterator[int]:
        """The calls at which something is to happen."""
        for at in range(self.offset, len(calls), self.every):
            if trouble not in WRITING or calls[at] in {"write", "pwrite"}:
                yield at

    def first_stops(self, calls: int, *, beyond: bool = False) -> range:
        """The calls of so many at which a process is stopped before the next one is.

        Args:
            calls: How many there are.
            beyond: After the last one, too.
        """
        if not self.recoveries:
            return range(0)
        step = max(calls // self.recoveries, 1)
        return range(min(1 + self.offset, calls), calls + beyond, step)


@dataclass(slots=True)
class Row:
    """What was tried of one operation, and what was found.

    Attributes:
        box: Name of the format.
        operation: Its name.
        calls: Calls that change the disk, when nothing goes wrong.
        tried: How often, by kind.
        findings: Promises that were not kept, with what had happened.
    """

    box: str
    operation: str
    calls: int = 0
    tried: Counter[str] = field(default_factory=Counter)
    findings: list[tuple[str, Finding]] = field(default_factory=list)

    def count(self, kind: str) -> int:
        """How many findings there are of a kind."""
        return sum(1 for _, finding in self.findings if finding.kind == kind)


@dataclass(slots=True)
class _Ended:
    """How an operation ended."""

    finished: bool
    told: dict[Key, bytes]
    error: Exception | None = None


@contextmanager
def _directory() -> Iterator[Path]:
    """A directory in memory, if there is such a place."""
    shared = "/dev/shm"  # noqa: S108 - mkdtemp makes a private one
    place = shared if os.access(shared, os.W_OK) else None
    path = Path(tempfile.mkdtemp(prefix="crash-", dir=place))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def try_all(format_name: str, operation: Operation, effort: Effort) -> Row:
    """Try everything with one operation on one kind of account."""
    with _directory() as directory:
        trial = _Trial(directory, format_name, operation, effort)
        trial.run()
        return trial.row


class _Trial:
    """One operation on one kind of account."""

    def __init__(
        self, directory: Path, format_name: str, operation: Operation, effort: Effort
    ) -> None:
        self._directory = directory
        self._operation = operation
        self._effort = effort
        self.row = Row(format_name, operation.name)
        self._template = BOXES[format_name](directory / "template")
        self._number = 0

    # -- one run

    @contextmanager
    def _box(self) -> Iterator[Box]:
        self._number += 1
        box = self._template.copy_to(self._directory / f"box-{self._number}")
        try:
            yield box
        finally:
            shutil.rmtree(box.root)

    def _work(self, box: Box, machine: Machine) -> Work:
        work = Work(box, box.store(machine), machine)
        self._operation.ready(work.store)
        for name in self._operation.uses:
            work.open[name] = work.store.open(name)
            work.open[name].refresh()
        return work

    def _act(self, work: Work, machine: Machine) -> _Ended:
        machine.arm()
        try:
            self._operation.act(work)
        except Stopped:
            return _Ended(False, work.told)
        except Exception as error:
            return _Ended(False, work.told, error)
        return _Ended(not machine.stopped, work.told)

    def _close(self, work: Work) -> None:
        for mailbox in work.open.values():
            try:
                mailbox.close()
            except Stopped:
                continue
        work.open.clear()

    def _look(self, box: Box, boot: bytes = b"B") -> Facts:
        box.clock.now += 100
        return facts(box.store(Machine(), boot), box.clock.pass_by)

    # -- all runs

    def run(self) -> None:
        """Everything."""
        fill(self._template)
        with self._box() as box:
            seen = self._look(box).keys()
        self._operation.prepare(self._template)
        machine = Machine()
        with self._box() as box:
            before = self._look(box)
        with self._box() as box:
            work = self._work(box, machine)
            ended = self._act(work, machine)
            if ended.error is not None:
                raise ended.error
            self._close(work)
            self._judgement = Judgement(
                before, self._look(box), seen, atomic=self._operation.atomic
            )
            self._found("nothing", box, ended)
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
                with self._box() as box:
                    ended = self._killed(box, Machine(Plan(trouble, at)))
                    box.bury()
                    self.row.tried["kill"] += 1
                    self._found(f"{trouble.value} at {self._at(at)}", box, ended)

    def _killed(self, box: Box, machine: Machine) -> _Ended:
        work = self._work(box, machine)
        ended = self._act(work, machine)
        self._close(work)
        return ended

    def _power_cuts(self) -> None:
        for which in Cut:
            last = [len(self._calls)] if self._effort.offset == 0 else []
            for at in [*self._points(Trouble.KILL), *last]:
                with self._box() as box:
                    ended = self._without_power(box, at, which)
                    self.row.tried["power"] += 1
                    doing = f"power cut ({which.value}) at {self._at(at)}"
                    self._found(doing, box, ended, durable=False)

    def _without_power(self, box: Box, at: int, which: Cut) -> _Ended:
        spare = self._directory / "spare"
        spare.mkdir()
        unsynced = Unsynced(spare)
        try:
            ended = self._killed(box, Machine(Plan(Trouble.KILL, at), unsynced))
            unsynced.cut(which, at)
        finally:
            unsynced.close()
        # The machine starts again; the number of the process is another one's now.
        box.clock.now += 600
        box.started = time.time() + box.clock.now
        return ended

    def _faults(self) -> None:
        for trouble in FAULTS:
            for at in self._points(trouble):
                with self._box() as box:
                    self.row.tried[trouble.name] += 1
                    self._fault(box, Plan(trouble, at))

    def _fault(self, box: Box, plan: Plan) -> None:
        doing = f"{plan.trouble.name} at {self._at(plan.at)}"
        machine = Machine(plan)
        before = _descriptors()
        work = self._work(box, machine)
        names = box.names()
        ended = self._act(work, machine)
        if ended.error is not None:
            self._right_error(doing, plan.trouble, ended.error)
            machine.disarm()
            ended = self._again(doing, work, machine)
        machine.disarm()
        self._close(work)
        self._found(doing, box, ended, faulty=True)
        for name in sorted(box.names() - names):
            if _is_leftover(name):
                self._add(doing, Finding("other", f"left behind: {name}"))
        del work
        if _descriptors() != before:
            gc.collect()
        if _descriptors() != before:
            self._add(doing, Finding("other", "descriptors left open"))

    def _again(self, doing: str, work: Work, machine: Machine) -> _Ended:
        """The same once more, as a client does that was told to try later."""
        work.box.clock.now += 100
        try:
            for mailbox in work.open.values():
                mailbox.refresh()
            self._operation.act(work)
        except PermanentError:  # it had been done: no such mailbox any more, or already
            return _Ended(True, work.told)
        except Exception as error:
            self._add(doing, Finding("other", f"the next time raises {error!r}"))
            return _Ended(False, work.told)
        return _Ended(not machine.stopped, work.told)

    def _recoveries(self) -> None:
        for at in self._effort.first_stops(len(self._calls), beyond=True):
            for which in (None, Cut.BOTH):
                inner = self._effort.offset
                while self._recovery(at, which, inner):
                    inner += self._effort.inner

    def _recovery(self, at: int, which: Cut | None, inner: int) -> bool:
        """Stop at a call, and the process after that at another; whether there is."""
        with self._box() as box:
            if which is None:
                ended = self._killed(box, Machine(Plan(Trouble.KILL, at)))
                box.bury()
            else:
                ended = self._without_power(box, at, which)
            boot = b"B" if which is None else b"C"
            box.clock.now += 100
            machine = Machine(Plan(Trouble.KILL, inner))
            machine.arm()
            try:
                facts(box.store(machine, boot), box.clock.pass_by)
            except Stopped:
                box.bury()
            except (MaildropError, OSError, Unreadable):
                return False  # told by who tried the first stop alone
            if not machine.stopped:
                return False
            self.row.tried["recovery"] += 1
            doing = f"stopped at {self._at(at)}, then at call {inner} of the recovery"
            self._found(doing, box, ended, durable=which is None)
        return True

    # -- looking

    def _at(self, at: int) -> str:
        name = self._calls[at] if at < len(self._calls) else "the end"
        return f"call {at} ({name})"

    def _add(self, doing: str, finding: Finding) -> None:
        self.row.findings.append((doing, finding))

    def _right_error(self, doing: str, trouble: Trouble, error: Exception) -> None:
        wanted = _ERRORS.get(trouble)
        if wanted is None or not isinstance(error, wanted):
            self._add(doing, Finding("other", f"raised {error!r}"))

    def _found(
        self,
        doing: str,
        box: Box,
        ended: _Ended,
        *,
        durable: bool = True,
        faulty: bool = False,
    ) -> None:
        """Look as a new process does, and compare."""
        boot = b"B" if durable else b"C"
        try:
            after = self._look(box, boot)
            for finding in self._judgement.findings(
                after,
                ended.told,
                finished=ended.finished,
                durable=durable,
                faulty=faulty,
            ):
                self._add(doing, finding)
            for finding in self._usable(box, boot, after, ended.told):
                self._add(doing, finding)
        except (MaildropError, OSError, Unreadable, AssertionError) as error:
            self._add(doing, Finding("other", f"unusable: {error!r}"))

    def _usable(
        self, box: Box, boot: bytes, seen: Facts, told: dict[Key, bytes]
    ) -> Iterator[Finding]:
        """Deliver to every mailbox; nothing else changes, and new UIDs are above."""
        box.clock.now += 100
        store = box.store(Machine(), boot)
        known = [*self._judgement.seen, *told, *seen.keys()]
        for number, (name, before) in enumerate(seen.mailboxes.items(), _NEXT):
            mailbox = store.open(name)
            try:
                mailbox.refresh()
                (uid,) = add(mailbox, number)
                now = holding(mailbox)
            finally:
                mailbox.close()
            if any(uid <= u for v, u in known if v == now.uid_validity):
                yield Finding("renumbered", f"UID {uid} in {name} was given before")
            new = now.messages.pop(uid)
            if new.body != message(number):
                yield Finding("lost", f"the next delivery to {name}")
            if (now.uid_validity, now.messages) != (
                before.uid_validity,
                before.messages,
            ):
                yield Finding("renumbered", f"{name} differs when looked at again")


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def _is_leftover(name: str) -> bool:
    """Whether a file is one that only exists while something is done."""
    last = name.rpartition("/")[2]
    return (
        "/tmp/" in name  # noqa: S108 - of a Maildir
        or last.endswith((".tmp", ".unfit"))
        or last.startswith((".maildrop.", "maildrop.rewrite", "maildrop.renaming"))
        or "maildrop.creating" in name
        or "maildrop.deleted" in name
        or (last.endswith(".lock") and not last.startswith("maildrop."))
    )
