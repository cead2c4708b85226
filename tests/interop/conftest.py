"""What tests with real programs share: a server, no excuses, and nobody left behind.

A test that is skipped has shown nothing, so here it counts as failed.  So does a file
of tests after which a process is still there: whatever loses its parent becomes a child
of the process that runs the tests (prctl(2), PR_SET_CHILD_SUBREAPER).
"""

import contextlib
import ctypes
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.interop.programs import Programs
from tests.interop.server import Server, until

_PR_SET_CHILD_SUBREAPER: Final = 36


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[
    None, pytest.TestReport, pytest.TestReport
]:
    report = yield
    if report.skipped:
        report.outcome = "failed"
    return report


@pytest.fixture(scope="module", autouse=True)
def nobody_left() -> Iterator[None]:
    """See that no process outlives the tests of a file; end those that do."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = _children()
    yield
    left: dict[int, str] = {}

    def none_left() -> bool:
        left.clear()
        left.update(
            (pid, told) for pid, told in _children().items() if pid not in before
        )
        return not left

    try:
        until(none_left, "all processes to end", 5)
    except AssertionError:
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        pytest.fail(f"still there after the tests: {left}")


def _children() -> dict[int, str]:
    """Our children that run, and their arguments; those that ended are forgotten."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        for pid in _children_of(task):
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG)[0] == pid:
                    continue
            with contextlib.suppress(OSError):
                line = Path(f"/proc/{pid}/cmdline").read_bytes()
                found[pid] = line.replace(b"\0", b" ").decode(errors="replace")
    return found


def _children_of(task: Path) -> list[int]:
    """Those of one thread; one that has ended meanwhile has none any more."""
    try:
        return [int(pid) for pid in (task / "children").read_text().split()]
    except OSError:
        return []


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with one Maildir user and one mbox user, without trouble in its log."""
    with Server() as running:
        yield running
        assert running.trouble() == []


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    """Runs programs, with a home of their own."""
    home = tmp_path / "home"
    home.mkdir()
    return Programs(home)
