"""What every store keeps to about quotas: ``mailbox.quota``, as tests.

In this file:
    QuotaContract    tests of a store; a subclass gives the fixture ``open_store``
"""

from collections.abc import Callable

import pytest

from maildrop.durable import Content
from maildrop.errors import OverQuota
from maildrop.mailbox.interfaces import NewMessage, Store, StoredMailbox
from maildrop.mailbox.keeping import Keeping
from maildrop.mailbox.quota import Counted, Quota, Reached, Usage
from tests.storage.contract import add, message, opened, uids

OpenStore = Callable[[], Store]

#: A message of 1000 octets.
BIG = message("x").ljust(998, b"y") + b"\r\n"


def limited(open_store: OpenStore, quota: Quota) -> Store:
    store = open_store()
    store.limit(quota)
    return store


def put(mailbox: StoredMailbox, octets: bytes, counted: Counted) -> list[int]:
    staged = mailbox.stage([NewMessage(Content.of(octets), counted=counted)])
    try:
        return list(mailbox.publish(staged, None))
    except OverQuota:
        mailbox.discard(staged)
        raise


class QuotaContract:
    """Every store passes these."""

    def test_usage_is_the_sum_of_all_mailboxes(self, open_store: OpenStore) -> None:
        """RFC 9208 section 5."""
        store = open_store()
        assert store.usage() == Usage(0, 0)
        store.create("Work/2024")
        inbox, work = opened(store), opened(store, "Work/2024")
        add(inbox, BIG, BIG)
        add(work, BIG)
        assert store.usage() == Usage(3000, 3)
        inbox.expunge(uids(inbox)[:1], None)
        assert store.usage() == Usage(2000, 2)
        assert open_store().usage() == Usage(2000, 2)
        assert open_store().usage(recount=True) == Usage(2000, 2)

    def test_a_message_beyond_the_octets_is_refused_and_leaves_nothing(
        self, open_store: OpenStore
    ) -> None:
        store = limited(open_store, Quota(octets=2500))
        inbox = opened(store)
        add(inbox, BIG, BIG)
        with pytest.raises(OverQuota):
            put(inbox, BIG, Counted.LIMITED)
        assert len(uids(inbox)) == 2
        assert store.usage() == Usage(2000, 2)
        assert len(put(inbox, BIG[:498] + b"\r\n", Counted.LIMITED)) == 1
        assert store.usage() == Usage(2500, 3)

    def test_a_message_beyond_the_number_is_refused(
        self, open_store: OpenStore
    ) -> None:
        inbox = opened(limited(open_store, Quota(messages=2)))
        add(inbox, BIG, BIG)
        with pytest.raises(OverQuota):
            put(inbox, BIG, Counted.DELIVERED)

    def test_what_lies_in_other_mailboxes_counts(self, open_store: OpenStore) -> None:
        store = limited(open_store, Quota(octets=2500))
        store.create("Work")
        add(opened(store, "Work"), BIG, BIG)
        with pytest.raises(OverQuota):
            put(opened(store), BIG, Counted.LIMITED)

    def test_messages_that_go_together_are_refused_together(
        self, open_store: OpenStore
    ) -> None:
        inbox = opened(limited(open_store, Quota(octets=2500)))
        new = [NewMessage(Content.of(BIG)) for _ in range(3)]
        staged = inbox.stage(new)
        with pytest.raises(OverQuota):
            inbox.publish(staged, None)
        inbox.discard(staged)
        assert uids(inbox) == []

    def test_only_the_last_message_delivered_gets_the_grace(
        self, open_store: OpenStore
    ) -> None:
        inbox = opened(limited(open_store, Quota(octets=1500, grace=600)))
        add(inbox, BIG)
        with pytest.raises(OverQuota):
            put(inbox, BIG, Counted.LIMITED)
        assert len(put(inbox, BIG, Counted.DELIVERED)) == 1
        with pytest.raises(OverQuota):
            put(inbox, message("small"), Counted.DELIVERED)

    def test_copying_counts_and_moving_does_not(self, open_store: OpenStore) -> None:
        store = limited(open_store, Quota(octets=1500))
        store.create("Work")
        inbox, work = opened(store), opened(store, "Work")
        given = add(inbox, BIG)
        with pytest.raises(OverQuota):
            inbox.copy(given, work)
        assert uids(work) == []
        moved = inbox.move(given, work, None)
        assert list(moved.source) == given
        assert store.usage() == Usage(1000, 1)

    def test_room_is_there_again_when_something_was_expunged(
        self, open_store: OpenStore
    ) -> None:
        store = limited(open_store, Quota(octets=1500))
        store.keep(Keeping(1000.0))
        inbox = opened(store)
        [first] = add(inbox, BIG)
        inbox.expunge([first], None)
        assert store.usage() == Usage(0, 0)
        assert len(add(inbox, BIG)) == 1

    def test_a_deleted_mailbox_counts_no_more(self, open_store: OpenStore) -> None:
        store = limited(open_store, Quota(octets=1500))
        store.keep(Keeping(1000.0))
        store.create("Work")
        work = opened(store, "Work")
        add(work, BIG)
        work.close()
        store.delete("Work")
        assert store.usage() == Usage(0, 0)
        assert len(add(opened(store), BIG)) == 1

    def test_what_was_expunged_comes_back_even_if_there_is_no_room(
        self, open_store: OpenStore
    ) -> None:
        store = limited(open_store, Quota(octets=1500))
        store.keep(Keeping(1000.0))
        inbox = opened(store)
        inbox.expunge(add(inbox, BIG), None)
        add(inbox, BIG)
        assert len(store.restore(store.kept())) == 1
        assert store.usage() == Usage(2000, 2)

    def test_without_a_limit_anything_goes(self, open_store: OpenStore) -> None:
        store = limited(open_store, Quota())
        assert len(add(opened(store), BIG, BIG)) == 2
        store.limit(Quota(octets=1))
        with pytest.raises(OverQuota):
            put(opened(store), BIG, Counted.LIMITED)
        store.limit(None)
        assert len(put(opened(store), BIG, Counted.LIMITED)) == 1

    def test_two_processes_that_add_to_one_mailbox_do_not_go_beyond_it(
        self, open_store: OpenStore
    ) -> None:
        boxes = [
            opened(limited(open_store, Quota(octets=4500))),
            opened(limited(open_store, Quota(octets=4500))),
        ]
        for at in range(4):
            put(boxes[at % 2], BIG, Counted.LIMITED)
        for mailbox in boxes:
            with pytest.raises(OverQuota):
                put(mailbox, BIG, Counted.LIMITED)
        assert open_store().usage() == Usage(4000, 4)

    def test_a_warning_is_told_once_each_time_it_is_reached(
        self, open_store: OpenStore
    ) -> None:
        told: list[Reached] = []
        store = open_store()
        quota = Quota(octets=10_000, warnings=(50, 80))
        store.limit(quota, told.append)
        inbox = opened(store)
        for _ in range(7):
            add(inbox, BIG)
        assert told == [Reached(50, Usage(5000, 5), quota)]
        add(inbox, BIG, BIG)
        assert [one.percent for one in told] == [50, 80]
        inbox.expunge(uids(inbox)[:6], None)
        add(inbox, BIG)
        add(inbox, BIG)
        assert [one.percent for one in told] == [50, 80, 50]
        again = open_store()
        again.limit(quota, told.append)
        add(opened(again), BIG)
        assert [one.percent for one in told] == [50, 80, 50]
