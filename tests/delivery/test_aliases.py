"""Aliases: names for users, from files that people write."""

import os
from pathlib import Path as File

import pytest
from hypothesis import given, strategies as st
from twisted.internet.task import Clock

from maildrop.auth.users import User
from maildrop.delivery.aliases import Aliases, AliasUnusable, parse
from maildrop.delivery.routing import Router
from maildrop.errors import NoSuchUser, StorageFailure
from maildrop.mailbox.account import Account
from maildrop.smtp.wire.path import Path

DEBIAN = """\
# /etc/aliases
mailer-daemon: postmaster
postmaster: root
root: alice
Team:\talice, bob,
\tcarol@Example.org
 # no comment
"quoted name": "bob"
"""


def test_a_file_is_read() -> None:
    """aliases(5)."""
    names, problems = parse(DEBIAN)
    assert names == {
        "mailer-daemon": ("postmaster",),
        "postmaster": ("root",),
        "root": ("alice",),
        "team": ("alice", "bob", "carol@Example.org # no comment"),
        "quoted name": ("bob",),
    }
    assert problems == []


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('a: "|/bin/x, y", b', ("|/bin/x, y", "b")),
        ('a: |"/bin/x, y"', ('|"/bin/x, y"',)),
        ('a: "b \\"c\\""', ('b "c"',)),
        ("a: \\a, b", ("\\a", "b")),
        ("a:b:c", ("b:c",)),
        ("a: ,, b,", ("b",)),
    ],
)
def test_values(text: str, values: tuple[str, ...]) -> None:
    assert parse(text)[0] == {"a": values}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nothing here", "not of the form"),
        (": x", "not of the form"),
        ("a b: x", "not of the form"),
        ("x: y\nX: z", "has an earlier line"),
        ("x:", "has no value"),
        ("x: |cmd", "not supported"),
        ("x: /var/mail/x", "not supported"),
        ("x: :include:/etc/list", "not supported"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, reason: str) -> None:
    (problem,) = parse("\n" + text)[1]
    assert reason in problem.reason
    assert problem.line == text.count("\n") + 2


@given(st.text(max_size=60))
def test_any_text_is_read(text: str) -> None:
    names, _ = parse(text)
    assert all(name == name.lower() for name in names)


class People:
    """Users by name, one of them with a domain."""

    def address(self, local: str, domain: str) -> User | None:
        known = ("alice", "bob", "carol", "info@b.example")
        for name in (f"{local.lower()}@{domain}", local.lower()):
            if name in known:
                return User(Account(name, f"/home/{name}", "memory:"))
        return None


def router(directory: File, text: str, *, depth: int = 10, targets: int = 9) -> Router:
    file = directory / "aliases"
    file.write_text(text)
    return Router(
        People(),
        ["example.org", "b.example"],
        "mail.example.org",
        aliases=Aliases([str(file)], Clock()),
        depth=depth,
        targets=targets,
    )


TEXT = """\
postmaster: root
root: alice
team: bob, carol@example.org, bob
alice: \\alice, bob
bob: bob
loop1: loop2
loop2: loop1
some: bob, nobody
none: nobody
lists: carol+Lists
info: bob
command: alice, |rm
away: alice@elsewhere.example
"""


@pytest.mark.parametrize(
    ("address", "users"),
    [
        ("root", ["alice", "bob"]),
        ("PostMaster", ["alice", "bob"]),
        ("team", ["bob", "carol"]),
        ("team+x", ["bob", "carol"]),
        ("team@b.example", ["bob", "carol"]),
        ("alice", ["alice", "bob"]),
        ("bob", ["bob"]),
        ("some", ["bob"]),
        ("info", ["bob"]),
        ("info@b.example", ["info@b.example"]),
        ("carol", ["carol"]),
    ],
)
def test_who_is_meant(tmp_path: File, address: str, users: list[str]) -> None:
    local, _, domain = address.partition("@")
    recipient = router(tmp_path, TEXT).route(Path(local, domain or "example.org"))
    assert [target.account.name for target in recipient.targets] == users


def test_a_value_may_name_a_folder(tmp_path: File) -> None:
    (target,) = router(tmp_path, TEXT).route(Path("lists", "")).targets
    assert target.folder == "Lists"


@pytest.mark.parametrize("name", ["loop1", "none", "dora"])
def test_who_means_nobody_does_not_exist(tmp_path: File, name: str) -> None:
    with pytest.raises(NoSuchUser):
        router(tmp_path, TEXT).route(Path(name, ""))


@pytest.mark.parametrize("name", ["command", "away"])
def test_what_is_not_done_here_is_no_loss(tmp_path: File, name: str) -> None:
    with pytest.raises(AliasUnusable):
        router(tmp_path, TEXT).route(Path(name, ""))


def test_depth_and_number_are_limited(tmp_path: File) -> None:
    chain = "".join(f"a{n}: a{n + 1}\n" for n in range(5)) + "a5: bob\n"
    assert router(tmp_path, chain, depth=6).route(Path("a0", "")).targets
    with pytest.raises(AliasUnusable):
        router(tmp_path, chain, depth=5).route(Path("a0", ""))
    with pytest.raises(AliasUnusable):
        router(tmp_path, TEXT, targets=2).route(Path("team", ""))


def test_an_alias_is_followed_once_however_often_it_is_named(tmp_path: File) -> None:
    text = "".join(f"a{n}: {', '.join([f'a{n + 1}'] * 9)}\n" for n in range(9))
    (target,) = router(tmp_path, text + "a9: bob\n").route(Path("a0", "")).targets
    assert target.account.name == "bob"


def test_a_changed_file_is_seen_after_a_second(tmp_path: File) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("x: one\n")
    second.write_text("x: two\ny: two\n")
    clock = Clock()
    aliases = Aliases([str(first), str(second)], clock)
    assert aliases.values("X") == ("one",)
    first.write_text("y: three\n")
    os.utime(first, (1, 1))
    assert aliases.values("y") == ("two",)
    clock.advance(1)
    assert aliases.values("y") == ("three",)
    assert aliases.values("x") == ("two",)


def test_a_file_that_cannot_be_read_is_a_temporary_error(tmp_path: File) -> None:
    """Who has a name is not known: nobody is told that he does not exist."""
    clock = Clock()
    with pytest.raises(StorageFailure):
        Aliases([str(tmp_path / "missing")], clock).values("x")
    (tmp_path / "large").write_text("x: y\n" * 10)
    with pytest.raises(StorageFailure):
        Aliases([str(tmp_path / "large")], clock, octets=49).values("x")


def test_problems_are_listed_for_the_administrator(tmp_path: File) -> None:
    file = tmp_path / "aliases"
    file.write_text("x: |cmd\ny: a@elsewhere.example, b@example.org\n")
    missing = tmp_path / "missing"
    aliases = Aliases([str(file), str(missing)], Clock())
    assert list(aliases.problems(lambda domain: domain in {"", "example.org"})) == [
        f"{file}:1: x: commands, files and :include: are not supported",
        f"{file}: y: a@elsewhere.example is not an address of ours",
        f"{missing}: No such file or directory",
    ]
