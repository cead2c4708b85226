"""Started as root: each user's files with the user's rights, all else without any."""

import os
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.clients import (
    SENDER,
    Wire,
    assert_whole,
    deliver,
    imap_messages,
    lmtp,
    message,
    pop3_messages,
)
from tests.interop.server import Server, User, until

ANN = User("ann", uid=60_001)
BEN = User("ben", "mbox", uid=60_002)
EVE = User("eve", uid=60_003)
USERS = pytest.mark.parametrize("user", [ANN, BEN], ids=lambda user: user.kind)


@pytest.fixture
def guarded() -> Iterator[Server]:
    with Server((ANN, BEN, EVE), account="nobody") as server:
        yield server
        assert server.trouble() == []


def owners(*tops: Path) -> set[int]:
    found = set()
    for top in tops:
        for directory, folders, files in os.walk(top):
            for name in (*folders, *files):
                found.add(os.lstat(f"{directory}/{name}").st_uid)
    return found


@USERS
def test_mail_belongs_to_its_user(guarded: Server, user: User) -> None:
    sent = [
        message("one"),
        message("two"),
        message("three", b"x" * 70 + b"\r\n" * 9000),
    ]
    deliver(guarded, user, *sent)
    assert_whole(imap_messages(guarded, user), sent)
    assert_whole(pop3_messages(guarded, user), sent)
    with Wire(guarded, "imap").login(user) as wire:
        assert wire.command(b"c", b"CREATE Work/Deep")[-1].startswith(b"c OK")
        wire.command(b"s", b"SELECT INBOX")
        assert wire.command(b"m", b"MOVE 1 Work/Deep")[-1].startswith(b"m OK")
        assert wire.command(b"f", b"STORE 1 +FLAGS (\\Flagged)")[-1].startswith(b"f OK")
    assert owners(guarded.home(user)) == {user.uid}
    if user.kind == "mbox":
        until(lambda: b"X-Status: F" in guarded.spool(user).read_bytes(), "the flag")
        spool = os.stat(guarded.spool(user))
        assert (spool.st_uid, spool.st_mode & 0o077) == (user.uid, 0)
        assert owners(guarded.state / "mailboxes" / user.name) == {user.uid}


def test_the_server_itself_has_no_rights(guarded: Server) -> None:
    """Neither its effective uid nor that for files is root's."""
    status = Path(f"/proc/{guarded.pid}/status").read_text().splitlines()
    uids = next(line for line in status if line.startswith("Uid:")).split()[1:]
    groups = next(line for line in status if line.startswith("Groups:")).split()[1:]
    _, effective, _, for_files = map(int, uids)
    assert effective != 0 or for_files != 0, uids
    assert "0" not in groups


def test_nobody_reads_the_mail_of_others_through_links(guarded: Server) -> None:
    """Eve has an account on the host, and puts links where her mail should be."""
    secret = message("secret")
    deliver(guarded, ANN, secret)
    deliver(guarded, EVE, message("own"))
    maildir = guarded.maildir(EVE)
    for target in (guarded.maildir(ANN), Path("/etc"), Path("/root")):
        folder = maildir / f".Link-{target.name}"
        folder.symlink_to(target)
        os.chown(folder, 60_003, 60_003, follow_symlinks=False)
        with Wire(guarded, "imap").login(EVE) as wire:
            opened = wire.command(b"s", b"SELECT Link-" + target.name.encode())
            assert opened[-1].startswith(b"s NO"), opened
        folder.unlink()
    [file] = (guarded.maildir(ANN) / "new").iterdir()
    for name in ("1.link.host", "2.link.host:2,S"):
        (maildir / "cur" / name).symlink_to(file)
    (maildir / "cur" / "3.link.host").symlink_to("/etc/shadow")
    stored = imap_messages_or_nothing(guarded, EVE)
    assert not any(b"secret" in octets or b"root:" in octets for octets in stored)


def imap_messages_or_nothing(server: Server, user: User) -> list[bytes]:
    """What can be read; what cannot be may be missing or refused."""
    with Wire(server, "imap").login(user) as wire:
        wire.command(b"s", b"SELECT INBOX")
        return wire.command(b"f", b"FETCH 1:* BODY.PEEK[]")


@USERS
def test_a_folder_that_may_not_be_read_hides_no_other(
    guarded: Server, user: User
) -> None:
    with Wire(guarded, "imap").login(user) as wire:
        for name in (b"Good", b"Shut", b"Shut/Below"):
            wire.command(b"c", b"CREATE " + name)
        top = guarded.maildir(user) if user.kind == "maildir" else guarded.home(user)
        shut = top / (".Shut" if user.kind == "maildir" else "mail/Shut")
        shut.chmod(0)
        listed = wire.command(b"l", b'LIST "" *')
        assert any(line.endswith(b" Good\r\n") for line in listed), listed
        answer = wire.command(b"s", b"SELECT Shut")[-1]
        assert answer.startswith(b"s NO"), answer
        assert b"SERVERBUG" not in answer
        assert wire.command(b"g", b"SELECT Good")[-1].startswith(b"g OK")
        shut.chmod(0o700)


def test_a_spool_that_is_a_link_is_refused_for_now(guarded: Server) -> None:
    """Whoever may write the spool directory may put anything there."""
    spool = guarded.spool(BEN)
    victim = guarded.directory / "victim"
    victim.write_bytes(b"precious\n")
    spool.symlink_to(victim)
    with lmtp(guarded) as client, pytest.raises(smtplib.SMTPDataError) as caught:
        client.sendmail(SENDER, [BEN.address], message("link"))
    assert 400 <= caught.value.smtp_code < 500
    assert victim.read_bytes() == b"precious\n"
    spool.unlink()
    deliver(guarded, BEN, message("after"))
    assert_whole(imap_messages(guarded, BEN), [message("after")])


def test_a_home_of_somebody_else_is_a_failure_of_the_moment(guarded: Server) -> None:
    """Mail waits at its sender until the administrator has mended it."""
    home = guarded.home(ANN)
    os.chown(home, 0, 0)
    home.chmod(0o700)
    with lmtp(guarded) as client, pytest.raises(smtplib.SMTPDataError) as caught:
        client.sendmail(SENDER, [ANN.address], message("waits"))
    assert 400 <= caught.value.smtp_code < 500
    os.chown(home, 60_001, 60_001)
    deliver(guarded, ANN, message("waits"))
    assert_whole(imap_messages(guarded, ANN), [message("waits")])


def test_a_spool_directory_that_only_its_group_may_write(guarded: Server) -> None:
    """Debian's /var/spool/mail: a file for each user, and no dotlocks for them."""
    spool = guarded.spool(BEN)
    spool.touch(0o600)
    os.chown(spool, 60_002, 8)
    os.chown(spool.parent, 0, 8)  # mail
    spool.parent.chmod(0o2775)
    sent = [message(f"number-{number}") for number in range(4)]
    deliver(guarded, BEN, *sent)
    with Wire(guarded, "imap").login(BEN) as wire:
        wire.command(b"s", b"SELECT INBOX")
        wire.command(b"d", b"STORE 2 +FLAGS (\\Deleted)")
        assert wire.command(b"e", b"EXPUNGE")[-1].startswith(b"e OK")
    assert_whole(imap_messages(guarded, BEN), [sent[0], *sent[2:]])
    assert os.listdir(spool.parent) == [BEN.name]
