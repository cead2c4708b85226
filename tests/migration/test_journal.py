"""What was imported already."""

from contextlib import closing, nullcontext
from pathlib import Path

import pytest

from maildrop.durable import Disk
from maildrop.errors import MailboxInUse, StorageFailure
from maildrop.migration.journal import Journal, digest

A, B, C = (digest(octets) for octets in (b"a", b"b", b"c"))


def journal(
    directory: Path, source: str = "memory:mail", *, again: bool = False
) -> Journal:
    return Journal(str(directory), source, "maria", Disk(), nullcontext, again=again)


def filled(directory: Path) -> Path:
    with closing(journal(directory)) as noted:
        noted.keeps("INBOX", 7)
        noted.adding("INBOX", [(A, A, 1), (B, B, 2)], 7, 1)
        noted.added("INBOX")
        noted.adding("INBOX", [(C, C, 0)], 7, 3)
        return Path(noted.path)


def test_what_was_written_is_known_the_next_time(tmp_path: Path) -> None:
    filled(tmp_path)
    with closing(journal(tmp_path)) as noted:
        box = noted.box("INBOX")
        assert (box.keys, box.keeps) == ({A, B}, 7)
        assert box.pending is not None
        assert box.pending.messages == ((C, C, 0),)
        assert (box.pending.uid_validity, box.pending.uid_next) == (7, 3)
        noted.found("INBOX", [C])
    with closing(journal(tmp_path)) as noted:
        box = noted.box("INBOX")
        assert (box.keys, box.pending) == ({A, B, C}, None)


def test_sources_do_not_know_of_each_other(tmp_path: Path) -> None:
    filled(tmp_path)
    with closing(journal(tmp_path, "memory:other")) as noted:
        assert not noted.box("INBOX").keys


def test_cut_at_any_octet_the_whole_lines_count(tmp_path: Path) -> None:
    path = filled(tmp_path)
    octets = path.read_bytes()
    ends = [n + 1 for n, octet in enumerate(octets) if octet == 10]
    for cut in range(0, len(octets), 3):
        path.write_bytes(octets[:cut])
        with closing(journal(tmp_path)) as noted:
            box = noted.box("INBOX")
            whole = sum(end <= cut for end in ends)
            assert box.keeps == (7 if whole >= 2 else None)
            assert (box.pending is not None) == (whole == 3)
            assert box.keys == ({A, B} if whole >= 4 else set())
            noted.keeps("other", 1)
        with closing(journal(tmp_path)) as noted:
            assert noted.box("other").keeps == 1


def test_a_flipped_bit_ends_what_is_believed(tmp_path: Path) -> None:
    path = filled(tmp_path)
    octets = bytearray(path.read_bytes())
    octets[octets.index(B.encode())] ^= 1
    path.write_bytes(octets)
    with closing(journal(tmp_path)) as noted:
        assert noted.box("INBOX").keeps == 7
        assert not noted.box("INBOX").keys


def test_two_imports_of_one_source_at_a_time_are_refused(tmp_path: Path) -> None:
    with closing(journal(tmp_path)), pytest.raises(MailboxInUse, match="imported by"):
        journal(tmp_path)


def test_a_journal_of_another_source_is_refused(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with closing(journal(tmp_path, "memory:other")) as other:
        target = Path(other.path)
    target.write_bytes(path.read_bytes())
    with pytest.raises(StorageFailure, match="another source"):
        journal(tmp_path, "memory:other")


def test_again_forgets_all_but_that_numbers_were_given_away(tmp_path: Path) -> None:
    filled(tmp_path)
    for _ in range(2):
        with closing(journal(tmp_path, again=True)) as noted:
            box = noted.box("INBOX")
            assert (box.keys, box.pending, box.keeps) == (set(), None, None)
            assert box.given
