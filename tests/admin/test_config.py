"""``maildrop config``."""

import tomllib

import pytest

from maildrop.app.schema import KEYS
from tests.admin.conftest import Command


def test_a_good_configuration_is_good(maildrop: Command) -> None:
    maildrop.config.write_text('state = "state"\nuser = "root"\n')
    maildrop.passwd.touch()
    outcome = maildrop("config", "check")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out == f"{maildrop.config}: good\n"


def test_all_that_is_wrong_is_listed(maildrop: Command) -> None:
    maildrop.config.write_text(
        'state = "state"\nuser = "root"\nhostnam = "x"\n[mail]\ndomains = ["*"]\n'
        '[users]\npasswd = "nobody"\n'
    )
    outcome = maildrop("config", "check")
    assert outcome.status == 78
    assert [line.split(": ")[0] for line in outcome.out.splitlines()] == [
        f"{maildrop.config}:3",
        f"{maildrop.config}:5",
        f"{maildrop.config}:7",
    ]
    assert outcome.err == f"maildrop: {maildrop.config}: 3 errors\n"


def test_what_does_not_fit_the_machine_is_wrong_too(maildrop: Command) -> None:
    maildrop.config.write_text('state = "state"\nuser = "root"\n')
    outcome = maildrop("config", "check")
    assert outcome.status == 78
    assert "passwd does not exist; make it with `maildrop user add NAME`" in outcome.out
    assert outcome.err.endswith("1 error\n")


def test_problems_come_as_json_too(maildrop: Command) -> None:
    maildrop.config.write_text('state = "state"\nuser = "root"\nversion = 9\n')
    maildrop.passwd.touch()
    outcome = maildrop("config", "check", "--json")
    assert outcome.status == 78
    assert outcome.json == [
        {
            "file": str(maildrop.config),
            "line": 3,
            "key": "version",
            "what": "is 9, must be from 1 to 1",
            "proposal": "",
            "fatal": True,
        }
    ]


def test_bad_lines_of_users_and_aliases_are_warnings(maildrop: Command) -> None:
    aliases = maildrop.directory / "aliases"
    maildrop.config.write_text(
        'state = "state"\nuser = "root"\n[delivery]\naliases = ["aliases"]\n'
    )
    maildrop.passwd.write_text("ann:{PLAIN}x\na/b:{PLAIN}x\nbob:{ROT13}x\n")
    aliases.write_text("boss: ann\nnonsense\n")
    outcome = maildrop("config", "check")
    assert outcome.status == 0
    lines = outcome.out.splitlines()
    assert [line.split(": ")[0] for line in lines[:-1]] == [
        f"{maildrop.passwd}:2",
        f"{maildrop.passwd}:3",
        f"{aliases}:2",
    ]
    assert all(line.endswith(" (warning)") for line in lines[:-1])


def test_no_problem_is_an_empty_list(maildrop: Command) -> None:
    maildrop.config.write_text('state = "state"\nuser = "root"\n')
    maildrop.passwd.touch()
    assert maildrop("config", "check", "--json").json == []


def test_what_is_shown_is_a_configuration_again(maildrop: Command) -> None:
    shown = maildrop("config", "show").out
    tables = tomllib.loads(shown)
    assert tables["mail"]["domains"] == ["example.org"]
    assert tables["mail"]["special_use"]["sent"] == "Sent"
    assert len(tables["listen"]) == 7
    maildrop.config.write_text(shown)
    assert maildrop("config", "show").out == shown


def test_it_is_shown_as_json_too(maildrop: Command) -> None:
    shown = maildrop("config", "show", "--json").json
    assert shown["limits"]["message"] == 50 << 20


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("mail.location", ["mail.location"]),
        ("location", ["mail.location"]),
        ("listen[1].endpoint", ["listen.endpoint"]),
        ("families", ["relay.families"]),
        (
            "tls",
            ["tls.certificate", "tls.key", "listen.tls", "relay.tls", "route.tls"],
        ),
    ],
)
def test_a_key_is_explained_by_any_of_its_names(
    maildrop: Command, asked: str, found: list[str]
) -> None:
    outcome = maildrop("config", "explain", asked)
    assert outcome.status == 0
    titles = [line.split()[0] for line in outcome.out.splitlines() if "    (" in line]
    assert sorted(titles) == sorted(found)


def test_all_keys_are_listed(maildrop: Command) -> None:
    assert len(maildrop("config", "explain").out.splitlines()) == len(KEYS)


def test_a_key_that_is_not_there_gets_the_nearest_proposed(maildrop: Command) -> None:
    outcome = maildrop("config", "explain", "mail.locaton")
    assert outcome.status == 65
    assert 'did you mean "mail.location"?' in outcome.err
