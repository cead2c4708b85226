"""What tests with real programs share: a server, and no excuses.

A test that is skipped has shown nothing, so here it counts as failed.
"""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.interop.programs import Programs
from tests.interop.server import Server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[
    None, pytest.TestReport, pytest.TestReport
]:
    report = yield
    if report.skipped:
        report.outcome = "failed"
    return report


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
