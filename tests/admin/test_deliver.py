"""``maildrop deliver``: a message is stored for a user."""

import os
from pathlib import Path

import pytest

from maildrop.admin.entry import run
from maildrop.app import mda
from maildrop.app.mda import Asked, Misused, parse
from maildrop.sendmail.letter import NoAddress
from maildrop.smtp.wire.path import Path as Address
from maildrop.storage.maildir.names import order
from tests.admin.conftest import Command, Input, loaded, within

MESSAGE = b"Subject: hello\n\nbody\n"


@pytest.fixture
def home(maildrop: Command) -> Path:
    home = maildrop.directory / "home"
    maildrop.passwd.write_text(
        f"ann:{{PLAIN}}x:::Ann:{home}/ann::\n"
        f"full:{{PLAIN}}x:::Full:{home}/full::quota=100\n"
        f"box:{{PLAIN}}x:::Box:{home}/box::mail=mbox:{home}/box/inbox:{home}/box/mail\n"
    )
    for name in ("ann", "full", "box"):
        (home / name).mkdir(parents=True)
    with maildrop.config.open("r+") as config:
        text = config.read()
        config.seek(0)
        config.write('user = "root"\nhostname = "mail.example.org"\n' + text)
    return home


def stored(maildir: Path) -> list[bytes]:
    paths = (maildir / "new").iterdir()
    return [
        path.read_bytes()
        for path in sorted(paths, key=lambda path: order(path.name.encode()))
    ]


def test_a_message_is_stored_with_its_trace(maildrop: Command, home: Path) -> None:
    """RFC 5321 section 4.4, RFC 9228."""
    outcome = maildrop("deliver", "-f", "joe@x", "-d", "ann", given=MESSAGE)
    assert (outcome.status, outcome.out, outcome.err) == (0, "", "")
    [octets] = stored(home / "ann" / "Maildir")
    lines = octets.split(b"\n")
    assert lines[:2] == [b"Return-Path: <joe@x>", b"Delivered-To: ann@example.org"]
    assert lines[2] == b"Received: by mail.example.org (by uid %d)" % os.getuid()
    assert octets.endswith(b"+0000\n" + MESSAGE)


#: What is for servers, logins, checks and people at a terminal.
HEAVY = (
    *("twisted.internet.base", "twisted.internet.threads", "twisted.internet.tcp"),
    *("passlib", "argon2", "bcrypt", "click", "rich", "cryptography", "OpenSSL"),
    *("maildrop.auth.passwords", "maildrop.app.inspecting", "maildrop.queue.spool"),
    *("maildrop.control", "maildrop.net", "maildrop.tls", "maildrop.sasl"),
)


@pytest.mark.usefixtures("home")
def test_it_loads_little(maildrop: Command) -> None:
    """An MTA starts it for every message."""
    found = loaded(maildrop, "deliver", "-d", "ann", given=MESSAGE)
    assert "maildrop.storage.maildir.store" in found
    assert within(found, HEAVY) == []


def test_it_is_known_why(maildrop: Command, home: Path) -> None:
    (maildrop.directory / "state").mkdir()
    letter = b"Message-ID: <known@x>\n" + MESSAGE
    assert maildrop("deliver", "-d", "ann", given=letter).status == 0
    looping = b"Message-ID: <loop@x>\nReceived: x\nDelivered-To: ann@example.org\n\n"
    assert maildrop("deliver", "-d", "ann", given=looping).status != 0
    told = maildrop("why", "<known@x>").out
    assert "by deliver" in told
    assert "delivered for ann@example.org to ann: INBOX, uid 1" in told
    assert "not delivered for ann@example.org" in maildrop("why", "<loop@x>").out
    assert home.exists()


def test_into_an_mbox_too(maildrop: Command, home: Path) -> None:
    assert maildrop("deliver", "-d", "box", given=MESSAGE).status == 0
    assert maildrop("deliver", "-d", "box", given=MESSAGE).status == 0
    assert (home / "box" / "inbox").read_bytes().count(b"\nbody\n") == 2


@pytest.mark.parametrize(
    ("arguments", "folder", "address"),
    [
        (("-d", "ann", "-a", "work"), ".Work", b"ann+work@example.org"),
        (("-d", "ann+work"), ".Work", b"ann+work@example.org"),
        (("-d", "ann", "-m", "Work"), ".Work", b"ann@example.org"),
        (("-d", "ann", "-a", "work", "-m", "INBOX"), "", b"ann+work@example.org"),
        (("-d", "ann", "-a", "nothing"), "", b"ann+nothing@example.org"),
        (("-d", "ann", "-m", "../../etc"), "", b"ann@example.org"),
        (("ann",), "", b"ann@example.org"),
    ],
)
def test_details_and_folders(
    maildrop: Command,
    home: Path,
    arguments: tuple[str, ...],
    folder: str,
    address: bytes,
) -> None:
    assert maildrop("deliver", "-d", "ann", given=MESSAGE).status == 0
    maildir = home / "ann" / "Maildir"
    for name in ("cur", "new", "tmp"):
        (maildir / ".Work" / name).mkdir(parents=True)
    assert maildrop("deliver", *arguments, given=MESSAGE).status == 0
    octets = stored(maildir / folder if folder else maildir)[-1]
    assert b"Delivered-To: " + address + b"\n" in octets
    assert len(stored(maildir)) + len(stored(maildir / ".Work")) == 2


@pytest.mark.parametrize(
    ("arguments", "given", "status", "says"),
    [
        (("-d", "nobody"), MESSAGE, os.EX_NOUSER, 'no user "nobody"'),
        (("-d", "full"), MESSAGE, os.EX_CANTCREAT, ""),
        (("-d", "ann", "-z"), MESSAGE, os.EX_USAGE, "option -z"),
        (("-d", "ann", "-f", "a b"), MESSAGE, os.EX_USAGE, "not an address"),
        (
            ("-d", "ann"),
            b"Received: x\nDelivered-To: ann@example.org\n\n",
            os.EX_UNAVAILABLE,
            "Delivered-To",
        ),
        (("-d", "ann"), b"x" * 5001, os.EX_DATAERR, "over 5000 octets"),
    ],
)
def test_exit_statuses_are_those_of_sysexits(
    maildrop: Command,
    home: Path,
    arguments: tuple[str, ...],
    given: bytes,
    status: int,
    says: str,
) -> None:
    with maildrop.config.open("a") as config:
        config.write("[limits]\nmessage = 5000\n")
    outcome = maildrop("deliver", *arguments, given=given)
    assert outcome.status == status
    assert says in outcome.err
    assert outcome.err.startswith("maildrop deliver: ")
    assert not (home / "ann" / "Maildir" / "new").exists()


def test_a_full_mailbox_may_be_one_for_now(maildrop: Command, home: Path) -> None:
    with maildrop.config.open("a") as config:
        config.write('[quota]\nfull = "defer"\n')
    outcome = maildrop("deliver", "-d", "full", given=MESSAGE)
    assert outcome.status == os.EX_TEMPFAIL
    assert home.exists()


def test_what_an_administrator_has_to_mend_waits(maildrop: Command, home: Path) -> None:
    """Nobody's mail goes back because of it."""
    maildrop.config.write_text("state = 7\n")
    assert maildrop("deliver", "-d", "ann", given=MESSAGE).status == os.EX_TEMPFAIL
    maildrop.config.unlink()
    assert maildrop("deliver", "-d", "ann", given=MESSAGE).status == os.EX_TEMPFAIL
    assert home.exists()


def test_a_users_file_that_is_missing_is_for_now(maildrop: Command, home: Path) -> None:
    maildrop.passwd.unlink()
    outcome = maildrop("deliver", "-d", "ann", given=MESSAGE)
    assert outcome.status == os.EX_TEMPFAIL
    assert "passwd" in outcome.err
    assert home.exists()


def test_a_maildir_that_is_none_is_for_now(maildrop: Command, home: Path) -> None:
    (home / "ann" / "Maildir").write_text("a file")
    outcome = maildrop("deliver", "-d", "ann", given=MESSAGE)
    assert outcome.status == os.EX_TEMPFAIL
    assert (home / "ann" / "Maildir").read_text() == "a file"


def test_only_root_delivers_to_others(
    maildrop: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = 70_000
    maildrop.passwd.write_text(
        f"ann:{{PLAIN}}x:{own}:{own}::{home}/ann::\n"
        f"bob:{{PLAIN}}x:{own + 1}:{own}::{home}/ann::\n"
    )
    monkeypatch.setattr(os, "geteuid", lambda: own)
    assert maildrop("deliver", "-d", "bob", given=MESSAGE).status == os.EX_NOPERM
    assert maildrop("deliver", "-d", "ann", given=MESSAGE).status == 0
    monkeypatch.setattr(mda, "login_name", lambda uid: {own: "ann"}[uid])
    assert maildrop("deliver", given=MESSAGE).status == 0
    assert len(stored(home / "ann" / "Maildir")) == 2


def test_it_starts_without_the_command_line_s_library(
    maildrop: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Input(MESSAGE))
    assert run(["maildrop", f"--config={maildrop.config}", "deliver", "-d", "ann"]) == 0
    assert len(stored(home / "ann" / "Maildir")) == 1


def test_what_nobody_expected_keeps_the_message_where_it_is(
    maildrop: Command,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(configuration: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(mda, "Direct", fail)
    monkeypatch.setattr("sys.stdin", Input(MESSAGE))
    words = ["maildrop", f"--config={maildrop.config}", "deliver", "-d", "ann"]
    assert run(words) == os.EX_TEMPFAIL
    assert "ZeroDivisionError: a bug" in capsys.readouterr().err
    assert home.exists()


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("", Asked()),
        ("-d ann", Asked(user="ann")),
        ("ann", Asked(user="ann")),
        ("-dann -awork -mFolder", Asked(user="ann", detail="work", folder="Folder")),
        ("-f joe@x", Asked(sender=Address("joe", "x"), told=True)),
        ("-r <joe@x>", Asked(sender=Address("joe", "x"), told=True)),
        ("-f <>", Asked(told=True)),
        ("-f MAILER-DAEMON", Asked(told=True)),
    ],
)
def test_arguments_are_those_of_other_delivery_agents(line: str, asked: Asked) -> None:
    assert parse(line.split()) == asked


def test_an_empty_sender_is_none() -> None:
    assert parse(["-f", ""]) == Asked(told=True)


@pytest.mark.parametrize("line", ["-x", "-d", "a b", "-d a b", "-f a@x,b@x"])
def test_other_arguments_are_misuse(line: str) -> None:
    with pytest.raises((Misused, NoAddress)):
        parse(line.split())
