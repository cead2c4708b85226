"""Commands and files of ``.forward`` and aliases, with programs people have there."""

import os
import pwd
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.clients import (
    SENDER,
    assert_whole,
    deliver,
    imap as imap_client,
    imap_messages,
    lmtp,
    message,
)
from tests.interop.documented import example
from tests.interop.reachable import Reachable
from tests.interop.server import DOMAIN, Server, User, until

#: An account of the system, since programs look their user up there.
PIPES = User("maildrop-pipes", uid=60_011)
BEN = User("ben", uid=60_012)
ALICE = User("alice", uid=60_013)

CONFIGURATION = """\
[delivery]
aliases = ["aliases"]
command_timeout = "2s"
"""
ALIASES = """\
whoami: "|id -u > DIRECTORY/out/whoami; (id -G; echo .) >> DIRECTORY/out/whoami"
archive: DIRECTORY/out/archive
team: ben, :include:DIRECTORY/members
owner-team: alice
circle: circle2
circle2: circle
"""


@pytest.fixture(scope="module")
def account() -> Iterator[None]:
    """The account of the system."""
    # One may be left from tests that were killed.
    subprocess.run(["userdel", PIPES.name], check=False, capture_output=True)
    home = "/nonexistent"
    command = ["useradd", "-M", "-d", home, "-s", "/bin/sh", "-u", str(PIPES.uid)]
    subprocess.run([*command, PIPES.name], check=True, capture_output=True)
    yield
    subprocess.run(["userdel", PIPES.name], check=True, capture_output=True)


@pytest.fixture(scope="module")
def host(account: None) -> Iterator[Server]:
    del account
    server = Server((PIPES, BEN, ALICE), CONFIGURATION, account="nobody")
    text = ALIASES.replace("DIRECTORY", str(server.directory))
    (server.directory / "aliases").write_text(text)
    (server.directory / "members").write_text("alice\n")
    (server.directory / "out").mkdir()
    (server.directory / "out").chmod(0o1777)
    with server:
        yield server


def write(server: Server, user: User, name: str, text: str, mode: int = 0o600) -> Path:
    """Write a file of a user's."""
    path = server.home(user) / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text.replace("HOME", str(server.home(user))))
    path.chmod(mode)
    assert user.uid is not None
    os.chown(path, user.uid, user.uid)
    return path


@pytest.fixture
def forward(host: Server) -> Iterator[None]:
    """Users' files are gone after a test, and that was noticed."""
    yield
    for user in (PIPES, BEN, ALICE):
        for file in host.home(user).glob(".forward*"):
            file.unlink()
    server_looks_once_a_second = 1.1
    end = os.times().elapsed + server_looks_once_a_second
    until(lambda: os.times().elapsed > end, "a second to go by")


def delivered(server: Server, address: str, octets: bytes) -> None:
    with lmtp(server) as client:
        refused = client.sendmail(SENDER, [address], octets, ["BODY=8BITMIME"])
        assert refused == {}


def content(path: Path, end: bytes = b"\n") -> bytes:
    """What is in a file, once it was written to its end."""

    def read() -> bytes:
        octets = path.read_bytes() if path.is_file() else b""
        return octets if octets.endswith(end) else b""

    return until(read, str(path))


@pytest.mark.usefixtures("forward")
def test_procmail_files_mail(host: Server) -> None:
    rules = "MAILDIR=HOME/Mail\nDEFAULT=HOME/Mail/rest\n:0\n* ^Subject: one\none\n"
    (host.home(PIPES) / "Mail").mkdir()
    os.chown(host.home(PIPES) / "Mail", PIPES.uid or 0, -1)
    rc = write(host, PIPES, "rules", rules)
    line = f"\"|IFS=' ' && exec /usr/bin/procmail -m {rc} || exit 75 #x\"\n"
    write(host, PIPES, ".forward", line)
    before = imap_messages(host, PIPES)
    deliver(host, PIPES, message("one"), message("two"))
    one = host.home(PIPES) / "Mail" / "one"
    assert content(one).startswith(b"From " + SENDER.encode())
    assert f"Delivered-To: {PIPES.address}".encode() in content(one)
    assert b"Subject: two" in content(host.home(PIPES) / "Mail" / "rest")
    assert one.stat().st_uid == PIPES.uid
    assert imap_messages(host, PIPES) == before


@pytest.mark.usefixtures("account")
def test_procmail_decides_and_maildrop_stores() -> None:
    """The recipe of ``docs/integrating.md``; its program takes its time to start."""
    with Reachable() as reachable, Server((PIPES,), account="nobody") as host:
        with imap_client(host, PIPES) as client:
            client.create("Work")
        command = f"{reachable.maildrop} --config {host.file}"
        last = example(
            "procmail, Courier's maildrop, spamc",
            ".procmailrc",
            {"/opt/maildrop/bin/maildrop": command},
        )
        first = ":0\n* ^Subject: .*work\n{ FOLDER=Work }\n"
        rc = write(host, PIPES, "decides", f"LOGFILE=HOME/log\n{first}\n{last}")
        write(host, PIPES, ".forward", f'"|exec /usr/bin/procmail -m {rc}"\n')
        deliver(host, PIPES, message("some-work"), message("other"))
        [work] = until(lambda: imap_messages(host, PIPES, "Work"), "work")
        [other] = until(lambda: imap_messages(host, PIPES), "the other")
    for octets, name in ((work, "some-work"), (other, "other")):
        assert octets.startswith(f"Return-Path: <{SENDER}>\r\n".encode())
        assert octets.endswith(message(name))


@pytest.mark.usefixtures("forward")
def test_maildrop_files_mail(host: Server) -> None:
    """Courier's maildrop(1): a filter file, and a Maildir of its own."""
    box = host.home(PIPES) / "Filtered"
    rules = f'if (/^Subject: three/)\n{{\n to "{box}"\n}}\nto "HOME/other"\n'
    filters = write(host, PIPES, "filters", rules)
    subprocess.run(["maildirmake.maildrop", box], check=False)
    for path in (box, *box.iterdir()):
        os.chown(path, PIPES.uid or 0, PIPES.uid or 0)
    write(host, PIPES, ".forward", f"|/usr/bin/maildrop {filters}\n")
    deliver(host, PIPES, message("three"))
    (file,) = until(lambda: list((box / "new").iterdir()), "the message")
    assert b"Subject: three" in content(file)
    assert file.stat().st_uid == PIPES.uid


@pytest.mark.usefixtures("forward")
def test_spamc_passes_mail_on_in_a_pipe(host: Server) -> None:
    """Without its daemon it lets the message through, as it is."""
    target = host.home(PIPES) / "checked"
    command = f"/usr/bin/spamc -p 1 --connect-retries=1 | cat > {target}"
    write(host, PIPES, ".forward", f'"|{command}"\n')
    deliver(host, PIPES, message("four"))
    assert b"Subject: four" in content(target)


@pytest.fixture
def spamd() -> Iterator[int]:
    """A daemon that takes for spam what says so, in the protocol of SpamAssassin's."""

    class Scan(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            assert self.rfile.readline().startswith(b"PROCESS SPAMC/")
            fields = {}
            while (line := self.rfile.readline().strip()) != b"":
                name, _, value = line.partition(b": ")
                fields[name.lower()] = value
            octets = self.rfile.read(int(fields[b"content-length"]))
            spam = b"yes" if b"Subject: spam" in octets else b"no"
            octets = octets.replace(b"\n", b"\nX-Spam-Flag: %b\n" % spam, 1)
            head = b"SPAMD/1.1 0 EX_OK\r\nContent-length: %d\r\n\r\n" % len(octets)
            self.wfile.write(head + octets)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Scan) as daemon:
        thread = threading.Thread(target=daemon.serve_forever, args=(0.05,))
        thread.start()
        yield daemon.server_address[1]
        daemon.shutdown()
        thread.join()


@pytest.mark.usefixtures("forward")
def test_spamc_marks_mail_for_procmail(host: Server, spamd: int) -> None:
    """As people have it: procmail filters through spamc, and files by what it says."""
    (host.home(PIPES) / "Spam").mkdir()
    os.chown(host.home(PIPES) / "Spam", PIPES.uid or 0, -1)
    scan = f":0 fw\n| /usr/bin/spamc -d 127.0.0.1 -p {spamd}\n"
    file = ":0\n* ^X-Spam-Flag: yes\nspam\n"
    rules = f"MAILDIR=HOME/Spam\nDEFAULT=HOME/Spam/rest\n{scan}{file}"
    rc = write(host, PIPES, "scan", rules)
    write(host, PIPES, ".forward", f'"|exec /usr/bin/procmail -m {rc}"\n')
    deliver(host, PIPES, message("spam"), message("ham"))
    spam = content(host.home(PIPES) / "Spam" / "spam")
    assert b"\nX-Spam-Flag: yes\n" in spam
    assert b"\nSubject: spam\n" in spam
    assert b"\nX-Spam-Flag: no\n" in content(host.home(PIPES) / "Spam" / "rest")


@pytest.mark.usefixtures("forward")
def test_a_command_has_the_users_rights_and_hears_the_detail(host: Server) -> None:
    before = len(imap_messages(host, PIPES))
    line = "|(id; pwd; env; echo .) > HOME/told, \\maildrop-pipes\n"
    write(host, PIPES, ".forward+lists", line)
    address = PIPES.address.replace("@", "+lists@")
    delivered(host, address, message("five"))
    told = content(host.home(PIPES) / "told", b".\n").decode()
    uid = PIPES.uid
    assert told.startswith(f"uid={uid}({PIPES.name}) gid={uid} groups={uid}\n")
    for line in (
        str(host.home(PIPES)),
        "EXTENSION=lists",
        f"RECIPIENT={address}",
        f"SENDER={SENDER}",
        f"USER={PIPES.name}",
        "CLIENT_PROTOCOL=LMTP",
    ):
        assert f"{line}\n" in told
    assert_whole(imap_messages(host, PIPES)[before:], [message("five")])


def test_what_root_names_runs_as_nobody(host: Server) -> None:
    delivered(host, f"whoami@{DOMAIN}", message("six"))
    nobody = pwd.getpwnam("nobody")
    lines = content(host.directory / "out" / "whoami", b".\n").decode().split()
    assert lines[:-1] == [str(nobody.pw_uid), str(nobody.pw_gid)]
    delivered(host, f"archive@{DOMAIN}", message("seven"))
    archive = host.directory / "out" / "archive"
    assert b"Subject: seven" in content(archive)
    assert archive.stat().st_uid == nobody.pw_uid


@pytest.mark.usefixtures("forward")
def test_files_are_written_as_the_user(host: Server) -> None:
    (host.home(BEN) / "kept").mkdir()
    os.chown(host.home(BEN) / "kept", BEN.uid or 0, BEN.uid or 0)
    write(host, BEN, ".forward", "HOME/copies\nHOME/kept/box/\n\\ben\n")
    deliver(host, BEN, message("eight"))
    assert b"Subject: eight" in content(host.home(BEN) / "copies")
    assert (host.home(BEN) / "copies").stat().st_uid == BEN.uid
    (file,) = until(
        lambda: list((host.home(BEN) / "kept" / "box").glob("new/*")), "the message"
    )
    assert file.stat().st_uid == BEN.uid
    assert len(imap_messages(host, BEN)) == 1


@pytest.mark.usefixtures("forward")
def test_a_link_to_a_file_of_somebody_else_is_not_followed(host: Server) -> None:
    """Neither as ``.forward`` nor as the file mail is written to."""
    target = write(host, PIPES, "pipes", "|touch HOME/evil\n", 0o644)
    link = host.home(ALICE) / ".forward"
    link.symlink_to(target)
    os.chown(link, ALICE.uid or 0, -1, follow_symlinks=False)
    before = len(imap_messages(host, ALICE))
    deliver(host, ALICE, message("nine"))
    assert len(imap_messages(host, ALICE)) == before + 1
    assert "it is a symbolic link" in host.log()
    assert not (host.home(PIPES) / "evil").exists()


@pytest.mark.usefixtures("forward")
def test_a_command_that_refuses_sends_the_mail_back(host: Server) -> None:
    write(host, BEN, ".forward", '"|echo not today; exit 77"\n')
    with lmtp(host) as client:
        assert client.sendmail(ALICE.address, [BEN.address], message("ten")) == {}
    before = f"To: {ALICE.address}".encode()
    report = until(
        lambda: [
            octets
            for octets in imap_messages(host, ALICE)
            if b"multipart/report" in octets and before in octets
        ],
        "a report",
    )[0]
    assert b"not today" in report
    assert b"Status: 5.7.0" in report


@pytest.mark.usefixtures("forward")
def test_a_command_that_hangs_or_dies_is_tried_again(host: Server) -> None:
    write(host, BEN, ".forward", '"|kill -SEGV $$"\n')
    deliver(host, BEN, message("eleven"))
    until(lambda: "it was ended by signal 11" in host.log(), "the signal")
    write(host, PIPES, ".forward", '"|yes"\n"|exec tail -f /dev/null"\n')
    deliver(host, PIPES, message("twelve"))
    until(lambda: "it was killed after 2 seconds" in host.log(), "the end of time")
    until(lambda: "octets of output" in host.log(), "the end of patience")


def test_a_circle_is_told_to_the_client(host: Server) -> None:
    """RFC 3463 section 3.5: X.4.6."""
    with lmtp(host) as client:
        client.ehlo_or_helo_if_needed()
        client.mail(SENDER)
        code, text = client.rcpt(f"circle@{DOMAIN}")
    assert (code, text[:5]) == (554, b"5.4.6")
