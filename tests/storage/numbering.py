"""What every store keeps to about numbers that were given elsewhere, as tests.

In this file:
    NumberingContract    of ``mailbox.numbering``; ``contract`` has the fixture
"""

from collections.abc import Callable

import pytest

from maildrop.errors import MailboxNotFound, MailboxVanished
from maildrop.mailbox.interfaces import Store
from tests.storage.contract import SIMPLE, add, message, opened, uids

OpenStore = Callable[[], Store]


class NumberingContract:
    """Tests of a store; a subclass gives the fixture ``open_store``."""

    def test_an_empty_mailbox_takes_the_numbers_of_another(
        self, open_store: OpenStore
    ) -> None:
        store = open_store()
        store.create("moved")
        assert store.renumber("moved", 7) == 7
        mailbox = opened(store, "moved")
        mailbox.reserve(1, 5000)
        mailbox.reserve(10)
        assert add(mailbox, message("ten"), message("eleven")) == [10, 11]
        mailbox.reserve(40)
        assert add(mailbox, message("forty")) == [40]
        mailbox.reserve(99)
        mailbox.close()
        table = opened(open_store(), "moved").table
        assert (table.uid_validity, table.uid_next) == (7, 99)
        assert list(table.uids) == [10, 11, 40]
        assert min(table.mod_seqs) > 5000

    def test_a_mailbox_that_was_emptied_begins_again(
        self, open_store: OpenStore
    ) -> None:
        store = open_store()
        mailbox = opened(store)
        add(mailbox, message("a"), message("b"))
        mailbox.expunge([1, 2], None)
        mailbox.close()
        store.renumber("INBOX", 7)
        again = opened(open_store())
        assert (again.table.uid_validity, again.table.uid_next) == (7, 1)
        assert add(again, message("c")) == [1]
        assert again.read(1) == message("c")

    def test_what_was_reserved_is_given_to_nothing(self, open_store: OpenStore) -> None:
        mailbox = opened(open_store())
        mailbox.reserve(10)
        mailbox.reserve(5)
        assert mailbox.table.uid_next == 10
        assert add(mailbox, SIMPLE) == [10]

    def test_another_uid_validity_leaves_all_else(self, open_store: OpenStore) -> None:
        store = open_store()
        mailbox = opened(store)
        add(mailbox, message("a"), message("b"), keywords=("$Keep",))
        mailbox.expunge(uids(mailbox)[:1], None)
        before = mailbox.table.uid_validity
        mailbox.close()
        given = store.renumber("INBOX")
        after = opened(open_store())
        assert given == after.table.uid_validity != before
        assert uids(after) == [2]
        assert after.table.keyword_names == ["$Keep"]
        assert after.read(2) == message("b")

    def test_who_has_it_open_finds_that_it_vanished(
        self, open_store: OpenStore
    ) -> None:
        store = open_store()
        watcher = opened(open_store())
        store.renumber("INBOX", watcher.table.uid_validity + 1)
        with pytest.raises(MailboxVanished):
            watcher.refresh()
        watcher.close()

    def test_later_mailboxes_get_larger_numbers(self, open_store: OpenStore) -> None:
        store = open_store()
        store.create("moved")
        store.renumber("moved", 3_000_000_000)
        store.delete("moved")
        store.create("moved")
        assert opened(store, "moved").table.uid_validity != 3_000_000_000

    def test_to_renumber_what_is_not_there_is_an_error(
        self, open_store: OpenStore
    ) -> None:
        with pytest.raises(MailboxNotFound):
            open_store().renumber("nothing", 7)

    def test_an_account_that_was_provided_with_nothing_stays_so(
        self, open_store: OpenStore
    ) -> None:
        open_store().provide(())
        store = open_store()
        store.provide([("Sent", "\\Sent")])
        assert [entry.name for entry in store.entries()] == ["INBOX"]
        assert store.subscriptions() == []

    def test_fixed_uidls_are_told_from_then_on(self, open_store: OpenStore) -> None:
        mailbox = opened(open_store())
        add(mailbox, message("a"), message("b"))
        mailbox.fix_uidls([2], [b"the.old.one"])
        mailbox.close()
        found = opened(open_store()).uidls()
        assert found[1] == b"the.old.one"
        assert found[0] != b"the.old.one"
