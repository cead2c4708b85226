"""The ``maildrop`` command on a running server: status, who, kick, user, stop."""

import json
import os
import poplib
import re
import smtplib
import ssl

import pytest

from tests.interop.clients import (
    HOST,
    Wire,
    assert_whole,
    deliver,
    imap,
    imap_messages,
    message,
    pop3,
)
from tests.interop.programs import Programs
from tests.interop.server import MAILDIR, MBOX, PASSWORD, PATIENCE, Server, User, until


def sessions(server: Server) -> list[tuple[str, str, str]]:
    return sorted(
        (each["service"], each["user"], each["mailbox"]) for each in server.who()
    )


def test_who_tells_of_every_session(server: Server) -> None:
    one, two = imap(server, MAILDIR, "imaps"), pop3(server, MBOX)
    one.select("Sent")
    with Wire(server, "smtp") as smtp, Wire(server, "lmtp") as lmtp:
        smtp.line()
        lmtp.line()
        found = server.who()
        assert sorted((each["service"], each["user"]) for each in found) == [
            ("imap", MAILDIR.name),
            ("lmtp", ""),
            ("pop3", MBOX.name),
            ("smtp", ""),
        ]
        [mine] = [each for each in found if each["service"] == "imap"]
        assert mine["mailbox"] == "Sent"
        assert mine["tls"].startswith("TLSv1.")
        assert mine["client"].startswith("127.0.0.1:")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", mine["since"])
        assert mine["octets_in"] > 20
        assert mine["octets_out"] > 200
        listed = server.maildrop("who", "--user", MBOX.name).stdout.splitlines()
        assert len(listed) == 2  # a heading and a session
        assert MBOX.name in listed[1]
    one.logout()
    two.quit()
    until(lambda: server.who() == [], "all sessions to end")


def test_kick_ends_sessions_and_no_others(server: Server) -> None:
    with (
        Wire(server, "imap").login(MAILDIR) as idle,
        Wire(server, "imap").login(MBOX) as other,
    ):
        idle.command(b"s", b"SELECT INBOX")
        idle.send(b"i IDLE\r\n")
        idle.until(b"+ ")
        reader = pop3(server, MAILDIR)
        kicked = server.maildrop("kick", "--user", MAILDIR.name)
        assert (kicked.returncode, kicked.stdout) == (0, "2 ended\n")
        assert idle.until(b"* BYE")
        assert idle.line() == b""
        with pytest.raises((poplib.error_proto, OSError, ssl.SSLError)):
            reader.stat()
        reader.close()
        assert other.command(b"n", b"NOOP")[-1].startswith(b"n OK")
        assert sessions(server) == [("imap", MBOX.name, "")]
        again = server.maildrop("kick", "--user", MAILDIR.name)
        assert again.returncode == os.EX_NOUSER
        assert "no such session" in again.stderr
        assert server.maildrop("kick").returncode == os.EX_USAGE
        everyone = server.maildrop("kick", "--address", HOST)
        assert everyone.stdout == "1 ended\n"
        assert other.until(b"* BYE")
    until(lambda: server.who() == [], "all sessions to end")


def test_a_kicked_pop3_session_deletes_nothing(server: Server) -> None:
    """RFC 1939 section 6: the maildrop is changed after QUIT only."""
    count = len(imap_messages(server, MAILDIR))
    deliver(server, MAILDIR, message("kept"))
    client = pop3(server, MAILDIR)
    client.dele(count + 1)
    assert server.maildrop("kick", "--user", MAILDIR.name).stdout == "1 ended\n"
    client.close()
    until(lambda: server.who() == [], "the session to end")
    assert_whole(imap_messages(server, MAILDIR)[count:], [message("kept")])


def test_status_counts(server: Server) -> None:
    before = json.loads(server.maildrop("status", "--json").stdout)
    client = imap(server, MAILDIR)
    deliver(server, MAILDIR, message("counted"))
    status = json.loads(server.maildrop("status", "--json").stdout)
    assert status["pid"] == server.pid
    assert status["sessions"].get("imap") == 1
    assert status["begun"]["imap"] == before["begun"].get("imap", 0) + 1
    assert {each["protocol"] for each in status["services"]} == {
        "imap",
        "pop3",
        "smtp",
        "submission",
        "lmtp",
    }
    assert all(process["memory"] > 1 << 20 for process in status["processes"])
    client.logout()


def test_users_are_added_disabled_and_removed_while_it_runs() -> None:
    with Server() as server:
        new = ("--password-stdin", "--mail", f"mbox:{server.directory}/spool/nora")
        added = server.maildrop("user", "add", "nora", *new, given="tulip\n")
        assert added.returncode == 0, added.stderr
        assert server.maildrop("user", "add", "nora", given="x\n").returncode != 0

        def answer(password: str) -> str:
            client = poplib.POP3(HOST, server.ports["pop3"], timeout=PATIENCE)
            try:
                client.user("nora")
                return client.pass_(password).decode()
            except poplib.error_proto as error:
                return str(error)
            finally:
                client.close()

        until(lambda: answer("tulip").startswith("+OK"), "the new user to log in")
        deliver(server, User("nora", "mbox"), message("for-nora"))
        assert (server.directory / "spool" / "nora").read_bytes().startswith(b"From ")

        assert server.maildrop("user", "disable", "nora").returncode == 0
        until(lambda: not answer("tulip").startswith("+OK"), "the user to be disabled")
        assert server.maildrop("user", "enable", "nora").returncode == 0
        until(lambda: answer("tulip").startswith("+OK"), "the user to be back")
        changed = ("user", "passwd", "nora", "--password-stdin")
        assert server.maildrop(*changed, given="rose\n").returncode == 0
        until(lambda: answer("rose").startswith("+OK"), "the new password")
        assert server.maildrop("user", "remove", "nora").returncode == 0
        until(lambda: not answer("rose").startswith("+OK"), "the user to be gone")
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            deliver(server, User("nora", "mbox"), message("late"))
        listed = json.loads(server.maildrop("user", "list", "--json").stdout)
        assert {each["name"] for each in listed} == {MAILDIR.name, MBOX.name}
        assert server.trouble() == []


def test_stop_tells_sessions_and_ends_in_order() -> None:
    with Server() as server:
        with Wire(server, "imap").login(MBOX) as wire:
            wire.command(b"s", b"SELECT INBOX")
            assert server.maildrop("stop").returncode == 0
            assert wire.until(b"* BYE")
        until(lambda: "maildrop has ended" in server.log(), "the end")
        assert server.maildrop("status").returncode == os.EX_UNAVAILABLE
        assert server.trouble() == []


def test_a_new_certificate_is_taken_up_and_sessions_go_on(programs: Programs) -> None:
    with Server() as server:
        client = imap(server, MAILDIR, "imaps")
        old = ssl.get_server_certificate((HOST, server.ports["imaps"]))
        key = server.certificate.with_suffix(".key")
        programs.run(
            "openssl",
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", programs.home / "new.key", "-out", programs.home / "new.pem"),
        )
        # The certificate without its key: the old pair stays in use.
        server.certificate.write_bytes((programs.home / "new.pem").read_bytes())
        server.maildrop("reload")
        assert ssl.get_server_certificate((HOST, server.ports["imaps"])) == old
        key.write_bytes((programs.home / "new.key").read_bytes())
        until(
            lambda: ssl.get_server_certificate((HOST, server.ports["imaps"])) != old,
            "the new certificate",
        )
        assert client.noop()[0] == "OK"
        client.logout()
        client = imap(server, MAILDIR, "imaps")  # which believes the new one
        client.logout()
        assert PASSWORD not in server.log()
