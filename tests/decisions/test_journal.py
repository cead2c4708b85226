"""The journal of decisions."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from maildrop.decisions.journal import Bounds, Journal, line, segments
from maildrop.decisions.recorder import Note

DAY = 86400.0


def note(number: int, at: float = 1000.0) -> Note:
    return at, f"id{number}", "delivered", {"user": "ann", "uid": number}


class Time:
    """Seconds since 1970."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def lines(directory: Path) -> list[dict[str, object]]:
    octets = b"".join(Path(path).read_bytes() for path in segments(str(directory)))
    return [json.loads(each) for each in octets.splitlines() if each]


def test_what_is_written_stands_in_lines(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "decisions"))
    journal.write([note(1), note(2)])
    journal.write([note(3)])
    assert [each["id"] for each in lines(tmp_path / "decisions")] == [
        *("id1", "id2", "id3"),
    ]


def test_facts_that_say_nothing_are_left_out() -> None:
    written = line((1.0, "a", "k", {"b": None, "c": "", "d": (), "e": 0, "f": False}))
    assert json.loads(written) == {
        "at": 1.0,
        "id": "a",
        "kind": "k",
        "e": 0,
        "f": False,
    }


def test_values_that_are_looked_up_stand_in_lower_case_too() -> None:
    written = json.loads(line((1.0, "a", "k", {"recipient": "Ann@Example.ORG"})))
    assert written["recipient"] == "Ann@Example.ORG"
    assert written["~"] == ["ann@example.org"]


def test_no_value_is_too_long() -> None:
    written = line((1.0, "a", "k", {"text": "x" * 5000, "to": ["y"] * 5000}))
    assert len(written) < 2000


facts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(st.text(), st.text(), st.dictionaries(st.sampled_from(["to", "why"]), facts))
def test_any_value_makes_one_line_of_ascii(
    note_id: str, kind: str, found: dict[str, object]
) -> None:
    written = line((1.5, note_id, kind, found))
    assert written.endswith("\n")
    assert written.count("\n") == 1
    assert all(" " <= letter <= "~" for letter in written[:-1])
    value = json.loads(written)
    assert (value["at"], value["id"], value["kind"]) == (1.5, note_id, kind)


def test_surrogates_and_objects_are_written_as_text() -> None:
    class Peer:
        def __str__(self) -> str:
            return "192.0.2.1:25"

    written = json.loads(line((1.0, "\udcff", "k", {"client": Peer()})))
    assert (written["id"], written["client"]) == ("\udcff", "192.0.2.1:25")


def test_two_processes_append_to_the_same_segment(tmp_path: Path) -> None:
    first, second = (Journal(str(tmp_path), now=Time()) for _ in range(2))
    for number in range(4):
        (first, second)[number % 2].write([note(number)])
    assert len(segments(str(tmp_path))) == 1
    assert [each["uid"] for each in lines(tmp_path)] == [0, 1, 2, 3]


def test_processes_agree_on_the_next_segment(tmp_path: Path) -> None:
    bounds = Bounds(octets=16 * 4096)
    first, second = (Journal(str(tmp_path), bounds, Time()) for _ in range(2))
    for number in range(200):
        (first, second)[number % 2].write([note(number)])
    assert len(segments(str(tmp_path))) > 1
    assert [each["uid"] for each in lines(tmp_path)] == list(range(200))


@pytest.mark.parametrize("octets", [16 * 4096, 16 * 8192])
def test_all_together_stay_below_the_bound(tmp_path: Path, octets: int) -> None:
    journal = Journal(str(tmp_path), Bounds(octets=octets), Time())
    for number in range(3000):
        journal.write([note(number)])
        assert sum(os.stat(path).st_size for path in segments(str(tmp_path))) <= octets
    assert lines(tmp_path)[-1]["uid"] == 2999
    assert len(lines(tmp_path)) > 300


def test_a_segment_is_not_used_for_longer_than_a_part_of_the_time(
    tmp_path: Path,
) -> None:
    now = Time()
    journal = Journal(str(tmp_path), Bounds(seconds=16 * DAY), now)
    for number in range(6):
        journal.write([note(number, now.now)])
        now.now += DAY / 2 + 1
    assert len(segments(str(tmp_path))) == 3


def test_what_is_too_old_is_removed(tmp_path: Path) -> None:
    now = Time()
    journal = Journal(str(tmp_path), Bounds(seconds=16 * DAY), now)
    for number in range(4):
        journal.write([note(number, now.now)])
        [*_, path] = segments(str(tmp_path))
        os.utime(path, (now.now, now.now))
        now.now += DAY + 1
    now.now += 13 * DAY
    journal.prune()
    assert [each["uid"] for each in lines(tmp_path)] == [2, 3]


def test_a_segment_removed_under_a_process_is_left(tmp_path: Path) -> None:
    now = Time()
    journal = Journal(str(tmp_path), Bounds(seconds=16 * DAY), now)
    journal.write([note(1, now.now)])
    [path] = segments(str(tmp_path))
    os.utime(path, (now.now, now.now))
    now.now += 17 * DAY
    Journal(str(tmp_path), Bounds(seconds=16 * DAY), now).prune()
    assert segments(str(tmp_path)) == []
    journal.write([note(2, now.now)])
    assert [each["uid"] for each in lines(tmp_path)] == [2]


def test_a_torn_line_costs_no_other(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path), now=Time())
    journal.write([note(1)])
    [path] = segments(str(tmp_path))
    with open(path, "ab") as file:
        file.write(b'{"at":12,"id":"to')
    journal.write([note(2)])
    written = [each for each in Path(path).read_bytes().splitlines() if each]
    assert [b'"id1"' in written[0], b'"id2"' in written[2]] == [True, True]


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "decisions"))
    journal.write([note(1)])
    [path] = segments(str(tmp_path / "decisions"))
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(tmp_path / "decisions").st_mode & 0o777 == 0o700


def test_files_of_other_names_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    Journal(str(tmp_path), Bounds(seconds=1)).prune()
    assert (tmp_path / "notes").exists()
