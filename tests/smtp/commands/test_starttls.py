"""STARTTLS: what came in clear is forgotten (RFC 3207)."""

from dataclasses import replace

from tests.smtp.conftest import Served


def test_after_starttls_the_session_begins_again(smtp: Served) -> None:
    """RFC 3207 section 4.2."""
    assert smtp.lines(b"STARTTLS") == b"220 2.0.0 Begin TLS\r\n"
    assert smtp.transport.encrypted
    assert smtp.codes(b"MAIL FROM:<a@b>") == [503]
    assert b"STARTTLS" not in smtp.lines(b"EHLO x")
    assert smtp.codes(b"STARTTLS") == [503]


def test_octets_sent_ahead_are_dropped_with_the_connection(smtp: Served) -> None:
    """No command injection: RFC 3207 section 4.2."""
    assert smtp.lines(b"STARTTLS", b"EHLO evil") == b""
    assert smtp.closed
    assert not smtp.transport.encrypted


def test_it_has_no_argument(smtp: Served) -> None:
    """RFC 3207 section 4."""
    assert smtp.codes(b"STARTTLS now") == [501]


def test_without_a_certificate_it_is_not_offered(smtp: Served) -> None:
    smtp.site = replace(smtp.site, tls=None)
    smtp.connect()
    assert b"STARTTLS" not in smtp.lines(b"EHLO x")
    assert smtp.codes(b"STARTTLS") == [502]


def test_the_received_field_tells_of_tls(smtp: Served) -> None:
    """RFC 3848."""
    smtp.lines(b"STARTTLS")
    smtp.lines(b"EHLO x", b"MAIL FROM:<a@b>", b"RCPT TO:<alice>", b"DATA", b".")
    assert b"by mail.example.org with ESMTPS id " in smtp.mail()[0]
