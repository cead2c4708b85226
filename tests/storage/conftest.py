"""What all tests of stores share: nobody keeps files of a test that is over."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _let_go(tmp_path: Path) -> Iterator[None]:
    """Close what a test left open below its directory, as the end of a process does.

    A test opens mailboxes as many processes would; thousands of tests would have more
    files open than a process may have.
    """
    yield
    below = f"{tmp_path}/"
    for number in os.listdir("/proc/self/fd"):
        try:
            path = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:  # that of the directory which is being listed
            continue
        if path.startswith(below):
            os.close(int(number))
