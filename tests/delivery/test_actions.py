"""Actions: what they say of themselves, and how they wait in the queue."""

import pytest

from maildrop.delivery.actions import (
    Action,
    Discard,
    Reason,
    Recipient,
    Strange,
    ToAddress,
    ToCommand,
    ToFile,
    ToMailbox,
    as_action,
    as_waiting,
    source,
)
from maildrop.mailbox.account import Account
from maildrop.queue.entry import Entry, head, read_head
from maildrop.smtp.wire.path import Path

ALICE = Account("alice", "/home/alice", "maildir:/home/alice/Maildir", 1000, 1000)
NOBODY = Account("nobody", "/", "", 65534, 65534, (7,))
OWNER = Path("owner-x", "example.org")
TO = Path("team", "example.org")
WHY = (Reason("alias", "x -> y", "/etc/aliases", 7), Reason("user", "alice"))


def nobody(name: str) -> Account | None:
    del name
    return None


@pytest.mark.parametrize(
    ("action", "relay", "destination"),
    [
        (ToMailbox(ALICE, "Lists", OWNER, WHY), "local", ""),
        (
            ToCommand("/bin/x 'y'", ALICE, "lists", "alice", None, WHY),
            "command",
            "alice",
        ),
        (ToCommand("/bin/x", NOBODY, "", "", OWNER, WHY), "command", "nobody"),
        (ToFile("/var/mail/x", NOBODY, "", None, WHY), "file", "/var/mail/x"),
    ],
)
def test_an_order_comes_back_from_the_queue(
    action: ToMailbox | ToCommand | ToFile, relay: str, destination: str
) -> None:
    waiting = as_waiting(action, TO)
    assert (waiting.relay, waiting.destination) == (relay, destination)
    assert waiting.address == "team@example.org"
    waiting.number = 0
    written = head(Entry("ID", "", 0.0, 0, [waiting]))
    (read,) = read_head(written).recipients
    found = as_action(read, {"alice": ALICE}.get)
    assert found == action
    assert found is not None
    assert found.sender == action.sender


def test_an_address_waits_for_its_domain() -> None:
    waiting = as_waiting(ToAddress(Path("Ann", "FAR.example"), OWNER), TO, 3)
    assert (waiting.relay, waiting.destination) == ("smtp", "far.example")
    assert (waiting.address, waiting.sender) == ("Ann@FAR.example", str(OWNER))
    assert waiting.parent == 3
    assert as_action(waiting, nobody) is None


def test_what_is_to_be_routed_later_waits_here() -> None:
    waiting = as_waiting(ToAddress(TO, later=True), TO)
    assert (waiting.relay, waiting.destination) == ("local", "")
    assert waiting.order == ""


def test_nothing_waits_for_what_is_discarded() -> None:
    with pytest.raises(ValueError, match="nothing waits"):
        as_waiting(Discard(), TO)


def test_a_user_who_is_gone_is_told_of() -> None:
    waiting = as_waiting(ToMailbox(ALICE), TO)
    with pytest.raises(Strange, match="alice is no user any more"):
        as_action(waiting, nobody)


def test_a_recipient_tells_mailboxes_from_the_rest() -> None:
    mailbox, away = ToMailbox(ALICE), ToAddress(Path("x", "far.example"))
    recipient = Recipient(TO, (mailbox, away, Discard()))
    assert recipient.mailboxes == (mailbox,)
    assert recipient.others == (away,)


@pytest.mark.parametrize(
    ("why", "expected"),
    [(WHY, "/etc/aliases:7"), ((), ""), ((Reason("user", "x", "/f"),), "/f")],
)
def test_where_an_action_is_asked_for(why: tuple[Reason, ...], expected: str) -> None:
    action: Action = ToFile("/x", ALICE, why=why)
    assert source(action) == expected
