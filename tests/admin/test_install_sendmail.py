"""``maildrop install-sendmail``: the names by which programs send mail."""

import os
import stat
import sys
from pathlib import Path

import pytest

from maildrop.admin import install_sendmail as module
from tests.admin.conftest import Command

NAMES = ["mailq", "newaliases", "sendmail"]


@pytest.fixture
def place(maildrop: Command) -> Path:
    place = maildrop.directory / "sbin"
    place.mkdir()
    with maildrop.config.open("r+") as config:
        text = config.read()
        config.seek(0)
        config.write('user = "root"\n' + text)
    return place


def test_scripts_name_a_configuration_of_another_place(
    maildrop: Command, place: Path
) -> None:
    outcome = maildrop("install-sendmail", str(place))
    assert outcome.status == 0, outcome.err
    assert outcome.out.splitlines() == [
        f"{place}/{name}" for name in ("sendmail", "mailq", "newaliases")
    ]
    assert sorted(os.listdir(place)) == NAMES
    text = (place / "mailq").read_text()
    assert text.startswith("#!/bin/sh\nexec ")
    assert text.endswith(f' --config {maildrop.config} mailq "$@"\n')
    assert os.access(place / "mailq", os.X_OK)


def test_links_do_for_the_usual_place(
    maildrop: Command, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PLACE", str(maildrop.config))
    assert maildrop("install-sendmail", str(place)).status == 0
    for name in NAMES:
        target = Path(os.readlink(place / name))
        assert target.name == "maildrop"
        assert target.parent == Path(sys.executable).parent


def test_the_drop_directory_is_made(maildrop: Command, place: Path) -> None:
    assert maildrop("install-sendmail", str(place)).status == 0
    drop = maildrop.directory / "state" / "queue" / "drop"
    assert stat.S_IMODE(drop.stat().st_mode) == 0o3733


def test_it_may_be_done_again(maildrop: Command, place: Path) -> None:
    for _ in range(2):
        assert maildrop("install-sendmail", str(place)).status == 0
    assert sorted(os.listdir(place)) == NAMES


def test_another_program_stays_unless_told_otherwise(
    maildrop: Command, place: Path
) -> None:
    (place / "mailq").write_text("#!/bin/sh\necho mine\n")
    outcome = maildrop("install-sendmail", str(place))
    assert outcome.status == os.EX_CANTCREAT
    assert "--force" in outcome.err
    assert os.listdir(place) == ["mailq"]
    assert maildrop("install-sendmail", "--force", str(place)).status == 0
    assert "mine" not in (place / "mailq").read_text()


def test_the_command_that_runs_is_named_not_one_of_another_package(
    maildrop: Command, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Courier has a program of the same name, often in PATH."""
    ours, theirs = maildrop.directory / "bin", maildrop.directory / "usr"
    for directory in (ours, theirs):
        directory.mkdir()
        (directory / "maildrop").write_text("#!/bin/sh\n")
        (directory / "maildrop").chmod(0o755)
    monkeypatch.setenv("PATH", str(theirs))
    monkeypatch.setattr(sys, "argv", [str(ours / "maildrop")])
    assert maildrop("install-sendmail", str(place)).status == 0
    assert f"exec {ours}/maildrop " in (place / "sendmail").read_text()


@pytest.mark.parametrize("what", ["command", "configuration"])
def test_what_other_users_cannot_reach_is_told(
    maildrop: Command, place: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    barred = maildrop.directory / "bin" if what == "command" else maildrop.config

    def is_barred(path: str) -> str:
        return str(barred) if path.startswith(str(barred)) else ""

    (maildrop.directory / "bin").mkdir()
    command = maildrop.directory / "bin" / "maildrop"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(command)])
    monkeypatch.setattr(module, "_barred", is_barred)
    outcome = maildrop("install-sendmail", str(place))
    assert outcome.status == 0
    [said] = outcome.err.splitlines()
    assert f"{barred} is not for all" in said
    assert sorted(os.listdir(place)) == NAMES


def test_a_directory_that_is_not_for_all_bars_what_is_below(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (below / "file").write_text("")
    (tmp_path / "a").chmod(0o700)
    found = module._barred(str(below / "file"))
    assert str(below).startswith(found)
    assert module._barred("/bin/sh") == ""
