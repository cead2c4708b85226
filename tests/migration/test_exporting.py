"""Mail that moves out, and what an interrupted export leaves."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from maildrop.durable import Content, Disk
from maildrop.errors import StorageFailure
from maildrop.mailbox.flags import DELETED, FLAGGED, SEEN
from maildrop.mailbox.interfaces import NewMessage
from maildrop.mailbox.outside import Outside, Target, TargetInUse
from maildrop.migration import exporting
from maildrop.migration.exporting import Exported, Exporter, Notes
from maildrop.storage.index.host import Host
from maildrop.storage.memory.store import MemoryStore
from maildrop.storage.plain.maildir_target import MaildirTarget
from maildrop.storage.plain.mbox_target import MboxTarget
from maildrop.storage.plain.trees import Tree
from tests.crash.stopping import QuickDisk, every_stop
from tests.migration.sources import message
from tests.storage.contract import OCTETS

FORMS = ("mbox", "maildir")


def add(store: MemoryStore, *octets: bytes, name: str = "INBOX") -> None:
    mailbox = store.open(name)
    new = [
        NewMessage(
            Content.of(each),
            flags=(0, SEEN, FLAGGED | DELETED)[n % 3],
            keywords=("work", "$Forwarded")[: n % 3],
            date=1_000_000_000 + n,
        )
        for n, each in enumerate(octets)
    ]
    mailbox.publish(mailbox.stage(new), None)


@pytest.fixture
def store() -> MemoryStore:
    found = MemoryStore(lambda: 1000.0)
    found.create("été/.2024")
    found.subscribe("été/.2024")
    add(found, *OCTETS.values())
    add(found, *map(message, range(5)), name="été/.2024")
    return found


def target(form: str, path: Path, disk: Disk, *, force: bool, single: bool) -> Target:
    if form == "mbox":
        return MboxTarget(str(path), disk, single=single, force=force)
    host = Host.here(disk)
    return MaildirTarget(str(path), host, "maria", single=single, force=force)


def run(
    directory: Path,
    store: MemoryStore,
    form: str,
    *names: str,
    disk: Disk | None = None,
    force: bool = False,
    path: Path | None = None,
) -> list[Exported]:
    disk = disk or QuickDisk()
    place = target(
        form, path or directory / "out", disk, force=force, single=len(names) == 1
    )
    notes = Notes(
        str(directory), place.identity, "maria", disk, nullcontext, forget=force
    )
    exporter = Exporter(store, place, notes, nullcontext, lambda *_: None)
    return list(exporter.run(names))


Seen = tuple[bytes, int, frozenset[str], int]


def seen(store: MemoryStore, name: str) -> list[Seen]:
    mailbox = store.open(name)
    table = mailbox.table
    return [
        (
            mailbox.read(uid),
            table.flags[row],
            frozenset(table.keywords_of(table.keywords[row])),
            table.dates[row],
        )
        for row, uid in enumerate(table.uids)
    ]


def read_back(path: Path) -> dict[str, list[Seen]]:
    source = Tree(str(path), Host.here(), "maria")

    def shown(it: Outside) -> Seen:
        octets = bytes(it.content.octets())
        return octets, it.flags, frozenset(it.keywords), it.date or 0

    found = {}
    for box in source.mailboxes():
        found[box.name] = [shown(it) for it in box.read(lambda _: True)]
    return found


@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_reads_back_with_octets_flags_keywords_and_dates(
    tmp_path: Path, store: MemoryStore, form: str
) -> None:
    found = run(tmp_path, store, form)
    assert [(it.mailbox, it.written, it.error) for it in found] == [
        ("INBOX", len(OCTETS), None),
        ("été/.2024", 5, None),
    ]
    back = read_back(tmp_path / "out")
    assert back == {name: seen(store, name) for name in back}
    assert set(back) == {"INBOX", "été/.2024"}


def test_a_maildir_has_the_subscriptions_too(
    tmp_path: Path, store: MemoryStore
) -> None:
    run(tmp_path, store, "maildir")
    source = Tree(str(tmp_path / "out"), Host.here(), "maria")
    assert source.subscriptions() == ["été/.2024"]
    assert not list((tmp_path / "out").glob("maildrop.*"))


@pytest.mark.parametrize("form", FORMS)
def test_one_mailbox_is_what_was_named(
    tmp_path: Path, store: MemoryStore, form: str
) -> None:
    path = tmp_path / "Archive"
    (found,) = run(tmp_path, store, form, "été/.2024", path=path)
    assert found.written == 5
    (messages,) = read_back(path).values()
    assert messages == seen(store, "été/.2024")


@pytest.mark.parametrize("form", FORMS)
def test_a_second_export_adds_what_came_since(
    tmp_path: Path, store: MemoryStore, form: str
) -> None:
    run(tmp_path, store, form)
    add(store, message(77))
    found = run(tmp_path, store, form)
    assert [(it.written, it.before) for it in found] == [(1, len(OCTETS)), (0, 5)]
    assert read_back(tmp_path / "out")["INBOX"] == seen(store, "INBOX")


@pytest.mark.parametrize("form", FORMS)
def test_what_no_export_wrote_is_left_alone(
    tmp_path: Path, store: MemoryStore, form: str
) -> None:
    path = tmp_path / "out"
    if form == "mbox":
        path.mkdir()
        (path / "INBOX.mbox").write_bytes(b"dear to somebody")
    else:
        (path / "cur").mkdir(parents=True)
        (path / "cur" / "1.somebody:2,S").write_bytes(b"Subject: dear\n\n")
    inbox, other = run(tmp_path, store, form)
    assert isinstance(inbox.error, TargetInUse)
    assert "no export of this mailbox wrote it" in str(inbox.error)
    assert (inbox.written, other.written) == (0, 5)
    inbox, other = run(tmp_path, store, form, force=True)
    assert (inbox.error, inbox.written) == (None, len(OCTETS))
    back = read_back(path)["INBOX"]
    assert len(back) == len(OCTETS) + (form == "maildir")


def test_an_mbox_that_was_changed_since_is_left_alone(
    tmp_path: Path, store: MemoryStore
) -> None:
    run(tmp_path, store, "mbox", "INBOX")
    add(store, message(77))
    with (tmp_path / "out").open("ab") as file:
        file.write(b"From somebody Thu Jan  1 12:34:56 2026\n\n\n")
    (found,) = run(tmp_path, store, "mbox", "INBOX")
    assert isinstance(found.error, TargetInUse)
    assert "was changed since the last export" in str(found.error)


def test_a_mailbox_that_was_numbered_anew_is_not_added_to(
    tmp_path: Path, store: MemoryStore
) -> None:
    run(tmp_path, store, "mbox", "INBOX")
    store.renumber("INBOX")
    (found,) = run(tmp_path, store, "mbox", "INBOX")
    assert "numbered anew" in str(found.error)


def test_notes_that_make_no_sense_are_an_error_with_their_name(
    tmp_path: Path, store: MemoryStore
) -> None:
    run(tmp_path, store, "mbox", "INBOX")
    (path,) = tmp_path.glob("*.json")
    path.write_text('{"mailboxes": 7}')
    with pytest.raises(StorageFailure, match=f"{path.name} makes no sense"):
        run(tmp_path, store, "mbox", "INBOX")


@pytest.mark.parametrize("torn", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_stopped_anywhere_and_begun_anew_each_message_is_there_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, torn: bool
) -> None:
    monkeypatch.setattr(exporting, "BATCH", 2)
    store = MemoryStore(lambda: 1000.0)
    store.create("Work")
    add(store, *map(message, range(5)))
    add(store, message(9), name="Work")
    template = tmp_path / "template"
    template.mkdir()
    stops = 0

    def operation(directory: Path, disk: Disk) -> None:
        run(directory, store, form, disk=disk)

    for directory, _ in every_stop(template, operation, torn=torn):
        stops += 1
        found = run(directory, store, form)
        assert [it.error for it in found] == [None, None]
        back = read_back(directory / "out")
        assert back == {name: seen(store, name) for name in ("INBOX", "Work")}
    assert stops > 20
