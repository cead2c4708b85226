"""Dates of the wire: INTERNALDATE both ways, and the days of SEARCH.

In this file:
    seconds          a date-time to seconds since 1970 UTC
    day              a date to a day
    InternalDates    seconds since 1970 UTC to a date-time, as FETCH sends it

Grammar: RFC 3501 section 9:

    date-time = DQUOTE date-day-fixed "-" date-month "-" 4DIGIT SP time SP zone DQUOTE
    date      = date-day "-" date-month "-" 4DIGIT     ; or the same in quotes
    zone      = ("+" / "-") 4DIGIT                     ; hours and minutes

Years run from 1 to 9999, and a leap second is the one before it.

Errors: ``ProtocolSyntaxError`` with the offset given.
"""

import datetime
import re
from typing import Final

from maildrop.errors import ProtocolSyntaxError

_MONTHS: Final = (
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun",
    b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
)  # fmt: skip
_MONTH: Final = {name.upper(): number for number, name in enumerate(_MONTHS, 1)}

_DATE: Final = re.compile(rb"(\d{1,2})-([A-Za-z]{3})-(\d{4})").fullmatch
# Quirk: the day is fixed at two places, but some clients leave the space or zero out.
_DATE_TIME: Final = re.compile(
    rb" ?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"
).fullmatch

_EPOCH: Final = datetime.date(1970, 1, 1).toordinal()
_DAY: Final = 86400
#: What date arithmetic can express, and INTERNALDATE show: years 1 to 9999.
_FIRST: Final = (1 - _EPOCH) * _DAY
_LAST: Final = (datetime.date.max.toordinal() - _EPOCH + 1) * _DAY - 1


def day(text: bytes, offset: int = 0) -> datetime.date:
    """The day that a ``date`` names, without its quotes.

    Raises:
        ProtocolSyntaxError: It is none; ``offset`` says where it stood.
    """
    match = _DATE(text)
    if match is None:
        raise ProtocolSyntaxError("expected a date", offset)
    return _day(match[1], match[2], match[3], offset)


def _day(day: bytes, month: bytes, year: bytes, offset: int) -> datetime.date:
    try:
        return datetime.date(int(year), _MONTH[month.upper()], int(day))
    except (KeyError, ValueError):
        raise ProtocolSyntaxError("a day that is in no calendar", offset) from None


def seconds(text: bytes, offset: int = 0) -> int:
    """Seconds since 1970 UTC of a ``date-time``, without its quotes.

    Raises:
        ProtocolSyntaxError: It is none; ``offset`` says where it stood.
    """
    match = _DATE_TIME(text)
    if match is None:
        raise ProtocolSyntaxError("expected a date-time", offset)
    days = _day(match[1], match[2], match[3], offset).toordinal() - _EPOCH
    hour, minute, second = int(match[4]), int(match[5]), min(int(match[6]), 60)
    zone_hour, zone_minute = int(match[8]), int(match[9])
    if hour > 23 or minute > 59 or int(match[6]) > 60 or zone_minute > 59:
        raise ProtocolSyntaxError("a time that no clock shows", offset)
    east = (zone_hour * 60 + zone_minute) * 60
    at = days * _DAY + hour * 3600 + minute * 60 + min(second, 59)
    return at - east if match[7] == b"+" else at + east


class InternalDates:
    """Writes INTERNALDATE, in UTC; messages of one day share the work for the day.

    Args:
        days: How many days are remembered.
    """

    __slots__ = ("_days", "_known")

    def __init__(self, days: int = 4096) -> None:
        self._days = days
        self._known: dict[int, bytes] = {}

    def __call__(self, seconds: int) -> bytes:
        """A ``date-time`` in its quotes.

        Args:
            seconds: Since 1970 UTC; beyond the years 1 to 9999 the nearest of them.
        """
        number, rest = divmod(seconds, _DAY)
        day = self._known.get(number)
        if day is None:
            seconds = min(max(seconds, _FIRST), _LAST)
            number, rest = divmod(seconds, _DAY)
            day = self._remember(number)
        minutes, second = divmod(rest, 60)
        return day % (*divmod(minutes, 60), second)

    def _remember(self, number: int) -> bytes:
        date = datetime.date.fromordinal(number + _EPOCH)
        day = b'"%2d-%b-%04d %%02d:%%02d:%%02d +0000"' % (
            date.day,
            _MONTHS[date.month - 1],
            date.year,
        )
        if len(self._known) >= self._days:
            self._known.clear()
        self._known[number] = day
        return day
