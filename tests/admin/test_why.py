"""``maildrop why``."""

import pytest

from maildrop.decisions.journal import Journal
from maildrop.decisions.recorder import Note
from tests.admin.conftest import Command

NOTES: list[Note] = [
    (1.0, "M1", "recipient", {"session": "S1", "recipient": "ann@example.org"}),
    (2.0, "S1", "closed", {"service": "smtp", "client": "192.0.2.1"}),
    (3.0, "S2", "login", {"user": "ann", "why": ["one", "two"]}),
    (4.0, "S3", "login refused", {"name": "ann\x1b", "user": "ann"}),
]


@pytest.fixture
def known(maildrop: Command) -> Command:
    Journal(str(maildrop.directory / "state" / "decisions")).write(NOTES)
    return maildrop


def test_a_message_is_told_with_its_connection(known: Command) -> None:
    told = known("why", "ann@example.org")
    assert told.status == 0
    assert told.out == (
        "M1:\n"
        "  1970-01-01T00:00:01.000Z recipient ann@example.org accepted\n"
        "  1970-01-01T00:00:02.000Z (S1) smtp session from 192.0.2.1 ended\n"
    )


def test_stories_of_a_user_come_the_newest_first(known: Command) -> None:
    told = known("why", "ann").out
    assert told.index("S3:") < told.index("S2:")
    assert "      because one\n      because two\n" in told
    assert "\x1b" not in told


def test_the_newest_alone(known: Command) -> None:
    assert "S2" not in known("why", "-n", "1", "ann").out


def test_single_decisions_the_newest_first(known: Command) -> None:
    first, second, *_ = known("why", "--lines", "ann").out.splitlines()
    assert first.startswith("1970-01-01T00:00:04.000Z S3: login of ann\\x1b refused")
    assert second == "1970-01-01T00:00:03.000Z S2: ann logged in"


def test_stories_as_json(known: Command) -> None:
    [story] = known("why", "--json", "M1").json
    assert story["id"] == "M1"
    assert story["decisions"][0] == {
        "time": "1970-01-01T00:00:01.000Z",
        "id": "M1",
        "kind": "recipient",
        "session": "S1",
        "recipient": "ann@example.org",
    }


def test_lines_as_json(known: Command) -> None:
    found = known("why", "--lines", "--json", "ann").json
    assert [each["id"] for each in found] == ["S3", "S2"]


def test_what_is_not_known_is_an_error(known: Command) -> None:
    told = known("why", "nobody@example.org\n")
    assert told.status == 65
    assert told.err == "maildrop: nothing is known of nobody@example.org\\n\n"


def test_before_anything_was_kept_nothing_is_known(maildrop: Command) -> None:
    assert maildrop("why", "--json", "ann").status == 65


def test_a_journal_that_cannot_be_read_is_an_error(maildrop: Command) -> None:
    (maildrop.directory / "state").mkdir()
    (maildrop.directory / "state" / "decisions").write_text("no directory")
    told = maildrop("why", "ann")
    assert told.status == 75
    assert "decisions" in told.err


def test_who_has_read_enough_ends_it_without_a_word(
    known: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def enough(*_: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("maildrop.admin.why._print", enough)
    with pytest.raises(SystemExit) as ended:  # by click, with quiet streams
        known("why", "ann")
    assert ended.value.code == 1
