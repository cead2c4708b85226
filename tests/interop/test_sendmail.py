"""Programs of the host send through ``sendmail``."""

import os
import pwd
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from tests.interop.clients import imap_messages
from tests.interop.documented import example
from tests.interop.programs import Programs
from tests.interop.reachable import Reachable
from tests.interop.server import DOMAIN, MAILDIR, MBOX, Server, until

NOBODY = pwd.getpwnam("nobody").pw_uid
DAEMON = pwd.getpwnam("daemon").pw_uid


@pytest.fixture(scope="module")
def reachable() -> Iterator[Reachable]:
    with Reachable() as found:
        yield found


@pytest.fixture
def sbin(server: Server, tmp_path: Path) -> Path:
    """What ``maildrop install-sendmail`` makes."""
    (tmp_path / "sbin").mkdir()
    made = server.maildrop("install-sendmail", str(tmp_path / "sbin"))
    assert made.returncode == 0, made.stderr
    return tmp_path / "sbin"


def one_more(server: Server, before: int) -> bytes:
    """The message that comes next to the Maildir user."""
    found = until(lambda: imap_messages(server, MAILDIR)[before:], "mail")
    [octets] = found
    return octets


def test_mutt_sends(server: Server, programs: Programs, sbin: Path) -> None:
    before = len(imap_messages(server, MAILDIR))
    lines = example("mutt, neomutt", ".muttrc", {"/usr/local/sbin": sbin})
    programs.run(
        "mutt",
        *("-n", "-F", programs.file("muttrc", lines)),
        *("-e", f"set from=ann@{DOMAIN} copy=no use_8bitmime"),
        *("-e", "set dsn_notify=failure,delay dsn_return=hdrs"),
        *("-s", "grüße", "-b", MBOX.address, "--", MAILDIR.address),
        given=b"Zeile\n.\nnoch eine\n",
    )
    octets = one_more(server, before)
    assert octets.startswith(f"Return-Path: <ann@{DOMAIN}>\r\n".encode())
    assert octets.endswith(b"\r\n\r\nZeile\r\n.\r\nnoch eine\r\n")
    assert b"(by uid 0)" in octets


def test_s_nail_sends(server: Server, programs: Programs, sbin: Path) -> None:
    before = len(imap_messages(server, MAILDIR))
    lines = example("s-nail, bsd-mailx", ".mailrc", {"/usr/local/sbin": sbin})
    programs.environment["MAILRC"] = str(programs.file("mailrc", lines))
    programs.run(
        "s-nail",
        *("-:u", "-r", f"ann@{DOMAIN}", "-s", "hello", MAILDIR.address),
        given=b"one\n.\ntwo\n",
    )
    octets = one_more(server, before)
    assert octets.startswith(f"Return-Path: <ann@{DOMAIN}>\r\n".encode())
    assert b"\r\nSubject: hello\r\n" in octets
    assert octets.endswith(b"\r\n\r\none\r\n.\r\ntwo\r\n")


def test_cron_sends(server: Server, programs: Programs, sbin: Path) -> None:
    """What Debian's cron writes, and how it calls."""
    before = len(imap_messages(server, MAILDIR))
    letter = (
        b"From: root (Cron Daemon)\nTo: maria\nSubject: Cron <root@host> true\n"
        b"MIME-Version: 1.0\nX-Cron-Env: <SHELL=/bin/sh>\n\noutput\n"
    )
    arguments = ("-FCronDaemon", "-i", "-B8BITMIME", "-oem", MAILDIR.name)
    programs.run(str(sbin / "sendmail"), *arguments, given=letter)
    octets = one_more(server, before)
    assert octets.startswith(f"Return-Path: <root@{DOMAIN}>\r\n".encode())
    assert b"\r\nFrom: root (Cron Daemon)\r\n" in octets
    assert b"\r\nMessage-ID: <" in octets


def test_smtp_on_standard_input(server: Server, programs: Programs, sbin: Path) -> None:
    before = len(imap_messages(server, MAILDIR))
    said = (
        "EHLO me\r\nMAIL FROM:<>\r\n"
        f"RCPT TO:<{MAILDIR.address}>\r\nDATA\r\n"
        "Subject: by hand\r\n\r\nx\r\n.\r\nQUIT\r\n"
    )
    told = programs.run(str(sbin / "sendmail"), "-bs", given=said.encode())
    assert told.splitlines()[-1].startswith(b"221 ")
    octets = one_more(server, before)
    assert octets.startswith(b"Return-Path: <>\r\n")
    assert b"(by uid 0) with ESMTP\r\n" in octets


def test_an_address_that_is_nobody_s_comes_back(
    server: Server, programs: Programs, sbin: Path
) -> None:
    before = len(imap_messages(server, MAILDIR))
    arguments = ("-i", "-f", MAILDIR.address, f"nobody@{DOMAIN}")
    programs.run(str(sbin / "sendmail"), *arguments, given=b"Subject: lost\n\nx\n")
    octets = one_more(server, before)
    assert octets.startswith(b"Return-Path: <>\r\n")
    assert b"\r\nStatus: 5.1.1\r\n" in octets


def test_mail_waits_for_the_server(programs: Programs, reachable: Reachable) -> None:
    """Handed in by an account without rights while the server is down."""
    with Server(account="mail") as server:
        for user in (MAILDIR, MBOX):
            for path in (server.home(user), server.spool(user).parent):
                shutil.chown(path, "mail", "mail")
        server.stop()
        for number in range(3):
            sent = subprocess.run(
                [reachable.sendmail, "-C", server.file, "-i", MAILDIR.name],
                input=b"Subject: number %d\n\n.\nx\n" % number,
                user=NOBODY,
                group=NOBODY,
                extra_groups=[],
                capture_output=True,
                check=False,
            )
            assert sent.returncode == 0, sent.stderr
        drop = server.state / "queue" / "drop"
        assert len(os.listdir(drop)) == 3
        listed = programs.run(str(reachable.directory / "mailq"), "-C", server.file)
        assert b"-- 0 Kbytes in 3 Requests." in listed
        for path in drop.iterdir():
            for mode in (os.R_OK, os.W_OK):
                assert not _may(DAEMON, path, mode)
        assert not _may(NOBODY, drop, os.R_OK)
        server.start()
        until(lambda: len(imap_messages(server, MAILDIR)) == 3, "all three")
        assert os.listdir(drop) == []
        for octets in imap_messages(server, MAILDIR):
            assert octets.startswith(f"Return-Path: <nobody@{DOMAIN}>\r\n".encode())
            assert b"(by uid %d)\r\n" % NOBODY in octets
            assert octets.endswith(b"\r\n\r\n.\r\nx\r\n")
        mailq = str(reachable.directory / "mailq")
        empty = b"Mail queue is empty\n"
        until(lambda: programs.run(mailq, "-C", server.file) == empty, "an empty queue")
        assert server.trouble() == []


def _may(uid: int, path: Path, mode: int) -> bool:
    """Whether an account may read or write something, the kernel says."""
    test = {os.R_OK: "-r", os.W_OK: "-w"}[mode]
    asked = ["/usr/bin/test", test, str(path)]
    ended = subprocess.run(asked, user=uid, group=uid, extra_groups=[], check=False)
    return ended.returncode == 0


def test_who_is_not_trusted_sends_as_himself(reachable: Reachable) -> None:
    with Server(configuration='[sendmail]\ntrusted = ["root"]\n') as server:
        sent = subprocess.run(
            [reachable.sendmail, "-C", server.file, "-f", "ceo@bank.example", "maria"],
            input=b"Subject: x\n\nx\n",
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            capture_output=True,
            check=False,
        )
        assert sent.returncode == 0, sent.stderr
        octets = one_more(server, 0)
        assert octets.startswith(f"Return-Path: <nobody@{DOMAIN}>\r\n".encode())


def test_hostile_files_harm_nobody(reachable: Reachable) -> None:
    """Put into the drop directory by an account without rights."""
    script = (
        'cd "$1" && ln -s /etc/passwd 0123456789abcdef0123456789abcdef.mail; '
        "mkfifo 1123456789abcdef0123456789abcdef.mail; "
        "mkdir 2123456789abcdef0123456789abcdef.mail; "
        "echo junk > 3123456789abcdef0123456789abcdef.mail; "
        "truncate -s 10G 4123456789abcdef0123456789abcdef.mail; "
        "touch a 'b\nerror: forged'; ls . ; exit 0"
    )
    with Server() as server:
        drop = server.state / "queue" / "drop"
        before = Path("/etc/passwd").read_bytes()
        shell = ["/bin/sh", "-c", script, "sh", str(drop)]
        tried = subprocess.run(
            shell,
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            capture_output=True,
            check=False,
        )
        assert b"cannot open directory" in tried.stderr
        sent = subprocess.run(
            [reachable.sendmail, "-C", server.file, "maria"],
            input=b"Subject: x\n\nx\n",
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            check=False,
        )
        assert sent.returncode == 0
        assert one_more(server, 0)
        until(lambda: os.listdir(drop) == [], "all to be removed")
        assert Path("/etc/passwd").read_bytes() == before
        assert len(os.listdir(server.state / "queue" / "corrupt")) == 2
        log = server.log()
        assert "not taken from uid" in log
        assert not any(line.startswith("error: forged") for line in log.splitlines())


def test_the_queue_is_seen_and_flushed(
    server: Server, programs: Programs, sbin: Path
) -> None:
    until(
        lambda: programs.run(str(sbin / "mailq")) == b"Mail queue is empty\n",
        "an empty queue",
    )
    programs.run(str(sbin / "sendmail"), "-q")
    programs.run(str(sbin / "newaliases"))


def test_it_is_known_why_a_message_was_taken(
    server: Server, programs: Programs, sbin: Path
) -> None:
    before = len(imap_messages(server, MAILDIR))
    letter = b"Message-ID: <known@host.example>\n\nx\n"
    programs.run(str(sbin / "sendmail"), "-i", MAILDIR.name, given=letter)
    one_more(server, before)
    told = until(lambda: server.maildrop("why", "<known@host.example>").stdout, "why")
    assert "by sendmail" in told
    assert "user root" in told


def test_each_message_comes_once_though_the_server_is_killed(
    reachable: Reachable,
) -> None:
    with Server() as server:

        def send(number: int) -> int:
            return subprocess.run(
                [reachable.sendmail, "-C", server.file, "-i", MAILDIR.name],
                input=b"Subject: number %d\n\nx\n" % number,
                check=False,
            ).returncode

        with ThreadPoolExecutor(2) as threads:
            sent = [threads.submit(send, number) for number in range(24)]
            for upto in (5, 15):
                wait(sent[:upto])
                server.kill()
                server.start()
            assert [each.result() for each in sent] == [0] * 24
        until(lambda: len(imap_messages(server, MAILDIR)) >= 24, "all of them")
        queue = server.state / "queue"
        until(lambda: not os.listdir(queue / "drop"), "nothing handed in")
        until(lambda: not os.listdir(queue / "entries"), "nothing that waits")
        subjects = [
            re.search(rb"\r\nSubject: (.*)\r\n", octets)
            for octets in imap_messages(server, MAILDIR)
        ]
        found = Counter(each[1] for each in subjects if each is not None)
        assert found == Counter(b"number %d" % number for number in range(24))
