"""Decisions as the configuration wants them kept."""

import os
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from maildrop.app.config import parse
from maildrop.app.deciding import Deciding, directory, noting
from maildrop.app.privileges import OwnRights
from maildrop.app.schema import Configuration
from maildrop.decisions.finding import find
from maildrop.decisions.trace import TraceIds


def configured(directory: Path, more: str = "") -> Configuration:
    (directory / "state").mkdir()
    text = f'state = "{directory}/state"\n{more}'
    return parse(text, str(directory / "maildrop.toml")).configuration


def ids() -> TraceIds:
    return TraceIds(lambda: 0.0, bytes)


def test_what_waits_is_written_when_the_server_stops(tmp_path: Path) -> None:
    configuration = configured(tmp_path)
    deciding = Deciding(configuration, Clock(), ids())
    deciding.recorder.note("M1", "login", user="ann")
    deciding.stop()
    [found] = find(directory(configuration), "ann", 10)
    assert found.kind == "login"


@pytest.mark.parametrize("key", ["keep = 0", "keep_octets = 0"])
def test_nothing_is_kept_if_nothing_is_wanted(tmp_path: Path, key: str) -> None:
    configuration = configured(tmp_path, f"[decisions]\n{key}\n")
    deciding = Deciding(configuration, Clock(), ids())
    deciding.start()
    deciding.recorder.note("M1", "login", user="ann")
    deciding.stop()
    assert not os.path.exists(directory(configuration))
    assert deciding.recorder.new_id() != deciding.recorder.new_id()


def test_what_a_command_notes_is_written_at_its_end(tmp_path: Path) -> None:
    configuration = configured(tmp_path)
    with noting(configuration, OwnRights(os.getuid())) as recorder:
        recorder.note("M1", "delivered", user="ann")
        assert find(directory(configuration), "ann", 10) == []
    assert len(find(directory(configuration), "ann", 10)) == 1


def test_a_command_keeps_nothing_where_there_is_no_state(tmp_path: Path) -> None:
    configuration = configured(tmp_path)
    (tmp_path / "state").rmdir()
    with noting(configuration, OwnRights(os.getuid())) as recorder:
        recorder.note("M1", "delivered", user="ann")
    assert not (tmp_path / "state").exists()
