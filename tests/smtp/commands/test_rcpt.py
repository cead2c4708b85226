"""RCPT: for whom mail is taken."""

import pytest

from maildrop.smtp.service import SMTPLimits
from tests.smtp.conftest import Served

LOGIN = b"AUTH PLAIN AGFsaWNlAHNlY3JldA=="  # alice, secret


@pytest.mark.parametrize(
    ("argument", "answer"),
    [
        (b"TO:<alice@example.org>", b"250 2.1.5"),
        (b"TO:<ALICE@EXAMPLE.ORG>", b"250 2.1.5"),
        (b"TO:<alice+detail@example.org>", b"250 2.1.5"),
        (b"TO:<@relay.example:alice@example.org>", b"250 2.1.5"),
        (b"TO: alice@mail.example.org", b"250 2.1.5"),
        (b"TO:<alice>", b"250 2.1.5"),
        (b"TO:<nobody@example.org>", b"550 5.1.1"),
        (b"TO:<Postmaster>", b"550 5.1.1"),
        (b"TO:<alice@elsewhere.example>", b"550 5.7.1"),
        (b"TO:<@example.org:alice@elsewhere.example>", b"550 5.7.1"),
        (b'TO:<"alice@elsewhere.example"@example.org>', b"550 5.1.1"),
        (b"TO:<alice%elsewhere.example@example.org>", b"550 5.1.1"),
        (b"TO:<elsewhere.example!alice@example.org>", b"550 5.1.1"),
        (b"TO:<alice@[192.0.2.1]>", b"550 5.7.1"),
        (b"TO:<>", b"501 5.1.3"),
        (b"<alice>", b"501 5.1.3"),
        (b"TO:<alice> NOTIFY=NEVER ORCPT=rfc822;a@b", b"250 2.1.5"),
        (b"TO:<alice> NOTIFY=NEVER,SUCCESS", b"501 5.5.4"),
        (b"TO:<alice> ORCPT=a@b", b"501 5.5.4"),
        (b"TO:<alice> SIZE=1", b"555 5.5.4"),
        ("TO:<älice@example.org>".encode(), b"553 5.6.7"),
    ],
)
def test_who_is_taken(smtp: Served, argument: bytes, answer: bytes) -> None:
    """RFC 5321 section 3.6.2: nothing is relayed."""
    smtp.lines(b"MAIL FROM:<a@b>")
    assert smtp.lines(b"RCPT " + argument).startswith(answer)


def test_who_logged_in_may_send_elsewhere(submission: Served) -> None:
    """RFC 6409 section 3.1."""
    submission.lines(LOGIN, b"MAIL FROM:<alice@example.org>")
    assert submission.codes(b"RCPT TO:<x@elsewhere.example>") == [250]
    assert submission.codes(b"RCPT TO:<bob@example.org>") == [250]


@pytest.mark.parametrize("name", ["smtp", "lmtp"])
def test_nobody_else_may(request: pytest.FixtureRequest, name: str) -> None:
    """No open relay."""
    served: Served = request.getfixturevalue(name)
    served.lines(b"MAIL FROM:<alice@example.org>")
    assert served.codes(b"RCPT TO:<x@elsewhere.example>") == [550]


def test_too_many_recipients_are_sent_later(smtp: Served) -> None:
    """RFC 5321 section 4.5.3.1.10."""
    smtp.limit(SMTPLimits(recipients=2))
    smtp.connect()
    smtp.lines(b"EHLO x", b"MAIL FROM:<a@b>")
    assert smtp.codes(*[b"RCPT TO:<alice>"] * 3) == [250, 250, 452]


def test_users_that_cannot_be_read_are_a_temporary_error(smtp: Served) -> None:
    smtp.people.broken = True
    smtp.lines(b"MAIL FROM:<a@b>")
    assert smtp.lines(b"RCPT TO:<alice>").startswith(b"451 4.3.0")
