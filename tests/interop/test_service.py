"""The service as twistd runs it: start, stop, reload, what an administrator sees."""

import imaplib
import os
import poplib
import pwd
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.server import BIN, MAILDIR, PASSWORD, Server, User, until

NAME = MAILDIR.name
ADDRESS = MAILDIR.address
MESSAGE = b"Subject: Hello\r\n\r\nHello.\r\n"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def send(server: Server, *recipients: str, port: str = "smtp") -> None:
    cls = smtplib.LMTP if port == "lmtp" else smtplib.SMTP
    with cls("127.0.0.1", server.ports[port]) as client:
        client.sendmail("you@elsewhere.example", recipients, MESSAGE)


def pop3_session(
    server: Server, name: str = NAME, password: str = PASSWORD
) -> poplib.POP3:
    client = poplib.POP3("127.0.0.1", server.ports["pop3"])
    client.user(name)
    client.pass_(password)
    return client


def trusted(server: Server) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=server.state / "certs/server.pem")


def twistd(config: Path) -> subprocess.CompletedProcess[str]:
    """A start that fails."""
    return subprocess.run(
        [BIN / "twistd", "-n", "--pidfile=", "maildrop", "--config", config],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_mail_goes_in_by_smtp_and_out_by_pop3_and_imap(server: Server) -> None:
    send(server, ADDRESS)
    pop3 = pop3_session(server)
    assert pop3.stat()[0] == 1
    assert pop3.retr(1)[1][-1] == b"Hello."
    pop3.quit()
    with imaplib.IMAP4("127.0.0.1", server.ports["imap"]) as imap:
        imap.login(NAME, PASSWORD)
        assert imap.select() == ("OK", [b"1"])
        fetched = imap.fetch("1", "(BODY.PEEK[])")[1][0]
        assert isinstance(fetched, tuple)
        assert fetched[1].endswith(MESSAGE)


def test_lmtp_answers_for_each_recipient(server: Server) -> None:
    """RFC 2033 section 4.2."""
    with smtplib.LMTP("127.0.0.1", server.ports["lmtp"]) as client:
        refused = client.sendmail("you@x.example", [ADDRESS, "no@example.org"], MESSAGE)
    assert list(refused) == ["no@example.org"]


def test_nothing_is_relayed(server: Server) -> None:
    with (
        pytest.raises(smtplib.SMTPRecipientsRefused),
        smtplib.SMTP("127.0.0.1", server.ports["smtp"]) as client,
    ):
        client.sendmail(ADDRESS, ["x@elsewhere.example"], MESSAGE)


def test_submission_wants_a_login(server: Server) -> None:
    """RFC 6409 section 4.3."""
    with smtplib.SMTP("localhost", server.ports["submission"]) as client:
        client.starttls(context=trusted(server))
        with pytest.raises(smtplib.SMTPException):
            client.sendmail(ADDRESS, ["max@example.org"], MESSAGE)
        client.rset()
        client.login(NAME, PASSWORD)
        assert client.sendmail(ADDRESS, ["max@example.org"], MESSAGE) == {}


def test_tls_is_offered_on_its_own_ports_and_by_starttls(server: Server) -> None:
    context = trusted(server)
    imaps = server.ports["imaps"]
    with imaplib.IMAP4_SSL("localhost", imaps, ssl_context=context) as imap:
        imap.login(NAME, PASSWORD)
    pop3s = poplib.POP3_SSL("localhost", server.ports["pop3s"], context=context)
    pop3s.user(NAME)
    pop3s.pass_(PASSWORD)
    pop3s.quit()
    with imaplib.IMAP4("localhost", server.ports["imap"]) as imap:
        imap.starttls(context)
        imap.login(NAME, PASSWORD)
    pop3 = poplib.POP3("localhost", server.ports["pop3"])
    pop3.stls(context)
    pop3.user(NAME)
    pop3.pass_(PASSWORD)
    pop3.quit()
    with smtplib.SMTP("localhost", server.ports["smtp"]) as client:
        assert client.starttls(context=context)[0] == 220


def test_the_administrator_sees_and_ends_sessions(server: Server) -> None:
    pop3 = pop3_session(server)
    (session,) = server.who()
    assert (session["service"], session["user"]) == ("pop3", NAME)
    assert "maildrop" in server.maildrop("status").stdout
    assert server.maildrop("kick", session["session"]).stdout == "1 ended\n"
    until(lambda: server.who() == [])
    assert server.maildrop("kick", session["session"]).returncode == 67
    pop3.close()


def test_a_new_user_can_log_in_soon(server: Server) -> None:
    added = server.maildrop("user", "add", "carol", "--password-stdin", given="tulip\n")
    assert added.returncode == 0, added.stderr

    def logs_in() -> bool:
        try:
            pop3_session(server, "carol", "tulip").quit()
        except poplib.error_proto:
            return False
        return True

    until(logs_in)  # a changed file is looked for once a second


def test_sighup_reloads_and_says_what_needs_a_restart(server: Server) -> None:
    text = server.file.read_text().replace("mail.example.org", "other.example.org")
    server.file.write_text(text + '[log]\nformat = "json"\n')
    server.signal(signal.SIGHUP)
    until(lambda: "hostname: the change needs a restart" in server.log())
    until(lambda: '"level": "info", "source": "app", "event": "reload' in server.log())


def test_a_broken_configuration_is_not_taken_up(server: Server) -> None:
    good = server.file.read_text()
    server.file.write_text("hostnam = 1\n")
    server.signal(signal.SIGHUP)
    until(lambda: "reload: not done: " in server.log())
    assert f"{server.file}:1: hostnam: is no key of this version" in server.log()
    server.file.write_text(good)
    pop3_session(server).quit()


def test_a_broken_configuration_does_not_start(tmp_path: Path) -> None:
    config = tmp_path / "maildrop.toml"
    config.write_text(
        'state = "state"\nuser = "root"\nhostnam = "x"\n[mail]\nlocation = "x"\n'
    )
    done = twistd(config)
    assert done.returncode == 78
    assert [line.split(": ")[2] for line in done.stderr.splitlines()] == [
        "users.passwd",
        "hostnam",
        "mail.location",
    ]
    assert os.listdir(tmp_path) == ["maildrop.toml"]


def test_a_port_in_use_is_told_with_its_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "passwd").touch()
        config = tmp_path / "maildrop.toml"
        config.write_text(
            'state = "state"\nuser = "root"\n[[listen]]\nprotocol = "imap"\n'
            f'endpoint = "tcp:{port}:interface=127.0.0.1"\n'
        )
        done = twistd(config)
    assert done.returncode == 69
    assert f"tcp:{port}" in done.stderr
    assert f"listen[1], {config}:3" in done.stderr


def test_a_stopped_server_has_ended_in_order(server: Server) -> None:
    pop3 = pop3_session(server)
    assert server.stop() == -signal.SIGTERM  # twistd ends as it was told to
    assert "maildrop has ended" in server.log()
    assert server.trouble() == []
    pop3.close()
    assert server.maildrop("status").returncode == 69
    assert not (server.state / "control.sock").exists()


def test_mail_is_still_there_after_a_restart(server: Server) -> None:
    send(server, ADDRESS, port="lmtp")
    server.stop()
    server.start()
    pop3 = pop3_session(server)
    assert pop3.stat()[0] == 1
    pop3.quit()


def test_as_a_daemon_it_writes_its_log_file(tmp_path: Path) -> None:
    server = Server(ports=["pop3"])
    log = tmp_path / "log"
    try:
        subprocess.run(
            [
                BIN / "twistd",
                f"--pidfile={tmp_path}/pid",
                f"--logfile={log}",
                "maildrop",
                f"--config={server.file}",
            ],
            check=True,
            timeout=60,
        )
        until(lambda: log.exists() and "serving pop3" in log.read_text())
        assert server.maildrop("status").returncode == 0
        assert server.maildrop("stop").returncode == 0
        until(lambda: "maildrop has ended" in log.read_text())
        until(lambda: not (tmp_path / "pid").exists())
    finally:
        shutil.rmtree(server.directory)


def test_workers_are_replaced_under_their_sessions() -> None:
    with Server(top="workers = 2") as server:
        send(server, ADDRESS)
        clients = [imaplib.IMAP4("127.0.0.1", server.ports["imap"]) for _ in range(4)]
        for client in clients:
            client.login(NAME, PASSWORD)
            assert client.select() == ("OK", [b"1"])
        before = {session["session"].partition(".")[0] for session in server.who()}
        assert server.maildrop("reload").returncode == 0
        with imaplib.IMAP4("127.0.0.1", server.ports["imap"]) as late:
            late.login(NAME, PASSWORD)
            pids = {session["session"].partition(".")[0] for session in server.who()}
            assert pids > before
        for client in clients:
            assert client.noop()[0] == "OK"
            client.logout()
        until(lambda: server.who() == [])
        assert server.trouble() == []


def test_started_as_root_each_users_files_are_touched_as_the_user() -> None:
    """Run as root, as all of these tests are by ``tests/interop/run``."""
    users = [User("maria", "maildir", 4001), User("max", "mbox", 4002)]
    with Server(users, account="nobody") as server:
        send(server, *(user.address for user in users))
        for user in users:
            with imaplib.IMAP4("127.0.0.1", server.ports["imap"]) as imap:
                imap.login(user.name, PASSWORD)
                assert imap.select() == ("OK", [b"1"])
                assert imap.create("Work")[0] == "OK"
                assert imap.copy("1", "Work")[0] == "OK"
            pop3_session(server, user.name).quit()
            assert owners(server.home(user)) == {user.uid}
        assert owners(server.spool(users[1])) == {4002}
        assert owners(server.state / "mailboxes/max") == {4002}
        assert owners(server.state / "scratch") == {pwd.getpwnam("nobody").pw_uid}
        assert server.trouble() == []


def owners(path: Path) -> set[int]:
    """Of a file, or of a directory and all that lies in it."""
    return {each.stat().st_uid for each in (path, *path.rglob("*"))}
