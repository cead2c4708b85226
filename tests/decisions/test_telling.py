"""Decisions in words."""

import re

import pytest
from hypothesis import given, strategies as st

from maildrop.decisions.finding import Decision
from maildrop.decisions.telling import KINDS, moment, shown, text


def told(kind: str, **facts: object) -> list[str]:
    return text(Decision(0.0, "M1", kind, facts))


def test_what_is_not_known_is_left_out() -> None:
    assert told("login", user="ann") == ["ann logged in"]


def test_a_login_says_how_and_where_the_user_stands() -> None:
    [line] = told(
        "login",
        user="ann",
        service="imap",
        client="192.0.2.1",
        why="it is",
        mechanism="PLAIN",
        tls="TLSv1.3",
        line="passwd:3",
    )
    assert line == (
        "ann logged in to imap from 192.0.2.1 by PLAIN, TLSv1.3: it is (passwd:3)"
    )


def test_steps_stand_below_each_once() -> None:
    lines = told("recipient", recipient="a@b", to=["ann: INBOX"], why=["x", "y", "x"])
    assert lines == ["recipient a@b accepted, goes to ann: INBOX", "x", "y"]


def test_facts_that_the_sentence_does_not_mention_follow_it() -> None:
    assert told("delivered", recipient="a@b", user="ann", folder="INBOX", depth=3) == [
        "delivered for a@b to ann: INBOX [depth=3]"
    ]


def test_a_kind_that_is_not_known_is_told_with_all_its_facts() -> None:
    assert told("painted", colour="red") == ["painted [colour=red]"]


def test_a_fact_that_is_missing_where_it_is_needed_shows() -> None:
    assert told("delivered", recipient="a@b", user="ann") == [
        "delivered for a@b to ann: ?"
    ]


def test_nothing_speaks_to_the_terminal() -> None:
    [line] = told("login", user="\x1b[2J\nann\u202e")
    assert line == "\\x1b[2J\\nann\\u202e logged in"


def test_moments_are_in_utc() -> None:
    assert moment(1_700_000_000.1234) == "2023-11-14T22:13:20.123Z"


@pytest.mark.parametrize("seconds", [1e300, -1e300, float("nan")])
def test_moments_that_never_were_are_told_as_they_are(seconds: float) -> None:
    assert moment(seconds) == str(seconds)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_all_of_its_facts(kind: str) -> None:
    names = re.findall(r"\{(\w+)\}", KINDS[kind])
    line = told(kind, **{name: f"<{name}>" for name in names})[0]
    assert all(f"<{name}>" in line for name in names)
    assert not re.search(r"[{}]", line)


values = st.text() | st.integers() | st.lists(st.text(), max_size=3)


@given(st.sampled_from(sorted(KINDS)), st.text(max_size=5), values)
def test_any_value_makes_printable_lines(kind: str, name: str, value: object) -> None:
    for fact in {name, "why", "to", "recipient"}:
        assert all(line.isprintable() for line in told(kind, **{fact: value}))


@given(values)
def test_what_is_shown_is_printable(value: object) -> None:
    assert shown(value).isprintable()
