"""Taking over an mbox, and giving it back."""

import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from maildrop.errors import MailboxInUse
from maildrop.mailbox.flags import ANSWERED, FLAGGED, SEEN, FlagChange, Operation
from maildrop.storage.foreign import mbox
from maildrop.storage.foreign.giving import Given
from maildrop.storage.foreign.giving_mbox import to_mbox
from maildrop.storage.foreign.mbox_fields import base, fields
from maildrop.storage.foreign.taking import Taken
from maildrop.storage.index.host import Host
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.mbox.format import content, split_header
from maildrop.storage.mbox.scan import is_pseudo, raw_messages
from maildrop.storage.mbox.store import MboxStore
from tests.storage.foreign.dovecot_octets import (
    extension_header,
    index,
    introduce,
    log,
    record,
)

LINE = b"From someone@example.org Thu Jan  1 12:34:56 2026\n"
UW = (
    LINE + b"X-IMAPbase: 77 0000000020 Junk $work\nStatus: RO\nX-Status: F\n"
    b"X-Keywords: Junk\nX-UID: 3\nSubject: one\n\nbody\n\n"
    + LINE
    + b"Status: O\nX-UID: 19\nSubject: two\n\nbody\n\n"
    + LINE
    + b"X-UID: 7\nSubject: not by the server\n\nbody\n\n"
)


class Place:
    """A user's mbox files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.inbox = path / "inbox"
        self.folders = path / "mail"
        self.control = path / "control"
        self.folders.mkdir()
        self.control.mkdir()
        self.index = self.folders / ".imap" / "INBOX"

    def store(self) -> MboxStore:
        host = Host.here(lock_seconds=0.1)
        places = str(self.inbox), str(self.folders), str(self.control)
        return MboxStore(*places, host, Remembered())

    def adopt(self, *, dry_run: bool = False, server: str = "auto") -> Taken:
        store = self.store()
        file, control = store.place("INBOX")
        return mbox.adopt(
            "INBOX",
            file,
            control,
            str(self.index),
            Host.here(),
            store.next_uid_validity,
            dry_run=dry_run,
            server=server,
        )

    def give(self) -> Given | None:
        store = self.store()
        store.open("INBOX").close()
        file, control = store.place("INBOX")
        return to_mbox(
            "INBOX",
            file,
            control,
            str(self.index),
            Host.here(),
            store.next_uid_validity,
            dry_run=False,
        )

    def seen(self) -> dict[int, tuple[int, list[str], bytes]]:
        """Flags, keywords and unique id by UID."""
        inbox = self.store().open("INBOX")
        inbox.refresh()
        table = inbox.table
        found = {
            uid: (
                table.flags[row] & 31,
                table.keywords_of(table.keywords[row]),
                uidl,
            )
            for row, (uid, uidl) in enumerate(
                zip(table.uids, inbox.uidls(), strict=True)
            )
        }
        inbox.close()
        return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_numbers_flags_and_keywords_stay(place: Place) -> None:
    place.inbox.write_bytes(UW)
    report = place.adopt()
    assert (report.state, report.server) == ("taken over", "uw")
    assert (report.messages, report.new) == (2, 1)
    assert place.seen() == {
        3: (SEEN | FLAGGED, ["Junk"], b"0000004d00000003"),
        19: (0, [], b"0000004d00000013"),
        21: (0, [], b"0000004d00000015"),
    }
    assert place.inbox.read_bytes() == UW
    assert place.adopt().state == "was before"


def test_a_dry_run_changes_nothing(place: Place) -> None:
    place.inbox.write_bytes(UW)
    assert place.adopt(dry_run=True).uid_validity == 77
    assert list(place.control.iterdir()) == []


def test_pines_message_that_is_none_says_the_same(place: Place) -> None:
    pseudo = (
        b"From MAILER-DAEMON Thu Jan  1 12:34:56 2026\n"
        b"Date: 01 Jan 2026 12:34:56 +0000\n"
        b"From: Mail System Internal Data <MAILER-DAEMON@host>\n"
        b"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n"
        b"Message-ID: <1767270896@host>\n"
        b"X-IMAP: 88 0000000004\nStatus: RO\n\nDo not delete.\n\n"
    )
    place.inbox.write_bytes(pseudo + LINE + b"X-UID: 4\nSubject: one\n\nx\n\n")
    assert place.adopt().uid_validity == 88
    assert list(place.seen()) == [4]


def test_a_file_without_numbers_has_nothing_to_take_over(place: Place) -> None:
    place.inbox.write_bytes(LINE + b"X-UID: 4\nSubject: one\n\nx\n\n")
    assert place.adopt().state == "nothing known"


def test_a_missing_inbox_has_nothing_to_take_over(place: Place) -> None:
    assert place.adopt().state == "nothing known"


def test_qpoppers_unique_ids_are_taken_if_most_messages_have_one(place: Place) -> None:
    second = UW.replace(b"X-UID: 19\n", b"X-UID: 19\nX-UIDL: b!\n")
    place.inbox.write_bytes(second.replace(b"X-UID: 3\n", b"X-UID: 3\nX-UIDL: a!\n"))
    place.adopt()
    found = place.seen()
    assert (found[3][2], found[19][2]) == (b"a!", b"b!")


def test_one_message_with_a_unique_id_is_its_senders_doing(place: Place) -> None:
    place.inbox.write_bytes(UW.replace(b"X-UID: 3\n", b"X-UID: 3\nX-UIDL: a!\n"))
    place.adopt()
    assert place.seen()[3][2] == b"0000004d00000003"


def test_a_lock_of_another_program_is_respected(place: Place) -> None:
    place.inbox.write_bytes(UW)
    (place.path / "inbox.lock").touch()
    with pytest.raises(MailboxInUse, match=r"inbox\.lock is there"):
        place.adopt()


def dovecots_index(place: Place) -> None:
    """An index of Dovecot's that knows more than the file says."""
    file = place.inbox.stat()
    rows = [(3, 128 | 1, 1, 5), (19, 0, 0, 6), (25, 8, 0, 7)]
    starts = [at for at in range(len(UW)) if UW[at:].startswith(LINE)]
    known = struct.pack("<QI", file.st_size, int(file.st_mtime))
    place.index.mkdir(parents=True)
    octets = index(rows, uid_validity=77, next_uid=30, first_recent=26)
    (place.index / "dovecot.index").write_bytes(octets)
    offsets = zip((3, 19, 25), starts, strict=True)
    changes = [record(uid, at.to_bytes(8, "little")) for uid, at in offsets]
    octets = log(introduce(b"mbox", 8), extension_header(known), *changes)
    (place.index / "dovecot.index.log").write_bytes(octets)


def test_what_dovecot_has_not_written_into_the_file_comes_from_its_index(
    place: Place,
) -> None:
    place.inbox.write_bytes(UW)
    dovecots_index(place)
    report = place.adopt()
    assert (report.server, report.messages, report.uid_next) == ("dovecot", 3, 30)
    assert place.seen() == {
        3: (ANSWERED, ["Junk"], b"000000030000004d"),
        19: (0, [], b"000000130000004d"),
        25: (0, [], b"000000190000004d"),
    }


def test_an_index_of_a_file_that_was_changed_since_gives_no_numbers(
    place: Place,
) -> None:
    place.inbox.write_bytes(UW)
    dovecots_index(place)
    place.inbox.write_bytes(UW[: UW.rindex(LINE)])
    place.adopt()
    assert sorted(place.seen()) == [3, 19]


# -- dates


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two hours east."""
    monkeypatch.setenv("TZ", "XXX-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize(
    ("line", "date"),
    [
        (b"From x Thu Jan  1 02:00:00 2026", 1767225600),
        (b"From x Thu Jan  1 02:00:00 2026 +0000", 1767232800),
        (b"From x Thu Jan  1 02:00:00 -0130 2026", 1767238200),
    ],
)
def test_dates_are_local_unless_they_tell_a_zone(line: bytes, date: int) -> None:
    assert mbox.local_date(line, 1767232800) == date


def test_a_line_without_a_date_tells_none() -> None:
    assert mbox.local_date(b"From x", 0) == 0


# -- giving back


def headers(path: Path) -> list[bytes]:
    """Of each message, and whether the first is none."""
    fd = os.open(path, os.O_RDONLY)
    try:
        found = raw_messages(fd, 0, path.stat().st_size, str(path))
        stored = [content(raw) for _, raw in found]
    finally:
        os.close(fd)
    return [octets[: split_header(octets)] for octets in stored]


def test_what_is_given_back_is_what_other_servers_read(place: Place) -> None:
    place.inbox.write_bytes(UW)
    place.adopt()
    inbox = place.store().open("INBOX")
    inbox.refresh()
    inbox.change_flags([19], FlagChange(Operation.ADD, SEEN, ("fresh",)), None)
    inbox.expunge([3], None)
    inbox.close()
    before = place.seen()
    given = place.give()
    assert given is not None
    assert (given.uid_validity, given.uid_next, given.messages) == (77, 22, 2)
    first, second = headers(place.inbox)
    said = base(first)
    assert said is not None
    assert (said.uid_validity, said.last_uid) == (77, 21)
    assert said.keywords == ("Junk", "$work", "fresh")
    assert [fields(first).uid, fields(second).uid] == [19, 21]
    assert b"\nStatus: RO" in first
    assert place.seen() == before
    assert place.adopt().state == "taken over"
    assert place.seen() == before


def test_a_mailbox_without_messages_keeps_its_numbers(place: Place) -> None:
    place.inbox.write_bytes(UW)
    place.adopt()
    inbox = place.store().open("INBOX")
    inbox.refresh()
    inbox.expunge(list(inbox.table.uids), None)
    inbox.close()
    place.give()
    octets = place.inbox.read_bytes()
    assert is_pseudo(octets)
    assert b"\nX-IMAP: 77 0000000021 Junk $work\n" in octets
    assert place.seen() == {}


def test_dovecots_index_begins_anew(place: Place) -> None:
    place.inbox.write_bytes(UW)
    dovecots_index(place)
    place.adopt()
    place.give()
    assert [path.name for path in place.index.iterdir()] == ["dovecot.index.log"]
