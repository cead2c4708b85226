"""``maildrop why`` on a running server: messages, logins, sessions; ids everywhere."""

import json
import poplib
import re
import smtplib
from typing import Any

import pytest

from tests.interop.clients import HOST, Wire, imap, imap_messages, message, pop3
from tests.interop.server import MAILDIR, Server, until

SENDER = "ann@elsewhere.example"


def why(server: Server, key: str) -> list[dict[str, Any]]:
    """The stories of a key, as soon as there are any."""

    def told() -> list[dict[str, Any]]:
        found = server.maildrop("why", "--json", key)
        stories = json.loads(found.stdout) if found.returncode == 0 else []
        assert isinstance(stories, list)
        return stories

    return until(told, f"anything about {key}")


def kinds(story: dict[str, Any]) -> list[str]:
    return [each["kind"] for each in story["decisions"]]


@pytest.mark.parametrize("service", ["smtp", "lmtp"])
def test_the_id_of_a_message_is_everywhere(server: Server, service: str) -> None:
    with Wire(server, service) as wire:
        wire.line()
        hello = b"LHLO" if service == "lmtp" else b"EHLO"
        wire.send(hello + b" client\r\n")
        wire.until(b"250 ")
        for command in (
            f"MAIL FROM:<{SENDER}>",
            f"RCPT TO:<{MAILDIR.address}>",
            "DATA",
        ):
            wire.send(command.encode() + b"\r\n")
            wire.until(b"3" if command == "DATA" else b"250")
        wire.send(message(f"everywhere-{service}") + b".\r\n")
        [answer] = wire.until(b"250 ")
    found = re.search(rb"id (\w{13})", answer)
    assert found is not None
    number = found[1].decode()
    stored = imap_messages(server, MAILDIR)[-1]
    assert f"id {number}".encode() in stored
    assert f" {number}: delivered to" in server.log()
    by_id = until(
        lambda: [each for each in why(server, number) if "closed" in kinds(each)],
        "the end of the session",
    )
    assert kinds(by_id[0]) == ["recipient", "message", "delivered", "closed"]
    for key in (f"<everywhere-{service}@elsewhere.example>", MAILDIR.address):
        assert why(server, key)[0]["id"] == number
    assert number in {each["id"] for each in why(server, SENDER)}
    assert number in {each["id"] for each in why(server, MAILDIR.name)}
    delivered = by_id[0]["decisions"][2]
    assert delivered["user"] == MAILDIR.name
    assert delivered["folder"] == "INBOX"
    assert delivered["uid"] > 0


def test_a_refused_recipient_is_told_with_the_answer(server: Server) -> None:
    with smtplib.SMTP(HOST, server.ports["smtp"]) as client:
        client.ehlo()
        client.mail(SENDER)
        code, _ = client.rcpt("stranger@example.org")
    assert code == 550
    [story] = why(server, "stranger@example.org")
    [refused] = [each for each in story["decisions"] if each["kind"] == "not accepted"]
    assert refused["answer"] == "550 5.1.1 No such user here"
    assert refused["sender"] == SENDER


def test_a_login_is_told_with_line_and_mechanism(server: Server) -> None:
    session = imap(server, MAILDIR, "imaps")
    session.logout()

    def told() -> list[dict[str, Any]]:
        return [
            each
            for story in why(server, MAILDIR.name)
            for each in story["decisions"]
            if each["kind"] == "login" and each.get("tls")
        ]

    login = until(told, "the login")[0]
    assert login["line"].endswith("/passwd:1")
    assert login["mechanism"] == "LOGIN"
    assert login["tls"].startswith("TLSv1.")
    assert f" {login['id']}: login of {MAILDIR.name}" in server.log()


def test_a_refused_login_is_told_with_the_reason_and_no_password(
    server: Server,
) -> None:
    client = poplib.POP3(HOST, server.ports["pop3"])
    client.user("mallory")
    with pytest.raises(poplib.error_proto):
        client.pass_("hunter2")
    client.quit()
    told = until(lambda: server.maildrop("why", "mallory").stdout, "mallory's login")
    assert "login of mallory to pop3 from 127.0.0.1 by PASS refused" in told
    assert "nobody has that name" in told
    journal = server.directory / "state" / "decisions"
    assert all(b"hunter2" not in each.read_bytes() for each in journal.iterdir())


def test_a_session_that_was_ended_says_by_what(server: Server) -> None:
    client = pop3(server, MAILDIR)
    assert server.maildrop("kick", "--user", MAILDIR.name).returncode == 0
    client.close()
    told = until(
        lambda: [
            each
            for story in why(server, MAILDIR.name)
            for each in story["decisions"]
            if "administrator" in str(each.get("why"))
        ],
        "the end of the session",
    )
    assert told[0]["kind"] == "closed"


def test_explain_tells_what_will_be_done(server: Server) -> None:
    told = server.maildrop("explain", MAILDIR.address, given="Subject: x\n\nx\n")
    assert told.stdout.startswith(f"{MAILDIR.address}: 250 2.1.5 OK\n")
    assert f"  stored: {MAILDIR.name} INBOX\n" in told.stdout
