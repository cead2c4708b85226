"""The first delivery to an account of which nothing is there yet, without power."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.boxes import BOXES, Box, add, message
from tests.crash.facts import facts
from tests.crash.machine import Machine, Plan, Stopped, Trouble
from tests.crash.unsynced import Cut, Unsynced


def cut_everywhere(
    format_name: str, directory: Path, which: Cut
) -> Iterator[tuple[Box, bool]]:
    """The account after each stop, and whether the delivery was acknowledged."""
    for at in itertools.count():
        spare = directory / f"spare-{at}"
        spare.mkdir()
        box = BOXES[format_name](directory / f"box-{at}")
        unsynced = Unsynced(spare)
        machine = Machine(Plan(Trouble.KILL, at), unsynced)
        machine.arm()
        finished = False
        try:
            inbox = box.store(machine).open("INBOX")
            try:
                add(inbox, 1)
                finished = True
            finally:
                inbox.close()
        except Stopped:
            assert machine.stopped
        unsynced.cut(which, at)
        unsynced.close()
        box.clock.now += 600  # the machine starts again
        box.started = time.time() + box.clock.now
        yield box, finished
        if not machine.stopped:
            return


@pytest.mark.parametrize("which", Cut)
@pytest.mark.parametrize("format_name", BOXES)
def test_what_was_acknowledged_is_there(
    tmp_path: Path, format_name: str, which: Cut
) -> None:
    stops = 0
    for box, finished in cut_everywhere(format_name, tmp_path, which):
        stops += 1
        found = facts(box.store(Machine(), b"C"), box.clock.pass_by).bodies()
        assert found[message(1)] == 1 or (not finished and not found)
    assert stops > 10
