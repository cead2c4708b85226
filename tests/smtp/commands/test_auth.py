"""AUTH on submission (RFC 4954)."""

import base64

import pytest

from maildrop.errors import AccountDisabled, TemporaryError
from maildrop.mailbox.account import Account
from tests.smtp.conftest import Judge, Served

GOOD = base64.b64encode(b"\0alice\0secret")
BAD = base64.b64encode(b"\0alice\0wrong")


def test_plain_with_initial_response(submission: Served) -> None:
    assert submission.lines(b"AUTH PLAIN " + GOOD) == b"235 2.7.0 Logged in\r\n"
    assert [live.user for live in submission.site.sessions] == ["alice"]


def test_plain_in_two_steps(submission: Served) -> None:
    assert submission.lines(b"auth plain") == b"334 \r\n"
    assert submission.codes(GOOD) == [235]


def test_login_asks_for_name_and_password(submission: Served) -> None:
    assert submission.lines(b"AUTH LOGIN") == b"334 VXNlcm5hbWU6\r\n"
    assert submission.lines(base64.b64encode(b"alice")) == b"334 UGFzc3dvcmQ6\r\n"
    assert submission.codes(base64.b64encode(b"secret")) == [235]


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        ([b"AUTH"], b"501 5.5.4"),
        ([b"AUTH CRAM-MD5"], b"504 5.5.4"),
        ([b"AUTH PLAIN !"], b"501 5.5.4"),
        ([b"AUTH PLAIN " + BAD], b"535 5.7.8"),
        ([b"AUTH PLAIN", b"*"], b"501 5.7.0"),
        ([b"AUTH PLAIN", b"a" * 13000], b"500 5.5.2"),
        ([b"AUTH PLAIN", b"a\nb"], b"500 5.5.2"),
    ],
)
def test_what_goes_wrong_leaves_the_connection_usable(
    submission: Served, lines: list[bytes], answer: bytes
) -> None:
    """RFC 4954 sections 4 and 6."""
    assert submission.lines(*lines).splitlines()[-1].startswith(answer)
    assert submission.codes(b"MAIL FROM:<alice>") == [530]
    assert submission.codes(b"AUTH PLAIN " + GOOD) == [235]


def test_one_login_is_enough(submission: Served) -> None:
    """RFC 4954 section 4."""
    login = b"AUTH PLAIN " + GOOD
    assert submission.codes(login, login, b"MAIL FROM:<alice>", login) == [
        *(235, 503),
        *(250, 503),
    ]


def test_no_password_before_tls(submission: Served) -> None:
    """RFC 4954 section 4."""
    submission.connect("192.0.2.7")
    submission.lines(b"EHLO x")
    assert submission.lines(b"AUTH PLAIN " + GOOD).startswith(b"538 5.7.11")
    submission.lines(b"STARTTLS")
    assert submission.codes(b"EHLO x", b"AUTH PLAIN " + GOOD) == [250, 235]


def test_no_login_on_smtp_and_lmtp(smtp: Served, lmtp: Served) -> None:
    assert smtp.codes(b"AUTH PLAIN " + GOOD) == [500]
    assert lmtp.codes(b"AUTH PLAIN " + GOOD) == [500]


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (TemporaryError("busy"), b"454 4.7.0"),
        (AccountDisabled("not today"), b"525 5.7.13"),
    ],
)
def test_logins_that_cannot_be_had_now(
    submission: Served,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    answer: bytes,
) -> None:
    async def conclude(*arguments: object, **keywords: object) -> Account:
        raise error

    monkeypatch.setattr(Judge, "conclude", conclude)
    assert submission.lines(b"AUTH PLAIN " + GOOD).startswith(answer)


def test_after_many_wrong_passwords_the_connection_is_closed(
    submission: Served,
) -> None:
    answers = submission.codes(*[b"AUTH PLAIN " + BAD] * 21)
    assert answers == [535] * 20 + [421]


CONVERSATION = (
    b"EHLO x\r\nAUTH PLAIN\r\n*\r\nAUTH LOGIN\r\nYWxpY2U=\r\nd3Jvbmc=\r\n"
    b"AUTH LOGIN YWxpY2U=\r\nc2VjcmV0\r\nMAIL FROM:<bob@example.org>\r\nQUIT\r\n"
)


@pytest.mark.parametrize("cut", range(len(CONVERSATION)))
def test_cut_anywhere_the_replies_are_the_same(submission: Served, cut: int) -> None:
    submission.connect("127.0.0.1")
    answer = submission.say(CONVERSATION[:cut]) + submission.say(CONVERSATION[cut:])
    codes = [int(line[:3]) for line in answer.splitlines() if line[3:4] == b" "]
    assert codes == [250, 334, 501, 334, 334, 535, 334, 235, 553, 221]
