"""Other programs at work on a Maildir that two processes of ours have open."""

from collections.abc import Callable

import pytest
from hypothesis import settings

from tests.storage.maildir.writers import MaildirWriters

Step = Callable[[MaildirWriters], object]

TestWriters = MaildirWriters.TestCase
TestWriters.settings = settings(
    max_examples=35, stateful_step_count=25, deadline=None, derandomize=True
)

#: What the machine found once.
FOUND: dict[str, list[Step]] = {
    "a message of ours is emptied": [
        lambda m: m.add(at=0, flags=0, two=False),
        lambda m: m.truncate(choice=0, left=0),
    ],
    "a message gets another name": [
        lambda m: m.deliver(kind="procmail"),
        lambda m: m.give_another_name(choice=0),
    ],
    "an edit in place to the same length, after the ledger was lost": [
        lambda m: m.add(at=0, flags=0, two=False),
        lambda m: m.lose_the_ledger(),
        lambda m: m.edit(choice=0, how="same", place="cp"),
    ],
    "an edit of a message with keywords, unseen by the other process": [
        lambda m: m.deliver(kind="dovecot"),
        lambda m: m.sleep(asleep=True),
        lambda m: m.edit(choice=0, how="grow", place="sed"),
        lambda m: m.sleep(asleep=False),
    ],
}


@pytest.mark.parametrize("steps", FOUND.values(), ids=FOUND.keys())
def test_what_was_found_once_stays_mended(steps: list[Step]) -> None:
    machine = MaildirWriters()
    try:
        for step in steps:
            step(machine)
            machine.all_is_as_it_should_be()
    finally:
        machine.teardown()
