"""``maildrop undelete``, ``quota`` and ``housekeeping``: on the mail itself."""

import os
from pathlib import Path

import pytest

from maildrop.app.config import load
from maildrop.app.direct import Direct
from maildrop.durable import Content
from maildrop.mailbox.flags import FLAGGED
from maildrop.mailbox.interfaces import NewMessage, StoredMailbox
from tests.admin.conftest import Command
from tests.ticking import ticked

ANN = b"From: bob@example.org\r\nSubject: one\r\nMessage-ID: <1@x>\r\n\r\nbody\r\n"
BOB = b"From: bob@example.org\r\nSubject: two\r\nMessage-ID: <2@x>\r\n\r\nbody\r\n"


@pytest.fixture
def ann(maildrop: Command) -> Direct:
    """Ann has two messages, expunged, and one in a mailbox that was deleted."""
    user = f'user = "{os.getuid()}"\n'
    maildrop.config.write_text(user + maildrop.config.read_text())
    maildrop.passwd.write_text("ann:{PLAIN}x::::::quota=1K quota_messages=10\n")
    direct = Direct(load(str(maildrop.config)).configuration)
    with direct.store(direct.account("ann")) as store:
        inbox = store.open("INBOX")
        inbox.expunge(add(inbox, ANN, BOB), None)
        inbox.close()
        store.create("Work")
        work = store.open("Work")
        add(work, ANN)
        work.close()
        store.delete("Work")
    return direct


def add(mailbox: StoredMailbox, *messages: bytes) -> list[int]:
    new = [NewMessage(Content.of(octets), flags=FLAGGED) for octets in messages]
    return list(mailbox.publish(mailbox.stage(new), None))


def mail(direct: Direct, name: str = "INBOX") -> list[tuple[bytes, int]]:
    with direct.store(direct.account("ann")) as store:
        mailbox = store.open(name)
        table = mailbox.table
        found = [
            (mailbox.read(uid), table.flags[row] & 31)
            for row, uid in enumerate(table.uids)
        ]
        mailbox.close()
        return found


def test_what_can_come_back_is_listed(maildrop: Command, ann: Direct) -> None:
    outcome = maildrop("undelete", "ann", "--list", "--json")
    assert outcome.status == 0
    said = [(one["mailbox"], one["subject"]) for one in outcome.json]
    assert sorted(said) == [("INBOX", "one"), ("INBOX", "two"), ("Work", "one")]
    assert mail(ann) == []


def test_all_comes_back_with_flags_and_mailbox(maildrop: Command, ann: Direct) -> None:
    outcome = maildrop("undelete", "ann", "--json")
    assert (outcome.status, len(outcome.json)) == (0, 3)
    assert sorted(mail(ann)) == sorted([(ANN, FLAGGED), (BOB, FLAGGED)])
    assert mail(ann, "Work") == [(ANN, FLAGGED)]
    assert maildrop("undelete", "ann", "--json").json == []


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (("--mailbox", "inbox"), 2),
        (("--mailbox", "Work", "--mailbox", "INBOX"), 3),
        (("--message-id", "<2@x>"), 1),
        (("--message-id", "1@x", "--mailbox", "INBOX"), 1),
        (("--since", "1h"), 3),
        (("--since", "2001-01-01"), 3),
        (("--since", "2999-01-01T12:00"), 0),
    ],
)
@pytest.mark.usefixtures("ann")
def test_what_is_wanted_can_be_said(
    maildrop: Command, options: tuple[str, ...], count: int
) -> None:
    outcome = maildrop("undelete", "ann", *options, "--json")
    assert (outcome.status, len(outcome.json)) == (0, count)


@pytest.mark.usefixtures("ann")
def test_what_cannot_be_meant_is_told(maildrop: Command) -> None:
    assert maildrop("undelete", "ann", "--since", "yesterday").status == 65
    assert maildrop("undelete", "zoe").status == 67


def test_quota_shows_usage_and_limits(maildrop: Command, ann: Direct) -> None:
    with ann.store(ann.account("ann")) as store:
        inbox = store.open("INBOX")
        add(inbox, ANN)
        inbox.close()
    for options in ((), ("ann",), ("--recount",)):
        [row] = maildrop("quota", *options, "--json").json
        assert row == {
            "user": "ann",
            "octets": len(ANN),
            "octets_limit": 1024,
            "messages": 1,
            "messages_limit": 10,
            "percent": 10,
        }
    assert maildrop("quota", "zoe").status == 67


def test_messages_of_other_programs_count_when_they_were_looked_for(
    maildrop: Command, ann: Direct
) -> None:
    home = Path(ann.account("ann").home)
    (home / "Maildir/new/1.a.b").write_bytes(b"Subject: x\n\nbody\n")
    ticked(home / "Maildir/new")
    [row] = maildrop("quota", "ann", "--recount", "--json").json
    assert (row["messages"], row["octets"]) == (1, 20)


def test_housekeeping_removes_what_is_old(maildrop: Command, ann: Direct) -> None:
    maildrop.config.write_text(
        maildrop.config.read_text()
        + 'keep_expunged = "1d"\n[[expire]]\nmailbox = "INBOX"\nafter = 0\n'
    )
    with ann.store(ann.account("ann")) as store:
        inbox = store.open("INBOX")
        add(inbox, ANN)
        inbox.close()
    home = Path(ann.account("ann").home)
    kept = home / "Maildir/maildrop.kept"
    old = next(path for path in kept.iterdir() if path.name != "keywords")
    os.rename(old, kept / ("1000." + old.name.partition(".")[2]))
    [row] = maildrop("housekeeping", "ann", "--json").json
    assert (row["user"], row["given_up"]) == ("ann", 1)
    [row] = maildrop("housekeeping", "--forget-kept", "--json").json
    assert row["given_up"] >= 2
    assert maildrop("undelete", "ann", "--list", "--json").json == []
    assert maildrop("housekeeping", "zoe").status == 67
