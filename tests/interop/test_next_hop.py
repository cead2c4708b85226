"""Mail stores behind LMTP: Dovecot's, and another maildrop at a UNIX socket."""

import smtplib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.interop.clients import HOST, imap_messages, message, trust
from tests.interop.dovecot import Dovecot
from tests.interop.ports import free_port
from tests.interop.server import MAILDIR, MBOX, PASSWORD, Server, until

ROUTES = """
[[route]]
domain = "dovecot.example"
host = "127.0.0.1"
port = {port}
protocol = "lmtp"
[[route]]
domain = "maildrop.example"
host = "{path}/lmtp.sock"
protocol = "lmtp"
[queue]
retry = ["1s"]
rest = "0.2s"
"""
DOVECOT = """
protocols = imap pop3 lmtp
auth_username_format = %Ln
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""
SOCKET = """
[[listen]]
protocol = "lmtp"
endpoint = "unix:DIRECTORY/lmtp.sock:mode=600"
"""
BODY = ".\r\n..\r\n\r\nFrom me\r\nGrüße\r\nend\r\n".encode()


@dataclass(frozen=True)
class Hosts:
    """Who takes part."""

    front: Server
    dovecot: Dovecot
    store: Server


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    port = free_port()
    dovecot = Dovecot(more=DOVECOT.format(port=port))
    with dovecot, Server(configuration=SOCKET, domains=["maildrop.example"]) as store:
        routes = ROUTES.format(port=port, path=store.directory)
        with Server([MAILDIR], routes) as front:
            yield Hosts(front, dovecot, store)
            assert front.trouble() == store.trouble() == []


def submit(server: Server, octets: bytes, *recipients: str) -> None:
    """Maria sends."""
    with smtplib.SMTP(HOST, server.ports["submission"], timeout=30) as client:
        client.starttls(context=trust(server))
        client.login(MAILDIR.name, PASSWORD)
        options = ["BODY=8BITMIME"]
        assert client.sendmail(MAILDIR.address, recipients, octets, options) == {}


def in_dovecot(dovecot: Dovecot) -> list[bytes]:
    """All of the inbox."""
    client = dovecot.imap_client()
    try:
        _, [count] = client.select(readonly=True)
        if count == b"0":
            return []
        _, parts = client.fetch("1:*", "(BODY.PEEK[])")
        return [part[1] for part in parts if isinstance(part, tuple)]
    finally:
        client.logout()


def test_dovecot_stores_it(hosts: Hosts) -> None:
    before = len(in_dovecot(hosts.dovecot))
    sent = message("stored", BODY)
    submit(hosts.front, sent, "maria@dovecot.example")
    [octets] = until(lambda: in_dovecot(hosts.dovecot)[before:], "mail")
    assert octets.startswith(f"Return-Path: <{MAILDIR.address}>\r\n".encode())
    assert octets.endswith(sent)


def test_each_recipient_has_an_answer_of_its_own(hosts: Hosts) -> None:
    """RFC 2033 section 4.2: one is stored, of the other the sender is told."""
    before = len(in_dovecot(hosts.dovecot))
    reports = len(imap_messages(hosts.front, MAILDIR))
    to = ("nobody@dovecot.example", "maria@dovecot.example")
    submit(hosts.front, message("two"), *to)
    [octets] = until(lambda: in_dovecot(hosts.dovecot)[before:], "mail")
    assert b"Subject: two" in octets
    [report] = until(lambda: imap_messages(hosts.front, MAILDIR)[reports:], "a report")
    assert b"\r\nFinal-Recipient: rfc822; nobody@dovecot.example\r\n" in report
    assert b"\r\nStatus: 5.1.1\r\n" in report
    assert b"maria@dovecot.example" not in report.partition(b"rfc822-headers")[0]


def test_mail_waits_for_a_store_that_is_down(hosts: Hosts) -> None:
    before = len(in_dovecot(hosts.dovecot))
    hosts.dovecot.stop()
    names = [f"waits-{number}" for number in range(10)]
    for name in names:
        submit(hosts.front, message(name), "maria@dovecot.example")
    until(lambda: "no session with 127.0.0.1" in hosts.front.log(), "an attempt")
    hosts.dovecot.start()
    until(lambda: len(in_dovecot(hosts.dovecot)) >= before + 10, "all of them")
    came = in_dovecot(hosts.dovecot)[before:]
    told = sorted(octets.partition(b"Subject: ")[2].split()[0] for octets in came)
    assert told == sorted(name.encode() for name in names)


def test_another_maildrop_stores_it(hosts: Hosts) -> None:
    sent = message("other", BODY)
    to = ("maria@maildrop.example", "max@maildrop.example")
    submit(hosts.front, sent, *to)
    for user in (MAILDIR, MBOX):
        [octets] = until(
            lambda user=user: imap_messages(hosts.store, user),  # type: ignore[misc]
            "mail",
        )
        assert f"Delivered-To: {user.name}@maildrop.example\r\n".encode() in octets
        assert octets.endswith(sent)


def test_addresses_in_utf8_go_along(hosts: Hosts) -> None:
    """RFC 6531, with the protocol's name of RFC 6531 section 4.3."""
    before = len(imap_messages(hosts.store, MAILDIR))
    port = hosts.front.ports["submission"]
    with smtplib.SMTP(HOST, port, timeout=30) as client:
        client.starttls(context=trust(hosts.front))
        client.login(MAILDIR.name, PASSWORD)
        text = message("utf8").replace(b"Subject: utf8", "Subject: grüße".encode())
        options = ["BODY=8BITMIME", "SMTPUTF8"]
        client.sendmail(
            MAILDIR.address, ["maria+grüße@maildrop.example"], text, options
        )
    new = until(lambda: imap_messages(hosts.store, MAILDIR)[before:], "mail")
    assert "Delivered-To: maria+grüße@maildrop.example\r\n".encode() in new[0]
    assert b" with UTF8LMTP id " in new[0]
