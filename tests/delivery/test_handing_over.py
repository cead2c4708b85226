"""The agent and the queue: what is done at once, and what is left."""

from dataclasses import replace

import pytest
from twisted.logger import capturedLogs

from maildrop.delivery.actions import (
    Discard,
    Recipient,
    ToAddress,
    ToCommand,
    ToMailbox,
)
from maildrop.delivery.agent import Agent, Envelope
from maildrop.delivery.outcome import Outcome
from maildrop.durable import Content
from maildrop.errors import (
    AccessDenied,
    MaildropError,
    MailLoop,
    NoSpace,
    OverQuota,
    StorageFailure,
)
from maildrop.queue.entry import Entry, Kind, Options
from maildrop.smtp.wire.path import Path
from tests.delivery.outboxes import PLACING
from tests.delivery.test_agent import (
    ACCOUNTS,
    ENVELOPE,
    MESSAGE,
    TRACE,
    Office,
    failing,
    now,
    to,
)

FAR = Path("far", "far.example")


@pytest.fixture
def office() -> Office:
    return Office()


def away(path: Path = FAR, *, forwarded: bool = False) -> Recipient:
    name = Path("alice", "example.org") if forwarded else path
    return Recipient(name, (ToAddress(path, forwarded=forwarded),))


def queued(office: Office) -> Entry:
    (entry,) = office.outbox.entries
    return entry


def test_mail_for_others_is_in_the_queue_before_the_answer(office: Office) -> None:
    assert office.deliver(away()) == [Outcome()]
    entry = queued(office)
    assert (entry.id, entry.sender) == (TRACE.id, "sender@example.net")
    (waiting,) = entry.recipients
    assert (waiting.address, waiting.relay) == ("far@far.example", "smtp")
    assert waiting.destination == "far.example"
    assert waiting.kind is Kind.WAITING


def test_what_is_queued_has_its_received_field_first(office: Office) -> None:
    """RFC 5321 section 4.4."""
    office.deliver(away())
    (octets,) = office.outbox.messages
    assert octets.startswith(b"Received: from x ([192.0.2.7])")
    assert b"for <far@far.example>" in octets
    assert octets.endswith(MESSAGE)


def test_a_forward_remembers_from_which_address_it_goes_on(office: Office) -> None:
    """RFC 9228: so a circle of hosts is seen the first time round."""
    office.deliver(away(forwarded=True), to("bob"), away())
    first, second = queued(office).recipients
    assert (first.via, second.via) == ("alice@example.org", "")


def test_a_forward_that_comes_back_is_a_loop(office: Office) -> None:
    """RFC 9228."""
    marked = b"Delivered-To: alice@example.org\r\n" + MESSAGE
    (again,) = office.deliver(away(forwarded=True), octets=marked)
    assert isinstance(again.error, MailLoop)


def test_an_address_in_utf8_is_not_told(office: Office) -> None:
    """RFC 6531: the message would need SMTPUTF8 for it alone."""
    name = Path("ü", "example.org")
    office.deliver(Recipient(name, (ToAddress(FAR, forwarded=True),)))
    assert queued(office).recipients[0].via == ""


def test_several_recipients_are_nobody_elses_business(office: Office) -> None:
    office.deliver(away(), to("bob"))
    assert b"far@far.example" not in office.outbox.messages[0]
    assert b"far@far.example" not in office.mail("bob")[0]


def test_mailboxes_have_it_at_once_and_the_rest_waits(office: Office) -> None:
    alice, far = office.deliver(to("alice"), away())
    assert alice == Outcome(None, "INBOX", 1)
    assert far == Outcome()
    assert len(office.mail("alice")) == 1
    assert [each.address for each in queued(office).recipients] == ["far@far.example"]


def test_a_command_waits_in_the_queue(office: Office) -> None:
    action = ToCommand("procmail", ACCOUNTS["alice"], user="alice")
    office.deliver(Recipient(Path("alice", "example.org"), (action,)))
    (waiting,) = queued(office).recipients
    assert (waiting.relay, waiting.address) == ("command", "alice@example.org")


def test_what_is_discarded_is_done(office: Office) -> None:
    recipient = Recipient(Path("null", "example.org"), (Discard(),))
    assert office.deliver(recipient) == [Outcome()]
    assert office.outbox.entries == []


@pytest.mark.parametrize("step", ["stage", "publish"])
@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (NoSpace("full"), Kind.WAITING, "4.3.1"),
        (StorageFailure("EIO"), Kind.WAITING, "4.3.0"),
        (AccessDenied("mode"), Kind.WAITING, "4.3.5"),
        (OSError("bug"), Kind.WAITING, "4.3.0"),
        (OverQuota("full"), Kind.FAILED, "5.2.2"),
    ],
)
def test_who_fails_while_another_has_it_is_left_to_the_queue(
    office: Office,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    error: Exception,
    kind: Kind,
    code: str,
) -> None:
    """For now: it waits.  For good: the sender gets a report."""
    failing(monkeypatch, office.inbox("bob"), step, error)
    outcomes = office.deliver(to("alice"), to("bob"), to("carol"))
    assert [outcome.error for outcome in outcomes] == [None] * 3
    assert len(office.mail("alice")) == len(office.mail("carol")) == 1
    (bob,) = queued(office).recipients
    assert (bob.address, bob.relay, bob.kind) == ("bob@example.org", "local", kind)
    assert bob.status is not None
    assert bob.status.code == code


def test_who_fails_while_another_waits_is_left_to_the_queue(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, office.inbox("bob"), "publish", OverQuota("full"))
    office.deliver(to("bob"), away())
    kinds = [(each.address, each.kind) for each in queued(office).recipients]
    assert kinds == [
        ("bob@example.org", Kind.FAILED),
        ("far@far.example", Kind.WAITING),
    ]


@pytest.mark.parametrize(
    ("alice", "bob", "told"),
    [
        (NoSpace("a"), StorageFailure("b"), NoSpace),
        (OverQuota("a"), NoSpace("b"), NoSpace),
        (NoSpace("a"), OverQuota("b"), NoSpace),
        (OverQuota("a"), OverQuota("b"), OverQuota),
        (AccessDenied("a"), OverQuota("b"), AccessDenied),
    ],
)
def test_when_nothing_could_be_done_the_client_keeps_it(
    office: Office,
    monkeypatch: pytest.MonkeyPatch,
    alice: MaildropError,
    bob: MaildropError,
    told: type[MaildropError],
) -> None:
    """4xx if one of them may come to have it, else 5xx; nothing is queued."""
    failing(monkeypatch, office.inbox("alice"), "publish", alice)
    failing(monkeypatch, office.inbox("bob"), "publish", bob)
    outcomes = office.deliver(to("alice"), to("bob"))
    assert [type(outcome.error) for outcome in outcomes] == [told, told]
    assert office.outbox.entries == []


def test_each_alone_is_answered_for_itself(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 2033 section 4.2."""
    failing(monkeypatch, office.inbox("bob"), "publish", OverQuota("full"))
    outcomes = office.deliver(to("alice"), to("bob"), away(), together=False)
    assert [type(outcome.error) for outcome in outcomes] == [
        type(None),
        OverQuota,
        type(None),
    ]
    assert [each.address for each in queued(office).recipients] == ["far@far.example"]


def test_one_of_a_recipients_mailboxes_fails(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, office.inbox("bob"), "publish", NoSpace("full"))
    team = Recipient(
        Path("team", "example.org"),
        (ToMailbox(ACCOUNTS["alice"]), ToMailbox(ACCOUNTS["bob"])),
    )
    (outcome,) = office.deliver(team, together=False)
    assert outcome.error is None
    assert len(office.mail("alice")) == 1
    (bob,) = queued(office).recipients
    assert bob.kind is Kind.WAITING
    assert '"account":"bob"' in bob.order


@pytest.mark.parametrize("together", [True, False])
def test_a_queue_that_cannot_be_written_leaves_nothing_anywhere(
    office: Office, together: bool
) -> None:
    """What was delivered is taken back: the client sends all of it again."""
    office.outbox.error = NoSpace("full")
    outcomes = office.deliver(to("alice"), away(), to("bob"), together=together)
    assert [type(outcome.error) for outcome in outcomes] == [NoSpace] * 3
    assert office.mail("alice") == office.mail("bob") == []


def test_what_cannot_be_taken_back_is_logged(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, office.inbox("alice"), "expunge", NoSpace("full"))
    office.outbox.error = NoSpace("full")
    with capturedLogs() as events:
        office.deliver(to("alice"), away())
    assert [event["uid"] for event in events if "a copy is left" in event["log_format"]]


def test_success_is_reported_to_who_asked_for_it(office: Office) -> None:
    """RFC 3461 section 5.2.6."""
    asking = replace(to("alice"), notify=("SUCCESS",), original="rfc822;x@y")
    office.deliver(asking, to("bob"))
    (alice,) = queued(office).recipients
    assert (alice.kind, alice.notify) == (Kind.DELIVERED, ("SUCCESS",))
    assert alice.original == "rfc822;x@y"
    assert len(office.mail("alice")) == 1


def test_what_the_sender_asked_for_is_kept(office: Office) -> None:
    """RFC 3461 sections 4.3 and 4.4."""
    options = Options(smtputf8=True, ret="HDRS", envelope_id="QQ 1")
    envelope = Envelope(None, TRACE, b"X-Added: 1\r\n", options)
    now(office.agent.deliver(envelope, _content(), [away()], together=True))
    entry = queued(office)
    assert entry.sender == ""
    assert entry.options == options
    assert b"X-Added: 1\r\n" + MESSAGE in office.outbox.messages[0]


def _content() -> Content:
    return Content.of(MESSAGE)


def test_mail_for_a_full_mailbox_may_be_deferred(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office()
    agent = Agent(office.post, office.outbox, PLACING, defer_full=True)
    failing(monkeypatch, office.inbox("bob"), "publish", OverQuota("full"))
    now(agent.deliver(ENVELOPE, _content(), [to("alice"), to("bob")], together=True))
    (bob,) = queued(office).recipients
    assert bob.kind is Kind.WAITING
    assert bob.status is not None
    assert bob.status.code == "4.2.2"
