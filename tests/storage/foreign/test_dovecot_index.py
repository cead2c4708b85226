"""``dovecot.index``, its log, and both together."""

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from maildrop.mailbox.flags import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from maildrop.storage.foreign import dovecot_index
from maildrop.storage.foreign.dovecot import read_index
from maildrop.storage.foreign.dovecot_index import Index, parse, system_flags
from maildrop.storage.foreign.dovecot_log import LogHeader, carry_out, fresh_log
from maildrop.storage.foreign.facts import Unreadable
from tests.storage.foreign.dovecot_octets import (
    append,
    change,
    expunge,
    flag,
    header,
    index,
    introduce,
    keyword,
    log,
    record,
)

THREE = [(1, 8, 0, 3), (3, 0, 1, 5), (8, 128, 0, 9)]


def after(*changes: bytes, start: int = 40) -> Index:
    """The index of THREE with a log carried out."""
    found = parse(index(THREE), "f")
    carry_out(found, log(*changes), start, "l")
    return found


def test_an_index_holds_flags_keywords_and_modseqs() -> None:
    found = parse(index(THREE), "f")
    assert found.uids == [1, 3, 8]
    assert found.number(dovecot_index.UID_VALIDITY) == 5
    assert found.highest_mod_seq == 9
    assert [row.flags for row in found.rows.values()] == [8, 0, 128]
    assert [row.mod_seq for row in found.rows.values()] == [3, 5, 9]
    assert found.names_of(found.rows[3]) == ("Junk",)
    assert found.pending == {8}


def test_flags_have_other_bits_than_ours() -> None:
    ours = [ANSWERED, FLAGGED, DELETED, SEEN, DRAFT]
    assert [system_flags(1 << n) for n in range(5)] == ours
    assert system_flags(0xE0) == 0


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x07",
        index(THREE, version=6),
        index(THREE)[:-1],
        index([(3, 0, 0, 0), (3, 0, 0, 0)]),
        index([(3, 0, 0, 0), (1, 0, 0, 0)]),
        index(THREE)[:4] + b"\xff\xff\xff\x7f" + index(THREE)[8:],
        index(THREE)[:12] + b"\0" + index(THREE)[13:],
    ],
)
def test_a_damaged_index_is_refused(octets: bytes) -> None:
    with pytest.raises(Unreadable, match="where"):
        parse(octets, "where")


@given(st.integers(0, len(index(THREE)) - 1), st.integers(0, 255))
def test_an_index_with_any_octet_changed_is_read_or_refused(
    at: int, octet: int
) -> None:
    octets = bytearray(index(THREE))
    octets[at] = octet
    try:
        found = parse(bytes(octets), "f")
    except Unreadable:
        return
    assert found.uids == sorted(set(found.uids))


def test_what_the_log_says_is_done() -> None:
    found = after(
        append(9, 12, flags=8),
        flag(1, 3, 2, 8),
        keyword(b"Junk", 3, 3, remove=True),
        keyword(b"$work", 8, 99),
        expunge(9, 9),
        header(dovecot_index.NEXT_UID, 13),
    )
    assert found.uids == [1, 3, 8, 12]
    assert found.number(dovecot_index.NEXT_UID) == 13
    flags = {uid: row.flags for uid, row in found.rows.items()}
    assert flags == {1: 2, 3: 2, 8: 128, 12: 8}
    names = {uid: found.names_of(row) for uid, row in found.rows.items()}
    assert names == {1: (), 3: (), 8: ("$work",), 12: ("$work",)}


def test_every_visible_change_counts_modseq_up() -> None:
    found = after(append(9), flag(1, 1, 8), flag(3, 3, 128), keyword(b"a", 8, 8))
    assert found.highest_mod_seq == 12
    mod_seqs = {uid: row.mod_seq for uid, row in found.rows.items()}
    assert mod_seqs == {1: 11, 3: 5, 8: 12, 9: 10}


def test_what_was_asked_for_and_not_done_is_pending() -> None:
    found = after(
        flag(1, 1, 2, done=False), expunge(3, 3, done=False), keyword(b"a", 1, 1)
    )
    assert found.pending == {1, 8}
    assert found.to_expunge == {3}
    assert found.rows[1].flags == 8 | 2


def test_what_was_done_before_the_tail_is_not_pending() -> None:
    asked = flag(1, 1, 2, done=False)
    found = after(asked, header(dovecot_index.LOG_TAIL, 40 + len(asked)))
    assert found.pending == {8}


def test_a_torn_end_is_left_out() -> None:
    found = parse(index(THREE), "f")
    carry_out(found, log(append(9), append(10))[:-3], 40, "l")
    assert found.uids == [1, 3, 8, 9]


def test_extensions_have_numbers_in_the_order_of_their_coming() -> None:
    found = after(
        introduce(b"mbox", 8),
        introduce(b"", 8, number=2),
        record(3, (4711).to_bytes(8, "little")),
    )
    assert found.rows[3].offset == 4711


def test_the_first_keyword_takes_the_number_of_an_extension() -> None:
    found = Index()
    octets = log(
        append(1),
        keyword(b"a", 1, 1),
        introduce(b"mbox", 8),
        introduce(b"", 8, number=1),
    )
    found.header[16:20] = (77).to_bytes(4, "little")
    carry_out(found, octets, 0, "l")
    assert [one.name for one in found.extensions][:2] == [b"keywords", b"mbox"]


@pytest.mark.parametrize(
    "changes",
    [
        [introduce(b"", 8, number=9)],
        [record(3, b"12345678")],
        [append(9), append(4)],
        [change(0x400, b"\x05\0\x01\0a\0\0\0")],
        [change(0x20, b"\0\0\xff\xff")],
    ],
)
def test_a_log_that_makes_no_sense_is_refused(changes: list[bytes]) -> None:
    with pytest.raises(Unreadable, match="where"):
        carry_out(parse(index(THREE), "f"), log(*changes), 40, "where")


def test_the_log_of_another_index_is_refused() -> None:
    with pytest.raises(Unreadable, match="another index"):
        carry_out(parse(index(THREE), "f"), log(index_id=78), 40, "l")


WHOLE = log(
    append(9, 12),
    flag(1, 3, 2, 8),
    keyword(b"$work", 8, 99),
    introduce(b"mbox", 8),
    record(3, bytes(8)),
    expunge(9, 9),
)


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_a_log_with_any_octet_changed_is_read_or_refused(at: int, octet: int) -> None:
    octets = bytearray(WHOLE)
    octets[at] = octet
    found = parse(index(THREE), "f")
    try:
        carry_out(found, bytes(octets), 40, "l")
    except Unreadable:
        return
    assert found.uids == sorted(found.rows)


@given(st.binary(max_size=100))
def test_any_octets_behind_the_header_are_read_or_refused(octets: bytes) -> None:
    try:
        carry_out(parse(index(THREE), "f"), log() + octets, 40, "l")
    except Unreadable:
        return


def test_a_range_of_all_uids_costs_no_more_than_what_is_there() -> None:
    found = after(flag(1, 0xFFFFFFFF, 2), expunge(4, 0xFFFFFFFF))
    assert found.uids == [1, 3]


def test_a_fresh_log_has_no_messages_and_begins_at_a_modseq() -> None:
    octets = fresh_log(9, 1_700_000_000, 500)
    assert LogHeader.parse(octets, "l") == LogHeader(40, 9, 1, 0, 500)


# -- files together


def test_an_index_and_its_log_are_read_together(tmp_path: Path) -> None:
    (tmp_path / "dovecot.index").write_bytes(index(THREE))
    (tmp_path / "dovecot.index.log").write_bytes(log(append(9)))
    found = read_index(str(tmp_path))
    assert found is not None
    assert found.uids == [1, 3, 8, 9]


def test_a_log_that_was_begun_anew_follows_on_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "dovecot.index").write_bytes(index(THREE))
    (tmp_path / "dovecot.index.log.2").write_bytes(log(append(9)))
    second = log(append(10), sequence=2, previous=1)
    (tmp_path / "dovecot.index.log").write_bytes(second)
    found = read_index(str(tmp_path))
    assert found is not None
    assert found.uids == [1, 3, 8, 9, 10]


def test_a_log_alone_makes_an_index(tmp_path: Path) -> None:
    (tmp_path / "dovecot.index.log").write_bytes(log(append(1, 2)))
    found = read_index(str(tmp_path))
    assert found is not None
    assert found.uids == [1, 2]


def test_without_both_there_is_none(tmp_path: Path) -> None:
    assert read_index(str(tmp_path)) is None


@pytest.mark.parametrize("with_index", [True, False])
def test_a_gap_between_logs_is_refused(tmp_path: Path, with_index: bool) -> None:
    if with_index:
        (tmp_path / "dovecot.index").write_bytes(index(THREE))
    third = log(append(10), sequence=3, previous=2)
    (tmp_path / "dovecot.index.log").write_bytes(third)
    with pytest.raises(Unreadable, match="before it"):
        read_index(str(tmp_path))
