"""The columns of a mailbox: finding, counting, changing."""

from array import array

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import KeywordLimit
from maildrop.mailbox.column import without
from maildrop.mailbox.flags import DELETED, KEYWORDS_MAX, SEEN
from maildrop.mailbox.table import MessageTable


def table_of(*uids: int, flags: int = 0) -> MessageTable:
    table = MessageTable(uid_validity=7)
    for uid in uids:
        table.append_row(uid, 100 + uid, 0, flags, 0, uid)
    return table


def test_appending_raises_uid_next_and_highest_mod_seq() -> None:
    table = table_of(3, 9)
    assert (table.uid_next, table.highest_mod_seq, len(table)) == (10, 9, 2)


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        ([3, 5, 9], [0, 1, 2]),
        ([5, 9], [1, 2]),
        ([3, 9], [0, 2]),
        ([4], []),
        ([], []),
        ([1, 2, 3], [0]),
        ([9, 10, 11], [2]),
        ([4, 5, 6], [1]),
    ],
)
def test_rows_are_those_of_the_uids_that_are_there(
    asked: list[int], rows: list[int]
) -> None:
    assert list(table_of(3, 5, 9).rows(asked)) == rows


@given(st.sets(st.integers(1, 40)), st.sets(st.integers(1, 40)))
def test_rows_agree_with_a_search_one_by_one(there: set[int], asked: set[int]) -> None:
    table = table_of(*sorted(there))
    found = [table.uids[row] for row in table.rows(sorted(asked))]
    assert found == sorted(there & asked)


def test_neighbouring_uids_need_no_search_each() -> None:
    assert isinstance(table_of(3, 5, 9).rows([5, 9]), range)


def test_spans_are_cut_to_what_is_there() -> None:
    found = list(table_of(3, 5, 9).spans([(1, 4), (6, 8), (9, 4294967295)]))
    assert found == [range(1), range(2, 3)]


def test_unseen_and_deleted_are_counted_by_their_bits() -> None:
    table = table_of(1, 2, 3)
    table.set_row(0, SEEN, 0, 10)
    table.set_row(2, DELETED, 0, 11)
    assert table.unseen == 2
    assert table.first_unseen == 1
    assert table.deleted_uids() == [3]
    assert table.octets() == 306


def test_removal_leaves_arrays_that_others_hold_untouched() -> None:
    table = table_of(1, 2, 3)
    held = table.uids
    table.remove_rows([1], 20, None)
    assert list(held) == [1, 2, 3]
    assert list(table.uids) == [1, 3]
    assert list(table.sizes) == [101, 103]
    assert table.journal.entries[-1].uids == [2]
    assert table.highest_mod_seq == 20


def test_keywords_keep_the_first_spelling_and_ignore_case() -> None:
    table = table_of(1)
    bits = table.keyword_bits(["$Junk", "NonJunk"], create=True)
    assert table.keyword_bits(["$JUNK"]) == bits & -bits
    assert table.keywords_of(bits) == ["$Junk", "NonJunk"]
    assert table.keyword_bits(["unknown"]) == 0


def test_there_are_no_more_keywords_than_bits() -> None:
    table = table_of(1)
    table.keyword_bits([f"k{i}" for i in range(KEYWORDS_MAX)], create=True)
    with pytest.raises(KeywordLimit):
        table.keyword_bits(["one more"], create=True)


@given(st.lists(st.integers(0, 255), max_size=30), st.data())
def test_without_removes_just_those_rows(
    values: list[int], data: st.DataObject
) -> None:
    rows = sorted(
        data.draw(
            st.sets(st.integers(0, 29)).map(
                lambda chosen: {row for row in chosen if row < len(values)}
            )
        )
    )
    kept = [value for row, value in enumerate(values) if row not in rows]
    assert list(without(array("I", values), rows)) == kept
    assert list(without(bytearray(values), rows)) == kept
