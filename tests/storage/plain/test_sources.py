"""mbox files, Maildirs and trees of them, read as they are."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from maildrop.errors import StorageFailure
from maildrop.mailbox.flags import ANSWERED, FLAGGED, SEEN
from maildrop.mailbox.outside import Outside, SourceMailbox
from maildrop.storage.index.host import Host
from maildrop.storage.plain.maildir import MaildirSource, with_crlf, with_lf
from maildrop.storage.plain.mbox import MboxSource
from maildrop.storage.plain.trees import Tree
from tests.storage.contract import OCTETS

MBOX = b"""From MAILER-DAEMON Thu Jan  1 00:00:00 2026
Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA
X-IMAP: 1767225600 0000000003

From alice@example.org Thu Jan  1 12:34:56 2026
Status: RO
X-Status: F
X-Keywords: work $Label1
Subject: one

>From here
From alice@example.org Thu Jan  1 12:34:56 2026
Subject: two

same
From alice@example.org Thu Jan  1 12:34:56 2026
Subject: two

same
"""


def read(box: SourceMailbox, known: Sequence[bytes] = ()) -> list[Outside]:
    return list(box.read(lambda key: key not in known))


def maildir(path: Path, files: dict[str, bytes]) -> Path:
    for part in ("cur", "new", "tmp"):
        (path / part).mkdir(parents=True)
    for name, octets in files.items():
        (path / name).write_bytes(octets)
        os.utime(path / name, (5, 1_000_000_000))
    return path


def tree(path: Path, *, renamed: bool = False) -> Tree:
    return Tree(str(path), Host.here(), "maria@example.org", renamed=renamed)


def names(path: Path) -> list[str]:
    return [box.name for box in tree(path).mailboxes()]


def test_an_mbox_gives_messages_flags_keywords_and_dates(tmp_path: Path) -> None:
    path = tmp_path / "work"
    path.write_bytes(MBOX)
    one, *twins = read(MboxSource(str(path), "work", Host.here()))
    assert one.content.octets() == b"Subject: one\r\n\r\nFrom here\r\n"
    assert one.flags == SEEN | FLAGGED
    assert one.keywords == ("work", "$Label1")
    assert one.date == 1_767_270_896
    assert [it.content.octets() for it in twins] == 2 * [
        b"Subject: two\r\n\r\nsame\r\n"
    ]
    assert twins[0].key != twins[1].key
    assert path.read_bytes() == MBOX


def test_a_message_of_an_mbox_is_known_whatever_its_place_and_flags(
    tmp_path: Path,
) -> None:
    path = tmp_path / "work"
    path.write_bytes(MBOX)
    source = MboxSource(str(path), "work", Host.here())
    before = [it.key for it in read(source)]
    path.write_bytes(MBOX[MBOX.index(b"From alice") :].replace(b"X-Status: F\n", b""))
    after = read(source, before)
    assert [it.key for it in after] == before
    assert [it.content.size for it in after] == [0, 0, 0]


def test_what_is_no_mbox_is_an_error_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "letter"
    path.write_bytes(b"Dear Sirs")
    with pytest.raises(StorageFailure, match="letter is not an mbox"):
        read(MboxSource(str(path), "x", Host.here()))
    with pytest.raises(StorageFailure, match="letter holds no mbox and no Maildir"):
        tree(path).mailboxes()
    with pytest.raises(StorageFailure, match="gone"):
        read(MboxSource(str(tmp_path / "gone"), "x", Host.here()))


def test_a_maildir_gives_messages_flags_keywords_and_dates(tmp_path: Path) -> None:
    path = maildir(
        tmp_path,
        {
            "cur/1000000002.b.host:2,FPSa": b"Subject: b\n\nb\n",
            "new/1000000001.a.host": b"Subject: a\r\n\r\na\r\n",
            "cur/.hidden": b"",
        },
    )
    (path / "dovecot-keywords").write_text("0 work\n")
    source = MaildirSource(str(path), "INBOX")
    assert source.messages == 2
    first, second = read(source)
    assert first.content.octets() == b"Subject: a\r\n\r\na\r\n"
    assert (first.flags, first.keywords, first.date) == (0, (), 1_000_000_000)
    assert second.content.octets() == b"Subject: b\r\n\r\nb\r\n"
    assert second.flags == SEEN | FLAGGED
    assert set(second.keywords) == {"work", "$Forwarded"}


def test_a_message_of_a_maildir_is_known_whatever_its_flags(tmp_path: Path) -> None:
    path = maildir(tmp_path, {"new/1.a.host": b"Subject: a\n\n"})
    (before,) = read(MaildirSource(str(path), "INBOX"))
    (path / "new/1.a.host").rename(path / "cur/1.a.host:2,R")
    (after,) = read(MaildirSource(str(path), "INBOX"))
    assert after.key == before.key
    assert after.flags == ANSWERED
    (known,) = read(MaildirSource(str(path), "INBOX"), [before.key])
    assert known.content.size == 0


@pytest.mark.parametrize("octets", OCTETS.values(), ids=OCTETS)
def test_what_is_written_with_lf_reads_back(octets: bytes) -> None:
    assert with_crlf(with_lf(octets)) == octets


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("work", "work"),
        ("work.mbox", "work"),
        ("INBOX", "INBOX"),
        ("mbox", "INBOX"),
        ("maria", "INBOX"),
        ("&AOk-t&AOk-.mbox", "été"),
        ("a&b", "a&b"),
    ],
)
def test_one_file_is_a_mailbox_of_its_name(
    tmp_path: Path, file: str, name: str
) -> None:
    (tmp_path / file).write_bytes(MBOX)
    assert names(tmp_path / file) == [name]
    (box,) = tree(tmp_path / file, renamed=True).mailboxes()
    assert box.name == "INBOX"


def test_a_maildir_has_folders_and_subscriptions(tmp_path: Path) -> None:
    path = maildir(tmp_path / "Maildir", {})
    maildir(path / ".Work.2024", {})
    maildir(path / ".&AOk-t&AOk-", {})
    maildir(path / ".bad..name", {})
    (path / ".hidden").mkdir()
    found = tree(path)
    assert [box.name for box in found.mailboxes()] == ["INBOX", "Work/2024", "été"]
    assert found.passed_over == [str(path / ".bad..name")]
    assert found.subscriptions() is None
    (path / "courierimapsubscribed").write_text("INBOX\nINBOX.Work.2024\nshared.x\n")
    assert found.subscriptions() == ["INBOX", "Work/2024"]
    (path / "subscriptions").write_text("V\t2\n\nWork\t2024\n")
    assert found.subscriptions() == ["Work/2024"]


def test_a_directory_is_searched_for_mbox_files_and_maildirs(tmp_path: Path) -> None:
    (tmp_path / "Inbox").write_bytes(MBOX)
    (tmp_path / "Inbox.msf").write_bytes(b"index")
    (tmp_path / "notes.txt").write_bytes(b"no mail")
    (tmp_path / "Work.sbd").mkdir()
    (tmp_path / "Work").write_bytes(b"")
    (tmp_path / "Work.sbd" / "2024").write_bytes(MBOX)
    (tmp_path / ".hidden").write_bytes(MBOX)
    (tmp_path / "~home").write_bytes(MBOX)
    maildir(tmp_path / "lists" / "python", {})
    (tmp_path / "loop").symlink_to(tmp_path)
    found = tree(tmp_path)
    assert [box.name for box in found.mailboxes()] == [
        "INBOX",
        "Work",
        "Work/2024",
        "lists/python",
    ]
    assert found.passed_over == [str(tmp_path / "~home")]
    assert found.subscriptions() is None


def test_an_empty_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageFailure, match="holds no mbox and no Maildir"):
        names(tmp_path)
