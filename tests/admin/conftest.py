"""The ``maildrop`` command on a configuration of its own."""

import io
import json
import subprocess
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from maildrop.admin.main import run


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401
        """What it printed, as JSON."""
        return json.loads(self.out)


class Command:
    """Runs the command."""

    def __init__(
        self,
        directory: Path,
        capture: pytest.CaptureFixture[str],
        give: Callable[[bytes], None],
    ) -> None:
        self.directory = directory
        self.config = directory / "maildrop.toml"
        self.passwd = directory / "passwd"
        self.config.write_text('state = "state"\n[mail]\ndomains = ["example.org"]\n')
        self._capture = capture
        self._give = give

    def __call__(self, *arguments: str, given: bytes = b"") -> Outcome:
        """Run it with ``given`` on standard input."""
        self._give(given)
        self._capture.readouterr()
        status = run([f"--config={self.config}", *arguments])
        captured = self._capture.readouterr()
        return Outcome(status, captured.out, captured.err)


#: Runs a command as the console script does; prints what it loaded.
_LOADING = """
import sys
before = set(sys.modules)
from maildrop.admin.entry import run
status = run(["maildrop", *sys.argv[1:]])
print(*sorted(set(sys.modules) - before), sep="\\n")
sys.exit(status)
"""


def loaded(command: Command, *arguments: str, given: bytes) -> frozenset[str]:
    """The modules that a command loads in an interpreter of its own; it succeeds."""
    words = [sys.executable, "-c", _LOADING, f"--config={command.config}", *arguments]
    done = subprocess.run(words, input=given, capture_output=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr.decode()
    return frozenset(done.stdout.decode().split())


def within(names: frozenset[str], packages: Collection[str]) -> list[str]:
    """Those names that are one of the packages, or in one."""
    ends = tuple(f"{package}." for package in packages)
    return [name for name in names if f"{name}.".startswith(ends)]


class Input:
    """Standard input."""

    def __init__(self, octets: bytes) -> None:
        self.buffer = io.BytesIO(octets)


@pytest.fixture
def maildrop(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Command:
    return Command(
        tmp_path, capsys, lambda octets: monkeypatch.setattr("sys.stdin", Input(octets))
    )
