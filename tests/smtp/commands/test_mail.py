"""MAIL: who may send what."""

import pytest

from tests.smtp.conftest import Served

LOGIN = b"AUTH PLAIN AGFsaWNlAHNlY3JldA=="  # alice, secret


@pytest.mark.parametrize(
    ("argument", "answer"),
    [
        (b"FROM:<a@b> SIZE=52428800", b"250 2.0.0"),
        (b"FROM:<a@b> SIZE=52428801", b"552 5.3.4"),
        (b"FROM:<a@b> BODY=8BITMIME SMTPUTF8", b"250 2.0.0"),
        (b"FROM:<a@b> FUTURE=1", b"555 5.5.4"),
        (b"FROM:<a@b> RET=FULL ENVID=x", b"250 2.0.0"),
        (b"FROM:<a@b> RET=ALL", b"501 5.5.4"),
        (b"FROM:<a@b> ENVID=+0A", b"501 5.5.4"),
        (b"<a@b>", b"501 5.1.7"),
        (b"", b"501 5.1.7"),
        ("FROM:<ä@b>".encode(), b"553 5.6.7"),
        ("FROM:<ä@b> SMTPUTF8".encode(), b"250 2.0.0"),
    ],
)
def test_arguments(smtp: Served, argument: bytes, answer: bytes) -> None:
    assert smtp.lines(b"MAIL " + argument).startswith(answer)


def test_submission_wants_a_login(submission: Served) -> None:
    """RFC 6409 section 4.3, RFC 4954 section 6."""
    assert submission.lines(b"MAIL FROM:<alice@example.org>").startswith(b"530 5.7.0")
    assert submission.codes(LOGIN, b"MAIL FROM:<alice@example.org>") == [235, 250]


@pytest.mark.parametrize(
    ("sender", "code"),
    [
        (b"<alice@example.org>", 250),
        (b"<Alice+lists@Example.org>", 250),
        (b"<alice@mail.example.org>", 250),
        (b"alice", 250),
        (b"<>", 250),
        (b"<bob@example.org>", 553),
        (b"<nobody@example.org>", 553),
        (b"<alice@elsewhere.example>", 553),
    ],
)
def test_a_sender_address_must_be_the_logins_own(
    submission: Served, sender: bytes, code: int
) -> None:
    """RFC 6409 section 6.1."""
    assert submission.codes(LOGIN, b"MAIL FROM:" + sender) == [235, code]


def test_users_that_cannot_be_read_are_a_temporary_error(submission: Served) -> None:
    submission.lines(LOGIN)
    submission.people.broken = True
    answer = submission.lines(b"MAIL FROM:<alice@example.org>")
    assert answer.startswith(b"451 4.3.0")
