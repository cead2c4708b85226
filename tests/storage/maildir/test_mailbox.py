"""A Maildir that other programs use too."""

import os
from pathlib import Path

import pytest

from maildrop.durable import Content, Disk
from maildrop.errors import MessageExpunged, NoSpace
from maildrop.mailbox.flags import (
    ANSWERED,
    FLAGGED,
    SEEN,
    FlagChange,
    Operation,
)
from maildrop.mailbox.interfaces import NewMessage
from maildrop.mailbox.steps import finished
from maildrop.storage.maildir.mailbox import MaildirMailbox
from maildrop.storage.maildir.names import order
from maildrop.storage.maildir.store import MaildirStore
from tests.storage.maildir.conftest import Clock, OpenStore
from tests.ticking import ticked

ADD = Operation.ADD


def opened(store: MaildirStore, name: str = "INBOX") -> MaildirMailbox:
    mailbox = store.open(name)
    mailbox.refresh()
    return mailbox


def add(mailbox: MaildirMailbox, *octets: bytes, flags: int = 0) -> list[int]:
    new = [NewMessage(Content.of(one), flags=flags) for one in octets]
    return list(mailbox.publish(mailbox.stage(new), None))


def message(subject: str) -> bytes:
    return f"Subject: {subject}\r\n\r\nbody of {subject}\r\n".encode()


def foreign(subject: str) -> bytes:
    return message(subject).replace(b"\r\n", b"\n")


def subjects(mailbox: MaildirMailbox) -> dict[int, str]:
    uids = list(mailbox.table.uids)
    found = mailbox.read_many(uids)
    lines = [(octets or b"").partition(b"\r\n")[0] for octets in found]
    return {u: line[9:].decode() for u, line in zip(uids, lines, strict=True)}


def flags(mailbox: MaildirMailbox) -> dict[int, int]:
    table = mailbox.table
    return {u: f & 31 for u, f in zip(table.uids, table.flags, strict=True)}


def only(directory: Path) -> Path:
    (path,) = directory.iterdir()
    return path


def first(directory: Path) -> Path:
    """The file of the message that was put there first."""
    return min(directory.iterdir(), key=lambda path: order(path.name.encode()))


# -- other programs deliver


def test_a_foreign_delivery_is_a_new_message(open_store: OpenStore, root: Path) -> None:
    inbox = opened(open_store())
    (root / "new" / "1700000001.1_0.host").write_bytes(foreign("one"))
    os.utime(root / "new" / "1700000001.1_0.host", (1000, 1000))
    ticked(root / "new")
    inbox.refresh()
    assert subjects(inbox) == {1: "one"}
    assert inbox.table.sizes[0] == len(message("one"))
    assert inbox.table.dates[0] == 1000
    assert inbox.read(1) == message("one")


def test_foreign_messages_are_in_order_of_their_names(
    open_store: OpenStore, root: Path
) -> None:
    open_store()
    for name in ("1700000009.M5P1.h", "1700000010.M10P1.h", "1700000010.M9P1.h"):
        (root / "cur" / f"{name}:2,").write_bytes(foreign(name))
    assert list(subjects(opened(open_store())).values()) == [
        "1700000009.M5P1.h",
        "1700000010.M9P1.h",
        "1700000010.M10P1.h",
    ]


@pytest.mark.parametrize(
    ("stored", "octets"),
    [
        (b"Subject: x\n\na\nb\n", b"Subject: x\r\n\r\na\r\nb\r\n"),
        (b"Subject: x\r\n\r\na\r\n", b"Subject: x\r\n\r\na\r\n"),
        (b"Subject: x\r\n\na\r\nb\n", b"Subject: x\r\n\r\na\r\nb\r\n"),
        (b"", b""),
        (b"no newline", b"no newline"),
    ],
)
def test_foreign_line_ends_come_out_as_crlf(
    open_store: OpenStore, root: Path, stored: bytes, octets: bytes
) -> None:
    open_store()
    (root / "new" / "1.x.host").write_bytes(stored)
    inbox = opened(open_store())
    assert inbox.read(1) == octets
    assert inbox.table.sizes[0] == len(octets)


def test_a_name_that_lies_about_its_size_is_not_believed(
    open_store: OpenStore, root: Path
) -> None:
    open_store()
    (root / "new" / "1.x.host,S=3,W=4").write_bytes(foreign("liar"))
    inbox = opened(open_store())
    assert inbox.table.sizes[0] == len(message("liar"))
    assert inbox.read(1) == message("liar")


def test_a_wrong_w_is_put_right_when_the_message_is_read(
    open_store: OpenStore, root: Path
) -> None:
    open_store()
    octets = foreign("x")
    (root / "new" / f"1.x.host,S={len(octets)},W=999").write_bytes(octets)
    inbox, other = opened(open_store()), opened(open_store())
    assert inbox.table.sizes[0] == 999
    assert inbox.read(1) == message("x")
    assert inbox.table.sizes[0] == len(message("x"))
    other.refresh()
    assert other.table.sizes[0] == len(message("x"))


def test_what_is_no_message_is_passed_over(
    open_store: OpenStore, root: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "secret"
    outside.write_bytes(b"Subject: secret\n\n")
    open_store()
    (root / "cur" / "1.link.host:2,").symlink_to(outside)
    (root / "cur" / "2.directory.host:2,").mkdir()
    (root / "cur" / ".hidden").write_bytes(b"x")
    (root / "cur" / ":2,S").write_bytes(b"x")
    os.mkfifo(root / "new" / "3.pipe.host")
    inbox = opened(open_store())
    assert len(inbox.table) == 0


def test_a_file_that_becomes_a_link_does_not_lead_out(
    open_store: OpenStore, root: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "secret"
    outside.write_bytes(b"Subject: secret\n\n")
    store = open_store()
    store.create("Other")
    inbox = opened(store)
    add(inbox, message("x"))
    path = only(root / "new")
    path.unlink()
    path.symlink_to(outside)
    with pytest.raises(MessageExpunged):
        inbox.read(1)
    copied = inbox.copy([1], store.open("Other"))
    other = opened(open_store(), "Other")
    assert all(
        b"secret" not in (octets or b"")
        for octets in other.read_many(list(copied.target))
    )


# -- other programs change flags, move, delete


def test_foreign_flags_are_taken_in(open_store: OpenStore, root: Path) -> None:
    inbox = opened(open_store())
    add(inbox, message("1"), message("2"), flags=SEEN)
    before = inbox.table.highest_mod_seq
    path = first(root / "cur")
    path.rename(path.with_name(path.name.replace(":2,S", ":2,RSF")))
    ticked(root / "cur")
    inbox.refresh()
    assert flags(inbox) == {1: SEEN | ANSWERED | FLAGGED, 2: SEEN}
    assert inbox.table.mod_seqs[0] > before >= inbox.table.mod_seqs[1]


def test_passed_on_is_the_keyword_forwarded(open_store: OpenStore, root: Path) -> None:
    inbox = opened(open_store())
    add(inbox, message("1"), flags=SEEN)
    path = only(root / "cur")
    path.rename(path.with_name(path.name.replace(":2,S", ":2,PS")))
    ticked(root / "cur")
    inbox.refresh()
    table = inbox.table
    assert table.keywords_of(table.keywords[0]) == ["$Forwarded"]
    inbox.change_flags([1], FlagChange(Operation.REMOVE, 0, ("$Forwarded",)), None)
    assert only(root / "cur").name.endswith(":2,S")


def test_letters_that_mean_nothing_are_kept(open_store: OpenStore, root: Path) -> None:
    open_store()
    (root / "cur" / "1.x.host:2,SXq").write_bytes(foreign("x"))
    inbox = opened(open_store())
    inbox.change_flags([1], FlagChange(ADD, FLAGGED), None)
    name = only(root / "cur").name
    assert name.startswith("1.x.host:2,FS")
    assert set("Xq") <= set(name)
    again = opened(open_store())
    assert flags(again) == {1: SEEN | FLAGGED}
    assert again.read(1) == message("x")


def test_keywords_of_another_server_have_their_names(
    open_store: OpenStore, root: Path
) -> None:
    open_store()
    (root / "dovecot-keywords").write_bytes(b"0 $Junk\n1 work\n7 late\nrubbish\n")
    (root / "cur" / "1.x.host:2,Sab").write_bytes(foreign("x"))
    table = opened(open_store()).table
    assert table.keywords_of(table.keywords[0]) == ["$Junk", "work"]


def test_a_message_moved_to_cur_is_the_same_one(
    open_store: OpenStore, root: Path
) -> None:
    inbox = opened(open_store())
    add(inbox, message("1"))
    mod_seq = inbox.table.highest_mod_seq
    path = only(root / "new")
    path.rename(root / "cur" / f"{path.name}:2,")
    ticked(root / "new", root / "cur")
    inbox.refresh()
    assert subjects(inbox) == {1: "1"}
    assert inbox.table.highest_mod_seq == mod_seq
    path = only(root / "cur")
    path.rename(root / "new" / path.name.partition(":")[0])
    ticked(root / "new", root / "cur")
    inbox.refresh()
    assert subjects(inbox) == {1: "1"}


def test_a_file_deleted_by_others_is_expunged(
    open_store: OpenStore, root: Path
) -> None:
    inbox = opened(open_store())
    add(inbox, message("1"), message("2"))
    first(root / "new").unlink()
    ticked(root / "new")
    inbox.refresh()
    assert subjects(inbox) == {2: "2"}


def test_everything_can_be_deleted_by_others(open_store: OpenStore, root: Path) -> None:
    inbox = opened(open_store())
    add(inbox, message("1"), message("2"), flags=SEEN)
    for path in (root / "cur").iterdir():
        path.unlink()
    ticked(root / "cur")
    inbox.refresh()
    assert len(inbox.table) == 0
    assert add(inbox, message("3")) == [3]


def test_a_message_renamed_since_the_refresh_is_still_read_and_changed(
    open_store: OpenStore, root: Path
) -> None:
    inbox = opened(open_store())
    add(inbox, message("1"), flags=SEEN)
    path = only(root / "cur")
    path.rename(path.with_name(path.name.replace(":2,S", ":2,FS")))
    assert inbox.read(1) == message("1")
    path = only(root / "cur")
    path.rename(path.with_name(path.name.replace(":2,FS", ":2,")))
    assert list(inbox.change_flags([1], FlagChange(ADD, ANSWERED), None)) == [1]
    assert only(root / "cur").name.endswith(":2,R")
    path = only(root / "cur")
    path.rename(path.with_name(path.name.replace(":2,R", ":2,S")))
    assert list(inbox.expunge([1], None)) == [1]
    assert not list((root / "cur").iterdir())


def test_a_message_deleted_since_the_refresh_is_gone(
    open_store: OpenStore, root: Path
) -> None:
    inbox = opened(open_store())
    add(inbox, message("1"), message("2"), flags=SEEN)
    first(root / "cur").unlink()
    assert list(inbox.change_flags([1, 2], FlagChange(ADD, FLAGGED), None)) == [2]
    with pytest.raises(MessageExpunged):
        inbox.read(1)


def test_a_change_in_the_same_tick_is_found_a_tick_later(
    open_store: OpenStore, root: Path, clock: Clock
) -> None:
    inbox = opened(open_store())
    add(inbox, message("1"), flags=SEEN)
    inbox.refresh()
    path = only(root / "cur")
    facts = (root / "cur").stat()
    path.rename(path.with_name(path.name.replace(":2,S", ":2,FS")))
    os.utime(root / "cur", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    inbox.refresh()
    assert flags(inbox) == {1: SEEN}
    clock.advance(3.0)
    inbox.refresh()
    assert flags(inbox) == {1: SEEN | FLAGGED}


# -- recovery


def test_without_its_ledger_a_mailbox_has_the_same_mail_and_uidls(
    open_store: OpenStore, root: Path
) -> None:
    inbox = opened(open_store())
    new = NewMessage(Content.of(message("1")), flags=FLAGGED, date=5000)
    inbox.publish(inbox.stage([new]), None)
    add(inbox, message("2"))
    before = inbox.uidls(), list(subjects(inbox).values()), list(inbox.table.dates)
    validity = inbox.table.uid_validity
    inbox.close()
    for path in root.glob("maildrop.*"):
        if path.name != "maildrop.uidvalidity":
            path.unlink()
    again = opened(open_store())
    after = again.uidls(), list(subjects(again).values()), list(again.table.dates)
    assert after[:2] == before[:2]
    assert after[2][0] == 5000
    assert again.table.uid_validity > validity
    assert flags(again)[1] == FLAGGED


def test_what_was_never_published_stays_invisible(
    open_store: OpenStore, root: Path
) -> None:
    inbox = opened(open_store())
    inbox.stage([NewMessage(Content.of(message("lost")))])
    assert len(list((root / "tmp").iterdir())) == 1
    assert len(opened(open_store()).table) == 0


class Full(Disk):
    """Full at the call of a name."""

    def __init__(self, call: str) -> None:
        self.call = call

    def create(self, *args: object, **named: object) -> int:
        self.check("create")
        return super().create(*args, **named)  # type: ignore[arg-type]

    def write(self, *args: object) -> None:
        self.check("write")
        super().write(*args)  # type: ignore[arg-type]

    def rename(self, *args: object, **named: object) -> None:
        self.check("rename")
        super().rename(*args, **named)  # type: ignore[arg-type]

    def synchronize_directory(self, path: str | bytes | int) -> None:
        self.check("synchronize_directory")
        super().synchronize_directory(path)

    def check(self, call: str) -> None:
        if call == self.call:
            raise OSError(28, "No space left on device")


def add_or_discard(mailbox: MaildirMailbox, *octets: bytes) -> None:
    """As the bridge does it."""
    staged = mailbox.stage([NewMessage(Content.of(one)) for one in octets])
    try:
        mailbox.publish(staged, None)
    except BaseException:
        mailbox.discard(staged)
        raise


@pytest.mark.parametrize("call", ["create", "write", "rename", "synchronize_directory"])
def test_a_full_disk_leaves_nothing_behind(
    open_store: OpenStore, root: Path, call: str
) -> None:
    disk = Full("")
    inbox = opened(open_store(disk))
    add(inbox, message("before"))
    disk.call = call
    with pytest.raises(NoSpace):
        add_or_discard(inbox, message("x"), message("y"))
    disk.call = ""
    assert not list((root / "tmp").iterdir())
    assert len(list((root / "new").iterdir())) == 1
    inbox.refresh()
    assert list(subjects(inbox).values()) == ["before"]
    uid = add(inbox, message("after"))[0]
    assert list(subjects(opened(open_store())).values()) == ["before", "after"]
    assert uid > 1


# -- cost


def test_an_unchanged_mailbox_is_not_listed_again(
    open_store: OpenStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = opened(open_store())
    add(inbox, message("1"))
    for _ in range(3):
        clock.advance(5.0)
        inbox.refresh()
    listed: list[bytes] = []
    monkeypatch.setattr(os, "listdir", listed.append)
    for _ in range(3):
        clock.advance(500.0)
        inbox.refresh()
    assert listed == []


def test_claimed_messages_go_to_cur_and_nobody_is_told(
    open_store: OpenStore, root: Path
) -> None:
    inbox = opened(open_store())
    add(inbox, message("1"), message("2"))
    inbox.claim_recent()
    assert not list((root / "new").iterdir())
    assert inbox.table.journal.entries == []
    assert subjects(opened(open_store())) == {1: "1", 2: "2"}


def test_much_work_is_not_for_the_reactor_thread(
    open_store: OpenStore, root: Path
) -> None:
    inbox = opened(open_store())
    assert inbox.inline > 0
    for number in range(5000):
        (root / "cur" / f"{number}.x:2,").touch()
    assert inbox.inline > 0  # it has to be found out first how many there are
    ticked(root / "cur")
    inbox.refresh()
    (root / "cur" / "one-more.x:2,").touch()
    ticked(root / "cur")
    assert inbox.inline == 0
    inbox.refresh()
    assert inbox.inline > 0


def test_a_disk_that_makes_wait_is_left_to_threads(
    open_store: OpenStore, clock: Clock
) -> None:
    class Slow(Disk):
        def create(
            self, path: str | bytes, mode: int = 0o600, dir_fd: int | None = None
        ) -> int:
            clock.advance(0.1)
            return super().create(path, mode, dir_fd)

    inbox = opened(open_store(Slow()))
    assert inbox.cut is not None
    staged = finished(inbox.cut.stage([NewMessage(Content.of(message("1")))]))
    assert inbox.cut is None
    inbox.publish(staged, None)
    clock.advance(1.0)
    assert inbox.cut is not None
    assert subjects(inbox) == {1: "1"}
