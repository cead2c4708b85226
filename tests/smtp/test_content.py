"""Taking a message: limits, disk full, a reply for each recipient, filters."""

from pathlib import Path

import pytest

from maildrop import durable
from maildrop.delivery.filters import Action, Client, Examination, Verdict
from maildrop.durable import Content
from maildrop.errors import NoSpace
from maildrop.queue.entry import Options
from maildrop.smtp.service import SMTPLimits
from maildrop.smtp.wire import path
from maildrop.storage.memory.mailbox import MemoryMailbox
from tests.smtp.conftest import Served

BEGIN = (b"MAIL FROM:<a@b>", b"RCPT TO:<alice>", b"RCPT TO:<bob>", b"DATA")
MESSAGE = b"Subject: x\r\n\r\nhello\r\n"
END = MESSAGE + b".\r\n"
LOGIN = b"AUTH PLAIN AGFsaWNlAHNlY3JldA=="  # alice, secret


def test_smtp_answers_once_and_lmtp_for_each_recipient(
    smtp: Served, lmtp: Served
) -> None:
    """RFC 2033 section 4.2."""
    smtp.lines(*BEGIN)
    assert smtp.say(END).count(b"250 2.0.0 Stored") == 1
    lmtp.lines(*BEGIN)
    assert lmtp.say(END).count(b"250 2.0.0 Stored") == 2
    for served in (smtp, lmtp):
        assert len(served.mail("alice")) == len(served.mail("bob")) == 1


def test_a_message_over_the_limit_is_swallowed_and_refused(
    smtp: Served, lmtp: Served
) -> None:
    """RFC 5321 section 4.5.3.1.7, RFC 3463 section 3.4."""
    for served, replies in ((smtp, 1), (lmtp, 2)):
        served.limit(SMTPLimits(message=len(MESSAGE) - 1))
        served.connect()
        served.lines(b"EHLO x", b"LHLO x", *BEGIN)
        assert served.say(MESSAGE * 3) == b""
        assert served.say(END).count(b"552 5.3.4") == replies
        assert served.mail() == []
        assert served.codes(b"MAIL FROM:<a@b>") == [250]


def test_a_full_disk_leaves_nothing_and_the_connection_goes_on(
    smtp: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 3463 section 3.4."""

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "_write_all", full)
    smtp.lines(*BEGIN)
    assert smtp.say(b"x" * 70 + b"\r\n") == b""
    assert smtp.say((b"x" * 70 + b"\r\n") * 5000) == b""
    assert smtp.say(b".\r\n").startswith(b"452 4.3.1")
    assert list(Path(smtp.site.scratch).iterdir()) == []
    monkeypatch.undo()
    assert smtp.mail() == []
    smtp.lines(*BEGIN)
    assert smtp.say(END).startswith(b"250 ")


def test_a_large_message_goes_through_a_nameless_file(smtp: Served) -> None:
    smtp.lines(*BEGIN)
    large = MESSAGE + (b"x" * 70 + b"\r\n") * 10_000
    assert smtp.say(large + b".\r\n").startswith(b"250 ")
    assert smtp.mail("bob")[0].endswith(large)
    assert list(Path(smtp.site.scratch).iterdir()) == []


def refuse_bob(self: MemoryMailbox, messages: object) -> object:
    raise NoSpace("no room")


def test_what_fails_for_one_waits_in_the_queue(
    smtp: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 5321 section 4.2.5: one reply, neither loss nor duplicates."""
    smtp.lines(*BEGIN)
    bob = smtp.stores(smtp.people.users["bob"].account).open("INBOX")
    monkeypatch.setattr(bob, "stage", refuse_bob.__get__(bob))
    assert smtp.say(END).startswith(b"250 2.0.0")
    assert len(smtp.mail("alice")) == 1
    assert smtp.mail("bob") == []
    (waiting,) = smtp.outbox.entries[0].waiting()
    assert waiting.address == "bob@example.org"


def test_what_fails_for_all_stays_with_the_client(
    smtp: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    smtp.lines(b"MAIL FROM:<a@b>", b"RCPT TO:<bob>", b"DATA")
    bob = smtp.stores(smtp.people.users["bob"].account).open("INBOX")
    monkeypatch.setattr(bob, "stage", refuse_bob.__get__(bob))
    assert smtp.say(END).startswith(b"452 4.3.1")
    assert smtp.outbox.entries == []


def test_mail_for_others_is_queued_with_what_the_sender_asked_for(
    submission: Served,
) -> None:
    """RFC 3461 sections 4.1 to 4.4."""
    submission.lines(
        LOGIN,
        b"MAIL FROM:<alice@example.org> RET=HDRS ENVID=q+2B1 SMTPUTF8",
        b"RCPT TO:<far@far.example> NOTIFY=DELAY,FAILURE ORCPT=rfc822;x+2By@z",
        b"RCPT TO:<near@far.example> NOTIFY=NEVER ORCPT=utf-8;j\\x{FC}@z",
        b"DATA",
    )
    assert submission.say(END).startswith(b"250 2.0.0")
    (entry,) = submission.outbox.entries
    assert entry.sender == "alice@example.org"
    assert entry.options == Options(smtputf8=True, ret="HDRS", envelope_id="q+1")
    far, near = entry.recipients
    assert (far.notify, far.original) == (("DELAY", "FAILURE"), "rfc822;x+y@z")
    assert (near.notify, near.original) == (("NEVER",), "utf-8;j\xfc@z")
    assert b" with UTF8SMTPA id " in submission.outbox.messages[0]


def test_a_queue_that_cannot_be_written_is_a_temporary_error(
    submission: Served,
) -> None:
    submission.outbox.error = NoSpace("full")
    submission.lines(
        LOGIN, b"MAIL FROM:<alice@example.org>", b"RCPT TO:<a@far.example>", b"DATA"
    )
    assert submission.say(END).startswith(b"452 4.3.1")


def test_lmtp_stores_for_each_alone(
    lmtp: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 2033 section 4.2."""
    lmtp.lines(*BEGIN)
    bob = lmtp.stores(lmtp.people.users["bob"].account).open("INBOX")
    monkeypatch.setattr(bob, "stage", refuse_bob.__get__(bob))
    assert [line[:3] for line in lmtp.say(END).splitlines()] == [b"250", b"452"]
    assert len(lmtp.mail("alice")) == 1
    assert lmtp.mail("bob") == []


def test_a_bug_of_a_filter_is_answered_for_each_recipient(lmtp: Served) -> None:
    """RFC 2033 section 4.2: the replies stay in step."""

    class Broken(Opinion):
        async def content(self, trace_id: str, content: Content) -> Verdict:
            raise ZeroDivisionError

    lmtp.filters(Broken("", NO))
    lmtp.connect()
    lmtp.lines(b"LHLO x", *BEGIN)
    assert lmtp.say(END).count(b"451 4.3.0") == 2
    assert lmtp.codes(b"MAIL FROM:<a@b>") == [250]


def test_a_loop_is_refused(smtp: Served) -> None:
    """RFC 5321 section 6.3."""
    smtp.lines(b"MAIL FROM:<a@b>", b"RCPT TO:<bob>", b"DATA")
    answer = smtp.say(b"Delivered-To: bob@example.org\r\n" + END)
    assert answer.startswith(b"554 5.4.6")
    assert smtp.mail("bob") == []


def test_submission_adds_what_is_missing(submission: Served) -> None:
    """RFC 6409 sections 8.2 and 8.3."""
    submission.lines(LOGIN, b"MAIL FROM:<alice@example.org>", *BEGIN[1:])
    submission.say(END)
    head = submission.mail()[0].partition(b"\r\n\r\n")[0]
    assert b"\r\nDate: Mon, 21 Sep 2026 14:13:20 +0000\r\nMessage-ID: <" in head
    assert b" with ESMTPA id " in head


def test_submission_adds_nothing_that_is_there(submission: Served) -> None:
    submission.lines(LOGIN, b"MAIL FROM:<alice@example.org>", *BEGIN[1:])
    submission.say(b"date: yesterday\r\nMESSAGE-id: <x@y>\r\n" + END)
    assert submission.mail()[0].lower().count(b"\r\ndate:") == 1
    assert submission.mail()[0].lower().count(b"message-id:") == 1


def test_smtp_adds_neither_date_nor_message_id(smtp: Served) -> None:
    smtp.lines(*BEGIN)
    smtp.say(END)
    assert b"\r\nDate:" not in smtp.mail()[0]


class Opinion:
    """A filter with one verdict, that notes what it is asked."""

    def __init__(self, at: str, verdict: Verdict) -> None:
        self.at = at
        self.verdict = verdict
        self.asked: list[str] = []

    def begin(self, client: Client) -> Examination:
        self.asked.append(client.service)
        return self

    def _say(self, at: str) -> Verdict:
        self.asked.append(at)
        return self.verdict if at == self.at else Verdict()

    async def connected(self) -> Verdict:
        return self._say("connected")

    async def hello(self, name: str) -> Verdict:
        assert name == "x"
        return self._say("hello")

    async def sender(self, path: path.Path | None) -> Verdict:
        return self._say("sender")

    async def recipient(self, path: path.Path) -> Verdict:
        return self._say("recipient")

    async def content(self, trace_id: str, content: Content) -> Verdict:
        assert content.octets() == MESSAGE
        return self._say("content")

    def abort(self) -> None:
        self.asked.append("abort")

    def close(self) -> None:
        self.asked.append("close")


NO = Verdict(Action.REFUSE, 550, "5.7.1", "No")


@pytest.mark.parametrize(
    ("at", "codes"),
    [
        ("connected", [550]),
        ("hello", [550, 503, 503, 503, 503]),
        ("sender", [250, 550, 503, 503, 503]),
        ("recipient", [250, 250, 550, 550, 503]),
        ("content", [250, 250, 250, 250, 354, 550]),
        ("never", [250, 250, 250, 250, 354, 250]),
    ],
)
def test_a_filter_can_refuse_at_every_step(
    smtp: Served, at: str, codes: list[int]
) -> None:
    smtp.filters(Opinion(at, NO))
    smtp.connect()
    answer = smtp.codes(b"EHLO x", *BEGIN)
    if answer[-1] == 354:
        answer += smtp.codes(END[:-2])
    assert answer == codes
    assert len(smtp.mail()) == (at == "never")


def test_a_filter_is_told_of_every_step_and_of_the_end(smtp: Served) -> None:
    opinion = Opinion("", NO)
    smtp.filters(opinion)
    smtp.connect()
    smtp.lines(b"EHLO x", *BEGIN)
    smtp.say(END)
    smtp.lines(b"MAIL FROM:<>", b"RSET")
    smtp.lose()
    assert opinion.asked == [
        *("smtp", "connected", "hello", "sender", "recipient", "recipient"),
        *("content", "sender", "abort", "close"),
    ]


def test_a_filter_can_discard_a_message(smtp: Served) -> None:
    smtp.filters(Opinion("content", Verdict(Action.DISCARD)))
    smtp.connect()
    smtp.lines(b"EHLO x", *BEGIN)
    assert smtp.say(END).startswith(b"250 2.0.0")
    assert smtp.mail() == []


def test_a_filter_can_add_header_fields(smtp: Served) -> None:
    smtp.filters(Opinion("content", Verdict(fields=(("X-Spam", "no"),))))
    smtp.connect()
    smtp.lines(b"EHLO x", *BEGIN)
    smtp.say(END)
    assert b"\r\nX-Spam: no\r\nSubject: x\r\n" in smtp.mail()[0]


def test_a_filter_can_close_the_connection(smtp: Served) -> None:
    smtp.filters(Opinion("sender", Verdict(Action.REFUSE, 421, "4.7.0", "Go")))
    smtp.connect()
    assert smtp.codes(b"EHLO x", *BEGIN) == [250, 421]
    assert smtp.closed
