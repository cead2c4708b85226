"""``python -m tests.crash``: the fault matrix, as a table.

Every operation of ``operations`` on a Maildir and in an mbox, stopped and failed at
every call that changes the disk (``matrix``).  Ends with 1 if a message was lost or
doubled, a number changed, or anything else was not as promised, and says what.

    --jobs N      processes (default: as many as the machine has)
    --every N     of so many stop points try one
    --only TEXT   operations whose name has it
"""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from rich.console import Console
from rich.table import Table

from tests.crash.boxes import BOXES
from tests.crash.machine import FAULTS
from tests.crash.matrix import Effort, Row, try_all
from tests.crash.operations import OPERATIONS

KINDS = ("lost", "doubled", "renumbered", "other")
TRIED = ("kill", "power", *(fault.name for fault in FAULTS), "recovery")


def one(format_name: str, number: int, effort: Effort) -> Row:
    """One row, in a process of its own."""
    return try_all(format_name, OPERATIONS[number], effort)


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
    began = time.monotonic()
    with ProcessPoolExecutor(options.jobs) as pool:
        waiting = [pool.submit(one, *which, effort) for which in wanted]
        rows = [future.result() for future in waiting]
    rows.sort(key=lambda row: list(BOXES).index(row.box))
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table_of(rows))
    findings = [(row, *found) for row in rows for found in row.findings]
    for row, doing, finding in findings[:50]:
        console.print(
            f"{row.box}, {row.operation}, {doing}: {finding.kind}: {finding.what}",
            markup=False,
        )
    points = sum(sum(row.tried.values()) for row in rows)
    console.print(
        f"{points} stop points and faults in {time.monotonic() - began:.0f} s:"
        f" {len(findings)} promises not kept",
        highlight=False,
    )
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
