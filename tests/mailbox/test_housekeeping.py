"""Removing what is old from an account."""

import pytest

from maildrop.durable import Content
from maildrop.errors import StorageFailure
from maildrop.mailbox.housekeeping import Expiry, Rules, keep_house
from maildrop.mailbox.interfaces import MailboxEntry, NewMessage
from maildrop.mailbox.keeping import Keeping
from maildrop.storage.memory.store import MemoryStore

DAY = 86400.0


class Now:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def store(now: Now) -> MemoryStore:
    store = MemoryStore(now)
    store.keep(Keeping(7 * DAY))
    for name in ("Trash", "Lists/a", "Lists/b"):
        store.create(name)
    return store


def fill(store: MemoryStore, name: str, count: int = 1) -> None:
    mailbox = store.open(name)
    new = [NewMessage(Content.of(b"Subject: x\r\n\r\n")) for _ in range(count)]
    mailbox.publish(mailbox.stage(new), None)


def counts(store: MemoryStore) -> dict[str, int]:
    names = ("INBOX", "Trash", "Lists/a", "Lists/b")
    return {name: len(store.open(name).table) for name in names}


def test_old_messages_of_a_mailbox_expire(store: MemoryStore, now: Now) -> None:
    fill(store, "Trash", 1200)
    fill(store, "INBOX")
    now.seconds += 31 * DAY
    fill(store, "Trash")
    rules = Rules(Keeping(7 * DAY), [Expiry("Trash", 30 * DAY)])
    done = keep_house(store, rules, now())
    assert (done.expired, done.failed) == (1200, [])
    assert counts(store) == {"INBOX": 1, "Trash": 1, "Lists/a": 0, "Lists/b": 0}
    assert len(store.kept()) == 1200


def test_what_was_kept_for_long_enough_is_given_up(
    store: MemoryStore, now: Now
) -> None:
    fill(store, "Trash")
    trash = store.open("Trash")
    trash.expunge(list(trash.table.uids), None)
    rules = Rules(Keeping(7 * DAY))
    assert keep_house(store, rules, now() + 6 * DAY).freed.messages == 0
    assert keep_house(store, rules, now() + 8 * DAY).freed.messages == 1
    assert store.kept() == []


def test_the_shortest_of_several_times_counts(store: MemoryStore, now: Now) -> None:
    fill(store, "Lists/a")
    fill(store, "Lists/b")
    expiries = [Expiry("Lists/*", 10 * DAY), Expiry("Lists/a", 5 * DAY)]
    keep_house(store, Rules(expiries=expiries), now() + 6 * DAY)
    assert counts(store)["Lists/a"] == 0
    assert counts(store)["Lists/b"] == 1


def test_what_fails_holds_up_nothing_else(
    store: MemoryStore, now: Now, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, "Trash")

    def failing(before: float, octets: int = 0) -> None:
        raise StorageFailure("the disk is gone")

    monkeypatch.setattr(store, "give_up", failing)
    rules = Rules(expiries=[Expiry("Trash", DAY)])
    done = keep_house(store, rules, now() + 2 * DAY)
    assert done.failed == ["kept messages: the disk is gone"]
    assert done.expired == 1


def test_others_get_a_pause_between_the_pieces(store: MemoryStore, now: Now) -> None:
    fill(store, "Trash", 1200)
    pauses: list[int] = []
    rules = Rules(expiries=[Expiry("Trash", DAY)])
    keep_house(store, rules, now() + 2 * DAY, lambda: pauses.append(1))
    assert len(pauses) >= 5


@pytest.mark.parametrize(
    ("mailbox", "entry", "applies"),
    [
        ("Trash", MailboxEntry("Trash"), True),
        ("Trash", MailboxEntry("Trash/a"), False),
        ("Trash", MailboxEntry("Trash", selectable=False), False),
        ("Lists/*", MailboxEntry("Lists/a/b"), True),
        ("Lists/*", MailboxEntry("Lists"), False),
        ("inbox", MailboxEntry("INBOX"), True),
        ("\\trash", MailboxEntry("Bin", special_use=("\\Trash",)), True),
        ("\\Junk", MailboxEntry("Junk"), False),
    ],
)
def test_which_mailboxes_a_rule_is_about(
    mailbox: str, entry: MailboxEntry, *, applies: bool
) -> None:
    assert Expiry(mailbox, 1.0).applies(entry) is applies
