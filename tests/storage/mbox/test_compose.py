"""Messages on their way into an mbox."""

import os
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from maildrop.storage.mbox.compose import asctime
from maildrop.storage.mbox.format import FROM_LINE, from_line
from maildrop.storage.mbox.scan import from_date
from tests.storage.contract import add, message, opened
from tests.storage.mbox.conftest import OpenStore

#: The first second of the year 1, and the last of 999.
YEAR_1 = -62135596800
YEAR_999 = -30610224001


@pytest.mark.parametrize(
    ("date", "octets"),
    [
        (1000000000, b"Sun Sep  9 01:46:40 2001"),
        (-1, b"Wed Dec 31 23:59:59 1969"),
        (YEAR_999, b"Tue Dec 31 23:59:59 0999"),
        (YEAR_1 - 1, b"Mon Jan  1 00:00:00 0001"),
        (1 << 60, b"Fri Dec 31 23:59:59 9999"),
    ],
)
def test_a_date_has_four_digits_of_a_year(date: int, octets: bytes) -> None:
    assert asctime(date) == octets


@given(st.integers(-(1 << 62), 1 << 62))
def test_a_message_of_any_date_begins_a_message(date: int) -> None:
    line = from_line(b"", asctime(date))
    assert FROM_LINE.fullmatch(line)
    if 0 <= date < 253402300800:
        assert from_date(line) == date


@pytest.mark.parametrize("date", [YEAR_1, YEAR_999])
def test_messages_of_long_ago_stay_messages(
    open_store: OpenStore, spool: Path, date: int
) -> None:
    """RFC 9051 section 6.3.12: APPEND takes any date-time."""
    inbox = opened(open_store())
    uids = add(inbox, message("one")) + add(inbox, message("two"), date=date)
    inbox.close()
    os.utime(spool, (1, 1))
    again = opened(open_store())
    assert list(again.table.uids) == uids
    assert again.read(uids[1]) == message("two")
