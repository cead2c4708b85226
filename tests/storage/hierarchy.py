"""What every store keeps to about names, subscriptions and special use, as tests.

In this file:
    HierarchyContract    tests of a store; a subclass gives the fixture ``open_store``

``contract`` has the tests about messages.
"""

from collections.abc import Sequence

import pytest

from maildrop.errors import (
    MailboxExists,
    MailboxNameInvalid,
    MailboxNotFound,
    MailboxNotRemovable,
    MailboxNotSelectable,
    MailboxVanished,
)
from maildrop.mailbox.interfaces import Store
from tests.storage.contract import SIMPLE, OpenStore, add, message, opened, uids


class HierarchyContract:
    """Names, subscriptions and special use; every store passes these too."""

    def names(self, store: Store) -> list[str]:
        return [entry.name for entry in store.entries()]

    def test_a_mailbox_is_made_with_the_levels_above(
        self, open_store: OpenStore
    ) -> None:
        """RFC 3501 section 6.3.3."""
        store = open_store()
        store.create("Work/2024/May")
        levels = {entry.name: entry for entry in open_store().entries()}
        assert sorted(levels) == ["INBOX", "Work", "Work/2024", "Work/2024/May"]
        assert levels["Work"].children
        assert not levels["Work"].selectable
        assert levels["Work/2024/May"].selectable
        with pytest.raises(MailboxNotSelectable):
            store.open("Work")
        assert uids(opened(store, "Work/2024/May")) == []

    @pytest.mark.parametrize(
        "name", ["Entwürfe", "a&b", "with space", "日本語", "100%", "dots.in.it"]
    )
    def test_names_are_any_text(self, open_store: OpenStore, name: str) -> None:
        store = open_store()
        store.create(name)
        add(opened(store, name), SIMPLE)
        assert name in self.names(open_store())
        assert opened(open_store(), name).read(1) == SIMPLE

    @pytest.mark.parametrize(
        "name",
        [
            "",
            "/absolute",
            "a//b",
            "a/",
            "../x",
            "a/../b",
            "..",
            ".",
            "a\0b",
            "a\nb",
            "x" * 300,
            "/".join("x" * 99),
        ],
    )
    def test_hostile_names_are_refused(self, open_store: OpenStore, name: str) -> None:
        store = open_store()
        before = self.names(store)
        with pytest.raises(MailboxNameInvalid):
            store.create(name)
        with pytest.raises((MailboxNameInvalid, MailboxNotFound)):
            store.open(name)
        store.create("plain")
        with pytest.raises(MailboxNameInvalid):
            store.rename("plain", name)
        assert self.names(store) == [*before, "plain"]

    def test_only_the_first_level_is_inbox_in_any_case(
        self, open_store: OpenStore
    ) -> None:
        """RFC 3501 section 5.1: INBOX is special, "Archive/Inbox" is not."""
        store = open_store()
        store.create("Archive/Inbox")
        store.subscribe("Archive/Inbox")
        assert "Archive/Inbox" in {entry.name for entry in store.entries()}
        assert store.subscriptions() == ["Archive/Inbox"]
        store.open("Archive/Inbox").close()

    def test_what_exists_is_not_made_again(self, open_store: OpenStore) -> None:
        store = open_store()
        store.create("A")
        for name in ("A", "INBOX"):
            with pytest.raises(MailboxExists):
                store.create(name)
        store.create("B")
        with pytest.raises(MailboxExists):
            store.rename("A", "B")

    def test_what_does_not_exist_is_not_found(self, open_store: OpenStore) -> None:
        store = open_store()
        for call in (store.open, store.delete):
            with pytest.raises(MailboxNotFound):
                call("Nowhere")
        with pytest.raises(MailboxNotFound):
            store.rename("Nowhere", "Somewhere")

    def test_inbox_stays(self, open_store: OpenStore) -> None:
        with pytest.raises(MailboxNotRemovable):
            open_store().delete("INBOX")

    def test_a_deleted_mailbox_is_gone_and_made_anew_it_is_another(
        self, open_store: OpenStore
    ) -> None:
        """RFC 3501 section 6.3.4: UIDVALIDITY tells the two apart."""
        store = open_store()
        store.create("A")
        before = opened(store, "A")
        add(before, SIMPLE)
        validity = before.table.uid_validity
        before.close()
        store.delete("A")
        assert self.names(store) == ["INBOX"]
        store.create("A")
        after = opened(store, "A")
        assert uids(after) == []
        assert after.table.uid_validity > validity

    def test_an_open_mailbox_that_is_deleted_has_vanished(
        self, open_store: OpenStore
    ) -> None:
        store = open_store()
        store.create("A")
        mailbox = opened(store, "A")
        open_store().delete("A")
        with pytest.raises(MailboxVanished):
            mailbox.refresh()

    def test_renaming_takes_children_along(self, open_store: OpenStore) -> None:
        """RFC 3501 section 6.3.5."""
        store = open_store()
        store.create("A/B/C")
        add(opened(store, "A/B/C"), SIMPLE)
        validity = opened(store, "A/B/C").table.uid_validity
        store.rename("A/B", "X")
        assert {"A/B", "A/B/C"}.isdisjoint(self.names(store))
        renamed = opened(open_store(), "X/C")
        assert renamed.read(1) == SIMPLE
        assert renamed.table.uid_validity == validity

    def test_nothing_is_renamed_into_itself(self, open_store: OpenStore) -> None:
        store = open_store()
        store.create("A/B")
        with pytest.raises(MailboxNameInvalid):
            store.rename("A/B", "A/B/C")

    def test_renaming_inbox_moves_its_messages(self, open_store: OpenStore) -> None:
        """RFC 3501 section 6.3.5."""
        store = open_store()
        given = add(opened(store), message("1"), message("2"))
        store.rename("INBOX", "Old")
        assert uids(opened(store)) == []
        old = opened(store, "Old")
        assert old.read_many(uids(old)) == [message("1"), message("2")]
        assert add(opened(store), SIMPLE)[0] > given[-1]

    def test_subscriptions_need_no_mailbox(self, open_store: OpenStore) -> None:
        """RFC 3501 section 6.3.6."""
        store = open_store()
        for name in ("b/ä.c", "a", "INBOX", "a"):
            store.subscribe(name)
        assert open_store().subscriptions() == ["INBOX", "a", "b/ä.c"]
        store.unsubscribe("a")
        store.unsubscribe("unknown")
        assert store.subscriptions() == ["INBOX", "b/ä.c"]

    def test_special_mailboxes_are_made_once(self, open_store: OpenStore) -> None:
        special: Sequence[tuple[str, str]] = [("Sent", "\\Sent"), ("Trash", "\\Trash")]
        store = open_store()
        store.provide(special)
        uses = {entry.name: entry.special_use for entry in store.entries()}
        assert uses == {"INBOX": (), "Sent": ("\\Sent",), "Trash": ("\\Trash",)}
        assert store.subscriptions() == ["Sent", "Trash"]
        store.delete("Trash")
        again = open_store()
        again.provide(special)
        assert self.names(again) == ["INBOX", "Sent"]

    def test_a_special_use_follows_its_mailbox(self, open_store: OpenStore) -> None:
        """RFC 6154 section 3."""
        store = open_store()
        store.create("Gone out", ["\\Sent"])
        store.rename("Gone out", "Out")
        uses = {entry.name: entry.special_use for entry in open_store().entries()}
        assert uses["Out"] == ("\\Sent",)
