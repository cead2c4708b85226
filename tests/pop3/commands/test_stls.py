"""STLS: RFC 2595 section 4."""

from dataclasses import replace

import pytest
from twisted.logger import capturedLogs, formatEvent

from tests.pop3.conftest import Served


def test_tls_begins_after_the_answer_and_passwords_may_be_sent(pop3: Served) -> None:
    client = pop3.connect("192.0.2.1")
    assert client.lines(b"STLS") == b"+OK Begin TLS\r\n"
    assert client.transport.encrypted
    said = client.lines(b"CAPA")
    assert b"\r\nSTLS\r\n" not in said
    assert b"\r\nUSER\r\nSASL PLAIN LOGIN\r\n" in said
    client.login()


def test_a_name_said_in_clear_is_forgotten(pop3: Served) -> None:
    client = pop3.connect()
    client.lines(b"USER alice")
    client.lines(b"STLS")
    assert client.lines(b"PASS secret") == b"-ERR USER first\r\n"


@pytest.mark.parametrize(
    "behind", [b"x", b"CAPA\r\n", b"USER alice\r\nPASS secret\r\n"]
)
def test_octets_in_clear_behind_it_close_the_connection_unread(
    pop3: Served, behind: bytes
) -> None:
    client = pop3.connect("192.0.2.1")
    with capturedLogs() as events:
        assert client.send(b"STLS\r\n" + behind) == b""
    assert client.closed
    assert not client.transport.encrypted
    assert "192.0.2.1 closed: octets in clear" in str(formatEvent(events[0]))


def test_with_tls_on_or_none_to_be_had_it_is_an_error(pop3: Served) -> None:
    client = pop3.connect()
    client.lines(b"STLS")
    assert client.lines(b"STLS") == b"-ERR TLS is on already\r\n"
    pop3.services = replace(pop3.services, tls=None)
    client = pop3.connect()
    assert b"STLS" not in client.lines(b"CAPA")
    assert client.lines(b"STLS") == b"-ERR [SYS/PERM] No TLS here\r\n"
