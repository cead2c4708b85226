"""The agent: each message exactly once, for all or for each."""

from collections.abc import Callable, Coroutine, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.logger import LogLevel, capturedLogs

from maildrop.decisions.recorder import Notebook
from maildrop.decisions.trace import TraceIds
from maildrop.delivery.actions import INBOX, Recipient, ToMailbox
from maildrop.delivery.agent import Agent, Envelope, header_of
from maildrop.delivery.outcome import Outcome
from maildrop.delivery.received import Trace
from maildrop.durable import Content
from maildrop.errors import (
    MailboxVanished,
    MailLoop,
    NoSpace,
    OverQuota,
    TemporaryError,
)
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Post
from maildrop.metrics import Counters
from maildrop.queue.entry import Kind
from maildrop.smtp.wire.path import Path
from maildrop.storage.memory.mailbox import MemoryMailbox
from maildrop.storage.memory.store import MemoryStores
from tests.delivery.outboxes import PLACING, Kept

T = TypeVar("T")
TRACE = Trace("0123456789ABC", "x", "192.0.2.7", "ESMTP", "", "mail.example.org", 0.0)
ENVELOPE = Envelope(Path("sender", "example.net"), TRACE)
MESSAGE = b"Subject: x\r\n\r\nhello\r\n"
ACCOUNTS = {
    name: Account(name, f"/home/{name}", "memory:")
    for name in ("alice", "bob", "carol")
}


class Watches:
    """Nothing changes by other hands."""

    def watch(
        self, paths: Sequence[str], changed: Callable[[], None]
    ) -> Callable[[], None]:
        del paths, changed
        return lambda: None


def at_once(job: Callable[[], T]) -> Deferred[T]:
    return succeed(job())


class Office:
    """An agent and what it delivers to."""

    def __init__(self) -> None:
        self.stores = MemoryStores(lambda: 1000.0)
        self.post = Post(self.stores, at_once, lambda _: nullcontext(), Watches())
        self.counters = Counters()
        self.outbox = Kept()
        self.notebook = Notebook(TraceIds(lambda: 0.0, bytes), lambda: 0.0)
        self.agent = Agent(
            self.post,
            self.outbox,
            PLACING,
            counters=self.counters,
            recorder=self.notebook,
        )

    def inbox(self, user: str, folder: str = INBOX) -> MemoryMailbox:
        return self.stores(ACCOUNTS[user]).open(folder)

    def mail(self, user: str, folder: str = INBOX) -> list[bytes]:
        mailbox = self.inbox(user, folder)
        return [mailbox.read(uid) for uid in mailbox.table.uids]

    def deliver(
        self, *recipients: Recipient, octets: bytes = MESSAGE, together: bool = True
    ) -> list[Outcome]:
        work = self.agent.deliver(
            ENVELOPE, Content.of(octets), recipients, together=together
        )
        return now(work)


def now(work: Coroutine[Any, Any, T]) -> T:
    done: list[T] = []
    Deferred.fromCoroutine(work).addCallback(done.append)
    return done[0]


def to(user: str, folder: str = INBOX, *, name: str = "") -> Recipient:
    path = Path(name or user, "example.org")
    return Recipient(path, (ToMailbox(ACCOUNTS[user], folder),))


@pytest.fixture
def office() -> Office:
    return Office()


def failing(
    monkeypatch: pytest.MonkeyPatch,
    mailbox: MemoryMailbox,
    name: str,
    error: Exception,
    *,
    times: int = 1000,
) -> None:
    """Have a call of a store fail, the first so many times."""
    real = getattr(mailbox, name)
    left = [times]

    def call(*arguments: object, **named: object) -> object:
        left[0] -= 1
        if left[0] >= 0:
            raise error
        return real(*arguments, **named)

    monkeypatch.setattr(mailbox, name, call)


def test_a_copy_has_its_trace_and_then_the_octets_as_they_came(office: Office) -> None:
    """RFC 5321 section 4.4."""
    outcomes = office.deliver(to("alice"))
    assert outcomes == [Outcome(None, INBOX, 1)]
    assert office.mail("alice") == [
        b"Return-Path: <sender@example.net>\r\n"
        b"Delivered-To: alice@example.org\r\n"
        b"Received: from x ([192.0.2.7])\r\n"
        b"\tby mail.example.org with ESMTP id 0123456789ABC\r\n"
        b"\tfor <alice@example.org>;\r\n"
        b"\tThu, 1 Jan 1970 00:00:00 +0000\r\n" + MESSAGE
    ]


def test_deliveries_are_counted(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.deliver(to("alice"), to("bob"))
    failing(monkeypatch, office.inbox("bob"), "publish", NoSpace("full"))
    office.deliver(to("bob"))
    counts = {"messages_delivered": 2, "messages_not_delivered": 1}
    assert office.counters.counts() == counts


@pytest.mark.parametrize(
    ("octets", "between"),
    [(b"hello\r\n", b"\r\n\r\n"), (b"\r\nhello\r\n", b"\r\n"), (b"", b"\r\n")],
)
def test_a_body_without_a_header_stays_a_body(
    office: Office, octets: bytes, between: bytes
) -> None:
    office.deliver(to("alice"), octets=octets)
    assert office.mail("alice")[0].endswith(b"+0000" + between + octets)


@pytest.mark.parametrize("together", [True, False])
def test_every_recipient_gets_a_copy_that_names_nobody_else(
    office: Office, together: bool
) -> None:
    office.deliver(to("alice"), to("bob"), together=together)
    (copy,) = office.mail("bob")
    assert b"Delivered-To: bob@example.org\r\n" in copy
    assert b"alice" not in copy


@pytest.mark.parametrize("together", [True, False])
def test_recipients_that_share_a_mailbox_get_one_copy(
    office: Office, together: bool
) -> None:
    outcomes = office.deliver(
        to("alice"), to("alice", name="postmaster"), to("bob"), together=together
    )
    assert len(office.mail("alice")) == 1
    assert outcomes == [Outcome(None, INBOX, 1)] * 3


def test_a_recipient_with_several_targets_is_stored_in_all(office: Office) -> None:
    both = (*to("alice").mailboxes, *to("bob").mailboxes)
    office.deliver(Recipient(Path("team", "example.org"), both), together=False)
    assert len(office.mail("alice")) == len(office.mail("bob")) == 1


@pytest.mark.parametrize(
    ("wish", "folder"),
    [
        ("Lists", "Lists"),
        ("lists", "Lists"),
        ("LISTS/Python", "Lists/python"),
        ("inbox", "INBOX"),
        ("Nowhere", "INBOX"),
        ("level", "INBOX"),
        ("../bob", "INBOX"),
        ("/etc/passwd", "INBOX"),
        ("a\0b", "INBOX"),
    ],
)
def test_a_detail_names_a_folder_that_exists(
    office: Office, wish: str, folder: str
) -> None:
    store = office.stores(ACCOUNTS["alice"])
    for name in ("Lists", "Lists/python", "level/below"):
        store.create(name)
    assert office.deliver(to("alice", wish)) == [Outcome(None, folder, 1)]
    assert len(office.mail("alice", folder)) == 1


def test_mail_that_was_delivered_to_the_address_before_is_a_loop(
    office: Office,
) -> None:
    """RFC 5321 section 6.3."""
    octets = b"Delivered-To: ALICE@example.org\r\n" + MESSAGE
    alice, bob = office.deliver(to("alice"), to("bob"), octets=octets, together=False)
    assert isinstance(alice.error, MailLoop)
    assert bob.error is None
    assert office.mail("alice") == []


def test_a_loop_for_one_is_reported_where_one_reply_is_given(office: Office) -> None:
    octets = b"Delivered-To: alice@example.org\r\n" + MESSAGE
    outcomes = office.deliver(to("alice"), to("bob"), octets=octets)
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert len(office.mail("bob")) == 1
    (entry,) = office.outbox.entries
    (loop,) = entry.recipients
    assert (loop.address, loop.kind) == ("alice@example.org", Kind.FAILED)
    assert loop.status is not None
    assert loop.status.code == "5.4.6"


def test_mail_that_travelled_too_far_is_a_loop(office: Office) -> None:
    """RFC 5321 section 6.3: a hundred hops are allowed."""
    (fine,) = office.deliver(to("alice"), octets=b"Received: x\r\n" * 100 + MESSAGE)
    assert fine.error is None
    (loop,) = office.deliver(to("alice"), octets=b"Received: x\r\n" * 101 + MESSAGE)
    assert isinstance(loop.error, MailLoop)


def test_trace_fields_in_the_body_mean_nothing(office: Office) -> None:
    octets = MESSAGE + b"Received: x\r\n" * 200 + b"Delivered-To: alice@example.org\r\n"
    assert office.deliver(to("alice"), octets=octets)[0].error is None


def test_each_alone_one_failure_is_nobody_elses(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, office.inbox("bob"), "publish", NoSpace("full"))
    outcomes = office.deliver(to("alice"), to("bob"), to("carol"), together=False)
    assert [type(outcome.error) for outcome in outcomes] == [
        type(None),
        NoSpace,
        type(None),
    ]
    assert office.mail("bob") == []
    assert len(office.mail("carol")) == 1


@pytest.mark.parametrize("together", [True, False])
def test_a_mailbox_that_was_renumbered_meanwhile_is_opened_again(
    office: Office, monkeypatch: pytest.MonkeyPatch, together: bool
) -> None:
    failing(
        monkeypatch, office.inbox("bob"), "publish", MailboxVanished("gone"), times=1
    )
    outcomes = office.deliver(to("alice"), to("bob"), together=together)
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert len(office.mail("alice")) == len(office.mail("bob")) == 1


def test_a_bug_of_a_store_is_logged_and_temporary(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, office.inbox("alice"), "stage", ZeroDivisionError())
    with capturedLogs() as events:
        (outcome,) = office.deliver(to("alice"))
    assert isinstance(outcome.error, TemporaryError)
    assert LogLevel.critical in [event["log_level"] for event in events]


def test_one_line_is_logged_for_each_recipient(office: Office) -> None:
    with capturedLogs() as events:
        office.deliver(to("alice"), to("bob"))
    logged = [(event["id"], event["user"], event["uid"]) for event in events]
    assert logged == [(TRACE.id, "alice", 1), (TRACE.id, "bob", 1)]


def test_mailboxes_are_left_when_the_message_is_stored(office: Office) -> None:
    office.deliver(to("alice"), to("bob"))
    office.post.keep = 0
    office.deliver(to("carol"))
    assert not office.post._unused


def test_a_header_is_searched_up_to_a_limit() -> None:
    assert header_of(b"a: b\r\n\r\nbody", 100) == b"a: b"
    assert header_of(b"a: b\nc: d\n\nbody\n\n", 100) == b"a: b\nc: d"
    assert header_of(b"\r\nbody\r\n\r\n", 100) == b""
    assert header_of(b"\nbody\n\n", 100) == b""
    assert header_of(b"a: b\n\r\nbody", 100) == b"a: b"
    assert header_of(b"a: b\r\r\n\r\nbody", 100) == b"a: b\r"
    assert header_of(b"no end", 100) == b"no end"
    assert header_of(b"a" * 200, 100) == b"a" * 100


def test_where_each_copy_went_is_noted(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OverQuota("it is full")
    failing(monkeypatch, office.inbox("bob"), "stage", full)
    both = (ToMailbox(ACCOUNTS["alice"]), ToMailbox(ACCOUNTS["bob"]))
    office.deliver(Recipient(Path("team", "example.org"), both), to("carol"))
    told = [
        (kind, str(facts["recipient"]), facts.get("user"), facts.get("uid"))
        for _, trace, kind, facts in office.notebook.notes
        if trace == TRACE.id
    ]
    assert told == [
        ("failed", "team@example.org", None, None),
        ("delivered", "team@example.org", "alice", 1),
        ("delivered", "carol@example.org", "carol", 1),
    ]


def test_why_nothing_was_delivered_is_noted(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, office.inbox("alice"), "stage", NoSpace("the disk is full"))
    office.deliver(to("alice"))
    [(_, trace, kind, facts)] = office.notebook.notes
    assert (trace, kind, facts["why"]) == (
        TRACE.id,
        "not delivered",
        "the disk is full",
    )
