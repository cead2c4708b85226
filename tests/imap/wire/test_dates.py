"""Dates: RFC 3501 section 9, "date-time" and "date"."""

import datetime

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import ProtocolSyntaxError
from maildrop.imap.wire.dates import InternalDates, day, seconds

#: 1 January of year 1 and 31 December of 9999, in seconds since 1970 UTC.
FIRST = -62135596800
LAST = 253402300799


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"01-Jan-1970 00:00:00 +0000", 0),
        (b" 1-Jan-1970 00:00:00 +0000", 0),
        (b"1-Jan-1970 00:00:00 +0000", 0),
        (b"17-Jul-1996 02:44:25 -0700", 837596665),
        (b"17-jul-1996 02:44:25 -0700", 837596665),
        (b"17-Jul-1996 15:14:25 +0530", 837596665),
        (b"31-Dec-1969 23:59:59 +0000", -1),
        (b"31-Dec-2016 23:59:60 +0000", 1483228799),
        (b"29-Feb-2024 00:00:00 +0000", 1709164800),
        (b"19-Jan-2038 03:14:08 +0000", 1 << 31),
    ],
)
def test_a_date_time_is_read(text: bytes, expected: int) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"17-Jul-1996",
        b"17-Jul-1996 02:44:25",
        b"17-Jul-1996 02:44:25 PDT",
        b"17-Jul-1996 02:44:25 -0700 ",
        b"17-Jul-96 02:44:25 -0700",
        b"17-Quintilis-1996 02:44:25 -0700",
        b"17-Qui-1996 02:44:25 -0700",
        b"30-Feb-2024 00:00:00 +0000",
        b"00-Jan-1970 00:00:00 +0000",
        b"01-Jan-0000 00:00:00 +0000",
        b"01-Jan-1970 24:00:00 +0000",
        b"01-Jan-1970 00:60:00 +0000",
        b"01-Jan-1970 00:00:61 +0000",
        b"01-Jan-1970 00:00:00 +0060",
        b"\xd9\xa0\xd9\xa1-Jan-1970 00:00:00 +0000",  # digits that are not ASCII
    ],
)
def test_what_is_no_date_time_is_a_syntax_error(text: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError) as caught:
        seconds(text, offset=7)
    assert caught.value.offset == 7


def test_a_day_is_read() -> None:
    assert day(b"1-Feb-1994") == datetime.date(1994, 2, 1)
    assert day(b"01-FEB-1994") == datetime.date(1994, 2, 1)


@pytest.mark.parametrize(
    "text", [b"", b"1-Feb", b"Feb-1-1994", b"30-Feb-1994", b"1-Feb-94", b"1 Feb 1994"]
)
def test_what_is_no_day_is_a_syntax_error(text: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        day(text)


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, b'" 1-Jan-1970 00:00:00 +0000"'),
        (-1, b'"31-Dec-1969 23:59:59 +0000"'),
        (837596665, b'"17-Jul-1996 09:44:25 +0000"'),
        (FIRST, b'" 1-Jan-0001 00:00:00 +0000"'),
        (FIRST - 1, b'" 1-Jan-0001 00:00:00 +0000"'),
        (LAST, b'"31-Dec-9999 23:59:59 +0000"'),
        (1 << 62, b'"31-Dec-9999 23:59:59 +0000"'),
        (-(1 << 62), b'" 1-Jan-0001 00:00:00 +0000"'),
    ],
)
def test_an_internal_date_is_written(at: int, text: bytes) -> None:
    assert InternalDates()(at) == text


def test_only_so_many_days_are_remembered() -> None:
    dates = InternalDates(days=2)
    for number in (*range(5), *range(5)):
        expected = b'" %d-Jan-1970 00:00:00 +0000"' % (number + 1)
        assert dates(number * 86400) == expected


@given(st.integers(FIRST, LAST))
def test_what_is_written_reads_back(at: int) -> None:
    dates = InternalDates()
    assert seconds(dates(at).strip(b'"')) == at
    assert seconds(dates(at).strip(b'"')) == at


@given(
    st.binary(max_size=30)
    | st.from_regex(rb"\d\d-[A-Za-z]{3}-\d{4} \d\d:\d\d:\d\d [+-]\d{4}", fullmatch=True)
)
def test_any_octets_parse_or_raise_syntax_error(octets: bytes) -> None:
    try:
        at = seconds(octets)
    except ProtocolSyntaxError:
        return
    assert InternalDates()(at).endswith(b' +0000"')


@given(st.binary(max_size=12) | st.from_regex(rb"\d\d?-[JF]..-\d{4}", fullmatch=True))
def test_any_octets_are_a_day_or_raise_syntax_error(octets: bytes) -> None:
    try:
        date = day(octets)
    except ProtocolSyntaxError:
        return
    assert b"%04d" % date.year == octets[-4:]
