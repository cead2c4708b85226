"""What every store keeps to about messages with a key, as tests.

In this file:
    KeyedContract    of ``mailbox.keyed``; ``contract`` has the fixture
"""

from collections.abc import Callable

from maildrop.durable import Content
from maildrop.errors import MaildropError
from maildrop.mailbox.flags import SEEN
from maildrop.mailbox.interfaces import NewMessage, Store, StoredMailbox
from maildrop.mailbox.steps import finished
from tests.storage.contract import SIMPLE, add, message, opened, uids

OpenStore = Callable[[], Store]


def put(mailbox: StoredMailbox, key: bytes, octets: bytes = SIMPLE) -> int:
    new = NewMessage(Content.of(octets), flags=SEEN, key=key)
    (uid,) = mailbox.publish(mailbox.stage([new]), None)
    return uid


class KeyedContract:
    """Tests of a store; a subclass gives the fixture ``open_store``."""

    def test_a_key_is_there_with_its_message(self, open_store: OpenStore) -> None:
        inbox = opened(open_store())
        assert not inbox.came(b"ID1.0")
        uid = put(inbox, b"ID1.0", message("kept"))
        assert inbox.came(b"ID1.0")
        assert not inbox.came(b"ID1.1")
        again = opened(open_store())
        assert again.came(b"ID1.0")
        assert again.read(uid) == message("kept")

    def test_a_message_without_a_key_leaves_none(self, open_store: OpenStore) -> None:
        inbox = opened(open_store())
        add(inbox, SIMPLE)
        assert list(inbox.keys()) == []

    def test_a_key_stays_when_its_message_is_removed(
        self, open_store: OpenStore
    ) -> None:
        inbox = opened(open_store())
        inbox.expunge([put(inbox, b"ID1.0")], None)
        assert inbox.came(b"ID1.0")
        assert uids(inbox) == []

    def test_what_is_only_staged_did_not_come(self, open_store: OpenStore) -> None:
        inbox = opened(open_store())
        staged = inbox.stage([NewMessage(Content.of(SIMPLE), key=b"ID1.0")])
        assert not inbox.came(b"ID1.0")
        inbox.discard(staged)
        assert not opened(open_store()).came(b"ID1.0")

    def test_to_discard_what_was_published_harms_nothing(
        self, open_store: OpenStore
    ) -> None:
        inbox = opened(open_store())
        staged = inbox.stage([NewMessage(Content.of(SIMPLE), key=b"ID1.0")])
        inbox.publish(staged, None)
        inbox.discard(staged)
        assert inbox.came(b"ID1.0")
        assert inbox.read(inbox.table.uids[0]) == SIMPLE

    def test_keys_are_listed_and_forgotten(self, open_store: OpenStore) -> None:
        inbox = opened(open_store())
        for key in (b"ID1.0", b"ID1.1", b"ID2.0"):
            put(inbox, key)
        assert sorted(inbox.keys()) == [b"ID1.0", b"ID1.1", b"ID2.0"]
        inbox.forget_keys([b"ID1.0", b"ID2.0", b"unknown"])
        assert list(inbox.keys()) == [b"ID1.1"]
        inbox.forget_keys([])
        again = opened(open_store())
        assert list(again.keys()) == [b"ID1.1"]
        assert len(uids(again)) == 3

    def test_messages_with_keys_and_without_come_together(
        self, open_store: OpenStore
    ) -> None:
        """They are published in one go, and each gets its own UID."""
        inbox = opened(open_store())
        new = [
            [NewMessage(Content.of(message("0")))],
            [NewMessage(Content.of(message("1")), key=b"ID1.0")],
            [NewMessage(Content.of(message(str(n)))) for n in (2, 3)],
            [NewMessage(Content.of(message("4")), key=b"ID1.1")],
        ]
        staged = [inbox.stage(some) for some in new]
        if inbox.cut is None:
            given = [inbox.publish(one, None) for one in staged]
        else:
            given = []
            for uids_given in finished(inbox.cut.publish(staged)):
                assert not isinstance(uids_given, MaildropError)
                given.append(uids_given)
        read = [inbox.read(uid) for some in given for uid in some]
        assert read == [message(str(n)) for n in range(5)]
        assert sorted(inbox.keys()) == [b"ID1.0", b"ID1.1"]
