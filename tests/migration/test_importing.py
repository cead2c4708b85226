"""Mail that moves in, each message once."""

from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path

import pytest

from maildrop.durable import Content, Disk
from maildrop.errors import StorageFailure
from maildrop.mailbox.flags import FLAGGED, SEEN
from maildrop.mailbox.interfaces import NewMessage, Store
from maildrop.mailbox.outside import Outside, OutsideNumbers, Source
from maildrop.migration import importing
from maildrop.migration.importing import Imported, Importer
from maildrop.migration.journal import Journal
from maildrop.storage.index.host import Host
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.maildir.store import MaildirStore
from maildrop.storage.mbox.store import MboxStore
from maildrop.storage.memory.store import MemoryStore
from tests.crash.stopping import QuickDisk, every_stop
from tests.migration.sources import Box, Mail, message, numbered, plain

NUMBERS = OutsideNumbers(77, 60, 900)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(lambda: 1000.0)


def run(
    directory: Path,
    store: Store,
    source: Source,
    *,
    disk: Disk | None = None,
    keep_uids: bool = True,
    again: bool = False,
    below: str = "",
) -> list[Imported]:
    journal = Journal(
        str(directory),
        source.identity,
        "maria",
        disk or Disk(),
        nullcontext,
        again=again,
    )
    with closing(journal):
        importer = Importer(
            store,
            source,
            journal,
            nullcontext,
            lambda *_: None,
            keep_uids=keep_uids,
        )
        return list(importer.run(below, complete=source.whole))


def subjects(store: Store, name: str = "INBOX") -> list[int]:
    with closing(store.open(name)) as mailbox:
        mailbox.refresh()
        octets = mailbox.read_many(list(mailbox.table.uids))
    found = [each for each in octets if each is not None]
    return [int(each.partition(b"Subject: ")[2].split(b"\r")[0]) for each in found]


def test_all_of_it_comes_with_flags_keywords_and_dates(
    tmp_path: Path, store: MemoryStore
) -> None:
    mail = [
        Outside(b"a", Content.of(message(1)), SEEN | FLAGGED, ("work",), 5),
        Outside(b"b", Content.of(message(2)), 0, (), 6),
    ]
    (imported,) = run(tmp_path, store, Mail(Box("INBOX", mail)))
    assert (imported.added, imported.before, imported.error) == (2, 0, None)
    table = store.open("INBOX").table
    assert list(table.flags) == [SEEN | FLAGGED, 0]
    assert table.keywords_of(table.keywords[0]) == ["work"]
    assert list(table.dates) == [5, 6]
    assert subjects(store) == [1, 2]


def test_a_second_import_adds_what_is_new_and_reads_nothing_else(
    tmp_path: Path, store: MemoryStore
) -> None:
    run(tmp_path, store, Mail(Box("INBOX", plain(1, 2))))
    box = Box("INBOX", plain(1, 2, 3))
    (imported,) = run(tmp_path, store, Mail(box))
    assert (imported.added, imported.before) == (1, 2)
    assert box.asked == [b"k3"]
    assert subjects(store) == [1, 2, 3]


def test_equal_messages_with_keys_of_their_own_are_several(
    tmp_path: Path, store: MemoryStore
) -> None:
    twins = [Outside(key, Content.of(message(1))) for key in (b"a", b"b")]
    run(tmp_path, store, Mail(Box("INBOX", twins)))
    assert subjects(store) == [1, 1]


def test_again_imports_once_more(tmp_path: Path, store: MemoryStore) -> None:
    run(tmp_path, store, Mail(Box("INBOX", plain(1))))
    (imported,) = run(tmp_path, store, Mail(Box("INBOX", plain(1))), again=True)
    assert imported.added == 1
    assert subjects(store) == [1, 1]


def test_mailboxes_are_made_with_their_use_and_subscribed(
    tmp_path: Path, store: MemoryStore
) -> None:
    boxes = Box("Out", [], special_use=("\\Sent",)), Box("Work/2024", plain(1))
    run(tmp_path, store, Mail(*boxes))
    assert [(it.name, it.special_use) for it in store.entries() if it.selectable] == [
        ("INBOX", ()),
        ("Out", ("\\Sent",)),
        ("Work/2024", ()),
    ]
    assert store.subscriptions() == ["Out", "Work/2024"]


def test_subscriptions_of_the_source_count_where_it_has_some(
    tmp_path: Path, store: MemoryStore
) -> None:
    source = Mail(Box("a", []), Box("b", []), subscribed=["b", "gone"])
    run(tmp_path, store, source, below="old")
    assert store.subscriptions() == ["old/b", "old/gone"]


def test_a_source_of_one_mailbox_takes_the_name_and_of_several_all_go_below(
    tmp_path: Path, store: MemoryStore
) -> None:
    run(tmp_path, store, Mail(Box("INBOX", plain(1))), below="Old")
    run(tmp_path, store, Mail(Box("INBOX", plain(2)), Box("a", plain(3))), below="Two")
    found = {
        it.name: subjects(store, it.name) for it in store.entries() if it.selectable
    }
    assert found == {"INBOX": [], "Old": [1], "Two/INBOX": [2], "Two/a": [3]}


def test_an_empty_mailbox_takes_over_the_numbers(
    tmp_path: Path, store: MemoryStore
) -> None:
    """RFC 3501 section 2.3.1.1."""
    (imported,) = run(tmp_path, store, Mail(Box("INBOX", numbered(3, 4, 9), NUMBERS)))
    assert imported.keeps_uids
    table = store.open("INBOX").table
    assert (table.uid_validity, table.uid_next) == (77, 60)
    assert list(table.uids) == subjects(store) == [3, 4, 9]
    assert min(table.mod_seqs) >= 900


def test_a_mailbox_that_was_emptied_takes_over_the_numbers_too(
    tmp_path: Path, store: MemoryStore
) -> None:
    for number in range(9):
        _deliver(store, number)
    store.open("INBOX").expunge(range(1, 10), None)
    (imported,) = run(tmp_path, store, Mail(Box("INBOX", numbered(3, 4), NUMBERS)))
    assert imported.keeps_uids
    assert list(store.open("INBOX").table.uids) == [3, 4]


def test_what_came_to_the_source_since_gets_its_own_uids(
    tmp_path: Path, store: MemoryStore
) -> None:
    run(tmp_path, store, Mail(Box("INBOX", numbered(3, 4), NUMBERS)))
    more = Box("INBOX", numbered(3, 4, 60, 70), OutsideNumbers(77, 71, 950))
    (imported,) = run(tmp_path, store, Mail(more))
    assert (imported.added, imported.keeps_uids) == (2, True)
    table = store.open("INBOX").table
    assert (list(table.uids), table.uid_next) == ([3, 4, 60, 70], 71)


def test_unique_ids_of_pop3_are_kept(tmp_path: Path, store: MemoryStore) -> None:
    """RFC 1939 section 7."""
    mail = [
        Outside(b"1 3", Content.of(message(3)), uid=3, uidl=b"three"),
        Outside(b"1 5", Content.of(message(5)), uid=5),
    ]
    run(tmp_path, store, Mail(Box("INBOX", mail, NUMBERS)))
    uidls = store.open("INBOX").uidls()
    assert uidls[0] == b"three"
    assert uidls[1] not in {b"", b"three"}


@pytest.mark.parametrize("how", ["filled", "asked not to", "other validity"])
def test_numbers_are_new_where_they_cannot_be_kept(
    tmp_path: Path, store: MemoryStore, how: str
) -> None:
    if how == "filled":
        run(tmp_path, store, Mail(Box("INBOX", plain(1))))
    if how == "other validity":
        run(tmp_path, store, Mail(Box("INBOX", numbered(3), NUMBERS)))
        store.renumber("INBOX")
    box = Box("INBOX", numbered(3, 9), NUMBERS)
    (imported,) = run(tmp_path, store, Mail(box), keep_uids=how != "asked not to")
    assert not imported.keeps_uids
    table = store.open("INBOX").table
    assert table.uid_validity != 77
    assert subjects(store)[-1] == 9


def test_mail_that_comes_in_between_costs_the_numbers_and_nothing_else(
    tmp_path: Path, store: MemoryStore
) -> None:
    first = Box("INBOX", numbered(3), NUMBERS)
    first.breaks = StorageFailure("the connection broke")
    (broken,) = run(tmp_path, store, Mail(first))
    assert broken.error is first.breaks
    _deliver(store, 100)
    (imported,) = run(tmp_path, store, Mail(Box("INBOX", numbered(3, 4, 5), NUMBERS)))
    assert (imported.added, imported.keeps_uids) == (2, False)
    assert imported.remarks == [
        "UIDs were given to other mail before the import was done: the UIDs and the"
        " UIDVALIDITY of the source could not be kept"
    ]
    assert store.open("INBOX").table.uid_validity != 77
    assert subjects(store) == [3, 100, 4, 5]


def _deliver(store: Store, number: int) -> None:
    mailbox = store.open("INBOX")
    mailbox.publish(mailbox.stage([NewMessage(Content.of(message(number)))]), None)


def test_an_error_of_one_mailbox_leaves_the_others(
    tmp_path: Path, store: MemoryStore
) -> None:
    broken, whole = Box("a", plain(1, 2)), Box("b", plain(3))
    broken.breaks = StorageFailure("unreadable")
    found = run(tmp_path, store, Mail(broken, whole))
    assert [(it.mailbox, it.error) for it in found] == [
        ("a", broken.breaks),
        ("b", None),
    ]
    assert subjects(store, "b") == [3]


def test_keywords_beyond_the_limit_are_left_out_and_told(
    tmp_path: Path, store: MemoryStore
) -> None:
    words = tuple(f"word{n}" for n in range(33))
    mail = [
        Outside(b"a", Content.of(message(1)), keywords=words[:20]),
        Outside(b"b", Content.of(message(2)), keywords=(*words[15:], "b a d")),
    ]
    (imported,) = run(tmp_path, store, Mail(Box("INBOX", mail)))
    assert imported.added == 2
    assert imported.remarks == [
        "no room for the keyword word32",
        "no room for the keyword b a d",
    ]


def test_an_account_that_moves_as_a_whole_gets_no_other_mailboxes(
    tmp_path: Path, store: MemoryStore
) -> None:
    source = Mail(Box("INBOX", []))
    source.whole = True
    run(tmp_path, store, source)
    store.provide([("Drafts", "\\Drafts")])
    assert [entry.name for entry in store.entries()] == ["INBOX"]


def maildir(directory: Path, disk: Disk) -> Store:
    return MaildirStore(str(directory / "Maildir"), Host.here(disk), Remembered())


def mbox(directory: Path, disk: Disk) -> Store:
    control = directory / "control"
    control.mkdir(exist_ok=True)
    return MboxStore(
        str(directory / "inbox"),
        str(directory / "mail"),
        str(control),
        Host.here(disk),
        Remembered(),
        ("fcntl",),  # a dotlock that a stopped process leaves is ours: we go on
    )


@pytest.mark.parametrize("make", [maildir, mbox], ids=["maildir", "mbox"])
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("torn", [True, False])
def test_stopped_anywhere_and_begun_anew_each_message_is_there_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path, Disk], Store],
    keep: bool,
    torn: bool,
) -> None:
    """At each call that changes the disk: of the journal, and of the store.

    A torn record, or an mbox that was torn, may have given UIDs away: they may be lost
    to the import then.
    """
    monkeypatch.setattr(importing, "BATCH", 2)
    uids = (3, 4, 9, 10, 30)
    outcomes: list[Imported] = []

    def begin(directory: Path, disk: Disk) -> None:
        source = Mail(Box("INBOX", numbered(*uids), NUMBERS))
        with closing(make(directory, disk)) as store:
            outcomes[:] = run(directory, store, source, disk=disk, keep_uids=keep)

    template = tmp_path / "template"
    template.mkdir()
    stops = 0
    for directory, _ in every_stop(template, begin, torn=torn):
        stops += 1
        begin(directory, QuickDisk())
        (imported,) = outcomes
        assert imported.error is None
        assert keep or not imported.keeps_uids
        assert imported.keeps_uids or torn or not keep or make is mbox
        with closing(make(directory, QuickDisk())) as store:
            assert subjects(store) == list(uids)
            with closing(store.open("INBOX")) as mailbox:
                table = mailbox.table
                assert (list(table.uids) == list(uids)) is imported.keeps_uids
                assert (table.uid_validity == 77) is imported.keeps_uids
    assert stops > 40
