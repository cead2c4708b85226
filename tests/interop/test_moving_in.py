"""Mail that moves from Dovecot, from files and back to files, and the proof of it."""

import contextlib
import imaplib
import json
import mailbox
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.interop.dovecot import Dovecot
from tests.interop.server import (
    BIN,
    MAILDIR,
    MBOX,
    PASSWORD,
    PATIENCE,
    Server,
    User,
    until,
)

MANY = User("many")
OTHER = User("other")
OWNER = User("owner", uid=23456)

#: How often a command is killed, and after how many octets: those of some messages.
KILLS: Final = 5
PIECE: Final = 20_000
SEED: Final = 1

#: Dovecot's unique ids of POP3 with a form that maildrop would never make by itself.
_POP3 = "protocol pop3 {\n  pop3_uidl_format = %08Xv%08Xu.old\n}"


def message(number: int, folder: str = "INBOX") -> bytes:
    body = "".join(f"line {n} of {number}\r\n" for n in range(number % 17))
    return (
        f"From: a{number}@example.org\r\nTo: maria@example.org\r\n"
        f"Subject: {folder} {number}\r\nMessage-ID: <{folder}{number}@example.org>\r\n"
        f"\r\nFrom here on\r\n{body}"
    ).encode()


def fill(imap: imaplib.IMAP4) -> None:
    """Some hundred operations: gaps in the UIDs, flags, keywords, dates, folders."""
    for number in range(120):
        date = imaplib.Time2Internaldate(1_500_000_000 + number * 3600)
        flags = ("", "\\Seen", "\\Flagged \\Answered", "$Label1 Later", "\\Draft")
        said = imap.append("INBOX", f"({flags[number % 5]})", date, message(number))
        assert said[0] == "OK"
    imap.select("INBOX")
    imap.store("3,7:11,50,119:120", "+FLAGS", "\\Deleted")
    imap.expunge()
    imap.store("20:30", "+FLAGS", "(\\Seen work)")
    imap.store("25", "-FLAGS", "\\Seen")
    imap.close()
    for name in ("Work/2024", "Sent", "&AOk-t&AOk-", '"a b"', "Empty"):
        assert imap.create(name)[0] == "OK"
        imap.subscribe(name)
    imap.unsubscribe("Empty")
    for number in range(30):
        imap.append("Work/2024", None, None, message(number, "Work"))
    imap.select("Work/2024")
    imap.copy("1:10", "&AOk-t&AOk-")
    imap.store("1:10", "+FLAGS", "\\Deleted")
    imap.expunge()
    imap.close()
    imap.append('"a b"', "(\\Flagged)", None, b"Subject: \xe9 8-bit\r\n\r\n\xff\r\n")


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot(more=_POP3) as running:
        client = running.imap_client()
        fill(client)
        client.logout()
        yield running


@pytest.fixture(scope="module")
def moved() -> Iterator[Server]:
    with Server((MAILDIR, MBOX, MANY, OTHER, OWNER)) as running:
        (running.directory / "password").write_text(f"{PASSWORD}\n")
        yield running
        assert running.trouble() == []


def run(server: Server, *arguments: object) -> list[dict[str, Any]]:
    """Run the command with ``--json``; what it printed."""
    ended = server.maildrop(*map(str, arguments), "--json")
    assert ended.returncode == 0, ended.stderr + ended.stdout
    found: list[dict[str, Any]] = json.loads(ended.stdout)
    return found


def move_in(server: Server, user: User, dovecot: Dovecot) -> list[dict[str, Any]]:
    return run(
        server,
        "import",
        user.name,
        f"imap://{dovecot.user}@127.0.0.1:{dovecot.imap}/",
        f"--pop3=127.0.0.1:{dovecot.pop3}",
        f"--password-file={server.directory / 'password'}",
    )


def prove(
    server: Server, user: User, dovecot: Dovecot, *options: str
) -> tuple[int, list[dict[str, Any]]]:
    """Exit status and differences."""
    logins = server.directory / f"logins-{user.name}"
    logins.write_text(f"{dovecot.user}\t{PASSWORD}\t{user.name}\n")
    ended = server.maildrop(
        "adopt",
        "--prove",
        f"--old=127.0.0.1:{dovecot.imap}",
        f"--old-pop3=127.0.0.1:{dovecot.pop3}",
        f"--new=127.0.0.1:{server.ports['imap']}",
        f"--new-pop3=127.0.0.1:{server.ports['pop3']}",
        f"--logins={logins}",
        "--json",
        *options,
    )
    assert "users: 1, " in ended.stderr, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


@pytest.mark.parametrize("user", [MAILDIR, MBOX], ids=lambda user: user.kind)
def test_no_client_notices_that_mail_moved_in_from_dovecot(
    moved: Server, dovecot: Dovecot, user: User
) -> None:
    found = move_in(moved, user, dovecot)
    assert {it["mailbox"]: it["added"] for it in found} == {
        "INBOX": 111,
        "Empty": 0,
        "Sent": 0,
        "Work/2024": 20,
        "a b": 1,
        "été": 10,
    }
    assert all(it["uids_kept"] and not it["problem"] for it in found)
    assert prove(moved, user, dovecot, "--deep") == (0, [])
    again = move_in(moved, user, dovecot)
    assert sum(it["added"] for it in again) == 0
    assert prove(moved, user, dovecot) == (0, [])


def test_what_differs_is_listed(moved: Server, dovecot: Dovecot) -> None:
    move_in(moved, OTHER, dovecot)
    client = imaplib.IMAP4("127.0.0.1", moved.ports["imap"])
    client.login(OTHER.name, PASSWORD)
    client.select("INBOX")
    client.uid("STORE", "2", "+FLAGS", "\\Deleted")
    client.uid("STORE", "15", "+FLAGS", "(Planted)")
    client.expunge()
    client.append("INBOX", None, None, message(999))
    client.delete("Empty")
    client.create("More")
    client.subscribe("More")
    client.logout()
    status, found = prove(moved, OTHER, dovecot)
    assert status == 65
    imap = {
        (it["mailbox"], it["uid"], it["what"])
        for it in found
        if it["protocol"] == "imap"
    }
    assert imap == {
        ("Empty", None, "mailbox"),
        ("More", None, "mailbox"),
        ("More", None, "subscription"),
        ("INBOX", None, "UIDNEXT"),
        ("INBOX", 2, "message"),
        ("INBOX", 15, "FLAGS"),
        ("INBOX", 121, "message"),
    }
    pop3 = [it["what"].split()[0] for it in found if it["protocol"] == "pop3"]
    assert pop3 == ["STAT", "UIDL", "UIDL"]


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_proof_and_an_import_may_go_over_tls(
    moved: Server, dovecot: Dovecot, tls: str
) -> None:
    move_in(moved, MAILDIR, dovecot)
    suffix = "s" if tls == "implicit" else ""
    imap = f"127.0.0.1:{moved.ports['imap' + suffix]}"
    pop3 = f"127.0.0.1:{moved.ports['pop3' + suffix]}"
    password = moved.directory / "password"
    ended = moved.maildrop(
        "adopt",
        "--prove",
        *(f"--{side}={imap}" for side in ("old", "new")),
        *(f"--{side}-pop3={pop3}" for side in ("old", "new")),
        *(f"--{side}-tls={tls}" for side in ("old", "new")),
        f"--login={MAILDIR.name}",
        f"--password-file={password}",
    )
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
    found = run(
        moved,
        "import",
        MANY.name,
        f"imap{suffix}://{MAILDIR.name}@{imap}/Work/2024",
        f"--mailbox=Over {tls}",
        f"--tls={tls}",
        f"--password-file={password}",
    )
    assert [(it["mailbox"], it["added"]) for it in found] == [(f"Over {tls}", 20)]


def test_files_of_root_are_read_and_mail_belongs_to_the_user(
    moved: Server, tmp_path: Path
) -> None:
    source = tmp_path / "letters.mbox"
    source.write_bytes(b"From a@b.c Thu Jan  1 12:34:56 2026\nSubject: x\n\nbody\n\n")
    for path in (source, tmp_path):
        path.chmod(0o700)
    (found,) = run(moved, "import", OWNER.name, source)
    assert found["added"] == 1
    kept = [path for path in moved.maildir(OWNER).rglob("*") if path.is_file()]
    assert {path.stat().st_uid for path in kept} == {OWNER.uid}
    for form in ("mbox", "maildir"):
        out = tmp_path / form
        run(moved, "export", OWNER.name, out, f"--format={form}")
        assert {path.stat().st_uid for path in (out, *out.rglob("*"))} == {0}


def test_a_proof_stops_at_a_wrong_password(moved: Server, dovecot: Dovecot) -> None:
    logins = moved.directory / "wrong"
    logins.write_text(f"{dovecot.user}\twrong\n")
    ended = moved.maildrop(
        "adopt",
        "--prove",
        f"--old=127.0.0.1:{dovecot.imap}",
        f"--new=127.0.0.1:{moved.ports['imap']}",
        f"--logins={logins}",
    )
    assert ended.returncode == 77
    assert "lets maria not in" in ended.stderr
    assert "wrong" not in ended.stderr.replace(str(logins), "")


def test_an_import_that_is_killed_again_and_again_adds_each_message_once(
    moved: Server, tmp_path: Path
) -> None:
    spool = mailbox.mbox(tmp_path / "Archive.mbox")
    for number in range(1500):
        spool.add(message(number, "Archive").replace(b"\r\n", b"\n"))
    spool.close()
    source = str(tmp_path / "Archive.mbox")
    assert _killed(moved, moved.maildir(MANY), "import", MANY.name, source) > 0
    (found,) = run(moved, "import", MANY.name, tmp_path / "Archive.mbox")
    assert found["before"] == 1500

    out = tmp_path / "out"
    assert _killed(moved, out, "export", MANY.name, str(out)) > 0
    lines = (tmp_path / "out" / "Archive.mbox").read_text().splitlines()
    subjects = [line for line in lines if line.startswith("Subject: ")]
    assert subjects == [f"Subject: Archive {n}" for n in range(1500)]

    out = tmp_path / "Maildir"
    form = "--format=maildir"
    assert _killed(moved, out, "export", MANY.name, str(out), form) > 0
    files = list((tmp_path / "Maildir" / ".Archive" / "cur").iterdir())
    subjects = [_subject(path.read_bytes()) for path in files]
    assert sorted(subjects) == sorted(f"Archive {n}" for n in range(1500))


def _subject(octets: bytes) -> str:
    return octets.partition(b"Subject: ")[2].partition(b"\n")[0].decode()


def _killed(server: Server, place: Path, *arguments: str) -> int:
    """Run a command to its end, killed before whenever it has put more into a place.

    Returns:
        How often it was killed.
    """
    chance = random.Random(SEED)  # noqa: S311 (no secret)
    for kills in range(KILLS + 1):
        enough = _octets(place) + PIECE
        process = subprocess.Popen(
            [BIN / "maildrop", "--config", server.file, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        if kills < KILLS:
            until(lambda: process.poll() is not None or _octets(place) > enough)  # noqa: B023
            time.sleep(chance.random() * 0.01)
            process.kill()
        status = process.wait(PATIENCE)
        if status != -signal.SIGKILL:
            break
    assert status == 0
    return kills


def _octets(place: Path) -> int:
    """How much lies in a place."""
    total = 0
    for directory, _, names in os.walk(place):
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # it is being written
                total += os.lstat(f"{directory}/{name}").st_size
    return total


def test_mail_goes_round_through_files(
    moved: Server, dovecot: Dovecot, tmp_path: Path
) -> None:
    """Dovecot's mail as mbox and Maildir, into other mailboxes, and out again."""
    for user in (MAILDIR, MBOX):
        move_in(moved, user, dovecot)
    forms = ("mbox", "maildir")
    for form in forms:
        out = tmp_path / form
        written = run(moved, "export", MAILDIR.name, out, f"--format={form}")
        assert sum(it["written"] for it in written) == 142
    expected = (tmp_path / "mbox" / "Work" / "2024.mbox").read_bytes()
    for form in forms:
        for user in (MAILDIR, MBOX):
            back = f"Back-{form}"
            added = run(
                moved, "import", user.name, tmp_path / form, f"--mailbox={back}"
            )
            assert sum(it["added"] for it in added) == 142
            again = tmp_path / f"again-{form}-{user.name}"
            run(moved, "export", user.name, again, f"--mailbox={back}/Work/2024")
            assert again.read_bytes() == expected
