"""``maildrop adopt --prove``: what it is told, before any server is asked."""

import pytest

from maildrop.admin.outcome import Failed
from maildrop.admin.prove import read_logins
from tests.admin.conftest import Command

SERVERS = ("--old", "127.0.0.1:1", "--new", "127.0.0.1:1")


def test_a_file_of_logins_has_a_user_a_line() -> None:
    lines = [
        "# comment\n",
        "\n",
        "maria\tsecret word\n",
        "max\told\tmax@new\n",
        "eva\told\t\tnew",
    ]
    assert [
        (it.name, it.old.name, it.old.password, it.new.name, it.new.password)
        for it in read_logins(lines)
    ] == [
        ("maria", "maria", "secret word", "maria", "secret word"),
        ("max", "max", "old", "max@new", "old"),
        ("eva", "eva", "old", "eva", "new"),
    ]


@pytest.mark.parametrize("line", ["maria", "maria\t", "\tsecret", "a\tb\tc\td\te"])
def test_a_line_that_is_none_is_named_and_not_shown(line: str) -> None:
    with pytest.raises(Failed, match="line 2 of the logins") as caught:
        list(read_logins(["a\tb\n", line]))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "name the servers"),
        (("--old", "a"), "name both servers of a protocol"),
        (("--old-pop3", "a", *SERVERS), "name both servers of a protocol"),
        (SERVERS, "say who logs in"),
        ((*SERVERS, "--login", "a", "--logins", "-"), "say who logs in"),
        ((*SERVERS, "--old-tls", "maybe"), "'maybe' is not one of"),
    ],
)
def test_what_is_missing_is_asked_for(
    maildrop: Command, options: tuple[str, ...], said: str
) -> None:
    outcome = maildrop("adopt", "--prove", *options)
    assert outcome.status == 64
    assert said in outcome.err


@pytest.mark.parametrize(
    ("lines", "status"), [("secret\n", 75), ("secret\nother\n", 75), ("\n", 65)]
)
def test_a_password_comes_from_a_file(
    maildrop: Command, lines: str, status: int
) -> None:
    file = maildrop.directory / "password"
    file.write_text(lines)
    outcome = maildrop(
        "adopt", "--prove", *SERVERS, "--login=maria", f"--password-file={file}"
    )
    assert outcome.status == status
    assert ("no password for maria" in outcome.err) is (status == 65)
    assert "secret" not in outcome.err


def test_a_server_that_cannot_be_reached_is_no_proof(maildrop: Command) -> None:
    logins = maildrop.directory / "logins"
    logins.write_text("maria\tsecret\n")
    outcome = maildrop("adopt", "--prove", *SERVERS, "--logins", str(logins), "--json")
    assert outcome.status == 75
    assert outcome.json == []
    assert "maria: 127.0.0.1:1: " in outcome.err
    assert "users: 1, differences: 0" in outcome.err
    assert "secret" not in outcome.err
