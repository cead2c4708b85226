"""The date of what is written here: Date and Received fields.

In this file:
    date_time    a date as RFC 5322 section 3.3 writes it, in UTC
"""

import time
from typing import Final

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)


def date_time(seconds: float) -> str:
    """``Sun, 22 Nov 2026 01:50:37 +0000``.

    Args:
        seconds: Since 1970 UTC.
    """
    t = time.gmtime(seconds)
    return (
        f"{_DAYS[t.tm_wday]}, {t.tm_mday} {_MONTHS[t.tm_mon - 1]} {t.tm_year} "
        f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} +0000"
    )
