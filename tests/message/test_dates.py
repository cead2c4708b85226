"""Dates of the Date field: RFC 5322 sections 3.3 and 4.3."""

import datetime as dt

import pytest
from hypothesis import given, strategies as st

from maildrop.message.dates import date, date_time


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        # RFC 5322 appendix A
        ("Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21T09:55:06-06:00"),
        ("Tue, 1 Jul 2003 10:52:37 +0200", "2003-07-01T10:52:37+02:00"),
        ("Thu, 13 Feb 1969 23:32:54 -0330", "1969-02-13T23:32:54-03:30"),
        (
            "Thu,\n 13\n Feb\n 1969\n 23:32\n -0330 (Newfoundland Time)",
            "1969-02-13T23:32:00-03:30",
        ),
        ("21 Nov 97 09:55:06 GMT", "1997-11-21T09:55:06+00:00"),
        (
            "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600",
            "1997-11-21T09:55:06-06:00",
        ),
        # Two and three digits: section 4.3
        ("1 Jan 49 00:00 EST", "2049-01-01T00:00:00-05:00"),
        ("1 Jan 50 00:00 EDT", "1950-01-01T00:00:00-04:00"),
        ("1 Jan 102 00:00:00 PST", "2002-01-01T00:00:00-08:00"),
        # Military zones mean nothing.
        ("1 Jan 2002 10:00:00 A", "2002-01-01T10:00:00+00:00"),
        # Not of any RFC
        ("Thu Aug 22 12:36:23 2002", "2002-08-22T12:36:23+00:00"),
        ("Thu Aug 22 12:36:23 EDT 2002", "2002-08-22T12:36:23-04:00"),
        ("August 2, 2002 1:02 PM", "2002-08-02T01:02:00+00:00"),
        ("22-Aug-2002 10:11:12 +0100", "2002-08-22T10:11:12+01:00"),
        ("2002-08-22T10:11:12+0100", "2002-08-22T10:11:12+01:00"),
        ("2002-08-22 10:11:12.5 +01:00", "2002-08-22T10:11:12+01:00"),
        ("Do., 22 August 2002 10.11.12", "2002-08-22T10:11:12+00:00"),
        ("22 Aug 2002", "2002-08-22T00:00:00+00:00"),
        ("22 Aug 2002 10:11:60 GMT", "2002-08-22T10:11:59+00:00"),
        ("22 Aug 2002 25:61 GMT", "2002-08-22T00:00:00+00:00"),
        ("22 Aug 2002 10:11 GMT+0200", "2002-08-22T10:11:00+02:00"),
        ("22 Aug 2002 10:11 +9999", "2002-08-22T10:11:00+00:00"),
    ],
)
def test_dates_are_read(value: str, moment: str) -> None:
    found = date_time(value.encode())
    assert found is not None
    assert found.isoformat() == moment


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        "<hr>",
        "12/11/2002",
        "12.11.2002",
        "31 Feb 2002 10:00:00 +0000",
        "0 Jan 2002",
        "pn, 29 pax 2007 21:13:00 +0100",
        "Aug 22 12:36:23",
        "(" * 300,
        "(22 Aug 2002)",
        "1" * 300,
    ],
)
def test_hopeless_dates_are_none(value: str) -> None:
    assert date_time(value.encode()) is None


def test_only_the_start_of_a_long_value_counts() -> None:
    assert date_time(b" " * 256 + b"22 Aug 2002") is None


PIECES = st.sampled_from(
    [
        "Fri",
        ", ",
        "21",
        "Nov",
        " ",
        "97",
        "1997",
        "09",
        ":",
        "55",
        "-",
        "+",
        "0600",
        "GMT",
        "(",
        ")",
        "\n",
        ".",
        "T",
        "Z",
        "00",
        "ÿ",
        "2002-08-22",
    ]
)


@given(st.lists(PIECES, max_size=20).map("".join))
def test_any_octets_are_a_date_or_none(value: str) -> None:
    found = date_time(value.encode("latin-1"))
    day = date(value.encode("latin-1"))
    assert day == (None if found is None else found.date())
    assert found is None or found.tzinfo is not None


@given(st.integers(-(10**9), 10**11))
def test_what_is_written_reads_back(seconds: int) -> None:
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    text = f"{moment.day} {moment:%b} {moment.year:04} {moment:%H:%M:%S} +0000"
    assert date_time(text.encode()) == moment
