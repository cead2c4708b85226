"""The memory of expunged UIDs, and what is told where it ends (RFC 7162)."""

from hypothesis import given, strategies as st

from maildrop.storage.index.table import EXPUNGED_LEAST, EXPUNGED_MAX, IndexTable


def table_of(messages: int) -> IndexTable:
    table = IndexTable(1)
    for uid in range(1, messages + 1):
        table.append_row(uid, 1, 0, 0, 0, 1)
        table.names.extend([b"%d" % uid])
        for column in (table.cache, table.saved, table.object_ids):
            column.append(0)
        table.checked.append(0)
    return table


def expunge(table: IndexTable, *uids: int) -> int:
    """Remove messages; gives the MODSEQ of that."""
    mod_seq = table.highest_mod_seq + 1
    table.remove_rows(table.rows(sorted(uids)), mod_seq, None)
    return mod_seq


def told(table: IndexTable, mod_seq: int) -> set[int]:
    return {
        uid
        for first, last in table.gone_since(mod_seq)
        for uid in range(first, last + 1)
    }


def test_who_asks_within_the_memory_hears_what_went_since() -> None:
    table = table_of(10)
    first = expunge(table, 2, 3)
    second = expunge(table, 7)
    assert told(table, first - 1) == {2, 3, 7}
    assert told(table, first) == {7}
    assert told(table, second) == set()


def test_who_asks_from_before_it_hears_of_all_that_is_not_there() -> None:
    table = table_of(10)
    before = table.highest_mod_seq
    expunge(table, 1, 4, 5)
    expunge(table, 10)
    table.prune_expunged(1)
    assert list(table.gone_since(before)) == [(1, 1), (4, 5), (10, 10)]


@given(
    st.lists(st.sets(st.integers(1, 30), min_size=1, max_size=5), max_size=8),
    st.integers(0, 12),
    st.integers(0, 10),
)
def test_nobody_misses_an_expunge_whatever_was_forgotten(
    rounds: list[set[int]], limit: int, asked: int
) -> None:
    table = table_of(30)
    history = [(table.highest_mod_seq, set(table.uids))]
    for uids in rounds:
        there = uids.intersection(table.uids)
        if there:
            expunge(table, *there)
            history.append((table.highest_mod_seq, set(table.uids)))
    table.prune_expunged(limit)
    mod_seq, known = history[min(asked, len(history) - 1)]
    gone = told(table, mod_seq)
    assert known - set(table.uids) <= gone
    assert not gone & set(table.uids)


def test_the_memory_is_no_larger_than_the_mailbox() -> None:
    table = table_of(10)
    table.remember_expunged(range(1, EXPUNGED_MAX * 2), 2)
    table.prune_expunged()
    assert len(table.expunged_uids) == EXPUNGED_LEAST
    assert table.forgotten_mod_seq == 2
    assert table.expunged_since(1) is None
