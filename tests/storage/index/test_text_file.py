"""The text file: kept, shared, replaced and mended."""

import dataclasses
import errno
import os
import zlib
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maildrop.errors import MailboxInUse, NoSpace, StorageFailure
from maildrop.mailbox.stored_text import Where
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.text_file import TEXT, TextFile
from tests.crash.stopping import QuickDisk
from tests.storage.index.conftest import OpenLedger, add

OpenText = Callable[..., TextFile]


def message(uid: int, body: str = "") -> bytes:
    return f"Subject: s{uid}x\r\n\r\nb{uid}x {body}\r\n".encode()


@pytest.fixture
def ledger(open_ledger: OpenLedger) -> Ledger:
    """A ledger of twenty messages."""
    ledger = open_ledger()
    add(ledger, *[b"m%d" % uid for uid in range(1, 21)])
    return ledger


@pytest.fixture
def open_text(tmp_path: Path, host: Host, ledger: Ledger) -> Iterator[OpenText]:
    """Opens the text file, as another process would."""
    opened: list[TextFile] = []

    def open_one(its_host: Host = host, **limits: int) -> TextFile:
        text = TextFile(str(tmp_path), ledger, its_host, **limits)
        text.covered()
        opened.append(text)
        return text

    yield open_one
    for text in opened:
        text.close()


def cover(text: TextFile, last: int, step: int = 4) -> int:
    """Add messages up to a UID."""
    while text.last < last:
        uids = range(text.last + 1, min(text.last + step, last) + 1)
        if text.add(uids, [message(uid) for uid in uids], text.last) != uids[-1]:
            break
    return text.last


def find(
    text: TextFile, wanted: str, where: Where = Where.ANYWHERE, last: int = 20
) -> list[int]:
    """All that fit, however many looks it takes."""
    uids = array("I", range(1, last + 1))
    fits: list[int] = []
    upto = -1
    found = text.find(wanted, uids, 0, where)
    while found.upto > upto:
        fits += found.fits
        upto = found.upto
        found = text.find(wanted, uids, upto, where)
    return fits


SAMPLE = """\
From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>
Subject: Re: =?iso-8859-1?Q?Gr=FC=DFe?= und
 mehr
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=utf-8

Straße, 5 ½ ﬁn ΣΑΣ
--b
Content-Type: text/html; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

<p>caf=E9 &uuml;</p>
--b
Content-Type: application/pdf; name=x.pdf

no text
--b
Content-Type: message/rfc822

Subject: inside

text inside
--b--
""".replace("\n", "\r\n").encode()


def test_what_is_kept_is_what_the_version_says(
    open_text: OpenText, tmp_path: Path
) -> None:
    """If this fails, raise the file's version: what is kept means something else."""
    open_text().add([1], [SAMPLE], 0)
    octets = (tmp_path / TEXT).read_bytes()
    assert octets[8:12] == b"\1\0\0\0"
    assert zlib.crc32(octets[24:]) == 1158305412


def test_without_a_file_nothing_is_covered(open_text: OpenText, tmp_path: Path) -> None:
    text = open_text()
    assert text.covered() == 0
    assert not text.begun
    assert find(text, "x") == []
    assert not (tmp_path / TEXT).exists()


def test_what_was_added_is_found_by_every_process(
    open_text: OpenText, tmp_path: Path
) -> None:
    ours, other = open_text(), open_text()
    assert cover(ours, 20) == 20
    for text in (ours, other, open_text()):
        assert text.covered() == 20
        assert text.octets == (tmp_path / TEXT).stat().st_size
        assert find(text, "s7x") == [7]
        assert find(text, "s7x", Where.BODY) == []
        assert find(text, "b7x", Where.HEADER) == []
        assert find(text, "b7x", Where.BODY) == [7]
        assert find(text, "x") == list(range(1, 21))


def test_only_messages_in_question_are_told(open_text: OpenText) -> None:
    text = open_text()
    cover(text, 20)
    found = text.find("x", array("I", [3, 9, 10, 40]), 3, Where.ANYWHERE)
    assert list(found.fits) == [9, 10]
    assert found.upto >= 10


def test_one_that_is_behind_adds_nothing(open_text: OpenText) -> None:
    ours, other = open_text(), open_text()
    cover(ours, 8)
    assert other.add([1, 2], [message(1), message(2)], 0) == 8
    assert other.add([9], [message(9)], 8) == 9
    assert find(ours, "x") == list(range(1, 10))


def test_a_message_that_cannot_be_read_or_is_too_long_is_absent(
    open_text: OpenText,
) -> None:
    text = open_text(message_octets=1000)
    text.add([1, 2, 3], [None, message(2, "y" * 1000), message(3)], 0)
    found = text.find("x", array("I", [1, 2, 3]), 0, Where.ANYWHERE)
    assert (list(found.fits), list(found.absent), found.upto) == ([3], [1, 2], 3)


def test_one_that_is_removed_is_begun_anew(open_text: OpenText, tmp_path: Path) -> None:
    text = open_text()
    cover(text, 8)
    text.remove()
    assert not (tmp_path / TEXT).exists()
    text.remove()
    assert cover(text, 4) == 4


def test_a_file_that_was_removed_is_begun_anew(
    open_text: OpenText, tmp_path: Path
) -> None:
    text = open_text()
    cover(text, 8)
    (tmp_path / TEXT).unlink()
    assert text.covered() == 0
    assert cover(text, 20) == 20
    assert find(open_text(), "s20x") == [20]


def test_a_file_of_other_uids_is_begun_anew(
    open_text: OpenText, ledger: Ledger
) -> None:
    cover(open_text(), 8)
    ledger.table.uid_validity += 1
    text = open_text()
    assert text.covered() == 0
    assert cover(text, 4) == 4
    assert find(text, "x") == [1, 2, 3, 4]


def test_blocks_beyond_the_messages_known_are_left_alone(
    open_text: OpenText, ledger: Ledger, tmp_path: Path
) -> None:
    """Another process has taken in more messages than this one."""
    cover(open_text(), 20)
    whole = (tmp_path / TEXT).read_bytes()
    ledger.table.uid_next = 9
    text = open_text()
    assert text.covered() == 8
    assert text.add([9], [message(9)], 8) == 8
    assert (tmp_path / TEXT).read_bytes() == whole
    ledger.table.uid_next = 21
    assert text.covered() == 20


def test_a_torn_end_is_cut_off(open_text: OpenText, tmp_path: Path) -> None:
    cover(open_text(), 8)
    whole = (tmp_path / TEXT).read_bytes()
    cover(open_text(), 12)
    longer = (tmp_path / TEXT).read_bytes()
    for size in range(len(whole), len(longer)):
        (tmp_path / TEXT).write_bytes(longer[:size])
        text = open_text()
        assert text.covered() == 8
        assert find(text, "x") == list(range(1, 9))
        assert cover(text, 12) == 12
        assert (tmp_path / TEXT).read_bytes() == longer


def test_a_file_cut_short_while_open_is_seen(
    open_text: OpenText, tmp_path: Path
) -> None:
    text = open_text()
    cover(text, 20)
    size = (tmp_path / TEXT).stat().st_size
    os.truncate(tmp_path / TEXT, size - 1)
    assert find(text, "x") == list(range(1, 17))
    assert cover(text, 20) == 20
    assert (tmp_path / TEXT).stat().st_size == size


def test_wrong_bits_are_never_believed(open_text: OpenText, tmp_path: Path) -> None:
    cover(open_text(), 6, step=2)
    whole = (tmp_path / TEXT).read_bytes()
    for at in range(len(whole)):
        octets = bytearray(whole)
        octets[at] ^= 0x20
        (tmp_path / TEXT).write_bytes(octets)
        text = open_text()
        fits = find(text, "x")
        assert fits == list(range(1, len(fits) + 1))
        assert len(fits) in {0, 2, 4}
        assert text.last == len(fits)
        assert cover(text, 6, step=2) == 6
        assert find(text, "b3x") == [3]
        assert (tmp_path / TEXT).read_bytes() == whole
        text.close()


def test_what_reads_a_replaced_file_goes_over_to_the_new_one(
    open_text: OpenText, tmp_path: Path
) -> None:
    ours, other = open_text(), open_text()
    cover(ours, 12)
    assert find(other, "b2x") == [2]
    octets = bytearray((tmp_path / TEXT).read_bytes())
    octets[-1] ^= 1
    (tmp_path / TEXT).write_bytes(octets)
    last = open_text()
    assert find(last, "b12x") == []
    assert cover(last, 12) == 12
    assert find(other, "b12x") == [12]
    assert cover(other, 16) == 16
    assert find(ours, "b16x") == [16]


def test_a_read_only_mailbox_is_looked_through_and_not_added_to(
    open_text: OpenText, ledger: Ledger
) -> None:
    cover(open_text(), 8)
    ledger.read_only = True
    text = open_text()
    assert find(text, "b3x") == [3]
    assert text.add([9], [message(9)], 8) == 8


def test_no_other_file_is_taken_for_it(open_text: OpenText, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / TEXT).symlink_to(tmp_path / "elsewhere")
    text = open_text()
    assert text.covered() == 0
    with pytest.raises(StorageFailure):
        text.add([1], [message(1)], 0)
    assert (tmp_path / "elsewhere").read_bytes() == b""


def test_a_mailbox_that_was_removed_is_a_failure(
    open_text: OpenText, tmp_path: Path
) -> None:
    text = open_text()
    tmp_path.rename(tmp_path.with_name("gone"))
    try:
        with pytest.raises(StorageFailure):
            text.add([1], [message(1)], 0)
    finally:
        tmp_path.with_name("gone").rename(tmp_path)


class FullDisk(QuickDisk):
    """Writes half of what it is told to, once it is full."""

    full = False

    def write(self, fd: int, octets: bytes) -> None:  # type: ignore[override]
        if self.full:
            super().write(fd, octets[: len(octets) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        super().write(fd, octets)


def test_a_full_disk_leaves_the_file_as_it_was(
    open_text: OpenText, tmp_path: Path, host: Host
) -> None:
    disk = FullDisk()
    text = open_text(dataclasses.replace(host, disk=disk))
    cover(text, 8)
    whole = (tmp_path / TEXT).read_bytes()
    disk.full = True
    with pytest.raises(NoSpace):
        text.add([9], [message(9)], 8)
    with pytest.raises(NoSpace):
        for _ in text.tidy([1]):
            pass
    assert (tmp_path / TEXT).read_bytes() == whole
    assert not (tmp_path / f"{TEXT}.tmp").exists()
    assert find(text, "x") == list(range(1, 9))
    disk.full = False
    assert cover(text, 12) == 12


def test_a_lock_that_is_held_is_waited_for_and_then_given_up(
    open_text: OpenText,
) -> None:
    ours, other = open_text(), open_text()
    cover(ours, 4)
    with ours._writing(), pytest.raises(MailboxInUse):
        other.add([5], [message(5)], 4)
    assert cover(other, 8) == 8


class TestTidying:
    """``tidy``: waste goes, small blocks are joined."""

    @staticmethod
    def tidied(text: TextFile, alive: list[int]) -> None:
        for _ in text.tidy(alive):
            pass

    def test_it_is_worth_it_when_more_than_half_is_gone(
        self, open_text: OpenText
    ) -> None:
        text = open_text()
        assert not text.untidy([1])
        cover(text, 20)
        assert not text.untidy(list(range(1, 21)))
        assert not text.untidy(list(range(11, 40)))
        assert text.untidy(list(range(12, 40)))

    def test_it_is_worth_it_when_there_are_many_small_blocks(
        self, open_text: OpenText, ledger: Ledger
    ) -> None:
        add(ledger, *[b"n%d" % n for n in range(60)])
        text = open_text()
        cover(text, 64, step=1)
        uids = list(ledger.table.uids)
        assert not text.untidy(uids)
        cover(text, 65, step=1)
        assert text.untidy(uids)
        self.tidied(text, uids)
        assert not text.untidy(uids)
        assert find(text, "x", last=80) == list(range(1, 66))

    def test_texts_of_messages_that_are_gone_go(
        self, open_text: OpenText, tmp_path: Path
    ) -> None:
        ours, other = open_text(), open_text()
        cover(ours, 20)
        assert find(other, "b1x") == [1]
        before = (tmp_path / TEXT).stat().st_size
        self.tidied(ours, [3, 9, 17])
        assert (tmp_path / TEXT).stat().st_size < before / 2
        assert b"b4x" not in (tmp_path / TEXT).read_bytes()
        for text in (ours, other, open_text()):
            assert find(text, "x") == [3, 9, 17]
            assert text.covered() == 17
        assert cover(ours, 20) == 20
        assert sorted(os.listdir(tmp_path)).count(f"{TEXT}.tmp") == 0

    def test_absent_messages_stay_absent(self, open_text: OpenText) -> None:
        text = open_text()
        text.add([1, 2], [None, message(2)], 0)
        self.tidied(text, [1, 2])
        found = text.find("x", array("I", [1, 2]), 0, Where.ANYWHERE)
        assert (list(found.fits), list(found.absent)) == ([2], [1])

    def test_others_go_on_between_its_steps(
        self, open_text: OpenText, ledger: Ledger
    ) -> None:
        ours, other = open_text(), open_text()
        long = "y" * 900_000
        for uid in range(1, 15):
            ours.add([uid], [message(uid, long)], uid - 1)
        steps = ours.tidy(list(range(5, 21)))
        next(steps)
        assert find(ours, "b2x") == [2]
        assert other.covered() == 14
        assert cover(other, 18) == 18
        for _ in steps:
            pass
        assert find(ours, "x") == list(range(5, 19))
        assert find(other, "x") == list(range(5, 19))

    def test_it_leaves_off_when_another_file_has_come(
        self, open_text: OpenText, tmp_path: Path
    ) -> None:
        ours = open_text()
        for uid in range(1, 15):
            ours.add([uid], [message(uid, "y" * 900_000)], uid - 1)
        steps = ours.tidy([9])
        next(steps)
        (tmp_path / TEXT).unlink()
        assert ours.covered() == 0
        cover(ours, 4)
        for _ in steps:
            pass
        assert find(ours, "x") == [1, 2, 3, 4]
        assert not (tmp_path / f"{TEXT}.tmp").exists()

    def test_only_one_process_does_it(
        self, open_text: OpenText, tmp_path: Path
    ) -> None:
        ours, other = open_text(), open_text()
        for uid in range(1, 15):
            ours.add([uid], [message(uid, "y" * 900_000)], uid - 1)
        steps = ours.tidy([9])
        next(steps)
        other.covered()
        with pytest.raises(MailboxInUse):
            self.tidied(other, [9])
        steps.close()
        assert not (tmp_path / f"{TEXT}.tmp").exists()
        self.tidied(other, [9])
        assert find(ours, "x") == [9]

    def test_damage_found_on_the_way_leaves_the_file(
        self, open_text: OpenText, tmp_path: Path
    ) -> None:
        cover(open_text(), 12)
        octets = bytearray((tmp_path / TEXT).read_bytes())
        octets[-1] ^= 1
        (tmp_path / TEXT).write_bytes(octets)
        self.tidied(open_text(), [1])
        assert (tmp_path / TEXT).read_bytes() == octets
        assert find(open_text(), "x") == list(range(1, 9))
