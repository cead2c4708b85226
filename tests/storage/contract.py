"""What every store keeps to: the contract of ``mailbox.interfaces``, as tests.

In this file:
    StoreContract    tests of a store; a subclass gives the fixture ``open_store``
    opened, add, ... short ways to do common things with a mailbox

``hierarchy`` has the tests about names.

``open_store`` opens the same mail each time it is called, as another process would.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from maildrop.durable import Content
from maildrop.errors import (
    KeywordLimit,
    MailboxInUse,
    MessageExpunged,
)
from maildrop.mailbox.flags import (
    ANSWERED,
    DELETED,
    FLAGGED,
    SEEN,
    FlagChange,
    Operation,
)
from maildrop.mailbox.interfaces import NewMessage, Store, StoredMailbox
from maildrop.mailbox.view import View

OpenStore = Callable[[], Store]

SIMPLE = b"From: a@example.org\r\nSubject: hello\r\n\r\nbody\r\n"
#: Messages that come back as they went in.
OCTETS = {
    "simple": SIMPLE,
    "empty body": b"Subject: x\r\n\r\n",
    "8-bit": b"Subject: \xe9\xff\r\n\r\n\x80\x81\xfe\r\n",
    "NUL": b"Subject: x\r\n\r\na\0b\r\n",
    "From line in the body": b"Subject: x\r\n\r\nFrom me\r\n>From you\r\n",
    "long line": b"Subject: x\r\n\r\n" + b"y" * 70_000 + b"\r\n",
    "dots": b"Subject: x\r\n\r\n.\r\n..\r\n",
    "bare CR": b"Subject: x\r\n\r\na\rb\r\n",
    "two CRs before LF": b"Subject: x\r\n\r\na\r\r\nb\r\n",
}


def message(subject: str, body: str = "body") -> bytes:
    return f"From: a@example.org\r\nSubject: {subject}\r\n\r\n{body}\r\n".encode()


def opened(store: Store, name: str = "INBOX") -> StoredMailbox:
    mailbox = store.open(name)
    mailbox.refresh()
    return mailbox


def add(
    mailbox: StoredMailbox,
    *messages: bytes,
    flags: int = 0,
    keywords: tuple[str, ...] = (),
    date: int | None = None,
) -> list[int]:
    new = [
        NewMessage(Content.of(octets), flags=flags, keywords=keywords, date=date)
        for octets in messages
    ]
    return list(mailbox.publish(mailbox.stage(new), None))


def uids(mailbox: StoredMailbox) -> list[int]:
    return list(mailbox.table.uids)


def flags(mailbox: StoredMailbox) -> dict[int, int]:
    table = mailbox.table
    return {u: f & 31 for u, f in zip(table.uids, table.flags, strict=True)}


def keywords(mailbox: StoredMailbox, uid: int) -> list[str]:
    row = mailbox.table.row(uid)
    assert row is not None
    return mailbox.table.keywords_of(mailbox.table.keywords[row])


def put(names: int, *words: str) -> FlagChange:
    return FlagChange(Operation.ADD, names, words)


class StoreContract:
    """Every store passes these."""

    # -- messages

    def test_a_new_account_has_an_empty_inbox(self, open_store: OpenStore) -> None:
        store = open_store()
        assert [entry.name for entry in store.entries()] == ["INBOX"]
        inbox = opened(store)
        assert uids(inbox) == []
        assert inbox.table.uid_validity > 0
        assert inbox.table.uid_next >= 1

    @pytest.mark.parametrize("octets", OCTETS.values(), ids=OCTETS.keys())
    def test_octets_in_are_octets_out(
        self, open_store: OpenStore, octets: bytes
    ) -> None:
        inbox = opened(open_store())
        uid = add(inbox, octets)[0]
        assert inbox.read(uid) == octets
        assert inbox.table.sizes[0] == len(octets)
        again = opened(open_store())
        assert again.read(uid) == octets
        assert again.table.sizes[0] == len(octets)

    def test_the_head_is_put_before_the_content(self, open_store: OpenStore) -> None:
        inbox = opened(open_store())
        head = b"Return-Path: <x@example.org>\r\n"
        new = NewMessage(Content.of(SIMPLE), head=head)
        uid = inbox.publish(inbox.stage([new]), None)[0]
        assert inbox.read(uid) == head + SIMPLE

    def test_a_large_message_may_come_from_a_file(
        self, open_store: OpenStore, tmp_path: Path
    ) -> None:
        inbox = opened(open_store())
        content = Content(str(tmp_path), memory=1000)
        for _ in range(100):
            content.write(b"X-Long: " + b"y" * 50 + b"\r\n")
        content.write(b"\r\nbody\r\n")
        octets = bytes(content.octets()[:])
        new = NewMessage(content, head=b"Return-Path: <>\r\n")
        uid = inbox.publish(inbox.stage([new]), None)[0]
        content.close()
        assert inbox.read(uid) == new.head + octets

    def test_uids_ascend_in_the_order_of_adding(self, open_store: OpenStore) -> None:
        """RFC 3501 section 2.3.1.1."""
        inbox = opened(open_store())
        given = add(inbox, message("1"), message("2")) + add(inbox, message("3"))
        assert given == sorted(set(given)) == uids(inbox)
        assert inbox.table.uid_next > given[-1]

    def test_flags_keywords_and_date_of_a_new_message_are_kept(
        self, open_store: OpenStore
    ) -> None:
        inbox = opened(open_store())
        uid = add(inbox, SIMPLE, flags=SEEN, keywords=("$Label1",), date=1_000_000)[0]
        for mailbox in (inbox, opened(open_store())):
            assert flags(mailbox) == {uid: SEEN}
            assert keywords(mailbox, uid) == ["$Label1"]
            assert mailbox.table.dates[0] == 1_000_000

    def test_what_is_staged_is_seen_by_nobody(self, open_store: OpenStore) -> None:
        inbox = opened(open_store())
        staged = inbox.stage([NewMessage(Content.of(SIMPLE))])
        inbox.refresh()
        assert uids(inbox) == []
        assert uids(opened(open_store())) == []
        inbox.discard(staged)
        inbox.refresh()
        assert uids(inbox) == []

    def test_several_handles_see_the_same(self, open_store: OpenStore) -> None:
        one, other = opened(open_store()), opened(open_store())
        first = add(one, message("1"), message("2"))
        other.refresh()
        assert uids(other) == first
        second = add(other, message("3"))
        one.refresh()
        assert uids(one) == first + second
        one.change_flags(first, put(SEEN, "work"), None)
        other.expunge(second, None)
        one.refresh()
        other.refresh()
        assert uids(one) == uids(other) == first
        assert flags(one) == flags(other) == dict.fromkeys(first, SEEN)
        assert keywords(other, first[0]) == ["work"]
        assert one.table.highest_mod_seq == other.table.highest_mod_seq

    def test_everything_is_there_after_closing(self, open_store: OpenStore) -> None:
        store = open_store()
        inbox = opened(store)
        given = add(inbox, message("1"), message("2"), message("3"))
        inbox.change_flags(given[:1], put(FLAGGED, "a", "b"), None)
        inbox.expunge(given[1:2], None)
        inbox.claim_recent()
        before = inbox.table.uid_validity, uids(inbox), flags(inbox), inbox.uidls()
        inbox.close()
        store.close()
        again = opened(open_store())
        after = again.table.uid_validity, uids(again), flags(again), again.uidls()
        assert after == before
        assert keywords(again, given[0]) == ["a", "b"]
        assert again.table.recent() == 0
        assert again.table.uid_next > given[-1]

    # -- flags

    @pytest.mark.parametrize(
        ("operation", "expected"),
        [
            (Operation.ADD, SEEN | FLAGGED),
            (Operation.REMOVE, 0),
            (Operation.REPLACE, SEEN | FLAGGED),
        ],
    )
    def test_store_combines_flags(
        self, open_store: OpenStore, operation: Operation, expected: int
    ) -> None:
        """RFC 3501 section 6.4.6."""
        inbox = opened(open_store())
        uid = add(inbox, SIMPLE, flags=SEEN)[0]
        change = FlagChange(operation, SEEN | FLAGGED)
        assert list(inbox.change_flags([uid], change, None)) == [uid]
        assert flags(inbox) == {uid: expected}

    def test_a_change_that_changes_nothing_names_no_message(
        self, open_store: OpenStore
    ) -> None:
        inbox = opened(open_store())
        given = add(inbox, message("1"), message("2"), flags=SEEN)
        before = inbox.table.highest_mod_seq
        assert list(inbox.change_flags(given, put(SEEN), None)) == []
        assert inbox.table.highest_mod_seq == before

    def test_replacing_takes_keywords_away(self, open_store: OpenStore) -> None:
        inbox = opened(open_store())
        uid = add(inbox, SIMPLE, keywords=("a", "b"))[0]
        change = FlagChange(Operation.REPLACE, ANSWERED, ("B", "c"))
        inbox.change_flags([uid], change, None)
        assert flags(inbox) == {uid: ANSWERED}
        assert keywords(inbox, uid) == ["b", "c"]

    def test_each_change_raises_the_mod_seq_of_what_it_touches(
        self, open_store: OpenStore
    ) -> None:
        """RFC 7162 section 3.1."""
        inbox = opened(open_store())
        first, second = add(inbox, message("1"), message("2"))
        before = inbox.table.highest_mod_seq
        inbox.change_flags([second], put(SEEN), None)
        assert inbox.table.highest_mod_seq > before
        assert inbox.table.mod_seqs[0] <= before < inbox.table.mod_seqs[1]
        middle = inbox.table.highest_mod_seq
        inbox.expunge([first], None)
        assert inbox.table.highest_mod_seq > middle

    def test_too_many_keywords_change_nothing(self, open_store: OpenStore) -> None:
        inbox = opened(open_store())
        uid = add(inbox, SIMPLE)[0]
        for number in range(32):
            inbox.change_flags([uid], put(0, f"k{number}"), None)
        with pytest.raises(KeywordLimit):
            inbox.change_flags([uid], put(SEEN, "one-more"), None)
        assert flags(inbox) == {uid: 0}
        assert len(keywords(inbox, uid)) == 32
        again = opened(open_store())
        assert len(keywords(again, uid)) == 32

    def test_messages_that_are_gone_are_passed_over(
        self, open_store: OpenStore
    ) -> None:
        inbox = opened(open_store())
        one, two = add(inbox, message("1"), message("2"))
        inbox.expunge([one], None)
        assert list(inbox.change_flags([one, two, two + 9], put(SEEN), None)) == [two]
        assert list(inbox.expunge([one, two + 9], None)) == []

    def test_recent_messages_are_recent_until_claimed(
        self, open_store: OpenStore
    ) -> None:
        inbox = opened(open_store())
        add(inbox, message("1"), message("2"))
        assert inbox.table.recent() == 2
        inbox.claim_recent()
        assert inbox.table.recent() == 0
        add(inbox, message("3"))
        other = opened(open_store())
        assert other.table.recent() == 1

    # -- views

    def test_a_view_hears_of_others_changes_and_not_of_its_own(
        self, open_store: OpenStore
    ) -> None:
        inbox = opened(open_store())
        given = add(inbox, message("1"), message("2"), message("3"))
        mine, its = View(inbox.table), View(inbox.table)
        inbox.change_flags(given[:1], put(SEEN), mine)
        assert mine.updates(expunges=True).flags == []
        assert its.updates(expunges=True).flags == given[:1]
        inbox.expunge(given[:1], mine)
        assert mine.updates(expunges=True).expunged == [1]
        assert its.updates(expunges=False).expunged == []
        assert its.updates(expunges=True).expunged == [1]
        add(inbox, message("4"))
        assert its.updates(expunges=True).exists == 3

    def test_a_view_hears_what_another_handle_did(self, open_store: OpenStore) -> None:
        one, other = opened(open_store()), opened(open_store())
        given = add(one, message("1"), message("2"))
        other.refresh()
        view = View(other.table)
        one.change_flags(given[1:], put(DELETED), object())
        one.expunge(given[:1], object())
        add(one, message("3"))
        other.refresh()
        told = view.updates(expunges=True)
        assert (told.expunged, told.exists, told.flags) == ([1], 2, given[1:])

    # -- removing

    def test_expunge_removes_whatever_the_flags(self, open_store: OpenStore) -> None:
        inbox = opened(open_store())
        one, two, three = add(inbox, message("1"), message("2"), message("3"))
        assert list(inbox.expunge([one, three], None)) == [one, three]
        assert uids(inbox) == [two]
        assert inbox.read(two) == message("2")
        with pytest.raises(MessageExpunged):
            inbox.read(one)
        assert inbox.read_many([one, two]) == [None, message("2")]

    def test_uids_are_never_given_again(self, open_store: OpenStore) -> None:
        """RFC 3501 section 2.3.1.1."""
        store = open_store()
        inbox = opened(store)
        first = add(inbox, message("1"), message("2"))
        inbox.expunge(first, None)
        inbox.close()
        store.close()
        again = opened(open_store())
        assert again.table.uid_next > first[-1]
        assert add(again, message("3"))[0] > first[-1]

    # -- copying

    def target(self, store: Store) -> StoredMailbox:
        store.create("Other")
        return opened(store, "Other")

    def test_copies_keep_flags_keywords_date_and_octets(
        self, open_store: OpenStore
    ) -> None:
        store = open_store()
        inbox, other = opened(store), self.target(store)
        add(other, message("0"), keywords=("first",))
        one = add(inbox, message("1"), flags=SEEN, keywords=("a",), date=86400)
        two = add(inbox, message("2"))
        copied = inbox.copy([*one, *two, two[0] + 5], other)
        assert copied.uid_validity == other.table.uid_validity
        assert list(copied.source) == [*one, *two]
        assert list(copied.target) == uids(other)[1:]
        assert other.read_many(copied.target) == [message("1"), message("2")]
        assert keywords(other, copied.target[0]) == ["a"]
        assert flags(other)[copied.target[0]] == SEEN
        assert other.table.dates[1] == 86400
        assert uids(inbox) == [*one, *two]

    def test_copying_into_the_same_mailbox_makes_new_messages(
        self, open_store: OpenStore
    ) -> None:
        inbox = opened(open_store())
        one = add(inbox, SIMPLE)
        copied = inbox.copy(one, inbox)
        assert uids(inbox) == [*one, *copied.target]
        assert inbox.read(copied.target[0]) == SIMPLE

    def test_moving_takes_messages_out_of_the_source(
        self, open_store: OpenStore
    ) -> None:
        """RFC 6851."""
        store = open_store()
        inbox, other = opened(store), self.target(store)
        given = add(inbox, message("1"), message("2"), message("3"))
        view = View(inbox.table)
        moved = inbox.move(given[:2], other, view)
        assert list(moved.source) == given[:2]
        assert uids(inbox) == given[2:]
        assert other.read_many(moved.target) == [message("1"), message("2")]
        assert view.updates(expunges=True).expunged == [2, 1]
        again = open_store()
        assert uids(opened(again)) == given[2:]
        assert uids(opened(again, "Other")) == list(moved.target)

    # -- pieces

    def test_pieces_come_for_each_message(self, open_store: OpenStore) -> None:
        inbox = opened(open_store())
        given = add(inbox, message("1"), message("2"), message("3"))
        inbox.expunge(given[1:2], None)
        for _ in range(2):
            key = b"HEADER.FIELDS (SUBJECT)"
            pieces = inbox.fragments(key, given)
            assert pieces == [
                b"Subject: 1\r\n\r\n",
                None,
                b"Subject: 3\r\n\r\n",
            ]
            assert inbox.fragments(b"HEADER.FIELDS (X-NONE)", given[:1]) == [b"\r\n"]
            envelopes = inbox.fragments(b"ENVELOPE", given)
            assert [piece and piece[:9] for piece in envelopes] == [
                b'(NIL "1" ',
                None,
                b'(NIL "3" ',
            ]
        assert opened(open_store()).fragments(b"ENVELOPE", given) == envelopes

    # -- POP3

    def test_uidls_are_different_and_stay(self, open_store: OpenStore) -> None:
        """RFC 1939 section 7: 1 to 70 characters from %x21 to %x7E."""
        inbox = opened(open_store())
        given = add(inbox, SIMPLE, SIMPLE)
        inbox.copy(given[:1], inbox)
        before = inbox.uidls()
        assert len(set(before)) == len(before) == 3
        assert all(1 <= len(uidl) <= 70 for uidl in before)
        assert all(0x21 <= octet <= 0x7E for uidl in before for octet in uidl)
        inbox.change_flags(given, put(SEEN), None)
        inbox.expunge(given[:1], None)
        assert inbox.uidls() == before[1:]
        assert opened(open_store()).uidls() == before[1:]

    def test_the_maildrop_is_locked_by_one_at_a_time(
        self, open_store: OpenStore
    ) -> None:
        one, other = opened(open_store()), opened(open_store())
        let_go = one.lock_maildrop()
        with pytest.raises(MailboxInUse):
            other.lock_maildrop()
        let_go()
        other.lock_maildrop()()
