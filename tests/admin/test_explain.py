"""``maildrop explain``."""

import os

import pytest

from tests.admin.conftest import Command

MESSAGE = b"Subject: x\n\nbody\n"


@pytest.fixture
def known(maildrop: Command) -> Command:
    aliases = maildrop.directory / "aliases"
    aliases.write_text("# people\nteam: ann, bob@elsewhere.example\nloop: loop2\n")
    maildrop.config.write_text(
        f'user = "{os.getuid()}"\n{maildrop.config.read_text()}'
        f'[delivery]\naliases = ["{aliases}"]\n'
    )
    maildrop.passwd.write_text("# users\nann:{PLAIN}x::::::quota=10K\n")
    (maildrop.directory / "state").mkdir()
    return maildrop


def test_each_step_is_told_with_file_and_line(known: Command) -> None:
    told = known("explain", "team@example.org", given=MESSAGE)
    assert told.status == 0
    aliases = known.directory / "aliases"
    assert told.out.splitlines() == [
        "team@example.org: 250 2.1.5 OK",
        "  ann: INBOX",
        f"      because alias: team -> ann ({aliases}:2)",
        f"      because user: ann ({known.passwd}:2)",
        "  <bob@elsewhere.example>",
        f"      because alias: team -> bob@elsewhere.example ({aliases}:2)",
        "      because elsewhere: elsewhere.example is not ours",
        "the message: 250 2.0.0 Stored",
        "  stored: ann INBOX",
        "  queued: <bob@elsewhere.example>: by smtp to the mail exchangers of "
        "elsewhere.example, TLS opportunistic",
    ]


def test_nothing_is_made(known: Command) -> None:
    before = sorted(known.directory.rglob("*"))
    known("explain", "team@example.org", given=MESSAGE)
    assert sorted(known.directory.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (("nobody@example.org",), "550 5.1.1 No such user here"),
        (("x@elsewhere.example",), "550 5.7.1"),
        (("x@elsewhere.example", "--submission"), "250 2.1.5 OK"),
        (("ann@example.org", "--size", "20000"), "552 5.2.2 The mailbox is full"),
        (("loop@example.org",), "550 5.1.1 No such user here"),
    ],
)
def test_the_answer_is_that_of_the_server(
    known: Command, arguments: tuple[str, ...], answer: str
) -> None:
    told = known("explain", *arguments, given=MESSAGE).out
    assert told.startswith(f"{arguments[0]}: {answer}")


def test_a_message_that_is_too_large_for_the_mailbox(known: Command) -> None:
    told = known("explain", "ann@example.org", given=MESSAGE + b"x" * 20000)
    assert "ann@example.org: 250 2.1.5 OK\n" in told.out
    assert "the message: 552 5.2.2 The mailbox is full\n" in told.out


def test_all_of_it_as_json(known: Command) -> None:
    found = known("explain", "--json", "team@example.org", given=MESSAGE).json
    assert found["answer"] == "250 2.1.5 OK"
    assert found["taken"] == "250 2.0.0 Stored"
    [step, _] = found["steps"]
    assert step["why"][0] == {
        "rule": "alias",
        "text": "team -> ann",
        "file": str(known.directory / "aliases"),
        "line": 2,
    }
    [stored] = found["stored"]
    assert (stored["user"], stored["folder"]) == ("ann", "INBOX")
    [queued] = found["queued"]
    assert queued["destination"] == "elsewhere.example"


def test_what_is_no_address_is_an_error(known: Command) -> None:
    told = known("explain", "a b@", given=MESSAGE)
    assert told.status == 64
    assert "is no address" in told.err
