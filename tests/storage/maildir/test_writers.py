"""Other programs at work on a Maildir that two processes of ours have open."""

from hypothesis import settings

from tests.storage.maildir.writers import MaildirWriters

TestWriters = MaildirWriters.TestCase
TestWriters.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, derandomize=True
)
