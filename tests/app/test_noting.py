"""Decisions of commands."""

import os
from pathlib import Path

from maildrop.app.noting import directory, noting
from maildrop.app.privileges import OwnRights
from maildrop.decisions.finding import find
from tests.app.test_deciding import configured


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
