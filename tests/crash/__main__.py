"""``python -m tests.crash``: the fault matrix, as a table.

Every operation of ``operations`` on a Maildir and in an mbox, and every errand of the
queue (``queue_errands``), stopped and failed at every call that changes the disk
(``matrix``, ``queue_matrix``), what an administrator does to the queue at each call of
a server (``queue_beside``); and control files torn, bit-flipped and zeroed at many
places (``damage``).  Ends with 1 if a message was lost or doubled, a
number changed, or anything else was not as promised, and says what.

    --jobs N      processes (default: as many as the machine has)
    --every N     of so many stop points try one
    --only TEXT   operations whose name has it
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.table import Table
from twisted.logger import globalLogBeginner

from tests.crash.boxes import BOXES
from tests.crash.damage import FILES, Outcome, damage
from tests.crash.machine import FAULTS
from tests.crash.matrix import Effort, Row, try_all
from tests.crash.operations import OPERATIONS
from tests.crash.queue_beside import ACTS, try_beside
from tests.crash.queue_errands import ERRANDS
from tests.crash.queue_matrix import try_errand

KINDS = ("lost", "doubled", "renumbered", "other")
#: Places at which a file is damaged, in each way.
_PLACES = 60
#: Of the queue's stop points so many times fewer are tried, if not all are.
_LESS = 3
TRIED = ("kill", "power", *(fault.name for fault in FAULTS), "recovery", "beside")


def one(format_name: str, number: int, effort: Effort) -> Row:
    """One row, in a process of its own."""
    return try_all(format_name, OPERATIONS[number], effort)


def errand(format_name: str, number: int, effort: Effort) -> Row:
    """One row of the queue's."""
    return try_errand(format_name, ERRANDS[number], effort)


def beside(format_name: str, number: int, effort: Effort) -> Row:
    """One row of those who act beside it."""
    return try_beside(format_name, ACTS[number], effort)


def _sampled(every: int, number: int) -> Effort:
    """How much of an errand is tried: less than of an operation, for it has more."""
    if every == 1:
        return Effort()
    every *= _LESS
    return Effort(every, number % every, recoveries=1, inner=2 * every)


def quiet() -> None:
    """What is logged of what goes wrong is not for people."""
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False, discardBuffer=True)


def spoil(format_name: str, file: str, places: int) -> Outcome:
    """Damage of one file, in a process of its own."""
    with tempfile.TemporaryDirectory() as directory:
        return damage(format_name, file, Path(directory), places)


def table_of(rows: Sequence[Row]) -> Table:
    """The matrix."""
    heads = {"kill": "killed", "power": "power cut", "recovery": "recovery killed"}
    table = Table(show_footer=True)
    table.add_column("store", "all")
    table.add_column("operation", str(len(rows)))
    total: Counter[str] = Counter()
    for row in rows:
        total.update(row.tried)
        total.update({"calls": row.calls})
        total.update({kind: row.count(kind) for kind in KINDS})
    for name in ("calls", *TRIED, *KINDS):
        head = heads.get(name, name)
        table.add_column(head, str(total[name]), justify="right")
    for row in rows:
        tried = [str(row.tried[name]) for name in TRIED]
        found = [str(row.count(kind)) for kind in KINDS]
        table.add_row(row.box, row.operation, str(row.calls), *tried, *found)
    return table


def damage_of(outcomes: Sequence[Outcome]) -> Table:
    """What was damaged, and what came of it."""
    table = Table()
    for name in ("store", "file"):
        table.add_column(name)
    for name in ("octets", "damaged", "told in the log", *KINDS):
        table.add_column(name, justify="right")
    for one in outcomes:
        kinds = Counter(finding.kind for _, finding in one.findings)
        numbers = (one.octets, one.tried, one.told, *(kinds[kind] for kind in KINDS))
        table.add_row(one.box, one.file, *map(str, numbers))
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Try everything; 0 when every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", default="")
    options = parser.parse_args(arguments)
    effort = Effort(options.every)
    wanted = [
        (format_name, number)
        for number, operation in enumerate(OPERATIONS)
        for format_name in operation.formats
        if options.only in operation.name
    ]
    errands = [
        (format_name, number)
        for number, one_errand in enumerate(ERRANDS)
        for format_name in BOXES
        if options.only in one_errand.name
    ]
    acts = [
        (format_name, number)
        for number, act in enumerate(ACTS)
        for format_name in BOXES
        if options.only in act.name
    ]
    files = [
        (format_name, file)
        for format_name, names in FILES.items()
        for file in names
        if options.only in file
    ]
    began = time.monotonic()
    with ProcessPoolExecutor(options.jobs, initializer=quiet) as pool:
        waiting = [pool.submit(one, *which, effort) for which in wanted]
        waiting += [
            pool.submit(errand, *which, _sampled(options.every, which[1]))
            for which in errands
        ]
        waiting += [
            pool.submit(beside, *which, _sampled(options.every, which[1]))
            for which in acts
        ]
        spoiling = [
            pool.submit(spoil, *which, _PLACES // options.every) for which in files
        ]
        rows = [future.result() for future in waiting]
        outcomes = [future.result() for future in spoiling]
    rows.sort(key=lambda row: list(BOXES).index(row.box))
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table_of(rows), damage_of(outcomes))
    findings = [
        (f"{row.box}, {row.operation}, {doing}", finding)
        for row in rows
        for doing, finding in row.findings
    ]
    findings += [
        (f"{outcome.box}, {outcome.file} {doing}", finding)
        for outcome in outcomes
        for doing, finding in outcome.findings
    ]
    for what, finding in findings[:50]:
        console.print(f"{what}: {finding.kind}: {finding.what}", markup=False)
    points = sum(sum(row.tried.values()) for row in rows)
    damaged = sum(outcome.tried for outcome in outcomes)
    console.print(
        f"{points} stop points and faults, {damaged} damaged files"
        f" in {time.monotonic() - began:.0f} s: {len(findings)} promises not kept",
        highlight=False,
    )
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
