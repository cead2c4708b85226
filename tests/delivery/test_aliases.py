"""Aliases: names for users, from files that people write."""

import os
from pathlib import Path as File

import pytest
from hypothesis import given, strategies as st
from twisted.internet.task import Clock

from maildrop.delivery.aliases import Aliases, parse
from maildrop.errors import StorageFailure

DEBIAN = """\
# /etc/aliases
mailer-daemon: postmaster
postmaster: root
root: alice
Team:\talice, bob,
\tcarol@Example.org
 # a comment between

  , dora
"quoted name": "bob"
"""


def test_a_file_is_read() -> None:
    """aliases(5)."""
    names, problems = parse(DEBIAN)
    assert names == {
        "mailer-daemon": (("postmaster",), 2),
        "postmaster": (("root",), 3),
        "root": (("alice",), 4),
        "team": (("alice", "bob", "carol@Example.org", "dora"), 5),
        "quoted name": (("bob",), 10),
    }
    assert problems == []


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('a: "|/bin/x, y", b', ("|/bin/x, y", "b")),
        ('a: |"/bin/x, y"', ("|/bin/x, y",)),
        ('a: "b \\"c\\""', ('b "c"',)),
        ("a: \\a, b", ("\\a", "b")),
        ("a:b:c", ("b:c",)),
        ("a: ,, b,", ("b",)),
        ("a : b", ("b",)),
        (
            "a:/var/mail/list, :include:/etc/list",
            ("/var/mail/list", ":include:/etc/list"),
        ),
        ('a: "/var/mail/two words"', ("/var/mail/two words",)),
    ],
)
def test_values(text: str, values: tuple[str, ...]) -> None:
    assert parse(text) == ({"a": (values, 1)}, [])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nothing here", "not of the form"),
        (": x", "not of the form"),
        ("a@b.example: x", "those stand in files of delivery.virtual"),
        ("a b: x", "not of the form"),
        ("x: y\nX: z", "has an earlier line"),
        ("x:", "has no value"),
        ("x: :fail: gone", "only :include:"),
        ("x: :include:list", "must be absolute"),
        ("x: |", "without a name"),
        ("x: a@b@c", "no address"),
        ('x: "|/bin/x, y', "without its end"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, reason: str) -> None:
    (problem,) = parse("\n" + text)[1]
    assert reason in problem.reason
    assert problem.line == text.count("\n") + 2


def test_of_a_value_without_its_end_nothing_is_left() -> None:
    """Half a command is another command."""
    assert parse('x: a, "|/bin/rm -r \\"x y\\"')[0] == {"x": ((":",), 1)}


@given(st.text(max_size=60))
def test_any_text_is_read(text: str) -> None:
    names, _ = parse(text)
    assert all(name == name.lower() for name in names)


def loaded(*paths: File, clock: Clock | None = None) -> Aliases:
    aliases = Aliases([str(path) for path in paths], clock or Clock())
    assert aliases.due()
    aliases.load()
    return aliases


def values(aliases: Aliases, name: str) -> list[str] | None:
    if aliases.due():
        aliases.load()
    found = aliases.find(name)
    return found and [value.text for value in found.values]


def test_an_alias_knows_where_it_stands(tmp_path: File) -> None:
    file = tmp_path / "aliases"
    file.write_text("\n\nx: y\n")
    file.chmod(0o664)
    found = loaded(file).find("X")
    assert found is not None
    assert (found.name, found.file, found.line) == ("x", str(file), 3)
    assert found.owner.uid == os.geteuid()
    assert found.owner.writable


def test_a_changed_file_is_seen_after_a_second(tmp_path: File) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("x: one\n")
    second.write_text("x: two\ny: two\n")
    clock = Clock()
    aliases = loaded(first, second, clock=clock)
    assert values(aliases, "X") == ["one"]
    first.write_text("y: three\n")
    os.utime(first, (1, 1))
    assert values(aliases, "y") == ["two"]
    clock.advance(1)
    assert values(aliases, "y") == ["three"]
    assert values(aliases, "x") == ["two"]
    assert [alias.name for alias in aliases.all()] == ["y", "x"]


def test_a_file_that_cannot_be_read_is_a_temporary_error(tmp_path: File) -> None:
    """Who has a name is not known: nobody is told that he does not exist."""
    with pytest.raises(StorageFailure, match="No such file"):
        loaded(tmp_path / "missing")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StorageFailure, match="no regular file"):
        loaded(tmp_path / "pipe")
    (tmp_path / "large").write_text("x: y\n" * 10)
    aliases = Aliases([str(tmp_path / "large")], Clock(), octets=49)
    with pytest.raises(StorageFailure, match="over 49 octets"):
        aliases.load()


def test_nothing_is_concluded_from_a_file_that_went_away(tmp_path: File) -> None:
    file = tmp_path / "aliases"
    file.write_text("x: one\n")
    clock = Clock()
    aliases = loaded(file, clock=clock)
    file.unlink()
    clock.advance(1)
    for _ in range(2):
        assert aliases.due()
        with pytest.raises(StorageFailure):
            aliases.load()


def test_problems_are_listed_for_the_administrator(tmp_path: File) -> None:
    file = tmp_path / "aliases"
    file.write_text("x: |cmd\ny: a@elsewhere.example, nobody, X, bob\nz:\n")
    file.chmod(0o622)
    missing = tmp_path / "missing"
    aliases = Aliases([str(file), str(missing)], Clock())
    assert list(aliases.problems(lambda name: name == "bob")) == [
        f"{missing}: No such file or directory",
        f"{file}:3: z has no value",
        f"{file}:1: x: |cmd is not used, for others than the file's owner may write it",
        f"{file}:2: y: nobody is called nobody",
    ]
