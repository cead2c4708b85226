"""From the queue to mailboxes of ours: exactly once."""

from dataclasses import replace

import pytest

from maildrop.delivery.actions import (
    Action,
    Discard,
    Recipient,
    ToAddress,
    ToMailbox,
)
from maildrop.delivery.local_relay import LocalRelay
from maildrop.delivery.routing import Router
from maildrop.durable import Content
from maildrop.errors import (
    MailboxVanished,
    MaildropError,
    NoSpace,
    NoSuchUser,
    OverQuota,
)
from maildrop.queue.entry import Entry, Kind, Result, Waiting
from maildrop.queue.relay import Attempt, Job
from maildrop.smtp.wire.path import Path
from tests.delivery.outboxes import PLACING
from tests.delivery.test_agent import ACCOUNTS, Office, at_once, failing, now
from tests.queue.settled import Settled

MESSAGE = b"Received: x\r\nSubject: x\r\n\r\nhello\r\n"
ALICE = ToMailbox(ACCOUNTS["alice"])
FAR = ToAddress(Path("far", "far.example"), forwarded=True)
OWNER = Path("owner-team", "example.org")


class Table(Router):
    """What addresses mean."""

    def __init__(self) -> None:
        self.means: dict[str, tuple[Action, ...]] = {
            "alice": (ALICE,),
            "team": (ALICE, ToMailbox(ACCOUNTS["bob"]), FAR),
            "list": (replace(FAR, sender=OWNER), replace(ALICE, sender=OWNER)),
            "null": (Discard(),),
        }
        self.error: MaildropError | None = None

    async def route(
        self,
        path: Path,
        *,
        sender: Path | None = None,
        outward: bool = False,
        whole: bool = False,
    ) -> Recipient:
        assert whole
        assert not outward
        assert sender is not None
        if self.error is not None:
            raise self.error
        if path.local not in self.means:
            raise NoSuchUser(str(path))
        return Recipient(path, self.means[path.local])


class Local:
    """A local relay, and the mail that it delivers to."""

    def __init__(self) -> None:
        self.office = Office()
        self.table = Table()
        self.queued = {"ID1"}
        self.relay = LocalRelay(
            self.office.post,
            self.table,
            PLACING,
            ACCOUNTS.get,
            self.queued.__contains__,
            at_once,
        )

    def attempt(self, *recipients: Waiting, octets: bytes = MESSAGE) -> Attempt:
        for number, each in enumerate(recipients):
            each.number = number
        entry = Entry("ID1", "sam@far.example", 0.0, len(octets), list(recipients))
        job = Job(entry, recipients, lambda: Content.of(octets), Settled())
        return now(self.relay.relay(job))

    def result(self, waiting: Waiting, octets: bytes = MESSAGE) -> Result:
        (result,) = self.attempt(waiting, octets=octets).results
        return result


@pytest.fixture
def local() -> Local:
    return Local()


def to(local_part: str, **named: object) -> Waiting:
    waiting = Waiting(0, f"{local_part}@example.org", "local", "")
    for name, value in named.items():
        setattr(waiting, name, value)
    return waiting


def ordered(action: ToMailbox = ALICE) -> Waiting:
    return PLACING.action(action, Path("alice+x", "example.org"))


@pytest.mark.parametrize("waiting", [to("alice"), ordered()], ids=["route", "order"])
def test_a_message_goes_to_the_mailbox(local: Local, waiting: Waiting) -> None:
    result = local.result(waiting)
    assert (result.kind, result.status.code) == (Kind.DELIVERED, "2.0.0")
    head = f"Return-Path: <sam@far.example>\r\nDelivered-To: {waiting.address}\r\n"
    assert local.office.mail("alice") == [head.encode() + MESSAGE]


def test_a_second_attempt_finds_the_message_there(local: Local) -> None:
    """The server ended between the delivery and the note of it."""
    for _ in range(3):
        assert local.result(to("alice")).kind is Kind.DELIVERED
    assert len(local.office.mail("alice")) == 1


def test_a_message_that_its_owner_removed_does_not_come_again(local: Local) -> None:
    local.result(to("alice"))
    inbox = local.office.inbox("alice")
    inbox.expunge(list(inbox.table.uids), None)
    assert local.result(to("alice")).kind is Kind.DELIVERED
    assert local.office.mail("alice") == []


def test_each_recipient_has_its_own_key(local: Local) -> None:
    local.attempt(ordered(), ordered())
    assert len(local.office.mail("alice")) == 2


def test_keys_of_what_left_the_queue_are_forgotten(local: Local) -> None:
    inbox = local.office.inbox("alice")
    local.result(to("alice"))
    assert inbox.keys() == [b"ID1.0"]
    local.queued.clear()
    local.queued.add("ID2")
    entry = Entry("ID2", "sam@far.example", 0.0, 0, [to("alice")])
    job = Job(entry, entry.recipients, lambda: Content.of(MESSAGE), Settled())
    now(local.relay.relay(job))
    assert inbox.keys() == [b"ID2.0"]


def test_an_address_that_means_several_is_expanded(local: Local) -> None:
    waiting = to("team", notify=("SUCCESS", "FAILURE"), original="rfc822;t@x")
    attempt = local.attempt(waiting)
    assert attempt.results[0].kind is Kind.EXPANDED
    assert [(each.relay, each.address) for each in attempt.more] == [
        ("local", "team@example.org"),
        ("local", "team@example.org"),
        ("smtp", "far@far.example"),
    ]
    for each in attempt.more:
        assert each.parent == 0
        assert each.notify == ("FAILURE",)
        assert each.original == "rfc822;t@x"
    assert local.office.mail("alice") == []


def test_what_comes_of_it_keeps_the_reverse_path(local: Local) -> None:
    more = local.attempt(to("team", sender="owner-all@example.org")).more
    assert {each.sender for each in more} == {"owner-all@example.org"}


def test_a_list_answers_for_its_members(local: Local) -> None:
    """RFC 3461 section 5.2.7.1."""
    attempt = local.attempt(to("list", notify=("SUCCESS",)))
    assert attempt.results[0].kind is Kind.DELIVERED
    assert {each.sender for each in attempt.more} == {str(OWNER)}
    assert {each.notify for each in attempt.more} == {()}


def test_what_is_discarded_is_delivered(local: Local) -> None:
    assert local.result(to("null")).kind is Kind.DELIVERED


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (NoSpace("full"), Kind.WAITING, "4.3.1"),
        (OverQuota("full"), Kind.FAILED, "5.2.2"),
        (ZeroDivisionError(), Kind.WAITING, "4.3.0"),
    ],
)
def test_an_error_of_the_store_decides(
    local: Local,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    kind: Kind,
    code: str,
) -> None:
    failing(monkeypatch, local.office.inbox("alice"), "publish", error)
    result = local.result(to("alice"))
    assert (result.kind, result.status.code) == (kind, code)


@pytest.mark.parametrize(
    ("waiting", "octets", "kind", "code"),
    [
        (to("nobody"), MESSAGE, Kind.FAILED, "5.1.1"),
        (to("alice"), b"Received: x\r\n" * 101 + MESSAGE, Kind.FAILED, "5.4.6"),
        (
            to("team"),
            b"Delivered-To: TEAM@example.org\r\n" + MESSAGE,
            Kind.FAILED,
            "5.4.6",
        ),
        (to("alice", order="junk"), MESSAGE, Kind.WAITING, "4.3.0"),
        (to("alice", order='{"account":"gone"}'), MESSAGE, Kind.WAITING, "4.3.0"),
    ],
)
def test_what_leads_nowhere_is_told(
    local: Local, waiting: Waiting, octets: bytes, kind: Kind, code: str
) -> None:
    result = local.result(waiting, octets)
    assert (result.kind, result.status.code) == (kind, code)


def test_one_recipient_is_nobody_elses_trouble(local: Local) -> None:
    attempt = local.attempt(to("nobody"), to("alice"))
    kinds = {each.number: each.kind for each in attempt.results}
    assert kinds == {0: Kind.FAILED, 1: Kind.DELIVERED}


def test_a_mailbox_that_was_renumbered_meanwhile_is_opened_again(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = local.office.inbox("alice")
    failing(monkeypatch, inbox, "publish", MailboxVanished("gone"), times=1)
    assert local.result(to("alice")).kind is Kind.DELIVERED
    assert len(local.office.mail("alice")) == 1
