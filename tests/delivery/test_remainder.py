"""What is left to do: as a table, and whatever the actions are."""

import pytest
from hypothesis import given, strategies as st

from maildrop.delivery.actions import (
    Action,
    Discard,
    Recipient,
    ToAddress,
    ToMailbox,
)
from maildrop.delivery.placing import Placing
from maildrop.delivery.remainder import Tried, remainder
from maildrop.mailbox.account import Account
from maildrop.queue.entry import Entry, Kind, Status, Waiting, head, read_head
from maildrop.smtp.wire.path import Path
from tests.delivery.outboxes import PLACING

ALICE = ToMailbox(Account("alice", "/", "memory:"))
FAR = ToAddress(Path("far", "far.example"))
OWNED = ToAddress(Path("far", "far.example"), sender=Path("owner", "example.org"))
FORWARDED = ToAddress(
    Path("far", "far.example"), sender=Path("SRS0=x", "example.org"), rewritten=True
)
TEAM = Path("team", "example.org")
FULL = Status("5.2.2", "full")


def left(
    *tried: Tried, notify: tuple[str, ...] = (), original: str = ""
) -> list[Waiting]:
    actions = tuple(each.action for each in tried)
    recipient = Recipient(TEAM, actions, original, notify)
    entry = remainder(Entry("ID1", "a@b", 0.0, 0, []), [(recipient, tried)], PLACING)
    return [] if entry is None else entry.recipients


def test_what_is_done_leaves_nothing() -> None:
    assert left(Tried(ALICE, Kind.DELIVERED), Tried(Discard(), Kind.DELIVERED)) == []


def test_one_action_is_the_recipient_itself() -> None:
    """RFC 3461 section 5.2.7.2: NOTIFY and ORCPT go on."""
    (waiting,) = left(Tried(FAR), notify=("SUCCESS",), original="rfc822;x@y")
    assert waiting.notify == ("SUCCESS",)
    assert waiting.original == "rfc822;x@y"
    assert waiting.parent == -1


def test_a_sender_that_leads_back_is_no_owner() -> None:
    """SRS is no owner of a list: RFC 3461 section 5.2.7.2."""
    (waiting,) = left(Tried(FORWARDED), notify=("SUCCESS",), original="rfc822;x@y")
    assert waiting.sender == "SRS0=x@example.org"
    assert waiting.notify == ("SUCCESS",)
    assert waiting.original == "rfc822;x@y"
    parent, one, two = left(
        Tried(FORWARDED),
        Tried(FAR),
        notify=("SUCCESS", "FAILURE"),
        original="rfc822;x@y",
    )
    assert parent.kind is Kind.EXPANDED
    assert one.notify == two.notify == ("FAILURE",)
    assert one.original == two.original == "rfc822;x@y"


def test_without_orcpt_the_address_that_was_written_to_is_noted() -> None:
    """RFC 3461 section 5.2.1."""
    (waiting,) = left(Tried(FAR))
    assert waiting.original == "rfc822;team@example.org"


def test_several_actions_are_expanded_if_success_is_asked_for() -> None:
    """RFC 3461 section 5.2.7.3."""
    parent, alice, far = left(
        Tried(ALICE, Kind.FAILED, FULL), Tried(FAR), notify=("SUCCESS", "DELAY")
    )
    assert (parent.kind, parent.notify) == (Kind.EXPANDED, ("SUCCESS", "DELAY"))
    assert parent.address == "team@example.org"
    assert (alice.kind, alice.status, alice.parent) == (Kind.FAILED, FULL, 0)
    assert (far.kind, far.notify, far.parent) == (Kind.WAITING, ("DELAY",), 0)


def test_who_asked_for_success_alone_hears_nothing_more() -> None:
    _, alice, far = left(Tried(ALICE), Tried(FAR), notify=("SUCCESS",))
    assert alice.notify == far.notify == ("NEVER",)


def test_several_actions_that_are_done_are_reported_as_expanded() -> None:
    (parent,) = left(
        Tried(ALICE, Kind.DELIVERED),
        Tried(Discard(), Kind.DELIVERED),
        notify=("SUCCESS",),
    )
    assert parent.kind is Kind.EXPANDED


def test_a_list_is_delivered_to_and_its_members_are_the_owners() -> None:
    """RFC 3461 section 5.2.7.1."""
    parent, member = left(Tried(OWNED), notify=("SUCCESS", "FAILURE"), original="x;y")
    assert parent.kind is Kind.DELIVERED
    assert (member.sender, member.notify, member.original) == (
        "owner@example.org",
        (),
        "",
    )


@pytest.mark.parametrize(
    ("address", "way"),
    [
        ("ann@example.org", ("local", "")),
        ("ann", ("local", "")),
        ("ann@far.example", ("lmtp", "FAR.example")),
        ("not an address", ("lmtp", "NOT an address")),
    ],
)
def test_addresses_find_their_way(address: str, way: tuple[str, str]) -> None:
    placing = Placing(
        lambda domain: domain in {"", "example.org"},
        lambda domain: ("lmtp", domain.replace("far", "FAR").replace("not", "NOT")),
    )
    waiting = placing.address(address)
    assert (waiting.relay, waiting.destination, waiting.address) == (*way, address)


actions: st.SearchStrategy[Action] = st.sampled_from([ALICE, FAR, OWNED, Discard()])
tries = st.builds(
    Tried,
    actions,
    st.sampled_from([Kind.WAITING, Kind.DELIVERED, Kind.FAILED]),
    st.none() | st.just(FULL),
)
notifies = st.sampled_from([(), ("NEVER",), ("SUCCESS",), ("SUCCESS", "FAILURE")])
recipients = st.tuples(st.lists(tries, min_size=1, max_size=4), notifies)


@given(st.lists(recipients, max_size=4))
def test_whatever_is_left_is_an_entry_that_reads_back(
    given_: list[tuple[list[Tried], tuple[str, ...]]],
) -> None:
    tried = [
        (Recipient(TEAM, tuple(each.action for each in its), "", notify), its)
        for its, notify in given_
    ]
    entry = remainder(Entry("ID1", "a@b", 0.0, 0, []), tried, PLACING)
    open_ = sum(each.kind is not Kind.DELIVERED for _, its in tried for each in its)
    if entry is None:
        assert open_ == 0
        return
    assert [each.number for each in entry.recipients] == list(
        range(len(entry.recipients))
    )
    undone = [each for each in entry.recipients if each.parent >= 0 or not each.status]
    assert len(undone) <= open_ + len(tried)
    again = read_head(head(entry))
    assert [each.address for each in again.recipients] == [
        each.address for each in entry.recipients
    ]
