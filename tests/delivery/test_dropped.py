"""Messages of local programs, as entries of the queue."""

import pytest

from maildrop.delivery.dropped import Submitter
from maildrop.queue.drop import Dropped, Unfit
from maildrop.queue.entry import Waiting

MESSAGE = b"Subject: hello\r\n\r\nbody\r\n"


def submitter(*trusted: str) -> Submitter:
    return Submitter(
        "mail.example.org",
        "example.org",
        lambda domain: domain in {"example.org", "mail.example.org"},
        lambda address: Waiting(0, address, "local", ""),
        lambda: 1000.0,
        trusted=trusted or ("*",),
        login=lambda uid: {1000: "ann", 1001: "bob"}.get(uid, str(uid)),
    )


def test_the_owner_is_the_sender() -> None:
    entry = submitter().entry("ID", Dropped(("bob",)), 1000, MESSAGE).entry
    assert entry.sender == "ann@example.org"
    assert [each.address for each in entry.recipients] == ["bob@example.org"]
    assert (entry.id, entry.arrived, entry.next) == ("ID", 1000.0, 1000.0)


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("", ""),
        ("list@far.example", "list@far.example"),
        ("www", "www@example.org"),
        ("ann+x@example.org", "ann+x@example.org"),
    ],
)
def test_another_sender_may_be_asked_for(asked: str, given: str) -> None:
    entry = submitter().entry("ID", Dropped(("bob",), asked), 1000, MESSAGE).entry
    assert entry.sender == given


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("", ""),
        ("list@far.example", "ann@example.org"),
        ("ann@far.example", "ann@example.org"),
        ("bob", "ann@example.org"),
        ("ann+x@mail.example.org", "ann+x@mail.example.org"),
        ("ann", "ann@example.org"),
    ],
)
def test_who_is_not_trusted_sends_as_himself(asked: str, given: str) -> None:
    dropped = Dropped(("bob",), asked)
    entry = submitter("bob").entry("ID", dropped, 1000, MESSAGE).entry
    assert entry.sender == given
    entry = submitter("ann").entry("ID", dropped, 1000, MESSAGE).entry
    assert entry.sender == asked + "@example.org" * (asked in {"ann", "bob"})


def test_the_received_field_names_the_owner() -> None:
    field = (
        submitter().entry("ID", Dropped(("bob",), "x@far.example"), 7, MESSAGE).before
    )
    assert field == (
        b"Received: by mail.example.org (by uid 7)\r\n\tid ID for <bob@example.org>;"
        b"\r\n\tThu, 1 Jan 1970 00:16:40 +0000\r\n"
    )


def test_several_recipients_are_not_told_of_each_other() -> None:
    field = submitter().entry("ID", Dropped(("bob", "eve")), 7, MESSAGE).before
    assert b"for <" not in field


def test_a_dialogue_is_told() -> None:
    dropped = Dropped(("bob",), protocol="ESMTP")
    assert (
        b"(by uid 7) with ESMTP\r\n" in submitter().entry("I", dropped, 7, b"").before
    )


def test_a_recipient_is_there_once() -> None:
    dropped = Dropped(("bob", "eve@far.example", "bob@example.org", "eve@far.example"))
    entry = submitter().entry("ID", dropped, 1000, MESSAGE).entry
    assert [(each.number, each.address) for each in entry.recipients] == [
        (0, "bob@example.org"),
        (1, "eve@far.example"),
    ]


def test_what_is_asked_for_is_kept() -> None:
    """RFC 3461 section 4."""
    dropped = Dropped(("grüße@example.org",), "", ("NEVER",), "HDRS", "env")
    entry = submitter().entry("ID", dropped, 1000, b"\xff").entry
    assert entry.recipients[0].notify == ("NEVER",)
    options = entry.options
    assert (options.ret, options.envelope_id) == ("HDRS", "env")
    assert options.smtputf8
    assert options.eight_bit


@pytest.mark.parametrize("address", ["", "a b", "a@b@c", "<bob>x", "a@b>\udcff", "\t"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(Unfit):
        submitter().entry("ID", Dropped((address,)), 1000, MESSAGE)


def test_the_decision_to_take_it_is_noted() -> None:
    message = b"Message-ID: <1@x>\r\n\r\n"
    made = submitter().entry("ID", Dropped(("bob",), ""), 1000, message)
    assert made.facts == {
        "sender": "<>",
        "size": len(message),
        "message_id": "<1@x>",
        "service": "sendmail",
        "user": "ann",
        "uid": 1000,
    }
