"""``maildrop import`` and ``maildrop export``, with files."""

import os
from pathlib import Path

import pytest

from maildrop.admin.import_ import imap_url
from maildrop.admin.outcome import Failed
from tests.admin.conftest import Command

MBOX = b"".join(
    b"From a@example.org Thu Jan  1 12:34:56 2026\nStatus: RO\nSubject: %d\n\nbody\n\n"
    % n
    for n in range(3)
)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    path = tmp_path / "work.mbox"
    path.write_bytes(MBOX)
    return path


@pytest.fixture
def ours(maildrop: Command) -> Command:
    """The command, on a configuration that works as whoever runs the tests."""
    maildrop.config.write_text(
        f'state = "state"\nuser = "{os.geteuid()}"\n'
        '[mail]\ndomains = ["example.org"]\nlocation = "maildir:%h/Maildir"\n'
    )
    return maildrop


@pytest.fixture
def maria(ours: Command) -> Command:
    maildrop, home = ours, ours.directory / "maria"
    added = maildrop(
        "user", "add", "maria", "--password-stdin", f"--home={home}", given=b"x\n"
    )
    assert added.status == 0, added.err
    return maildrop


def test_an_mbox_goes_in_and_comes_out_again(maria: Command, spool: Path) -> None:
    outcome = maria("import", "maria", str(spool), "--json")
    assert outcome.status == 0, outcome.err
    assert outcome.json == [
        {
            "source": str(spool),
            "mailbox": "work",
            "added": 3,
            "before": 0,
            "uids_kept": False,
            "problem": "",
        }
    ]
    again = maria("import", "maria", str(spool), "--json")
    assert (again.json[0]["added"], again.json[0]["before"]) == (0, 3)
    out = maria.directory / "out"
    outcome = maria("export", "maria", str(out), "--mailbox", "work", "--json")
    assert outcome.status == 0, outcome.err
    assert outcome.json[0]["written"] == 3
    assert out.read_bytes().count(b"Subject: ") == 3


def test_everything_goes_below_a_mailbox_that_is_named(
    maria: Command, spool: Path
) -> None:
    maria("import", "maria", str(spool), "--mailbox", "Old")
    (maria.directory / "in").mkdir()
    (maria.directory / "in" / "b").write_bytes(MBOX)
    spool.rename(maria.directory / "in" / "a.mbox")
    outcome = maria("import", "maria", str(maria.directory / "in"), "--mailbox", "Old")
    assert outcome.status == 0, outcome.err
    out = maria.directory / "out"
    outcome = maria("export", "maria", str(out), "--format", "maildir", "--json")
    assert [(it["mailbox"], it["written"]) for it in outcome.json] == [
        ("INBOX", 0),
        ("Old", 3),
        ("Old/a", 3),
        ("Old/b", 3),
    ]


def test_what_cannot_be_read_or_written_is_told(maria: Command, spool: Path) -> None:
    gone = maria("import", "maria", str(maria.directory / "gone"))
    assert gone.status == 75
    assert "gone holds no mbox and no Maildir" in gone.err
    outcome = maria("export", "maria", str(spool), "--mailbox", "INBOX", "--json")
    assert outcome.status == 65
    assert (
        "work.mbox exists, and no export of this mailbox" in outcome.json[0]["problem"]
    )
    assert spool.read_bytes() == MBOX


@pytest.mark.parametrize("command", ["import", "export"])
def test_there_must_be_such_a_user(maria: Command, spool: Path, command: str) -> None:
    outcome = maria(command, "nobody", str(spool))
    assert outcome.status == 67
    assert 'no user "nobody"' in outcome.err


@pytest.mark.parametrize(
    ("url", "server", "name", "mailbox"),
    [
        ("imap://maria@mail.example.org/", "mail.example.org:143", "maria", ""),
        ("imaps://a%40b.c@h", "h:993", "a@b.c", ""),
        ("imap://m@127.0.0.1:1143/Work/2024", "127.0.0.1:1143", "m", "Work/2024"),
        ("imap://m@[::1]/a%20b", "[::1]:143", "m", "a b"),
    ],
)
def test_a_server_is_named_by_an_imap_url(
    url: str, server: str, name: str, mailbox: str
) -> None:
    """RFC 5092."""
    found = imap_url(url, "auto", verify=True)
    assert (str(found[0]), *found[1:]) == (server, name, mailbox)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("imap://mail.example.org/", "expected imap://NAME@HOST"),
        ("imap://maria@/", "expected imap://NAME@HOST"),
        ("imap://maria@h:x/", "Port"),
        ("imap://maria:secret@h/", "can be read by everybody"),
    ],
)
def test_a_url_that_is_none_is_refused(url: str, said: str) -> None:
    with pytest.raises(Failed, match=said):
        imap_url(url, "auto", verify=True)


def test_only_imap_servers_are_sources(maria: Command) -> None:
    outcome = maria("import", "maria", "http://maria@example.org/")
    assert outcome.status == 65
    assert "expected imap://NAME@HOST:PORT/" in outcome.err
