"""Dates of the Date field: RFC 5322, its obsolete forms, and what else is sent.

In this file:
    date_time    when a Date field says the message was written
    date         the day of that, in the sender's zone

Grammar: RFC 5322 section 3.3, with section 4.3 (two- and three-digit years, zone names,
comments anywhere).  Taken besides: no weekday or a foreign one, no or dotted time, an
unknown zone (UTC), month names in full, ``22-Aug-2002``, asctime(3) with the year last,
ISO 8601.  Other dates in digits only are given up, since nobody knows their order.

Limits: the first 256 octets count.
"""

import datetime as dt
import re
from typing import Final

_LENGTH_MAX: Final = 256

_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1
    )
}

#: RFC 5322 section 4.3, hours from UTC; all other names count as UTC.
_ZONES: Final = {
    b"EST": -5,
    b"EDT": -4,
    b"CST": -6,
    b"CDT": -5,
    b"MST": -7,
    b"MDT": -6,
    b"PST": -8,
    b"PDT": -7,
    # Not in the RFC, and not ambiguous.
    b"CET": 1,
    b"CEST": 2,
    b"EET": 2,
    b"EEST": 3,
    b"MET": 1,
    b"MEST": 2,
    b"BST": 1,
    b"JST": 9,
}

_COMMENT: Final = re.compile(rb"\([^()]*+\)")
_DAY_FIRST: Final = re.compile(
    rb"[^0-9]*?([0-9]{1,2})[ .-]*+([A-Za-z]{3})[A-Za-z]*+[ .,-]++"
    rb"([0-9]{2,4})(?![0-9:])"
)
_MONTH_FIRST: Final = re.compile(
    rb"(?:[A-Za-z]++[ ,.]++)?([A-Za-z]{3})[A-Za-z]*+[ .]++([0-9]{1,2})(?![0-9:])"
)
_YEAR: Final = re.compile(rb"(?<![0-9+-])([0-9]{4})(?![0-9:])")
_ISO: Final = re.compile(rb"[^0-9]*?([0-9]{4})-([0-9]{2})-([0-9]{2})(?![0-9])")
_TIME: Final = re.compile(
    rb"(?<![0-9])([0-9]{1,2})[ ]*+[:.][ ]*+([0-9]{2})"
    rb"(?:[ ]*+[:.][ ]*+([0-9]{2}))?+(?:\.[0-9]++)?+[ ]*+"
    rb"(?:(?:GMT|UTC|UT)?([+-][0-9]{2}:?[0-9]{2})|([A-Za-z]++))?"
)


def date_time(value: bytes) -> dt.datetime | None:
    """When a Date field says that the message was written, in the sender's zone.

    Returns:
        None if it cannot be told.
    """
    found = _read(value)
    return None if found is None else _with_time(*found)


def date(value: bytes) -> dt.date | None:
    """The day of ``date_time``, in half its time."""
    found = _read(value)
    return None if found is None else found[0]


def _read(value: bytes) -> tuple[dt.date, bytes] | None:
    """The day, and the text in which the time stands."""
    text = value[:_LENGTH_MAX]
    while b"(" in text and _COMMENT.search(text):
        text = _COMMENT.sub(b" ", text)
    text = b" ".join(text.split())
    for reader in (_day_first, _month_first, _iso):
        found = reader(text)
        if found is not None:
            (year, month, day), rest = found
            try:
                return dt.date(year, month, day), rest
            except ValueError:
                return None
    return None


_Found = tuple[tuple[int, int, int], bytes]


def _day_first(text: bytes) -> _Found | None:
    found = _DAY_FIRST.match(text)
    if found is None:
        return None
    month = _MONTHS.get(found[2].lower())
    if month is None:
        return None
    return (_year(found[3]), month, int(found[1])), text[found.end() :]


def _month_first(text: bytes) -> _Found | None:
    found = _MONTH_FIRST.match(text)
    if found is None:
        return None
    month = _MONTHS.get(found[1].lower())
    rest = text[found.end() :]
    year = _YEAR.search(rest)
    if month is None or year is None:
        return None
    return (int(year[1]), month, int(found[2])), rest


def _iso(text: bytes) -> _Found | None:
    found = _ISO.match(text)
    if found is None:
        return None
    return (int(found[1]), int(found[2]), int(found[3])), text[found.end() :]


def _year(digits: bytes) -> int:
    """RFC 5322 section 4.3: 00 to 49 are 2000 to 2049, others add 1900."""
    year = int(digits)
    if len(digits) == 2 and year < 50:
        return year + 2000
    return year if len(digits) == 4 else year + 1900


def _with_time(date: dt.date, rest: bytes) -> dt.datetime:
    found = _TIME.search(rest)
    if found is None:
        return dt.datetime(date.year, date.month, date.day, tzinfo=dt.UTC)
    hour, minute, second, offset, name = found.groups()
    try:
        # A leap second is as good as the second before.
        time = dt.time(int(hour), int(minute), min(int(second or b"0"), 59))
    except ValueError:
        time = dt.time()
    return dt.datetime.combine(date, time, _zone(offset, name))


def _zone(offset: bytes | None, name: bytes | None) -> dt.timezone:
    if offset is not None:
        digits = offset.replace(b":", b"")
        minutes = int(digits[1:3]) * 60 + int(digits[3:5])
        if minutes < 24 * 60:
            sign = -1 if digits.startswith(b"-") else 1
            return dt.timezone(dt.timedelta(minutes=sign * minutes))
    if name is not None:
        return dt.timezone(dt.timedelta(hours=_ZONES.get(name.upper(), 0)))
    return dt.UTC
