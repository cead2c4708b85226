"""FETCH responses written by columns (RFC 3501 section 7.4.2)."""

from collections.abc import Sequence

import pytest
from hypothesis import given, strategies as st

from maildrop.imap.fetch_formatter import Chunk, Formatters
from maildrop.imap.wire import fetch
from maildrop.imap.wire.fetch import FetchItem, Section
from maildrop.mailbox.table import MessageTable

FIELDS = Section(
    b"BODY[HEADER.FIELDS (TO)]", kind=b"HEADER.FIELDS", fields=(b"TO",), peek=True
)
PART = Section(b"BODY[1]", (1,))
WHOLE = Section(b"BODY[]<2>", partial=(2, 3))


def table(flags: Sequence[tuple[int, int]]) -> MessageTable:
    made = MessageTable(1)
    made.keyword_names = ["$A", "$B"]
    for uid, (bits, keywords) in enumerate(flags, 1):
        made.append_row(uid * 10, uid * 100, uid * 86_400, bits, keywords, 1)
    return made


def chunk(made: MessageTable, rows: Sequence[int], first_recent: int = 1000) -> Chunk:
    numbers = [row + 1 for row in rows]
    return Chunk(made, rows, numbers, [made.uids[row] for row in rows], first_recent)


def written(items: tuple[FetchItem, ...], messages: Chunk) -> bytes:
    return b"".join(Formatters().of(items).write(messages))


def test_columns_of_neighbours_and_of_others() -> None:
    made = table([(0, 0)] * 4)
    items = (fetch.UID, fetch.SIZE)
    lines = [b"* %d FETCH (UID %d RFC822.SIZE %d)\r\n" % (n, n * 10, n * 100)
             for n in (1, 2, 3, 4)]  # fmt: skip
    assert written(items, chunk(made, range(1, 3))) == lines[1] + lines[2]
    assert written(items, chunk(made, [0, 3])) == lines[0] + lines[3]
    assert written(items, chunk(made, [])) == b""


@pytest.mark.parametrize(
    ("flags", "first_recent", "value"),
    [
        ((0, 0), 1000, b""),
        ((1, 0), 1000, b"\\Seen"),
        ((31, 0), 1000, b"\\Answered \\Flagged \\Deleted \\Seen \\Draft"),
        ((0, 0), 10, b"\\Recent"),
        ((1, 0), 10, b"\\Seen \\Recent"),
        ((0, 1), 1000, b"$A"),
        ((1, 3), 10, b"\\Seen \\Recent $A $B"),
        ((32 | 64 | 128, 0), 1000, b""),
    ],
)
def test_flags(flags: tuple[int, int], first_recent: int, value: bytes) -> None:
    """Bits that belong to the storage format are not shown."""
    messages = chunk(table([flags]), range(1), first_recent)
    assert written((fetch.FLAGS,), messages) == b"* 1 FETCH (FLAGS (%b))\r\n" % value


@given(
    st.lists(st.tuples(st.integers(0, 255), st.integers(0, 3)), max_size=30),
    st.integers(0, 400),
)
def test_flags_of_many_are_those_of_each(
    flags: list[tuple[int, int]], first_recent: int
) -> None:
    made = table(flags)
    items = (fetch.FLAGS, fetch.UID)
    rows = range(len(flags))
    each = [written(items, chunk(made, [row], first_recent)) for row in rows]
    assert written(items, chunk(made, rows, first_recent)) == b"".join(each)


def test_dates_are_utc() -> None:
    messages = chunk(table([(0, 0)]), range(1))
    assert written((fetch.INTERNALDATE,), messages) == (
        b'* 1 FETCH (INTERNALDATE " 2-Jan-1970 00:00:00 +0000")\r\n'
    )


def test_fragments_and_sections_stand_where_they_were_asked_for() -> None:
    formatter = Formatters().of((fetch.ENVELOPE, FIELDS, fetch.UID))
    assert formatter.keys == (b"ENVELOPE", b"HEADER.FIELDS (TO)")
    assert formatter.sections == ()
    assert not formatter.sets_seen
    messages = chunk(table([(0, 0)] * 2), range(2))
    messages.fragments = {
        b"ENVELOPE": [b"(1)", b"(2)"],
        b"HEADER.FIELDS (TO)": [b"\r\n", b"To: x\r\n\r\n"],
    }
    assert b"".join(formatter.write(messages)) == (
        b"* 1 FETCH (ENVELOPE (1) BODY[HEADER.FIELDS (TO)] {2}\r\n\r\n UID 10)\r\n"
        b"* 2 FETCH (ENVELOPE (2) BODY[HEADER.FIELDS (TO)] {9}\r\nTo: x\r\n\r\n UID 20)"
        b"\r\n"
    )


def test_what_takes_whole_messages_is_looked_up_first() -> None:
    formatter = Formatters().of((FIELDS, fetch.ENVELOPE, fetch.BODYSTRUCTURE))
    assert formatter.keys == (
        b"BODYSTRUCTURE",
        b"HEADER.FIELDS (TO)",
        b"ENVELOPE",
    )


def test_a_message_that_is_read_gives_its_header_too() -> None:
    formatter = Formatters().of((FIELDS, fetch.UID, PART, WHOLE))
    assert formatter.keys == ()
    assert formatter.sections == (FIELDS, PART, WHOLE)
    assert formatter.sets_seen
    messages = chunk(table([(0, 0)] * 2), range(2))
    messages.sections = [[b"a", b"b"], [None, b"cc"], [b"d", b""]]
    assert b"".join(formatter.write(messages)) == (
        b"* 1 FETCH (BODY[HEADER.FIELDS (TO)] {1}\r\na UID 10 BODY[1] NIL"
        b" BODY[]<2> {1}\r\nd)\r\n"
        b"* 2 FETCH (BODY[HEADER.FIELDS (TO)] {1}\r\nb UID 20 BODY[1] {2}\r\ncc"
        b" BODY[]<2> {0}\r\n)\r\n"
    )


def test_messages_that_are_gone_are_left_out_of_every_column() -> None:
    messages = chunk(table([(0, 0)] * 3), range(3))
    messages.fragments = {b"ENVELOPE": [b"(1)", b"", b"(3)"]}
    messages.keep([True, False, True])
    assert written((fetch.UID, fetch.ENVELOPE), messages) == (
        b"* 1 FETCH (UID 10 ENVELOPE (1))\r\n* 3 FETCH (UID 30 ENVELOPE (3))\r\n"
    )


def test_a_formatter_is_made_once_and_few_are_kept() -> None:
    formatters = Formatters(remembered=2)
    first = formatters.of((fetch.UID,))
    assert formatters.of((fetch.UID,)) is first
    for at in range(5):
        formatters.of((Section(b"BODY[%d]" % at, (at,)),))
    assert formatters.of((fetch.UID,)) is not first
