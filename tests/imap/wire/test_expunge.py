"""EXPUNGE: RFC 3501 section 7.4.1."""

from maildrop.imap.wire import expunge


def test_the_number_is_told() -> None:
    assert expunge.response(44) == b"* 44 EXPUNGE\r\n"
