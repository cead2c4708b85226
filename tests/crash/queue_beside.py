"""The fault matrix of the queue: an administrator acts while a server is at work.

In this file:
    Act          something that an administrator does to an entry
    ACTS         the table
    try_beside   one act, at each call of a server

The act comes from another process, right before a call of the server: it is done, or
refused because the entry is just being tried (``Busy``) or is over (``Gone``).  The
server then goes on, or is killed at that very call.  In the end, besides what
``queue_matrix`` says:

    act            each recipient
    -------------  -----------------------------------------------------------------
    hold, release  has it, or its failure was told of, as if nobody had acted
    flush          the same
    give back      has it, or its failure was told of; not both
    delete         has it, or its failure was told of, or neither; not both
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from maildrop.errors import MaildropError
from maildrop.queue import handling
from maildrop.queue.spool import Spool
from maildrop.queue.turns import bring_forward
from tests.crash.facts import Finding
from tests.crash.machine import Machine, Plan, Trouble
from tests.crash.matrix import Effort, Row, _directory
from tests.crash.queue_errands import ANN, BESIDE, FIRST
from tests.crash.queue_matrix import Trial, compared, found_in, left
from tests.crash.queue_world import World


@dataclass(frozen=True, slots=True)
class Act:
    """Something that an administrator does to an entry.

    Attributes:
        name: What the table calls it.
        do: Does it.
        instead: Who does not get the message is told of as failed instead.
        nobody: Who does not get it need not be told of.
    """

    name: str
    do: Callable[[Spool, float], object]
    instead: bool = False
    nobody: bool = False


ACTS: Final = (
    Act("queue: hold beside", lambda spool, _: handling.hold(spool, FIRST)),
    Act(
        "queue: flush beside",
        lambda spool, now: bring_forward(spool, lambda _: True, now),
    ),
    Act(
        "queue: give back beside",
        lambda spool, now: handling.give_back(spool, FIRST, now),
        instead=True,
    ),
    Act(
        "queue: delete beside",
        lambda spool, _: handling.delete(spool, FIRST),
        nobody=True,
    ),
)


def try_beside(format_name: str, act: Act, effort: Effort) -> Row:
    """Try one act at each call."""
    with _directory() as directory:
        beside = _Beside(directory, format_name, act, effort)
        beside.run()
        return beside.row


class _Beside:
    """One act, beside a server at work on accounts of one format."""

    def __init__(
        self, directory: Path, format_name: str, act: Act, effort: Effort
    ) -> None:
        self._trial = Trial(directory, format_name, BESIDE, effort)
        self._act = act
        self._effort = effort
        self.row = Row(format_name, act.name)

    def run(self) -> None:
        """At each call."""
        machine = Machine()
        with self._trial.world() as world:
            self._trial.act(world, machine)
        self.row.calls = len(machine.calls)
        every, offset = self._effort.every, self._effort.offset
        for at in range(offset % every, self.row.calls, every):
            for trouble in (Trouble.NONE, Trouble.KILL):
                with self._trial.world() as world:
                    self._one(world, Plan(trouble, at))
                    self.row.tried["kill" if trouble is Trouble.KILL else "beside"] += 1
                    doing = f"{trouble.value} at call {at} ({machine.calls[at]})"
                    for finding in self._findings(world):
                        self.row.findings.append((doing, finding))

    def _one(self, world: World, plan: Plan) -> None:
        done: list[str] = []

        def watch(name: str, fd: int) -> None:
            del fd
            if not done and machine.armed and len(machine.calls) == plan.at:
                done.append(name)
                with suppress(MaildropError):
                    self._act.do(world.spool(), world.now)

        machine = Machine(plan, watch=watch)
        self._trial.act(world, machine)
        world.bury()
        with suppress(MaildropError):
            handling.release(world.spool(), FIRST, world.now)
        self._trial.recover(world, Machine())

    def _findings(self, world: World) -> Iterator[Finding]:
        yield from left(world)
        found = found_in(world, BESIDE)
        if not (self._act.instead or self._act.nobody):
            yield from compared(BESIDE, found, 0)
            return
        sent = {"ann": found.have["ann"]} | {
            each: min(found.sent[each], 1) for each in BESIDE.elsewhere
        }
        for who, times in sent.items():
            address = ANN if who == "ann" else who
            told = found.told["sam", address, "failed"]
            if times + told < (0 if self._act.nobody else 1):
                yield Finding("lost", f"neither the message nor a report of {who}")
            if times + told > 1:
                yield Finding("doubled", f"{who}: {times} messages, {told} reports")
        for which, times in found.told.items():
            if times > 1:
                yield Finding("doubled", f"the report of {which}, {times} times")
