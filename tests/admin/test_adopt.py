"""``maildrop adopt`` and ``maildrop release``."""

from pathlib import Path

import pytest

from tests.admin.conftest import Command

UIDLIST = b"3 V77 N30\n3 :1000000001.M1P1.h\n"


@pytest.fixture
def maildir(maildrop: Command) -> Path:
    """Mail of one user, served by Dovecot before."""
    root = maildrop.directory / "Maildir"
    for part in ("cur", "new", "tmp"):
        (root / part).mkdir(parents=True)
    (root / "cur" / "1000000001.M1P1.h:2,S").write_bytes(b"Subject: x\n\nx\n")
    (root / "dovecot-uidlist").write_bytes(UIDLIST)
    maildrop.config.write_text(
        "version = 1\nhostname = 'h.example'\nstate = 'state'\nuser = 'root'\n"
        "[users]\npasswd = 'passwd'\n"
    )
    maildrop.passwd.write_text(f"ann:{{PLAIN}}x:::::: mail=maildir:{root}\n")
    return root


def test_a_dry_run_tells_what_would_be_taken_over(
    maildrop: Command, maildir: Path
) -> None:
    outcome = maildrop("adopt", "--all", "--dry-run")
    assert outcome.status == 0, outcome.err
    assert "would be" in outcome.out
    assert f"ann: from dovecot, by {maildir}/dovecot-uidlist" in outcome.err
    assert not (maildir / "maildrop.ledger").exists()


def test_a_user_is_named_by_the_place_of_the_mail(
    maildrop: Command, maildir: Path
) -> None:
    outcome = maildrop("adopt", str(maildir), "--json")
    assert outcome.status == 0, outcome.err
    (mailbox,) = outcome.json[0]["mailboxes"]
    assert (mailbox["state"], mailbox["uid_validity"]) == ("taken over", 77)
    assert maildrop("adopt", str(maildir), "--json").json[0]["mailboxes"][0][
        "state"
    ] == ("was before")


def test_mail_of_nobody_is_refused(maildrop: Command, maildir: Path) -> None:
    outcome = maildrop("adopt", str(maildir.parent))
    assert outcome.status == 78
    assert "is the mail of no user" in outcome.err


def test_one_says_whose_mail(maildrop: Command, maildir: Path) -> None:
    assert maildrop("adopt").status == 64
    assert maildrop("adopt", str(maildir), "--all").status == 64
    assert maildrop("release", "--to", "dovecot").status == 64


def test_a_damaged_file_is_named_with_its_line(
    maildrop: Command, maildir: Path
) -> None:
    (maildir / "dovecot-uidlist").write_bytes(b"3 V77 N30\nx :y\n")
    outcome = maildrop("adopt", "--all")
    assert outcome.status == 65
    assert f"{maildir}/dovecot-uidlist, line 2: the UID" in outcome.err


def test_a_server_at_work_is_waited_for(maildrop: Command, maildir: Path) -> None:
    (maildir / "dovecot-uidlist.lock").touch()
    assert maildrop("adopt", "--all").status == 75


def test_mail_is_given_back(maildrop: Command, maildir: Path) -> None:
    maildrop("adopt", "--all")
    (maildir / "dovecot-uidlist").unlink()
    assert maildrop("release", "ann", "--to", "dovecot", "--dry-run").status == 0
    assert not (maildir / "dovecot-uidlist").exists()
    outcome = maildrop("release", "ann", "--to", "dovecot", "--json")
    assert outcome.status == 0, outcome.err
    assert outcome.json[0]["mailboxes"][0]["uid_next"] == 30
    written = (maildir / "dovecot-uidlist").read_bytes()
    assert b"\n3 W17 :1000000001.M1P1.h\n" in written
    assert (maildir / "dovecot-uidvalidity").read_bytes() == b"0000004d"


def test_mail_is_not_given_back_in_another_form(
    maildrop: Command, maildir: Path
) -> None:
    assert maildir.exists()
    outcome = maildrop("release", "ann", "--to", "mbox")
    assert outcome.status == 65
    assert "maildrop export" in outcome.err


def test_nobodys_mail_is_not_given_back(maildrop: Command, maildir: Path) -> None:
    assert maildir.exists()
    assert maildrop("release", "bob", "--to", "dovecot").status != 0
