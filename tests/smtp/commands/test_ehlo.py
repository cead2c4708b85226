"""EHLO, HELO and LHLO."""

import pytest

from tests.smtp.conftest import Served

KEYWORDS = (
    b"250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
    b"250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n250-DSN\r\n"
)


def test_each_service_offers_what_it_can(
    smtp: Served, submission: Served, lmtp: Served
) -> None:
    """RFC 5321 section 4.1.1.1; no AUTH on port 25."""
    ours = b"250-mail.example.org\r\n" + KEYWORDS
    assert smtp.lines(b"EHLO x") == ours + b"250 STARTTLS\r\n"
    assert lmtp.lines(b"LHLO x") == ours + b"250 STARTTLS\r\n"
    assert submission.lines(b"EHLO x") == (
        ours + b"250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n"
    )


def test_no_login_is_offered_before_tls_to_strangers(submission: Served) -> None:
    """RFC 4954 section 4."""
    submission.connect("192.0.2.7")
    assert b"AUTH" not in submission.lines(b"EHLO x")


def test_helo_has_one_line(smtp: Served) -> None:
    assert smtp.lines(b"HELO x") == b"250 mail.example.org\r\n"


def test_lmtp_has_neither_helo_nor_ehlo(lmtp: Served) -> None:
    """RFC 2033 section 4.1."""
    assert lmtp.codes(b"HELO x", b"EHLO x") == [500, 500]


@pytest.mark.parametrize("line", [b"EHLO", b"HELO ", b"EHLO a b", b"EHLO \xff"])
def test_a_name_must_be_given(smtp: Served, line: bytes) -> None:
    smtp.connect()
    assert smtp.codes(line, b"MAIL FROM:<a@b>", b"EHLO x") == [501, 503, 250]


def test_hello_again_forgets_the_transaction(smtp: Served) -> None:
    """RFC 5321 section 4.1.4."""
    codes = smtp.codes(b"MAIL FROM:<a@b>", b"EHLO x", b"MAIL FROM:<a@b>")
    assert codes == [250, 250, 250]
