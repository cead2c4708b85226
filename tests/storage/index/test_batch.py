"""Records of the log: written, read back, and nonsense refused."""

import contextlib
import struct

import pytest
from hypothesis import given, settings, strategies as st

from maildrop.storage.index.apply import apply
from maildrop.storage.index.batch import Batch, Kind, changes
from maildrop.storage.index.damage import Damaged
from maildrop.storage.index.table import IndexTable

u32 = st.integers(0, 0xFFFFFFFF)
names = st.binary(min_size=1, max_size=20).filter(
    lambda name: b"\0" not in name and b"/" not in name
)


@given(
    st.lists(
        st.tuples(u32, st.integers(-(2**40), 2**40), st.integers(0, 255), u32, names),
        min_size=1,
        max_size=6,
    )
)
def test_what_is_appended_reads_back(
    rows: list[tuple[int, int, int, int, bytes]],
) -> None:
    batch = Batch(7)
    for uid, (size, date, flags, keywords, name) in enumerate(rows, 1):
        batch.append(
            uid, size, date, flags, keywords, name, saved=size, object_id=uid, cache=9
        )
    table = IndexTable(1)
    apply(table, batch.payload())
    assert list(table.uids) == list(range(1, len(rows) + 1))
    found = zip(
        table.sizes,
        table.dates,
        table.flags,
        table.keywords,
        table.names.all(),
        strict=True,
    )
    assert list(found) == rows
    assert set(table.mod_seqs) == {7}
    assert table.uid_next == len(rows) + 1


@given(st.binary(max_size=60))
@settings(max_examples=300)
def test_any_octets_apply_or_are_damaged(octets: bytes) -> None:
    table = IndexTable(1)
    with contextlib.suppress(Damaged):
        apply(table, octets)
    lengths = {
        len(table.uids),
        len(table.sizes),
        len(table.flags),
        len(table.cache),
        len(table.names),
    }
    assert len(lengths) == 1


@given(st.sampled_from(list(Kind)), st.binary(max_size=40))
@settings(max_examples=300)
def test_any_body_of_any_kind_applies_or_is_damaged(kind: Kind, body: bytes) -> None:
    table = IndexTable(1)
    batch = Batch(1)
    batch.append(1, 1, 1, 0, 0, b"a")
    batch.append(2, 1, 1, 0, 0, b"b")
    apply(table, batch.payload())
    payload = struct.pack("<QB3xI", 2, kind, len(body)) + body
    with contextlib.suppress(Damaged):
        apply(table, payload)
    assert len(table.uids) == len(table.flags) == len(table.names) == len(table.cache)


def record(kind: int, body: bytes) -> bytes:
    return struct.pack("<QB3xI", 5, kind, len(body)) + body


def test_kinds_of_a_later_version_are_passed_over() -> None:
    table = IndexTable(1)
    apply(table, record(200, b"something new"))
    assert table.highest_mod_seq == 5


@pytest.mark.parametrize(
    "payload",
    [
        b"short",
        record(Kind.EXPUNGE, b"\1\0\0\0\1\0\0\0"),
        record(Kind.EXPUNGE, b"\1\0\0"),
        record(Kind.KEYWORDS, struct.pack("<I", 31) + b"a\0"),
        record(Kind.FLAGS, struct.pack("<I", 0xFFFFFFFF)),
        record(Kind.FIRST_RECENT, b"\1"),
        record(Kind.EXPUNGE, b"\1\0\0\0")[:-1],
    ],
)
def test_nonsense_is_refused(payload: bytes) -> None:
    with pytest.raises(Damaged):
        apply(IndexTable(1), payload)


@pytest.mark.parametrize("name", [b"../../etc/passwd", b"a/b", b"", b"x" * 256])
def test_no_name_leads_out_of_the_directory(name: bytes) -> None:
    batch = Batch(1)
    batch.append(1, 1, 1, 0, 0, name)
    with pytest.raises(Damaged):
        apply(IndexTable(1), batch.payload())


def test_a_uid_is_not_taken_twice() -> None:
    table = IndexTable(1)
    for _ in range(2):
        batch = Batch(1)
        batch.append(3, 1, 1, 0, 0, b"x")
        payload = batch.payload()
        if len(table):
            with pytest.raises(Damaged):
                apply(table, payload)
        else:
            apply(table, payload)
    assert list(table.uids) == [3]


def test_marks_leave_flags_and_journal_alone() -> None:
    table = IndexTable(1)
    batch = Batch(1)
    batch.append(1, 1, 1, 0x81, 0, b"x")
    apply(table, batch.payload())
    quiet = Batch(1)
    quiet.mark([1, 9], b"\x40\x40")
    apply(table, quiet.payload())
    assert bytes(table.flags) == b"\x41"
    assert table.journal.entries == []
    assert table.highest_mod_seq == 1


def test_appends_come_before_what_speaks_of_them() -> None:
    batch = Batch(1)
    batch.uidls([1], [b"kept"])
    batch.append(1, 1, 1, 0, 0, b"x")
    assert [kind for kind, _ in changes(batch.payload())] == [Kind.APPEND, Kind.UIDLS]
    assert batch.assigns
