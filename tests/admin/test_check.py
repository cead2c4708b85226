"""``maildrop check``."""

import os

import pytest

from maildrop.admin.outcome import EX_DATAERR, EX_NOUSER, EX_OK
from tests.admin.conftest import Command

MESSAGE = b"From: a@example.org\nSubject: x\n\nbody\n"


@pytest.fixture
def check(maildrop: Command) -> Command:
    """The command, with a user ``u`` who has a Maildir."""
    # As root the command would take on the rights of an account that is not here.
    settings = 'user = "root"\nstate = "state"\n[mail]\ndomains = ["example.org"]\n'
    location = 'location = "maildir:~/Maildir"\n'
    maildrop.config.write_text(settings + location)
    home = maildrop.directory / "home"
    for part in ("cur", "new", "tmp"):
        (home / "Maildir" / part).mkdir(parents=True)
    (home / "Maildir" / "new" / "1.a.b").write_bytes(MESSAGE)
    maildrop.passwd.write_text(f"u:{{PLAIN}}x:::: {home}::\n".replace(" ", ""))
    return maildrop


def test_nothing_to_do_is_status_0(check: Command) -> None:
    outcome = check("check", "u")
    assert (outcome.status, outcome.out) == (
        EX_OK,
        "0 messages looked at, nothing to do\n",
    )
    assert check("check").status == EX_OK
    assert check("check", "--json").json == []


def test_an_unknown_user_is_status_67(check: Command) -> None:
    assert check("check", "nobody").status == EX_NOUSER


def test_a_finding_is_told_with_its_evidence_and_repaired_on_demand(
    check: Command,
) -> None:
    missing = check.directory / "home" / "Maildir" / "tmp"
    missing.rmdir()
    outcome = check("check", "u")
    assert outcome.status == EX_DATAERR
    assert outcome.out.splitlines() == [
        "u INBOX: maildir-incomplete: a Maildir lacks cur/, new/ or tmp/",
        f"  file:     {missing}",
        "  evidence: there is no tmp/",
        "  --repair: the directory is made",
        "0 messages looked at, 1 for --repair",
    ]
    assert not missing.exists()
    repaired = check("check", "u", "--repair", "--json")
    assert repaired.status == EX_OK
    assert repaired.json == [
        {
            "user": "u",
            "mailbox": "INBOX",
            "code": "maildir-incomplete",
            "uid": None,
            "path": str(missing),
            "evidence": "there is no tmp/",
            "derived": True,
            "note": False,
            "repair": "the directory is made",
            "repaired": True,
        }
    ]
    assert check("check", "u", "--repair").out.endswith("nothing to do\n")


def test_what_is_not_derived_stays_and_is_told_each_time(check: Command) -> None:
    maildir = check.directory / "home" / "Maildir"
    os.symlink("/etc/passwd", maildir / "cur" / "link")
    for arguments in ([], ["--repair"], ["--repair"]):
        outcome = check("check", "u", *arguments)
        assert outcome.status == EX_DATAERR
        assert "foreign-file" in outcome.out
        assert "  to do:    move it away\n" in outcome.out
        assert "1 to be done by hand" in outcome.out


def test_a_look_changes_nothing(check: Command) -> None:
    home = check.directory / "home"

    def tree() -> list[tuple[str, list[str], list[str]]]:
        return sorted(os.walk(home))

    before = tree()
    check("check")
    assert tree() == before
