"""Other programs at work on an mbox that two processes of ours have open."""

from collections.abc import Callable

import pytest
from hypothesis import settings

from maildrop.mailbox.flags import SEEN, Operation
from tests.storage.mbox.writers import MboxWriters

Step = Callable[[MboxWriters], object]

TestWriters = MboxWriters.TestCase
TestWriters.settings = settings(
    max_examples=35, stateful_step_count=25, deadline=None, derandomize=True
)


def mutt(machine: MboxWriters, flags: int, *keywords: str) -> None:
    """Give the first message flags."""
    machine.read_with_mutt(
        choice=0, flags=flags, gone=set(), keywords=set(keywords), place="in place"
    )


def unset_seen(machine: MboxWriters) -> None:
    machine.store(
        at=0, choice=0, flags=SEEN, keywords=set(), operation=Operation.REMOVE
    )


#: What the machine found once.
FOUND: dict[str, list[Step]] = {
    "a keyword that is new to the mailbox": [
        lambda m: m.deliver(how="mboxrd", number=1),
        lambda m: mutt(m, 0, "$Junk"),
    ],
    "a foreign flag, unset before the other process looks": [
        lambda m: m.deliver(how="mboxrd", number=1),
        lambda m: m.sleep(asleep=True),
        lambda m: mutt(m, SEEN),
        unset_seen,
        lambda m: m.sleep(asleep=False),
    ],
    "a lost ledger": [lambda m: m.lose_the_ledger()],
    "half of UW's message": [
        lambda m: m.put_pseudo_message(place="in place"),
        lambda m: m.truncate(left=163),
    ],
}


@pytest.mark.parametrize("steps", FOUND.values(), ids=FOUND.keys())
def test_what_was_found_once_stays_mended(steps: list[Step]) -> None:
    machine = MboxWriters()
    try:
        for step in steps:
            step(machine)
            machine.all_is_as_it_should_be()
    finally:
        machine.teardown()
