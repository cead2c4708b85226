"""``maildrop aliases``: what addresses mean, and what is wrong."""

import os
from pathlib import Path

import pytest

from maildrop.admin.newaliases import run as newaliases
from maildrop.sendmail.options import Options
from tests.admin.conftest import Command

ALIASES = "team: ann, bob@far.example\nloop: loop2\nloop2: loop\nnone: nobody\n"


@pytest.fixture
def home(maildrop: Command) -> Path:
    """Ann has a home, and there are aliases."""
    (maildrop.directory / "aliases").write_text(ALIASES)
    (maildrop.directory / "virtual").write_text("sales@example.org team\n")
    with maildrop.config.open("a") as file:
        file.write('[delivery]\naliases = ["aliases"]\nvirtual = ["virtual"]\n')
        file.write("srs = false\n")
    text = f'user = "{os.getuid()}"\n' + maildrop.config.read_text()
    maildrop.config.write_text(text)
    home = maildrop.directory / "ann"
    home.mkdir()
    maildrop.passwd.write_text(f"ann:{{PLAIN}}x:{os.getuid()}:::{home}::\n")
    return home


def test_a_name_is_looked_up(maildrop: Command, home: Path) -> None:
    found = maildrop("aliases", "lookup", "sales@example.org", "--from", "x@y.example")
    virtual, aliases = maildrop.directory / "virtual", maildrop.directory / "aliases"
    assert found.out.splitlines() == [
        "ann: INBOX",
        f"    virtual: sales@example.org -> team ({virtual}:1)",
        f"    alias: team -> ann ({aliases}:1)",
        f"    user: ann ({maildrop.passwd}:1)",
        "<bob@far.example>",
        f"    virtual: sales@example.org -> team ({virtual}:1)",
        f"    alias: team -> bob@far.example ({aliases}:1)",
        "    elsewhere: far.example is not ours",
    ]
    assert found.status == 0
    (home / ".forward").write_text("\\ann, |/bin/x\n")
    found = maildrop("aliases", "lookup", "ann", "--json")
    assert [row["action"] for row in found.json] == [
        "ann: INBOX",
        "|/bin/x as ann",
    ]


@pytest.mark.parametrize(
    ("name", "status", "text"),
    [
        ("nobody", 67, "nobody is called nobody@example.org"),
        ("x@far.example", 67, "far.example is not a domain of ours"),
        ("loop", 67, "lead in a circle"),
        ("a@b@c", 67, "not an address"),
    ],
)
def test_what_nobody_has(
    maildrop: Command, home: Path, name: str, status: int, text: str
) -> None:
    del home
    found = maildrop("aliases", "lookup", name)
    assert (found.status, found.out) == (status, "")
    assert text in found.err


def test_all_are_shown(maildrop: Command, home: Path) -> None:
    del home
    rows = maildrop("aliases", "show", "--json").json
    assert [(row["name"], row["values"], row["line"]) for row in rows] == [
        ("sales@example.org", ["team"], 1),
        ("team", ["ann", "bob@far.example"], 1),
        ("loop", ["loop2"], 2),
        ("loop2", ["loop"], 3),
        ("none", ["nobody"], 4),
    ]
    assert "team" in maildrop("aliases", "show").out


def test_what_is_wrong_is_listed(maildrop: Command, home: Path) -> None:
    (home / ".forward").write_text("|\n")
    (home / ".forward").chmod(0o644)
    found = maildrop("aliases", "check")
    file = maildrop.directory / "aliases"
    assert found.out.splitlines() == [
        f"{file}:4: none: nobody is called nobody",
        f"{file}:2: loop: loop@example.org: the aliases lead in a circle at loop",
        f"{file}:3: loop2: loop2@example.org: the aliases lead in a circle at loop2",
        f"{home}/.forward:1: a command without a name",
    ]
    assert (found.status, found.err) == (65, "maildrop: 4 problems\n")
    (home / ".forward").chmod(0o666)
    rows = maildrop("aliases", "check", "--json").json
    assert "can be written by others" in rows[-1]["problem"]


def test_what_is_right_is_nothing_to_tell(maildrop: Command, home: Path) -> None:
    del home
    (maildrop.directory / "aliases").write_text("team: ann\n")
    found = maildrop("aliases", "check")
    assert (found.status, found.out) == (0, "")


def test_newaliases_counts(
    maildrop: Command, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del home
    options = Options()
    options.file = str(maildrop.config)
    assert newaliases(options) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{maildrop.directory}/virtual: 1 aliases",
        f"{maildrop.directory}/aliases: 4 aliases",
    ]


def test_what_is_wrong_in_a_line_is_told_once(maildrop: Command, home: Path) -> None:
    del home
    file = maildrop.directory / "aliases"
    file.write_text("team: ann,\n  joe@far.example   # at home\n")
    checked = maildrop("aliases", "check")
    assert checked.status == os.EX_DATAERR
    [line] = [each for each in checked.out.splitlines() if str(file) in each]
    assert line.startswith(f"{file}:1: team: joe@far.example   # at home: no address")
