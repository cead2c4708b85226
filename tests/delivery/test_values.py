"""Values: the right side of aliases, and the lines of users' files."""

import pytest
from hypothesis import given, strategies as st

from maildrop.delivery.values import (
    Problem,
    Sort,
    address,
    members,
    objection,
    sort_of,
    split,
)
from maildrop.smtp.wire.path import Path


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("a, b,c", ["a", "b", "c"]),
        ('"a, b", c', ["a, b", "c"]),
        ('"|x \\"y\\", z"', ['|x "y", z']),
        ('|"x y"', ["|x y"]),
        ('"a b"@far.example', ['"a b"@far.example']),
        ("a@b.example (Ann, Other), c", ["a@b.example (Ann, Other)", "c"]),
        ('"Other, Ann" <a@b.example>, c', ['"Other, Ann" <a@b.example>', "c"]),
        ("\\a", ["\\a"]),
        ('a, "b', None),
        ("a\\", None),
        ("", []),
        (" , ,", []),
    ],
)
def test_a_line_is_split(line: str, values: list[str] | None) -> None:
    assert split(line) == values


@pytest.mark.parametrize(
    ("value", "sort"),
    [
        ("ann", Sort.ADDRESS),
        ("ann@b.example", Sort.ADDRESS),
        ("\\ann", Sort.MAILBOX),
        ("|x", Sort.COMMAND),
        ("/x", Sort.FILE),
        (":include:/x", Sort.INCLUDE),
        (":blackhole:", Sort.UNKNOWN),
        ('"|x"@b.example', Sort.ADDRESS),
    ],
)
def test_which_sort_a_value_is_of(value: str, sort: Sort) -> None:
    assert sort_of(value) is sort


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("ann", Path("ann", "")),
        ("ann@b.example", Path("ann", "b.example")),
        ("Ann Other <ann@b.example>", Path("ann", "b.example")),
        ("<ann>", Path("ann", "")),
        ("ann@b.example (Ann)", Path("ann", "b.example")),
        ('"a b"@b.example', Path("a b", "b.example")),
        ("ann@", None),
        ("a@b@c", None),
        ("a <b> c", None),
        ("", None),
    ],
)
def test_the_address_that_a_value_is(value: str, path: Path | None) -> None:
    assert address(value) == path


def test_a_file_has_values_in_each_line() -> None:
    problems: list[Problem] = []
    text = 'bob\r\n# no\n\n a, b \nx: y\n|\n"c\n:fail: x\n\0\n:include:x\n'
    found = list(members(text, problems))
    assert [(value.line, value.text) for value in found] == [
        (1, "bob"),
        (4, "a"),
        (4, "b"),
        (5, "x: y"),
    ]
    assert [problem.line for problem in problems] == [6, 7, 8, 9, 10]


@given(st.text(max_size=80))
def test_any_text_has_values_or_problems(text: str) -> None:
    problems: list[Problem] = []
    for value in members(text, problems):
        assert value.text
        assert not objection(value.text)


@given(st.text('"\\,|() x', max_size=4000))
def test_a_line_takes_time_in_proportion_to_its_length(line: str) -> None:
    split(line)
