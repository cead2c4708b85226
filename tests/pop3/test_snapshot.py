"""The maildrop as one session sees it."""

import pytest
from hypothesis import given, settings, strategies as st

from maildrop.mailbox.table import MessageTable
from maildrop.pop3.snapshot import NoSuchMessage, Snapshot


def table(*sizes: int) -> MessageTable:
    made = MessageTable(1)
    for uid, size in enumerate(sizes, 1):
        made.append_row(uid * 10, size, 0, 0, 0, uid)
    return made


def test_it_stays_as_it_was_while_the_table_changes() -> None:
    changing = table(1, 2, 3)
    snapshot = Snapshot(changing)
    changing.append_row(99, 4, 0, 0, 0, 4)
    changing.resize([0], [77])
    changing.remove_rows([1], 5, None)
    assert (snapshot.count, snapshot.octets) == (3, 6)
    assert [snapshot.uid(number) for number in (1, 2, 3)] == [10, 20, 30]
    assert b"".join(snapshot.sizes_listed(2)) == b"1 1\r\n2 2\r\n3 3\r\n"


def test_messages_that_are_gone_have_no_unique_id() -> None:
    snapshot = Snapshot(table(1, 2, 3))
    snapshot.delete(1)
    listed = b"".join(snapshot.uidls_listed([b"a", b"", b"c"], 2))
    assert listed == b"3 c\r\n"


@settings(max_examples=80)
@given(
    st.lists(st.integers(0, 1 << 32 - 1), max_size=12),
    st.lists(st.integers(0, 13), max_size=8),
    st.integers(1, 5),
)
def test_counts_and_listings_agree(
    sizes: list[int], deleted: list[int], piece: int
) -> None:
    snapshot = Snapshot(table(*sizes))
    marked = set()
    for number in deleted:
        if 0 < number <= len(sizes) and number not in marked:
            snapshot.delete(number)
            marked.add(number)
        else:
            with pytest.raises(NoSuchMessage):
                snapshot.delete(number)
    left = {n: size for n, size in enumerate(sizes, 1) if n not in marked}
    assert snapshot.octets == sum(left.values())
    assert snapshot.count - snapshot.deleted == len(left)
    assert snapshot.deleted_uids() == sorted(number * 10 for number in marked)
    lines = b"".join(snapshot.sizes_listed(piece)).splitlines()
    assert lines == [b"%d %d" % pair for pair in left.items()]
    uidls = [b"u%d" % number for number in range(1, len(sizes) + 1)]
    lines = b"".join(snapshot.uidls_listed(uidls, piece)).splitlines()
    assert lines == [b"%d u%d" % (number, number) for number in left]
    snapshot.reset()
    assert snapshot.octets == sum(sizes)
    assert snapshot.deleted_uids() == []


@pytest.mark.parametrize("count", [100, 10_000])
def test_it_copies_nothing_whatever_the_number_of_messages(count: int) -> None:
    full = table(*range(count))
    full.octets()
    snapshot = Snapshot(full)
    assert snapshot.uids is full.uids
    assert snapshot.octets == sum(range(count))
