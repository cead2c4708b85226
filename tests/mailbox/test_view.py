"""A session's view: numbers that move only when the client is told."""

from hypothesis import given, settings, strategies as st

from maildrop.mailbox.flags import SEEN
from maildrop.mailbox.table import MessageTable
from maildrop.mailbox.view import View


def table_of(*uids: int) -> MessageTable:
    table = MessageTable(uid_validity=7)
    for uid in uids:
        table.append_row(uid, 100, 0, 0, 0, uid)
    return table


def expunge(table: MessageTable, *uids: int, by: object | None = None) -> None:
    table.remove_rows(table.rows(sorted(uids)), table.highest_mod_seq + 1, by)


def test_a_new_message_is_told_as_exists() -> None:
    table = table_of(1, 2)
    view = View(table)
    table.append_row(3, 1, 0, 0, 0, 4)
    told = view.updates(expunges=False)
    assert (told.exists, told.recent, view.count) == (3, 3, 3)
    assert view.updates(expunges=True).exists is None


def test_an_expunge_waits_until_it_may_be_told() -> None:
    """RFC 3501 section 7.4.1."""
    table = table_of(1, 2, 3)
    view = View(table)
    expunge(table, 2)
    told = view.updates(expunges=False)
    assert told.expunged == []
    assert (view.uid(3), view.number(3), view.current) == (3, 3, False)
    told = view.updates(expunges=True)
    assert (told.expunged, told.vanished) == ([2], [2])
    assert (view.number(3), view.current) == (2, True)


def test_arrivals_wait_behind_an_untold_expunge() -> None:
    table = table_of(1, 2)
    view = View(table)
    expunge(table, 1)
    table.append_row(3, 1, 0, 0, 0, 9)
    assert view.updates(expunges=False).exists is None
    told = view.updates(expunges=True)
    assert (told.expunged, told.exists) == ([1], 2)


def test_expunges_are_numbered_so_that_each_holds_after_the_others() -> None:
    table = table_of(1, 2, 3, 4)
    view = View(table)
    expunge(table, 1, 4)
    expunge(table, 2)
    assert view.updates(expunges=True).expunged == [4, 2, 1]


def test_a_message_that_came_and_went_untold_is_never_mentioned() -> None:
    table = table_of(1)
    view = View(table)
    table.append_row(2, 1, 0, 0, 0, 9)
    expunge(table, 2)
    told = view.updates(expunges=True)
    assert (told.expunged, told.vanished, told.exists) == ([], [], None)


def test_flags_changed_by_others_are_told_and_own_ones_are_not() -> None:
    table = table_of(1, 2)
    mine, other = View(table), View(table)
    table.set_row(1, SEEN, 0, 5)
    table.record([2], 5, mine)
    assert mine.updates(expunges=False).flags == []
    assert other.updates(expunges=False).flags == [2]


def test_flags_of_a_message_not_yet_announced_are_not_told() -> None:
    table = table_of(1)
    view = View(table)
    table.append_row(2, 1, 0, 0, 0, 5)
    table.record([2], 6, None)
    told = view.updates(expunges=True)
    assert (told.flags, told.exists) == ([], 2)


def test_recent_is_what_no_session_had_before() -> None:
    table = table_of(1, 2, 3)
    table.first_recent = 3
    view = View(table)
    assert (view.recent(), view.is_recent(2), view.is_recent(3)) == (1, False, True)


def test_the_journal_forgets_only_what_all_views_have_seen() -> None:
    table = table_of(1, 2)
    slow, quick = View(table), View(table)
    expunge(table, 1)
    quick.updates(expunges=True)
    table.journal.forget_before(min(slow.position, quick.position))
    assert slow.updates(expunges=True).expunged == [1]
    table.journal.forget_before(min(slow.position, quick.position))
    assert table.journal.entries == []


STEPS = st.lists(
    st.one_of(
        st.just(("add", 0)),
        st.tuples(st.just("expunge"), st.integers(0, 20)),
        st.tuples(st.just("tell"), st.integers(0, 1)),
    ),
    max_size=40,
)


@settings(max_examples=200)
@given(STEPS)
def test_a_client_that_applies_what_it_is_told_agrees_with_the_view(
    steps: list[tuple[str, int]],
) -> None:
    table = table_of(1, 2, 3)
    view = View(table)
    client = [1, 2, 3]
    for step, value in [*steps, ("tell", 1)]:
        if step == "add":
            table.append_row(table.uid_next, 1, 0, 0, 0, table.highest_mod_seq + 1)
        elif step == "expunge" and len(table):
            expunge(table, table.uids[value % len(table)])
        elif step == "tell":
            told = view.updates(expunges=bool(value))
            for number in told.expunged:
                del client[number - 1]
            if told.exists is not None:
                client += [view.uid(n) for n in range(len(client) + 1, told.exists + 1)]
        assert client == list(view.uids[: view.count])
    assert client == list(table.uids)
    assert view.current


def test_a_view_has_news_until_they_are_told() -> None:
    table = table_of(1, 2, 3)
    view = View(table)
    assert not view.has_news
    table.append_row(9, 100, 0, 0, 0, 5)
    assert view.has_news
    view.updates(expunges=True)
    assert not view.has_news
    expunge(table, 1)
    assert view.has_news
    view.updates(expunges=False)
    assert view.has_news
    view.updates(expunges=True)
    assert not view.has_news
