"""RCPT: for whom mail is taken."""

import pytest
from hypothesis import given, strategies as st

from maildrop.smtp.service import Service, SMTPLimits
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


_LOCALS = st.sampled_from(
    [
        b"alice",
        b"x%far.example",
        b'"x@far.example"',
        b"far.example!x",
        b"postmaster",
        b"alice+x@far.example",
    ]
)
_DOMAINS = st.sampled_from(
    [
        b"example.org",
        b"far.example",
        b"example.org.far.example",
        b"[192.0.2.1]",
        b"EXAMPLE.ORG",
        b"",
    ]
) | st.from_regex(rb"[a-z0-9.\[\]-]{1,12}", fullmatch=True)
_ROUTES = st.sampled_from([b"", b"@example.org:", b"@far.example,@example.org:"])


@given(_ROUTES, _LOCALS, _DOMAINS, st.sampled_from([Service.SMTP, Service.LMTP]))
def test_nobody_sends_elsewhere_who_did_not_log_in(
    route: bytes, local: bytes, domain: bytes, service: Service
) -> None:
    """No open relay: of what is taken nothing leaves, whoever it is written to."""
    served = Served(service, "/nonexistent")
    served.connect()
    served.lines(b"LHLO x" if service is Service.LMTP else b"EHLO x")
    served.lines(b"MAIL FROM:<alice@example.org>")
    address = b"<" + route + local + b"@" * bool(domain) + domain + b">"
    if served.codes(b"RCPT TO:" + address) == [250]:
        served.lines(b"DATA")
        assert served.say(b"Subject: x\r\n\r\n.\r\n").startswith(b"250")
    assert served.outbox.entries == []


@given(_LOCALS, _DOMAINS)
def test_submission_takes_nothing_before_a_login(local: bytes, domain: bytes) -> None:
    served = Served(Service.SUBMISSION, "/nonexistent")
    served.connect("127.0.0.1")
    served.lines(b"EHLO x")
    assert served.codes(b"MAIL FROM:<alice@example.org>") == [530]
    assert served.codes(b"RCPT TO:<" + local + b"@" + domain + b">") == [503]
