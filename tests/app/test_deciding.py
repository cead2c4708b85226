"""Decisions as the configuration wants them kept."""

import os
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from maildrop.app.config import parse
from maildrop.app.deciding import Deciding
from maildrop.app.noting import directory
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
