"""What every store keeps to about expunged messages: ``mailbox.keeping``, as tests.

In this file:
    UndeleteContract    tests of a store; a subclass gives the fixture ``open_store``
"""

from collections.abc import Callable

from maildrop.mailbox.flags import DELETED, FLAGGED, SEEN
from maildrop.mailbox.interfaces import Store
from maildrop.mailbox.keeping import Keeping
from tests.storage.contract import add, flags, keywords, message, opened, uids

OpenStore = Callable[[], Store]

WEEK = Keeping(7 * 86400.0)
#: Later than any message can have been expunged here.
END = 1e11


def keeping(open_store: OpenStore, how: Keeping = WEEK) -> Store:
    store = open_store()
    store.keep(how)
    return store


class UndeleteContract:
    """Every store passes these."""

    def test_a_new_store_keeps_nothing(self, open_store: OpenStore) -> None:
        store = open_store()
        inbox = opened(store)
        inbox.expunge(add(inbox, message("1")), None)
        assert store.kept() == []

    def test_an_expunged_message_is_kept_with_all_that_is_known_of_it(
        self, open_store: OpenStore
    ) -> None:
        store = keeping(open_store)
        inbox = opened(store)
        [uid] = add(
            inbox, message("1"), flags=SEEN | FLAGGED, keywords=("work",), date=1234567
        )
        inbox.expunge([uid], None)
        assert uids(inbox) == []
        [kept] = store.kept()
        assert kept.mailbox == "INBOX"
        assert (kept.uid_validity, kept.uid) == (inbox.table.uid_validity, uid)
        assert (kept.flags, kept.keywords) == (SEEN | FLAGGED, ("work",))
        assert (kept.date, kept.size) == (1234567, len(message("1")))
        assert store.read_kept(kept) == message("1")

    def test_it_comes_back_as_it_was_under_a_new_uid(
        self, open_store: OpenStore
    ) -> None:
        store = keeping(open_store)
        inbox = opened(store)
        first, last = add(
            inbox, message("1"), message("2"), flags=SEEN, keywords=("work",), date=77
        )
        inbox.expunge([first], None)
        [back] = store.restore(store.kept())
        assert (back.mailbox, back.kept.uid) == ("INBOX", first)
        assert back.uid > last
        inbox.refresh()
        assert uids(inbox) == [last, back.uid]
        assert inbox.read(back.uid) == message("1")
        assert flags(inbox)[back.uid] == SEEN
        assert keywords(inbox, back.uid) == ["work"]
        assert inbox.table.dates[1] == 77
        assert inbox.table.sizes[1] == len(message("1"))
        assert store.kept() == []

    def test_what_came_back_comes_back_once(self, open_store: OpenStore) -> None:
        store = keeping(open_store)
        inbox = opened(store)
        inbox.expunge(add(inbox, message("1"), message("2")), None)
        kept = store.kept()
        assert len(store.restore(kept[:1])) == 1
        assert len(store.restore(kept)) == 1
        assert store.restore(kept) == []
        inbox.refresh()
        assert len(uids(inbox)) == 2

    def test_what_came_back_can_be_expunged_and_come_back_again(
        self, open_store: OpenStore
    ) -> None:
        store = keeping(open_store)
        inbox = opened(store)
        inbox.expunge(add(inbox, message("1")), None)
        for _ in range(3):
            [back] = store.restore(store.kept())
            inbox.refresh()
            assert uids(inbox) == [back.uid]
            inbox.expunge([back.uid], None)
        assert len(store.kept()) == 1

    def test_many_come_back_together(self, open_store: OpenStore) -> None:
        store = keeping(open_store)
        inbox = opened(store)
        octets = [message(str(n), "y" * n) for n in range(20)]
        inbox.expunge(add(inbox, *octets), None)
        restored = store.restore(store.kept())
        inbox.refresh()
        assert sorted(inbox.read(each.uid) for each in restored) == sorted(octets)

    def test_a_moved_message_is_not_kept(self, open_store: OpenStore) -> None:
        store = keeping(open_store)
        store.create("Work")
        inbox, work = opened(store), opened(store, "Work")
        inbox.move(add(inbox, message("1")), work, None)
        assert store.kept() == []

    def test_a_message_that_only_leaves_is_not_kept(
        self, open_store: OpenStore
    ) -> None:
        store = keeping(open_store)
        inbox = opened(store)
        inbox.expunge(add(inbox, message("1")), None, keep=False)
        assert store.kept() == []

    def test_messages_of_a_deleted_mailbox_come_back_with_it(
        self, open_store: OpenStore
    ) -> None:
        store = keeping(open_store)
        store.create("Work/2024")
        work = opened(store, "Work/2024")
        [early] = add(work, message("1"), flags=DELETED)
        work.expunge([early], None)
        add(work, message("2"), message("3"), flags=FLAGGED, keywords=("a",))
        work.close()
        store.delete("Work/2024")
        assert "Work/2024" not in [entry.name for entry in store.entries()]
        kept = store.kept()
        assert [one.mailbox for one in kept] == ["Work/2024"] * 3
        assert len(store.restore(kept)) == 3
        again = opened(store, "Work/2024")
        found = {again.read(uid): flags(again)[uid] for uid in uids(again)}
        assert found == {
            message("1"): DELETED,
            message("2"): FLAGGED,
            message("3"): FLAGGED,
        }
        assert store.kept() == []

    def test_one_message_of_a_deleted_mailbox_comes_back_alone(
        self, open_store: OpenStore
    ) -> None:
        store = keeping(open_store)
        store.create("Work")
        work = opened(store, "Work")
        add(work, message("1"), message("2"))
        work.close()
        store.delete("Work")
        two = [one for one in store.kept() if store.read_kept(one) == message("2")]
        store.restore(two)
        again = opened(store, "Work")
        assert [again.read(uid) for uid in uids(again)] == [message("2")]
        [left] = store.kept()
        assert store.read_kept(left) == message("1")

    def test_what_is_kept_is_given_up_by_age(self, open_store: OpenStore) -> None:
        store = keeping(open_store)
        store.create("Work")
        inbox, work = opened(store), opened(store, "Work")
        inbox.expunge(add(inbox, message("1")), None)
        add(work, message("2"))
        work.close()
        store.delete("Work")
        assert store.give_up(0.0).messages == 0
        assert len(store.kept()) == 2
        freed = store.give_up(END)
        assert freed.messages == 2
        assert freed.octets > 0
        assert store.kept() == []

    def test_what_is_kept_is_given_up_by_size(self, open_store: OpenStore) -> None:
        store = keeping(open_store)
        inbox = opened(store)
        for uid in add(inbox, *[message(str(n), "y" * 1000) for n in range(10)]):
            inbox.expunge([uid], None)
        assert 5 <= store.give_up(0.0, 5000).messages <= 6
        assert 4 <= len(store.kept()) <= 5

    def test_a_message_that_was_given_up_does_not_come_back(
        self, open_store: OpenStore
    ) -> None:
        store = keeping(open_store)
        inbox = opened(store)
        inbox.expunge(add(inbox, message("1")), None)
        kept = store.kept()
        store.give_up(END)
        assert store.restore(kept) == []
        assert store.read_kept(kept[0]) is None

    def test_what_is_kept_is_in_no_mailbox(self, open_store: OpenStore) -> None:
        store = keeping(open_store)
        inbox = opened(store)
        inbox.expunge(add(inbox, message("1")), None)
        inbox.close()
        again = open_store()
        assert [entry.name for entry in again.entries()] == ["INBOX"]
        assert uids(opened(again)) == []
        assert len(again.kept()) == 1

    def test_messages_know_when_they_came(self, open_store: OpenStore) -> None:
        store = open_store()
        store.create("Work")
        inbox, work = opened(store), opened(store, "Work")
        given = add(inbox, message("1"), date=5)
        assert list(inbox.came_before(100.0)) == []
        assert list(inbox.came_before(END)) == given
        moved = inbox.move(given, work, None)
        assert list(work.came_before(100.0)) == []
        assert list(work.came_before(END)) == list(moved.target)

    def test_nothing_is_left_to_tidy_in_a_new_store(
        self, open_store: OpenStore
    ) -> None:
        assert open_store().tidy() == 0
