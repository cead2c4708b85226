"""BDAT: chunks are counted, and swallowed whatever is wrong (RFC 3030)."""

import pytest

from maildrop.smtp.service import SMTPLimits
from tests.smtp.conftest import Served

BEGIN = (b"MAIL FROM:<a@b>", b"RCPT TO:<alice>")


def test_chunks_make_a_message(smtp: Served) -> None:
    """RFC 3030 section 4.2."""
    smtp.lines(*BEGIN)
    assert smtp.say(b"BDAT 12\r\nSubject: x\r\n") == b"250 2.0.0 OK\r\n"
    assert smtp.say(b"BDAT 9 LAST\r\n\r\n.\r\nyes\r").startswith(b"250 2.0.0 Stored")
    assert smtp.mail()[0].endswith(b"Subject: x\r\n\r\n.\r\nyes\r")


def test_an_empty_last_chunk_ends_a_message(smtp: Served) -> None:
    smtp.lines(*BEGIN)
    smtp.say(b"BDAT 12\r\nSubject: x\r\n")
    assert smtp.say(b"BDAT 0 LAST\r\n").startswith(b"250 2.0.0 Stored")
    assert len(smtp.mail()) == 1


@pytest.mark.parametrize("before", [(), (b"MAIL FROM:<a@b>",)])
def test_a_chunk_out_of_order_is_swallowed(
    smtp: Served, before: tuple[bytes, ...]
) -> None:
    smtp.lines(*before)
    assert smtp.codes(b"BDAT 6", b"RSET", b"NOOP") == [503, 250]


def test_after_a_chunk_only_chunks_or_rset_go_on(smtp: Served) -> None:
    """RFC 3030 section 2."""
    smtp.lines(*BEGIN)
    smtp.say(b"BDAT 1\r\nx")
    assert smtp.codes(b"DATA", b"RCPT TO:<bob>", b"MAIL FROM:<a@b>") == [503] * 3
    assert smtp.codes(b"RSET", b"BDAT 2 LAST", b"") == [250, 503]
    assert smtp.mail() == []


def test_a_chunk_over_the_limit_ends_the_transaction(smtp: Served) -> None:
    smtp.limit(SMTPLimits(message=10))
    smtp.connect()
    smtp.lines(b"EHLO x", *BEGIN)
    smtp.say(b"BDAT 6\r\nabcdef")
    assert smtp.say(b"BDAT 6\r\nabcdef").startswith(b"552 5.3.4")
    assert smtp.codes(b"BDAT 2 LAST", b"", b"NOOP") == [503, 250]
    assert smtp.mail() == []


@pytest.mark.parametrize("argument", [b"", b"x", b"-1", b"1 FIRST", b"9" * 30])
def test_a_size_that_cannot_be_read_closes_the_connection(
    smtp: Served, argument: bytes
) -> None:
    smtp.lines(*BEGIN)
    answer = smtp.lines(b"BDAT " + argument, b"RSET")
    assert answer.startswith(b"501 5.5.4")
    assert answer.count(b"\r\n") == 1
    assert smtp.closed


def test_lmtp_answers_the_last_chunk_for_each_recipient(lmtp: Served) -> None:
    """RFC 2033 section 4.2."""
    lmtp.lines(*BEGIN, b"RCPT TO:<bob>")
    assert lmtp.say(b"BDAT 3\r\n\r\nx") == b"250 2.0.0 OK\r\n"
    assert lmtp.say(b"BDAT 2 LAST\r\n\r\n").count(b"250 2.0.0 Stored") == 2
