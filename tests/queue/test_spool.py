"""The queue on disk."""

import fcntl
import os
import zlib
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from maildrop.durable import Content, Disk
from maildrop.errors import NoSpace
from maildrop.queue.entry import (
    Damaged,
    FromLater,
    Kind,
    Result,
    Status,
    Waiting,
)
from maildrop.queue.spool import Spool
from tests.queue.conftest import MESSAGE, OpenSpool, add, entry

FAILED = Result(0, Kind.FAILED, Status("5.1.1", "nobody there"))


def test_what_is_added_is_there_for_every_process(
    spool: Spool, open_spool: OpenSpool
) -> None:
    spool.add(entry("ID1"), Content.of(MESSAGE), b"Received: x\r\n")
    taken = open_spool().take("ID1")
    assert taken is not None
    assert taken.entry.sender == "sender@example.org"
    assert taken.content().octets() == b"Received: x\r\n" + MESSAGE


def test_entries_are_listed_with_their_time(spool: Spool) -> None:
    late = entry("ID2")
    late.next = 5000.0
    add(spool, entry("ID1"), late)
    assert {(each.id, each.next) for each in spool.list()} == {
        ("ID1", 1000.0),
        ("ID2", 5000.0),
    }


def test_an_entry_belongs_to_one_at_a_time(spool: Spool, open_spool: OpenSpool) -> None:
    add(spool, entry("ID1"))
    taken = spool.take("ID1")
    assert taken is not None
    assert open_spool().take("ID1") is None
    taken.let_go()
    assert open_spool().take("ID1") is not None


def test_what_is_noted_is_there_after_a_restart(
    spool: Spool, open_spool: OpenSpool
) -> None:
    add(spool, entry("ID1", "a@x", "b@x"))
    taken = spool.take("ID1")
    assert taken is not None
    taken.note(results=[FAILED], next_try=2000.0)
    taken.let_go()
    there = open_spool().look("ID1")
    assert there is not None
    assert there.recipients[0].kind is Kind.FAILED
    assert [each.next for each in spool.list()] == [2000.0]


def test_a_removed_entry_is_gone(spool: Spool) -> None:
    add(spool, entry("ID1"))
    taken = spool.take("ID1")
    assert taken is not None
    taken.remove()
    taken.let_go()
    assert spool.take("ID1") is None
    assert not spool.holds("ID1")
    assert list(spool.list()) == []


def test_who_removes_an_entry_has_let_it_go(spool: Spool, tmp_path: Path) -> None:
    """Its file is closed where it was unlinked: there the disk is waited for."""
    add(spool, entry("ID1"))
    os.link(f"{spool.entries}/ID1", tmp_path / "kept")
    taken = spool.take("ID1")
    assert taken is not None
    taken.remove()
    with (tmp_path / "kept").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    taken.let_go()


def test_a_torn_line_counts_as_not_written(
    spool: Spool, open_spool: OpenSpool, tmp_path: Path
) -> None:
    add(spool, entry("ID1", "a@x", "b@x"))
    path = tmp_path / "queue/entries/ID1"
    before = len(path.read_bytes())
    taken = spool.take("ID1")
    assert taken is not None
    taken.note(results=[FAILED])
    taken.let_go()
    whole = path.read_bytes()
    for cut in range(before, len(whole)):
        path.write_bytes(whole[:cut])
        again = open_spool().take("ID1")
        assert again is not None
        assert again.entry.recipients[0].kind is Kind.WAITING
        again.note(results=[FAILED])
        again.let_go()
        assert path.read_bytes() == whole


def test_damage_before_the_last_line_puts_an_entry_aside(
    spool: Spool, tmp_path: Path
) -> None:
    add(spool, entry("ID1"))
    taken = spool.take("ID1")
    assert taken is not None
    taken.note(results=[FAILED])
    taken.note(next_try=3000.0)
    taken.let_go()
    path = tmp_path / "queue/entries/ID1"
    path.write_bytes(path.read_bytes().replace(b"failed", b"fooled"))
    with pytest.raises(Damaged):
        spool.take("ID1")
    assert list(spool.list()) == []
    assert (tmp_path / "queue/corrupt/ID1").exists()


@pytest.mark.parametrize("cut", [0, 5, 60, -1])
def test_a_cut_message_is_put_aside(spool: Spool, tmp_path: Path, cut: int) -> None:
    add(spool, entry("ID1"))
    path = tmp_path / "queue/entries/ID1"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(Damaged):
        spool.take("ID1")
    assert (tmp_path / "queue/corrupt/ID1").exists()


def test_a_file_of_a_later_version_stays(spool: Spool, tmp_path: Path) -> None:
    later = b'{"version":7}'
    path = tmp_path / "queue/entries/ID1"
    path.write_bytes(b"%08x %b\n" % (zlib.crc32(later), later))
    with pytest.raises(FromLater):
        spool.take("ID1")
    assert path.exists()


def test_foreign_files_are_not_taken_for_entries(spool: Spool, tmp_path: Path) -> None:
    (tmp_path / "queue/entries/.hidden ~").write_bytes(b"x")
    add(spool, entry("ID1"))
    assert [each.id for each in spool.list()] == ["ID1"]


def test_what_a_crash_left_half_written_goes_when_it_is_old(
    spool: Spool, open_spool: OpenSpool, tmp_path: Path, clock: Clock
) -> None:
    left = tmp_path / "queue/new/ID9"
    left.write_bytes(b"half")
    os.utime(left, (1000, 1000))
    open_spool()
    assert left.exists()
    clock.advance(3601)
    open_spool()
    assert not left.exists()


def test_a_large_message_is_read_in_pieces(spool: Spool) -> None:
    message = MESSAGE + b"0123456789abcde\n" * 200_000
    add(spool, entry("ID1"), message=message)
    taken = spool.take("ID1")
    assert taken is not None
    content = taken.content()
    assert bytes(content.octets()) == message
    content.close()


def test_what_became_already_of_some_is_written_with_the_message(spool: Spool) -> None:
    given = entry("ID1", "a@far.example", "b@far.example")
    given.recipients[1].kind = Kind.FAILED
    given.recipients[1].status = Status("5.2.2", "full")
    add(spool, given)
    taken = spool.take("ID1")
    assert taken is not None
    assert [each.kind for each in taken.entry.recipients] == [Kind.WAITING, Kind.FAILED]
    assert taken.entry.recipients[1].status == Status("5.2.2", "full")
    assert bytes(taken.content().octets()) == MESSAGE


def test_what_is_being_written_is_not_taken_for_abandoned(
    spool: Spool, clock: Clock, tmp_path: Path
) -> None:
    clock.advance(100_000)
    given = entry("ID1")
    given.next = 0.0
    add(spool, given)
    assert (tmp_path / "queue/entries/ID1").stat().st_mtime == clock.seconds()


def _expanded(spool: Spool) -> tuple[Path, int]:
    """An entry whose list has many members: its file, and its length before."""
    add(spool, entry("ID1", "list@b"))
    path = Path(spool.entries) / "ID1"
    before = path.stat().st_size
    taken = spool.take("ID1")
    assert taken is not None
    more = [Waiting(-1, f"u{n}@d", "smtp", "d", parent=0) for n in range(1300)]
    taken.note(results=[Result(0, Kind.EXPANDED, Status("2.1.5", ""))], more=more)
    taken.let_go()
    return path, before


def test_a_long_list_comes_back(spool: Spool, open_spool: OpenSpool) -> None:
    _expanded(spool)
    there = open_spool().look("ID1")
    assert there is not None
    assert len(there.recipients) == 1301
    assert len(there.waiting()) == 1300


@pytest.mark.parametrize("left", [0.1, 0.4, 0.99])
def test_of_a_long_list_that_was_not_written_whole_nobody_is_there(
    spool: Spool, left: float
) -> None:
    """Else some would be there twice when it is expanded again."""
    path, before = _expanded(spool)
    size = path.stat().st_size
    os.truncate(path, before + int((size - before) * left))
    taken = spool.take("ID1")
    assert taken is not None
    assert [each.kind for each in taken.entry.recipients] == [Kind.WAITING]
    taken.note(results=[FAILED])
    taken.let_go()
    there = spool.look("ID1")
    assert there is not None
    assert [each.kind for each in there.recipients] == [Kind.FAILED]


def test_a_hole_in_what_does_not_count_yet_harms_nothing(spool: Spool) -> None:
    """A power cut may leave later blocks of it on disk, and earlier ones not."""
    path, before = _expanded(spool)
    octets = bytearray(path.read_bytes())
    last = octets.rindex(b"\n", 0, -1) + 1
    octets[before + 100 : before + 5000] = bytes(4900)
    path.write_bytes(octets[:last])
    there = spool.look("ID1")
    assert there is not None
    assert [each.kind for each in there.recipients] == [Kind.WAITING]


def test_a_hole_in_what_counts_puts_the_entry_aside(spool: Spool) -> None:
    path, before = _expanded(spool)
    octets = bytearray(path.read_bytes())
    octets[before + 100 : before + 5000] = bytes(4900)
    path.write_bytes(octets)
    with pytest.raises(Damaged):
        spool.take("ID1")


class FullFor(Disk):
    """Has no room at one call that writes or syncs, counted from when it is set."""

    left = -1

    def _call(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise OSError(28, "No space left on device")

    def write_at(self, fd: int, octets: bytes | memoryview, offset: int) -> None:
        self._call()
        super().write_at(fd, octets, offset)

    def synchronize(self, fd: int) -> None:
        self._call()
        super().synchronize(fd)


@pytest.mark.parametrize("at", range(1, 8))
def test_a_long_list_that_could_not_be_noted_can_be_noted_again(
    open_spool: OpenSpool, at: int
) -> None:
    """Three lines of members, a sync, the line that makes them count, a sync."""
    disk = FullFor()
    spool = open_spool(disk)
    add(spool, entry("ID1", "list@b"))
    taken = spool.take("ID1")
    assert taken is not None
    more = [Waiting(-1, f"u{n}@d", "smtp", "d", parent=0) for n in range(1300)]
    expanded = [Result(0, Kind.EXPANDED, Status("2.1.5", ""))]
    disk.left = at
    if at < 7:
        with pytest.raises(NoSpace):
            taken.note(results=expanded, more=more)
        assert [each.kind for each in taken.entry.recipients] == [Kind.WAITING]
        there = open_spool().look("ID1")
        assert there is not None
        # Only the very last sync may fail when all is there already.
        assert len(there.recipients) == (1301 if at == 6 else 1)
    taken.note(results=expanded, more=more)
    taken.let_go()
    there = open_spool().look("ID1")
    assert there is not None
    assert [each.number for each in there.recipients] == list(range(1301))


def test_a_directory_in_which_nothing_came_or_went_is_not_read(
    spool: Spool, clock: Clock
) -> None:
    """But for the first seconds, in which another change would not show."""
    add(spool, entry("ID1"))
    at = os.stat(spool.entries).st_mtime
    clock.advance(at + 1 - clock.seconds())
    listed, seen = spool.list_changed(0)
    assert ([each.id for each in listed], seen) == (["ID1"], 0)
    clock.advance(10)
    listed, seen = spool.list_changed(seen)
    assert [each.id for each in listed] == ["ID1"]
    assert spool.list_changed(seen) == ([], seen)
    add(spool, entry("ID2"))
    os.utime(spool.entries, (at + 20, at + 20))
    listed, _ = spool.list_changed(seen)
    assert sorted(each.id for each in listed) == ["ID1", "ID2"]
