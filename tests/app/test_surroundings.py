"""What the machine has to say about a configuration."""

import os
from pathlib import Path

import pytest

from maildrop.app.config import parse
from maildrop.app.surroundings import look


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "passwd").touch()
    return tmp_path


def told(home: Path, text: str = "", uid: int = 1000) -> list[str]:
    text = text if "state" in text else f'state = "state"\n{text}'
    reading = parse(text, str(home / "maildrop.toml"))
    assert reading.problems == []
    look(reading, uid)
    return [f"{each.key}: {each.what}" for each in reading.problems]


def test_a_good_place_has_no_problems(home: Path) -> None:
    assert told(home) == []


def test_started_as_root_the_account_must_be_there(home: Path) -> None:
    text = 'user = "no-such-account-here"'
    (problem,) = told(home, text, uid=0)
    assert 'no account "no-such-account-here"' in problem
    assert told(home, text) == []
    assert told(home, 'user = "root"', uid=0) == []


def test_the_users_file_must_be_there(tmp_path: Path) -> None:
    (problem,) = told(tmp_path)
    assert problem == f"users.passwd: {tmp_path}/passwd does not exist"


def test_what_the_machine_says_is_told_beside_what_the_file_says(
    tmp_path: Path,
) -> None:
    reading = parse('state = 7\n[mail]\nlocation = "x"\n', str(tmp_path / "a.toml"))
    look(reading, 1000)
    keys = [problem.key for problem in reading.problems]
    assert keys == ["users.passwd", "state", "mail.location"]  # state: once


def test_of_a_file_that_is_no_configuration_nothing_is_looked_at(
    tmp_path: Path,
) -> None:
    reading = parse("a = = 1", str(tmp_path / "a.toml"))
    look(reading, 1000)
    assert [problem.key for problem in reading.problems] == [""]


def test_a_directory_is_no_users_file(tmp_path: Path) -> None:
    (tmp_path / "passwd").mkdir()
    (problem,) = told(tmp_path)
    assert problem == f"users.passwd: {tmp_path}/passwd is a directory"


def test_alias_files_must_be_there(home: Path) -> None:
    (problem,) = told(home, '[delivery]\naliases = ["aliases"]')
    assert "aliases does not exist" in problem


def test_one_file_of_the_pair_is_not_enough(home: Path) -> None:
    text = '[tls]\ncertificate = "x.pem"\nkey = "x.key"'
    assert told(home, text) == []
    (home / "x.pem").touch()
    (problem,) = told(home, text)
    assert problem == (
        f"tls.key: {home}/x.key does not exist, the other file of the pair does"
    )


def test_a_broken_link_is_a_problem(home: Path) -> None:
    (home / "x.pem").symlink_to("nowhere")
    (home / "x.key").touch()
    (problem,) = told(home, '[tls]\ncertificate = "x.pem"\nkey = "x.key"')
    assert problem == f"tls.certificate: {home}/x.pem does not exist"


def test_state_must_be_a_directory(home: Path) -> None:
    (home / "state").touch()
    (problem,) = told(home)
    assert problem == f"state: {home}/state is no directory"


def test_a_unix_socket_needs_its_directory(home: Path) -> None:
    text = f'[[listen]]\nprotocol = "lmtp"\nendpoint = "unix:{home}/run/x.sock"'
    (problem,) = told(home, text)
    assert problem == f"listen[1].endpoint: the directory {home}/run does not exist"
    os.mkdir(home / "run")
    assert told(home, text) == []


@pytest.mark.parametrize(
    ("listen", "cleartext", "doubt"),
    [
        ('"imap"\nendpoint = "tcp:143"\ntls = "none"', "tls", "nobody can log in"),
        ('"imap"\nendpoint = "tcp:143"\ntls = "none"', "always", "readable"),
        ('"lmtp"\nendpoint = "tcp:24"', "tls", "whoever reaches the port"),
        ('"imap"\nendpoint = "tcp:143:interface=127.0.0.1"\ntls="none"', "tls", ""),
        ('"smtp"\nendpoint = "tcp:25"\ntls="none"', "tls", ""),
    ],
)
def test_what_is_doubtful_is_a_warning(
    home: Path, listen: str, cleartext: str, doubt: str
) -> None:
    text = f'state = "state"\n[auth]\ncleartext = "{cleartext}"\n'
    text += f"[[listen]]\nprotocol = {listen}"
    reading = parse(text, str(home / "maildrop.toml"))
    look(reading, 1000)
    assert not reading.fatal
    assert [doubt in each.what for each in reading.problems] == (
        [True] if doubt else []
    )


def test_mail_in_memory_is_a_warning(home: Path) -> None:
    (problem,) = told(home, '[mail]\nlocation = "memory:"')
    assert "loses all mail" in problem
