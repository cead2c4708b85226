"""Other programs at work on an mbox that two processes of ours have open."""

from hypothesis import settings

from tests.storage.mbox.writers import MboxWriters

TestWriters = MboxWriters.TestCase
TestWriters.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, derandomize=True
)
