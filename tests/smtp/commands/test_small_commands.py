"""RSET, NOOP, HELP, VRFY, EXPN, QUIT, DATA: their arguments and replies."""

import pytest

from tests.smtp.conftest import Served


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"RSET", b"250 2.0.0"),
        (b"RSET x", b"501 5.5.4"),
        (b"NOOP", b"250 2.0.0"),
        (b"NOOP whatever", b"250 2.0.0"),
        (b"HELP", b"214 2.0.0 Commands: "),
        (b"HELP MAIL", b"214 2.0.0"),
        (b"VRFY alice", b"252 2.1.5"),
        (b"VRFY nobody", b"252 2.1.5"),
        (b"VRFY", b"501 5.5.4"),
        (b"EXPN list", b"502 5.5.1"),
        (b"QUIT now", b"501 5.5.4"),
        (b"QUIT", b"221 2.0.0"),
    ],
)
def test_replies(smtp: Served, line: bytes, answer: bytes) -> None:
    """RFC 5321 sections 4.1.1.5 to 4.1.1.10, and 7.3."""
    assert smtp.lines(line).startswith(answer)


def test_data_has_no_argument(smtp: Served) -> None:
    smtp.lines(b"MAIL FROM:<a@b>", b"RCPT TO:<alice>")
    assert smtp.codes(b"DATA now", b"DATA") == [501, 354]


def test_help_names_only_what_the_service_has(smtp: Served, lmtp: Served) -> None:
    assert b" LHLO" not in smtp.lines(b"HELP")
    assert b" EHLO" not in lmtp.lines(b"HELP")


def test_quit_is_the_last_word(smtp: Served) -> None:
    assert smtp.codes(b"QUIT", b"NOOP") == [221]
    assert smtp.closed
