"""Full mailboxes: refused as early as that is known."""

import dataclasses

import pytest

from maildrop.mailbox.quota import Quota
from tests.smtp.conftest import Served

BODY = (b"Subject: x", b"", b"y" * 70, b".")


def limit(served: Served, user: str, quota: Quota) -> None:
    found = served.people.users[user]
    account = dataclasses.replace(found.account, quota=quota)
    served.people.users[user] = dataclasses.replace(found, account=account)


def send(served: Served, *recipients: bytes) -> list[int]:
    served.lines(b"MAIL FROM:<a@b>")
    for recipient in recipients:
        served.lines(b"RCPT TO:<" + recipient + b">")
    served.lines(b"DATA")
    return served.codes(*BODY)


def test_a_message_that_is_announced_too_large_is_refused_at_rcpt(
    smtp: Served,
) -> None:
    """RFC 1870 section 6.1: SIZE tells it early."""
    limit(smtp, "alice", Quota(octets=5000))
    smtp.lines(b"MAIL FROM:<a@b> SIZE=6000")
    assert smtp.lines(b"RCPT TO:<alice>").startswith(b"552 5.2.2")
    assert smtp.lines(b"RCPT TO:<bob>").startswith(b"250")


def test_nobody_who_is_full_is_taken(smtp: Served) -> None:
    limit(smtp, "alice", Quota(messages=1))
    assert send(smtp, b"alice") == [250]
    smtp.lines(b"MAIL FROM:<a@b>")
    assert smtp.lines(b"RCPT TO:<alice>").startswith(b"552 5.2.2")
    assert len(smtp.mail("alice")) == 1


def test_what_was_not_announced_is_refused_after_the_message(smtp: Served) -> None:
    limit(smtp, "alice", Quota(octets=100))
    assert send(smtp, b"alice") == [552]
    assert smtp.mail("alice") == []


def test_lmtp_refuses_for_the_full_one_alone(lmtp: Served) -> None:
    """RFC 2033 section 4.2."""
    limit(lmtp, "alice", Quota(octets=100))
    assert send(lmtp, b"alice", b"bob") == [552, 250]
    assert lmtp.mail("alice") == []
    assert len(lmtp.mail("bob")) == 1


@pytest.mark.parametrize("size", [b"", b" SIZE=6000"])
def test_mail_for_a_full_mailbox_is_tried_again_where_that_is_wanted(
    lmtp: Served, size: bytes
) -> None:
    lmtp.site = dataclasses.replace(lmtp.site, defer_full=True)
    lmtp.connect()
    lmtp.lines(b"LHLO client.example")
    limit(lmtp, "alice", Quota(octets=100))
    answer = lmtp.lines(b"MAIL FROM:<a@b>" + size, b"RCPT TO:<alice>")
    if not size:
        lmtp.lines(b"DATA")
        answer = lmtp.lines(*BODY)
    assert b"452 4.2.2" in answer


def test_the_last_message_may_use_the_grace(smtp: Served) -> None:
    limit(smtp, "alice", Quota(octets=100, grace=10_000))
    assert send(smtp, b"alice") == [250]
    smtp.lines(b"MAIL FROM:<a@b>")
    assert smtp.lines(b"RCPT TO:<alice>").startswith(b"552 5.2.2")


def test_another_quota_counts_from_the_next_message_on(smtp: Served) -> None:
    limit(smtp, "alice", Quota(messages=1))
    assert send(smtp, b"alice") == [250]
    limit(smtp, "alice", Quota(messages=2))
    assert send(smtp, b"alice") == [250]
