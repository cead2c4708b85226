"""Finding decisions."""

from pathlib import Path

import pytest

from maildrop.decisions.finding import find, stories
from maildrop.decisions.journal import Journal, segments
from maildrop.decisions.recorder import Note

NOTES: list[Note] = [
    (1.0, "S1", "connected", {"client": "192.0.2.1"}),
    (2.0, "M1", "recipient", {"session": "S1", "recipient": "Ann@Example.org"}),
    (3.0, "M1", "message", {"session": "S1", "message_id": "<One@example.org>"}),
    (4.0, "M1", "delivered", {"recipient": "Ann@Example.org", "user": "ann"}),
    (5.0, "M2", "recipient", {"session": "S1", "recipient": "annabel@example.org"}),
    (6.0, "M2", "tried", {"recipient": "annabel@example.org", "code": "5.1.1"}),
    (7.0, "M2", "reported", {"report": "M2.0"}),
    (8.0, "M2.0", "tried", {"of": "M2", "recipient": "bob@example.org"}),
    (9.0, "S2", "login", {"user": "ann"}),
]


@pytest.fixture
def journal(tmp_path: Path) -> str:
    Journal(str(tmp_path)).write(NOTES)
    return str(tmp_path)


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("M1", [["connected", "recipient", "message", "delivered"]]),
        ("m1", [["connected", "recipient", "message", "delivered"]]),
        ("ann@example.org", [["connected", "recipient", "message", "delivered"]]),
        ("ANN@example.org", [["connected", "recipient", "message", "delivered"]]),
        ("<one@example.org>", [["connected", "recipient", "message", "delivered"]]),
        ("One@example.org", [["connected", "recipient", "message", "delivered"]]),
        ("ann", [["login"], ["connected", "recipient", "message", "delivered"]]),
        ("M2", [["connected", "recipient", "tried", "reported", "tried"]]),
        ("bob@example.org", [["connected", "recipient", "tried", "reported", "tried"]]),
        ("annabel", []),
        ("S2", [["login"]]),
        ("nobody@example.org", []),
        ("", []),
        ("\n", []),
    ],
)
def test_a_key_gives_its_stories_the_newest_first(
    journal: str, key: str, found: list[list[str]]
) -> None:
    told = stories(journal, key, 10)
    assert [[each.kind for each in story.decisions] for story in told] == found


def test_a_connection_tells_of_all_its_messages(journal: str) -> None:
    [story] = stories(journal, "S1", 10)
    assert {each.id for each in story.decisions} == {"S1", "M1", "M2"}


def test_a_client_is_found_by_its_address(journal: str) -> None:
    [story] = stories(journal, "192.0.2.1", 10)
    assert story.id == "S1"


def test_single_decisions_come_the_newest_first(journal: str) -> None:
    assert [each.at for each in find(journal, "ann", 10)] == [9.0, 4.0]
    assert [each.at for each in find(journal, "ann", 1)] == [9.0]


def test_no_more_stories_than_asked_for(journal: str) -> None:
    assert [story.id for story in stories(journal, "ann", 1)] == ["S2"]


def test_a_journal_that_is_not_there_has_no_stories(tmp_path: Path) -> None:
    assert stories(str(tmp_path / "none"), "ann", 1) == []


def test_a_value_that_holds_a_key_within_quotes_is_not_meant(tmp_path: Path) -> None:
    facts = {"user": 'x"ann', "why": ['the "ann" of it']}
    Journal(str(tmp_path)).write([(1.0, "M1", "k", dict(facts))])
    assert stories(str(tmp_path), "ann", 10) == []


def test_lines_that_are_no_decisions_are_passed_over(journal: str) -> None:
    [path] = segments(journal)
    with open(path, "ab") as file:
        file.write(b'{"at":"x","id":"ann","kind":"k"}\n["ann"]\n{"id":"ann"}\n"ann"')
    assert [each.at for each in find(journal, "ann", 10)] == [9.0, 4.0]


def test_decisions_of_one_moment_stay_in_order(tmp_path: Path) -> None:
    kinds = [f"k{number}" for number in range(50)]
    Journal(str(tmp_path)).write([(1.0, "M1", kind, {}) for kind in kinds])
    [story] = stories(str(tmp_path), "M1", 10)
    assert [each.kind for each in story.decisions] == kinds
    assert [each.kind for each in find(str(tmp_path), "M1", 50)] == kinds[::-1]
